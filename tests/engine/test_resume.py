"""An engine that died in mid-work, and what the next one does with the module."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import yaml

from station.engine.attempt import Attempt
from station.engine.resume import check_package
from station.engine.world import Order
from station.live import SlotState as S
from station.model import AttemptRecord, Outcome, PackageRef
from station.sim.faults import Arrival, Traits
from station.wire import Disarm, Hold, Release, Retry
from tests.engine import tray
from tests.engine.line import Running, running
from tests.engine.tray import by_slot, code_of, make_line, step_named
from tests.mock_time import time_passes

pytestmark = pytest.mark.trio

VERDICTS = (S.DONE, S.AWAY, S.PULLED)
MUTE_CHIP = Traits(serial_in_product=False)


def configure(bench: tray.Line, **line: object) -> None:
    settings = yaml.safe_load(bench.config.read_text(encoding="utf-8"))
    bench.config.write_text(yaml.safe_dump(settings | {"line": line}), encoding="utf-8")


@asynccontextmanager
async def killed(
    bench: tray.Line, monkeypatch: pytest.MonkeyPatch, step: str, *, bytes_too: bool = True
) -> AsyncIterator[Running]:
    """An armed engine, dead by kill -9 in this step of slot A1: the kernel closes what it had open,
    and no row is written. `bytes_too`: not before an image is under way."""
    reached = trio.Event()
    begin = Attempt._step_started

    def started(self: Attempt, name: str) -> None:
        begin(self, name)
        if (self.port.slot.name, name) == ("A1", step):
            reached.set()

    async def die(self: Attempt, _: object) -> None:
        with trio.CancelScope(shield=True):
            await self.session.close()

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "_step_started", started)
        async with running(bench) as run:
            await run.arm(expect="none")
            yield run
            with trio.fail_after(400):
                await reached.wait()
            await run.until(lambda: step != "program" or not bytes_too or run["A1"].done_bytes > 0)
            patch.setattr(Attempt, "_end", die)


async def kill_in(
    bench: tray.Line, monkeypatch: pytest.MonkeyPatch, step: str, *, bytes_too: bool = True
) -> AttemptRecord:
    """The row that the dead engine left."""
    async with killed(bench, monkeypatch, step, bytes_too=bytes_too) as run:
        run.plug("A1")
    (row,) = bench.recorded(slot="A1")
    assert row.closed is None
    return row


# --- certain ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "power"),
    [("erase", "stayed"), ("program", "stayed"), ("program", "went"),
     ("verify", "stayed")],
)  # fmt: skip
async def test_a_module_cut_off_in_mid_write_goes_on_by_itself_once_armed(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch, step: str, power: str
) -> None:
    bench = make_line(tmp_path)
    module = bench.tray.modules["A1"]
    row = await kill_in(bench, monkeypatch, step)
    if power == "went":
        bench.unplug("A1")
        bench.backend.plug(bench.tray.ports["A1"], module)
    before = bench.fingerprint("A1")
    async with running(bench) as run:
        view = await run.see("A1", S.WAITING)
        assert view.failure is not None
        assert (view.failure.code, view.failure.headline) == ("D240", "RESUMES WHEN ARMED")
        assert "ec25-demo" in view.failure.cause
        assert view.imei == module.identity.imei
        await time_passes(600)
        assert run["A1"].state is S.WAITING
        assert bench.fingerprint("A1") == before, "nothing is done before somebody arms"
        await run.arm()
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS, run["A1"].failure
    cut, again = bench.recorded(slot="A1")
    assert code_of(cut) == "X903"
    assert again.opened.trigger == "resume"
    assert again.opened.recipe == row.opened.recipe
    assert again.opened.package == row.opened.package
    assert step_named(again, "select").detail["resumes"] == cut.opened.attempt_id
    assert again.opened.unit.imei == module.identity.imei
    if (step, power) != (
        "program",
        "stayed",
    ):  # a programmer in mid-image takes the greeting for data
        assert module.breaches == []


async def test_a_module_cut_off_again_before_it_was_written_goes_on_too(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second engine died while it prepared to repeat what the first had begun."""
    bench = make_line(tmp_path)
    await kill_in(bench, monkeypatch, "program")
    async with killed(bench, monkeypatch, "configure"):
        pass
    async with running(bench) as run:
        await run.see("A1", S.WAITING)
        await run.arm()
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS, run["A1"].failure
    cut, again, last = bench.recorded(slot="A1")
    assert [code_of(cut), code_of(again)] == ["X903", "X903"]
    assert step_named(last, "select").detail["resumes"] == cut.opened.attempt_id


async def test_it_goes_on_in_whatever_slot_it_is_now(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=2)
    await kill_in(bench, monkeypatch, "program")
    bench.unplug("A1")
    bench.backend.plug(bench.tray.ports["A2"], bench.tray.modules["A1"])
    async with running(bench) as run:
        await run.see("A2", S.WAITING)
        await run.arm(expect="none")
        assert (await run.see("A2", *VERDICTS)).outcome is Outcome.PASS
    (again,) = bench.recorded(slot="A2")
    assert again.opened.trigger == "resume"


