"""A tray of strangers: what a slot says of each, and that neither kernel nor neighbour minds."""

from collections.abc import Iterator, Mapping

import pytest

from station.live import SlotState
from station.model import AttemptRecord, Outcome
from station.sim.odd import ODDITIES
from tests.commands.running import RECIPE
from tests.commands.running import until as watched
from tests.engine.tray import code_of
from tests.kernel.judge import assert_flashed, assert_verdicts, drivers
from tests.kernel.kernel import DEVICES, read, until
from tests.kernel.rehearsal import Line, Rehearsal, make_line, rehearsal
from tests.programs import ran

pytestmark = pytest.mark.long

MODULE, HUNG = "A1", "A2"
CODES = {
    "no-endpoints": "U112",
    "wrong-lengths": "D201",
    "empty-strings": "D212",
    "many-interfaces": "D201",
    "mute-device": "U101",
    "mute-ports": "P132",
    "flood": "P131",
    "flapping": "U102",
    "two-devices": "D201",
    "mouse": "D201",
    "stick": "D201",
}
SLOTS = {name: f"A{place}" for place, name in enumerate(CODES, start=3)}
SLOW = ("mute-device", "flapping")
"""The kernel asks them again and again, for minutes."""

QUICK = [slot for name, slot in SLOTS.items() if name not in SLOW]


@pytest.fixture(scope="module")
def tray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """One in each slot; a healthy module lives among them, and one that hangs."""
    faults = {slot: name for name, slot in SLOTS.items() if name not in SLOW}
    named = [word for slot, name in faults.items() for word in ("--fault", f"{slot}={name}")]
    options = (*named, "--fault", f"{HUNG}=hung")
    folder = tmp_path_factory.mktemp("tray")
    with rehearsal(folder, len(SLOTS) + 2, *options, speed=1) as running:
        assert running.shows(SLOTS["two-devices"], "046d:c077")
        assert until(lambda: all(running.device(slot) for slot in QUICK), 60)
        yield running
        for slot in SLOTS.values():
            running.ask("unplug", slot=slot)
        assert until(lambda: not any(running.device(slot) for slot in SLOTS.values()), 60)
    assert "bug" not in (folder / "sim.log").read_text()


@pytest.fixture(scope="module")
def line(tray: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> Line:
    return make_line(tmp_path_factory.mktemp("line"), tray.slots)


@pytest.fixture(scope="module")
def records(line: Line) -> Mapping[str, AttemptRecord]:
    """What became of all of them, by slot."""
    return line.flash_here(MODULE, HUNG, *QUICK, wait_s=1.0)


def test_all_strangers_have_a_slot() -> None:
    assert CODES.keys() == ODDITIES.keys()


def test_the_kernel_has_bound_the_mouse(tray: Rehearsal) -> None:
    assert until(lambda: drivers(tray, SLOTS["mouse"]) == ["usbhid"], 60)


@pytest.mark.parametrize("name", [name for name in CODES if name not in SLOW])
def test_each_has_its_own_code(records: Mapping[str, AttemptRecord], name: str) -> None:
    record = records[SLOTS[name]]
    assert code_of(record) == CODES[name], record.closed


def test_their_neighbour_is_flashed(
    tray: Rehearsal, line: Line, records: Mapping[str, AttemptRecord]
) -> None:
    assert_verdicts({MODULE: records[MODULE]}, {MODULE: None})
    assert_flashed(tray, line, MODULE)


def test_a_module_that_hangs_is_cured_by_its_power(
    tray: Rehearsal, line: Line, records: Mapping[str, AttemptRecord]
) -> None:
    assert_verdicts({HUNG: records[HUNG]}, {HUNG: (Outcome.FAIL, "P132")})
    place = DEVICES / tray.ports(HUNG)[0]
    before = read(place, "devnum")
    tray.ask("power", slot=HUNG, to="cycle")
    assert until(lambda: read(place, "devnum") not in (None, before), 60)
    assert_verdicts(line.flash_here(HUNG), {HUNG: None})
    assert_flashed(tray, line, HUNG)


def test_an_engine_that_runs_tells_them_too(tray: Rehearsal, line: Line) -> None:
    """They arrive on an armed line, beside a module."""
    mouse, bare = SLOTS["mouse"], SLOTS["no-endpoints"]
    socket = line.config.with_name("station.sock")
    with line.serving():
        arming = ("line", "arm", "--recipe", RECIPE, "--operator", "maria")
        armed = ran(*arming, "--config", str(line.config), limit_s=120)
        assert armed.returncode == 0, armed.stderr
        fresh = {MODULE: "read-zlp", mouse: "mouse", bare: "no-endpoints"}
        # Who is in a slot when the engine starts is asked first; one that is changed meanwhile
        # would be taken for it, and left standing.
        asked = watched(
            socket, lambda p: SlotState.PROBING not in {s.state for s in p.slots.values()}
        )
        assert asked.slots[MODULE].state is not SlotState.EMPTY
        # One that was never seen to be absent has enumerated anew: no hand is quicker than a look.
        tray.take_out(*fresh)
        watched(socket, lambda p: {p.slots[slot].state for slot in fresh} == {SlotState.EMPTY})
        tray.put_in(fresh)
        picture = watched(socket, lambda p: all(p.slots[slot].outcome for slot in fresh))
        shown = [picture.slots[slot] for slot in fresh]
        tray.ask("unplug", slot=mouse)
        watched(socket, lambda p: p.slots[mouse].state is SlotState.EMPTY)
        tray.ask("plug", slot=mouse)
    assert_flashed(tray, line, MODULE)
    assert [
        (view.state, view.outcome, view.failure and view.failure.code, view.usb_id)
        for view in shown
    ] == [
        (SlotState.DONE, Outcome.PASS, None, "2c7c:0125"),
        (SlotState.DONE, Outcome.BLOCKED, "D201", "046d:c077"),
        (SlotState.DONE, Outcome.FAIL, "U112", "2c7c:0125"),
    ]


def test_those_that_keep_the_kernel_busy(tray: Rehearsal, line: Line) -> None:
    """Last: whoever is on the same hub waits for them."""
    for name in SLOW:
        tray.ask("unplug", slot=SLOTS[name])
        tray.ask("plug", slot=SLOTS[name], fault=name)
    records = line.flash_here(*(SLOTS[name] for name in SLOW), wait_s=1.0)
    found = {name: code_of(records[SLOTS[name]]) for name in SLOW}
    assert found == {name: CODES[name] for name in SLOW}
