"""What the keys of a policy change of a night: the order, what is taken up again, when it stops."""

from pathlib import Path
from typing import Any

import pytest
import trio

from station.engine.attempt import Attempt
from station.engine.sheet import Sheet
from station.live import SlotState as S
from station.model import AttemptRecord, Outcome
from station.sim.faults import Traits
from station.sim.mishap import Cure, Mishap, What
from station.store.campaigns import CampaignStory
from station.wire import CampaignPlan
from tests.engine import tray
from tests.engine.line import Running
from tests.engine.nights import (
    NIGHT_S,
    RUN,
    engine,
    kinds,
    story_of_last,
    until_over,
    why_stopped,
    words,
)
from tests.engine.rack import make_rack, plug_all, write_policy

pytestmark = pytest.mark.trio

ANY = {"known": False}
DEAD = Mishap(What.MUTE, "program", Cure.NONE, times=1_000_000)
NAMELESS = Traits(serial_in_product=False, answers_commands=False)
"""In EDL nothing tells which module it is."""


# --- the order --------------------------------------------------------------------------------

OF_TWO_FAMILIES = {"A1": "rm500q", "A3": "rm500q"}
BOTH = ["ec25-demo", "rm500q-demo"]


@pytest.mark.parametrize(("order", "worked"), [("slot", "A1 A2 A3 A4"), ("family", "A2 A4 A1 A3")])
async def test_modules_are_worked_on_in_the_order_of_the_policy(
    tmp_path: Path, tray_clock: object, order: str, worked: str
) -> None:
    bench = make_rack(tmp_path, 4, families=OF_TWO_FAMILIES)
    plug_all(bench)
    write_policy(
        tmp_path, units=ANY, recipes=BOTH, order=order, limits={"at_once": 1},
        groups={"first": 2, "next": 2},
    )  # fmt: skip
    async with engine(bench) as run:
        await run.ask(RUN)
        sheet = await until_over(run, bench)
    assert set(words(sheet).values()) == {"PASS"}
    assert begun(sheet.story) == worked.split()
    groups = [event.detail["slots"] for event in sheet.story.events if event.kind == "group"]
    assert groups == [worked[:5], worked[6:]]


def begun(story: CampaignStory) -> list[str]:
    """The slots in the order in which their attempts were begun."""
    opened = [record.opened for some in story.attempts.values() for record in some]
    return [one.slot for one in sorted(opened, key=lambda one: one.attempt_id)]


async def test_a_limit_takes_the_first_in_the_order_of_the_policy(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 4, families=OF_TWO_FAMILIES)
    plug_all(bench)
    write_policy(tmp_path, units=ANY, recipes=BOTH, order="family", limits={"units": 3})
    async with engine(bench) as run:
        answer = await plan(run)
    decisions = {slot["slot"]: slot["decision"] for slot in answer["slots"]}
    assert decisions == {"A1": "flash", "A2": "flash", "A3": "over_limit", "A4": "flash"}


async def plan(run: Running) -> dict[str, Any]:
    return await run.ask(CampaignPlan(name="nightly"))


# --- what was cut off -------------------------------------------------------------------------