async def test_a_module_of_unknown_variant_goes_on_too(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came in EDL and a person named slot and recipe; its chip serial is all that is known."""
    bench = make_line(tmp_path, faults={"A1": "arrives-in-edl"})
    async with killed(bench, monkeypatch, "program") as run:
        run.plug("A1")
        assert (await run.see("A1", S.DONE)).outcome is Outcome.BLOCKED
        await run.ask(Retry(slot="A1", recipe="ec25-demo"))
    async with running(bench) as run:
        await run.see("A1", S.WAITING)
        await run.arm()
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS


@pytest.mark.parametrize("fault", ["sahara-v1", "mute-command-mode", "refuses-command-mode"])
async def test_a_boot_rom_that_tells_no_chip_serial_has_it_in_its_product_string(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    bench = make_line(tmp_path, faults={"A1": fault})
    await kill_in(bench, monkeypatch, "program")
    async with running(bench) as run:
        await run.see("A1", S.WAITING)
        await run.arm()
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS, run["A1"].failure


async def test_one_that_shows_up_after_the_engine_keeps_its_recipe_too(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    cut = await kill_in(bench, monkeypatch, "program")
    bench.unplug("A1")
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS, run["A1"].failure
    again = bench.recorded()[-1]
    assert again.opened.trigger == "arrival"
    assert step_named(again, "select").detail["resumes"] == cut.opened.attempt_id


async def test_a_stranger_whose_recipe_is_gone_says_which_it_was(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, faults={"A1": "arrives-in-edl"})
    async with killed(bench, monkeypatch, "program") as run:
        run.plug("A1")
        assert (await run.see("A1", S.DONE)).outcome is Outcome.BLOCKED
        await run.ask(Retry(slot="A1", recipe="ec25-demo"))
    bench.unplug("A1")
    bench.edit_recipe(revision=77)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        view = await run.see("A1", S.DONE)
        assert view.failure is not None
        assert (view.outcome, view.failure.code) == (Outcome.BLOCKED, "D241")
        await run.ask(Retry(slot="A1", recipe="ec25-demo"))
        await run.until(lambda: run["A1"].outcome is Outcome.PASS)


async def test_killed_again_it_goes_on_again(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    await kill_in(bench, monkeypatch, "program")
    async with killed(bench, monkeypatch, "program"):
        pass
    async with running(bench) as run:
        await run.see("A1", S.WAITING)
        await run.arm()
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
    assert [row.opened.trigger for row in bench.recorded()] == ["arrival", "resume", "resume"]


async def test_flashing_a_tray_once_knows_it_too(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    cut = await kill_in(bench, monkeypatch, "program")
    bench.plugged = True
    record = by_slot(await bench.flash(order=Order("flash")))["A1"]
    assert code_of(record) is None
    assert record.opened.unit.imei == cut.opened.unit.imei


# --- the recipe that was begun ----------------------------------------------------------------


async def test_another_revision_of_its_recipe_does_not_go_on_by_itself(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    cut = await kill_in(bench, monkeypatch, "program")
    bench.edit_recipe(revision=77)
    before = bench.fingerprint("A1")
    async with running(bench) as run:
        await run.see("A1", S.WAITING)
        await run.arm()
        held = await run.see("A1", S.STANDING)
        assert held.failure is not None
        assert held.failure.code == "D241"
        assert cut.opened.recipe is not None
        assert cut.opened.recipe.sha256[:8] in held.failure.cause
        assert held.imei == cut.opened.unit.imei
        await time_passes(600)
        assert bench.fingerprint("A1") == before
        await run.ask(Disarm())
        await run.arm()
        await time_passes(60)
        assert run["A1"].state is S.STANDING
        await run.ask(Retry(slot="A1"))
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
    assert bench.recorded()[-1].opened.trigger == "retry"


async def test_another_package_behind_the_same_recipe_is_refused_unwritten(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    await kill_in(bench, monkeypatch, "program")
    before = bench.fingerprint("A1")
    async with running(bench) as run:
        await run.see("A1", S.WAITING)

        def other(left: AttemptRecord, package: PackageRef) -> None:
            check_package(left, replace(package, sha256="0" * 64))

        monkeypatch.setattr("station.engine.attempt.check_package", other)
        await run.arm()
        view = await run.see("A1", *VERDICTS)
        assert view.failure is not None
        assert (view.outcome, view.failure.code) == (Outcome.BLOCKED, "D241")
    assert bench.fingerprint("A1") == before


# --- not certain ------------------------------------------------------------------------------


async def test_without_a_chip_serial_a_person_decides(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    module = bench.tray.modules["A1"]
    module.traits = MUTE_CHIP
    await kill_in(bench, monkeypatch, "program")
    async with running(bench) as run:
        view = await run.see("A1", S.STANDING)
        assert view.failure is not None
        assert view.failure.code == "D212"
        await run.arm()
        await time_passes(600)
        assert run["A1"].state is S.STANDING
        assert len(bench.recorded()) == 1


async def test_a_module_that_is_whole_again_is_not_written_by_itself(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All was written and the power went: it starts as ever and only its check is missing."""
    bench = make_line(tmp_path)
    await kill_in(bench, monkeypatch, "verify")
    bench.unplug("A1")
    bench.backend.plug(bench.tray.ports["A1"], bench.tray.modules["A1"])
    async with running(bench) as run:
        view = await run.see("A1", S.DONE)
        assert view.outcome is Outcome.INTERRUPTED
        await run.arm()
        await time_passes(600)
        assert len(bench.recorded()) == 1


async def test_a_module_that_was_not_written_yet_waits_for_a_person(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    before = bench.fingerprint("A1")
    await kill_in(bench, monkeypatch, "configure")
    async with running(bench) as run:
        view = await run.see("A1", S.DONE)
        assert view.outcome is Outcome.INTERRUPTED
        await run.arm()
        await time_passes(600)
        assert bench.fingerprint("A1") == before
        await run.ask(Retry(slot="A1"))
        await run.until(lambda: run["A1"].outcome is Outcome.PASS)


async def test_where_the_settings_say_never_a_person_decides(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    configure(bench, resume="never")
    await kill_in(bench, monkeypatch, "program")
    async with running(bench) as run:
        view = await run.see("A1", S.DONE)
        assert view.outcome is Outcome.INTERRUPTED
        await run.arm()
        await time_passes(600)
        assert len(bench.recorded()) == 1


async def test_a_module_that_was_touched_while_it_waited_is_an_arrival(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=2)
    await kill_in(bench, monkeypatch, "program")
    async with running(bench) as run:
        await run.see("A1", S.WAITING)
        run.bench.backend.plug(bench.tray.ports["A1"], bench.tray.modules["A2"])
        await run.see("A1", S.SETTLING)
        view = await run.see("A1", S.WAITING)
        assert view.failure is not None
        assert view.failure.code == "L601"
        await run.arm()
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS
    assert bench.recorded()[-1].opened.trigger == "arrival"
    assert bench.recorded()[-1].opened.unit.imei == bench.tray.modules["A2"].identity.imei


async def test_a_slot_that_a_person_held_does_not_go_on_by_itself(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    await kill_in(bench, monkeypatch, "program")
    async with running(bench) as run:
        await run.see("A1", S.WAITING)
        await run.ask(Hold(slot="A1", reason="bent pin"))
        await run.arm()
        await run.ask(Release(slot="A1"))
        assert (await run.see("A1", S.DONE)).outcome is Outcome.INTERRUPTED
        await time_passes(600)
        assert len(bench.recorded()) == 1


async def test_a_module_in_edl_wears_no_pass(tmp_path: Path, tray_clock: object) -> None:
    bench = make_line(tmp_path)
    module = bench.tray.modules["A1"]
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", *VERDICTS)
        run.unplug("A1")
        await run.see("A1", S.EMPTY)
    module.traits = replace(module.traits, arrival=Arrival.EDL)
    run.plug("A1")
    async with running(bench) as run:
        view = await run.see("A1", S.STANDING)
        assert view.outcome is None
        assert view.failure is not None
        assert "EDL" in view.failure.cause


# --- a locked rack ----------------------------------------------------------------------------


async def test_in_a_locked_rack_the_slot_is_enough(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    configure(bench, resume="same_slot")
    module = bench.tray.modules["A1"]
    module.traits = replace(MUTE_CHIP, answers_commands=False)
    cut = await kill_in(bench, monkeypatch, "program", bytes_too=False)
    async with running(bench) as run:
        await run.see("A1", S.WAITING)
        await run.arm()
        assert (await run.see("A1", *VERDICTS)).outcome is Outcome.PASS, run["A1"].failure
    again = bench.recorded()[-1]
    assert again.opened.trigger == "resume"
    assert step_named(again, "partition_table").detail == {"partition_table": "erased already"}
    assert again.opened.unit.imei == cut.opened.unit.imei


async def test_in_a_locked_rack_a_module_with_a_story_of_its_own_is_not_mistaken(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path, slots=2)
    configure(bench, resume="same_slot")
    other = bench.tray.modules["A2"]
    async with running(bench) as run:
        await run.arm(expect="none")
        run.plug("A2")
        await run.see("A2", *VERDICTS)
        run.unplug("A2")
        await run.see("A2", S.EMPTY)
    bench.tray.modules["A1"].traits = replace(MUTE_CHIP, answers_commands=False)
    await kill_in(bench, monkeypatch, "program")
    other.traits = replace(other.traits, arrival=Arrival.EDL)
    bench.unplug("A1")
    bench.backend.plug(bench.tray.ports["A1"], other)
    before = bench.fingerprint("A2")
    async with running(bench) as run:
        await run.see("A1", S.STANDING)
        await run.arm()
        await time_passes(600)
        assert bench.fingerprint("A2") == before