async def killed_in_mid_write(bench: tray.Line, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A night whose engine dies while A1 is written: what is in the module then, in EDL."""

    async def die(self: Attempt, _: object) -> None:
        with trio.CancelScope(shield=True):
            await self.session.close()

    plug_all(bench)
    with monkeypatch.context() as killed:
        async with engine(bench) as run:
            await run.ask(RUN)
            await run.until_step("A1", "program", NIGHT_S)
            killed.setattr(Attempt, "_end", die)
    [cut] = story_of_last(bench).attempts["A1"]
    assert cut.closed is None
    return bench.fingerprint("A1")


async def next_engine(bench: tray.Line) -> Sheet:
    """It ends the night."""
    async with engine(bench) as run:
        await run.until(lambda: run.desk.campaigns.night is not None)
        sheet = await until_over(run, bench)
        await run.until(lambda: run["A1"].state not in (S.EMPTY, S.PROBING))
    assert kinds(sheet.story).count("resumed") == 1
    return sheet


def outcomes(attempts: tuple[AttemptRecord, ...]) -> list[Outcome | None]:
    return [None if record.closed is None else record.closed.outcome for record in attempts]


async def test_with_never_what_was_cut_off_is_left_to_a_person(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_rack(tmp_path, 2)
    write_policy(tmp_path, units=ANY, limits={"at_once": 1}, resume="never")
    before = await killed_in_mid_write(bench, monkeypatch)
    sheet = await next_engine(bench)
    assert words(sheet) == {"A1": "INTERRUPTED", "A2": "PASS"}
    assert outcomes(sheet.story.attempts["A1"]) == [Outcome.INTERRUPTED]
    assert "not_started" not in kinds(sheet.story), "it is not even tried"
    assert bench.fingerprint("A1") == before


async def test_the_next_night_s_policy_decides_and_not_the_line_s_settings(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_rack(tmp_path, 1)
    write_policy(tmp_path, units=ANY, resume="never")
    await killed_in_mid_write(bench, monkeypatch)
    await next_engine(bench)
    assert bench.settings().line.resume == "certain"
    async with engine(bench) as run:
        [never] = (await plan(run))["slots"]
        write_policy(tmp_path, units=ANY, resume="certain")
        [certain] = (await plan(run))["slots"]
    assert (never["decision"], "a person decides" in never["reason"]) == ("blocked", True)
    assert certain["decision"] == "resume"


async def test_what_a_module_in_edl_had_once_is_no_version_to_start_from(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1, faults={"A1": "nak"})
    write_policy(tmp_path, units=ANY)
    plug_all(bench)
    async with engine(bench) as run:
        await run.ask(RUN)
        assert words(await until_over(run, bench)) == {"A1": "FAIL"}
    assert bench.tray.modules["A1"].mode == "firehose"
    write_policy(tmp_path, units=ANY | {"allow_from": ["EC25EFAR06A06*"]})
    async with engine(bench) as run:
        [slot] = (await plan(run))["slots"]
    assert slot["decision"] == "not_meant"
    assert slot["reason"] == "the campaign does not start from a version that it cannot tell"


async def test_with_same_slot_the_slot_is_enough(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_rack(tmp_path, 2)
    bench.tray.modules["A1"].traits = NAMELESS
    write_policy(tmp_path, units=ANY, limits={"at_once": 1}, resume="same_slot")
    await killed_in_mid_write(bench, monkeypatch)
    sheet = await next_engine(bench)
    assert words(sheet) == {"A1": "PASS", "A2": "PASS"}
    cut, again = sheet.story.attempts["A1"]
    assert outcomes((cut, again)) == [Outcome.INTERRUPTED, Outcome.PASS]
    assert again.opened.unit.imei == cut.opened.unit.imei


async def test_with_certain_the_slot_is_not_enough(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_rack(tmp_path, 2)
    bench.tray.modules["A1"].traits = NAMELESS
    write_policy(tmp_path, units=ANY, limits={"at_once": 1}, resume="certain")
    before = await killed_in_mid_write(bench, monkeypatch)
    sheet = await next_engine(bench)
    assert words(sheet)["A2"] == "PASS"
    assert outcomes(sheet.story.attempts["A1"]) == [Outcome.INTERRUPTED]
    event = sheet.story.event("not_started")
    assert event is not None
    assert event.detail["slot"] == "A1"
    assert "nothing proves which attempt left it there" in str(event.detail["why"])
    assert bench.fingerprint("A1") == before


# --- when it stops ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "breaker", "last", "told"),
    [
        (["A1"], {"window": 9, "minimum": 3, "yield_percent": 70}, "A3",
         "2 of the last 3 units are good, 66 % where 70 % are wanted"),
        (["A1"], {"window": 9, "minimum": 3, "yield_percent": 66}, "A6", None),
        (["A1"], {"window": 9, "minimum": 4, "yield_percent": 70}, "A6", None),
        (["A4", "A5"], {"window": 3, "minimum": 3, "yield_percent": 60}, "A5",
         "1 of the last 3 units are good, 33 % where 60 % are wanted"),
        (["A4", "A5"], {"window": 9, "minimum": 3, "yield_percent": 60}, "A6", None),
    ],
)  # fmt: skip
async def test_too_few_good_ones_of_the_last_stop_it(
    tmp_path: Path,
    tray_clock: object,
    bad: list[str],
    breaker: dict[str, object],
    last: str,
    told: str | None,
) -> None:
    bench = make_rack(tmp_path, 6)
    for slot in bad:
        bench.befall(slot, DEAD)
    plug_all(bench)
    write_policy(
        tmp_path, units=ANY, limits={"at_once": 1, "attempts": 1}, groups={"first": 6},
        breaker=breaker | {"in_a_row": None, "on_a_slot": None},
    )  # fmt: skip
    async with engine(bench) as run:
        await run.ask(RUN)
        sheet = await until_over(run, bench)
        stopped = run.line.guard.stopped
    assert begun(sheet.story) == [f"A{number}" for number in range(1, int(last[1:]) + 1)]
    assert {slot for slot, word in words(sheet).items() if word == "FAIL"} == set(bad)
    if told is None:
        assert sheet.ending == "done"
        assert stopped is None
    else:
        assert told in why_stopped(sheet.story)
        assert stopped is not None, "until a person lifts it"
