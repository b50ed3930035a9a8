"""A package store that stops answering: nobody waits for it longer than is said, no unit is blamed,
and whoever comes when it answers again is served."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from station.config import LoadedRecipe, load_recipes
from station.disk import STORE_S
from station.engine.shelf import PREFLIGHT_S, Shelf
from station.errors import StationOverdue
from station.firmware import stored
from station.firmware.package_store import PackageStore
from station.firmware.stored import StoredFile, StoredPackage
from station.live import LineState, SlotState
from station.model import Outcome, StepStarted
from station.wire import Abort
from tests.engine.line import Running, running
from tests.engine.tray import Line, by_slot, code_of, make_line, step_named
from tests.mock_time import time_passes


class _Hangs(BaseException):
    """Whoever reads waits for ever. Outside of a thread that would be all of us."""


@dataclass
class Answering:
    """Whether the disk of the package store answers. A thread that it holds keeps its place, and
    goes on from where it began once it does."""

    hangs: bool = False
    hangs_hashing: bool = False
    """Names and times are told, from memory; the bytes are not."""
    _held: list[Callable[[], object]] = field(default_factory=list)

    def ask(self, *, hashing: bool = False) -> None:
        if self.hangs or (hashing and self.hangs_hashing):
            raise _Hangs

    def hold(self, go_on: Callable[[], object]) -> None:
        self._held.append(go_on)

    def answers(self) -> None:
        self.hangs = self.hangs_hashing = False
        while self._held:
            with suppress(Exception):  # it is nobody's any more
                self._held.pop()()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Answering:
    disk, in_place = Answering(), trio.to_thread.run_sync

    async def run(call: Any, *args: object, **how: Any) -> object:  # noqa: ANN401 - trio's own signature
        if not how.get("abandon_on_cancel"):
            return await in_place(call, *args, **how)
        limiter, thread = how["limiter"], object()
        await limiter.acquire_on_behalf_of(thread)
        try:
            result = await in_place(call, *args, **how)
        except _Hangs:
            disk.hold(partial(go_on, limiter, thread, partial(call, *args)))
            await trio.sleep_forever()
        except BaseException:
            limiter.release_on_behalf_of(thread)
            raise
        limiter.release_on_behalf_of(thread)
        return result

    def go_on(limiter: trio.CapacityLimiter, thread: object, work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            limiter.release_on_behalf_of(thread)

    def asked(work: Callable[..., Any], *, hashing: bool = False) -> Callable[..., Any]:
        def ask(*args: object) -> object:
            disk.ask(hashing=hashing)
            return work(*args)

        return ask

    monkeypatch.setattr(trio.to_thread, "run_sync", run)
    monkeypatch.setattr(StoredFile, "pread", asked(StoredFile.pread))
    monkeypatch.setattr(stored, "_identity", asked(stored._identity))
    monkeypatch.setattr(stored, "_verify", asked(stored._verify, hashing=True))
    return disk


def touch(bench: Line) -> None:
    """Every stored file has to be hashed again."""
    for file in (bench.folder / "store" / "objects").rglob("*"):
        if file.is_file():
            os.utime(file)


async def passes(run: Running, slot: str) -> None:
    run.plug(slot)
    view = await run.see(slot, SlotState.DONE)
    assert view.outcome is Outcome.PASS, view.failure


# --- a module waits ---------------------------------------------------------------------------


@pytest.mark.trio
@pytest.mark.parametrize(
    ("step", "patience_s"),
    [("preflight", PREFLIGHT_S - 1), ("load_programmer", STORE_S), ("verify", STORE_S)],
)
async def test_a_disk_that_hangs_is_the_stations_and_not_the_units(
    tmp_path: Path, tray_clock: object, disk: Answering, step: str, patience_s: float
) -> None:
    line = make_line(tmp_path)

    def hear(event: object) -> None:
        if isinstance(event, StepStarted):
            disk.hangs = event.step == step

    line.tell = hear
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "S506"
    assert record.closed is not None
    assert record.closed.outcome is Outcome.ERROR
    assert record.closed.failure is not None
    told = f"could not be read from the package store within {patience_s:g} s"
    assert told in record.closed.failure.cause
    assert step_named(record, step).duration_us < (patience_s + 10) * 1_000_000

    disk.answers()
    line.tell = lambda _: None
    record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert record.closed.outcome is Outcome.PASS, record.closed.failure


@pytest.mark.trio
async def test_a_look_at_a_known_package_is_short_for_every_slot(
    tmp_path: Path, tray_clock: object, disk: Answering
) -> None:
    bench = make_line(tmp_path, slots=3)
    async with running(bench) as run:
        await run.arm()
        disk.hangs = True
        run.plug("A1")
        run.plug("A2")
        for slot in ("A1", "A2"):
            view = await run.see(slot, SlotState.DONE, timeout_s=120.0)
            assert view.failure is not None
            assert view.failure.code == "S506"
        disk.answers()
        await passes(run, "A3")
    for record in (*bench.recorded(slot="A1"), *bench.recorded(slot="A2")):
        assert step_named(record, "preflight").duration_us <= (STORE_S + 1) * 1_000_000


@pytest.mark.trio
async def test_who_is_aborted_while_files_are_hashed_again_leaves_the_work_to_the_next(
    tmp_path: Path, tray_clock: object, disk: Answering
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm()
        touch(bench)
        disk.hangs_hashing = True
        run.plug("A1")
        await run.until_step("A1", "preflight")
        run.plug("A2")
        await run.until_step("A2", "preflight")
        await time_passes(PREFLIGHT_S / 2)  # it may honestly take so long
        await run.ask(Abort(id="1", do="abort", slot="A1", now=True, by="maria"))
        view = await run.see("A1", SlotState.DONE, timeout_s=10.0)
        assert view.outcome is Outcome.ABORTED
        assert run["A2"].step == "preflight"
        disk.answers()
        view = await run.see("A2", SlotState.DONE)
        assert view.outcome is Outcome.PASS, view.failure


# --- nobody waits but the person who arms -----------------------------------------------------


@pytest.mark.trio
async def test_an_arming_that_gives_up_says_so_and_leaves_the_line_as_it_was(
    tmp_path: Path, tray_clock: object, disk: Answering
) -> None:
    async with running(make_line(tmp_path)) as run:
        disk.hangs = True
        began_s = trio.current_time()
        with pytest.raises(StationOverdue, match=r"recipe ec25-demo .* within 600 s"):
            await run.arm()
        assert trio.current_time() - began_s == pytest.approx(PREFLIGHT_S)
        assert state_of(run) is LineState.DISARMED
        disk.answers()
        await run.arm()

        disk.hangs = True
        began_s = trio.current_time()
        with pytest.raises(StationOverdue, match="within 10 s"):
            await run.arm()
        assert trio.current_time() - began_s == pytest.approx(STORE_S)
        assert state_of(run) is LineState.ARMED
        disk.answers()
        await passes(run, "A1")


@pytest.mark.trio
async def test_an_engine_that_ends_does_not_wait_for_an_arming(
    tmp_path: Path, tray_clock: object, disk: Answering
) -> None:
    async with running(make_line(tmp_path)) as run:
        async with trio.open_nursery() as engine:
            disk.hangs = True
            engine.start_soon(run.arm)
            await time_passes(30.0)
            assert state_of(run) is LineState.ARMING
            engine.cancel_scope.cancel()
        assert state_of(run) is LineState.DISARMED


def state_of(run: Running) -> LineState:
    return run.line.state


# --- the shelf --------------------------------------------------------------------------------


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def two_recipes(folder: Path) -> tuple[Shelf, LoadedRecipe, LoadedRecipe]:
    bench = make_line(folder)
    first, second, *_ = load_recipes(bench.settings().recipes)
    return Shelf(PackageStore(bench.settings().store)), first, second


@pytest.mark.trio
async def test_one_recipes_package_holds_up_no_other(
    tmp_path: Path, tray_clock: object, disk: Answering
) -> None:
    shelf, first, second = two_recipes(tmp_path)
    async with trio.open_nursery() as nursery:
        disk.hangs = True
        nursery.start_soon(shelf.prepare, first)
        await trio.testing.wait_all_tasks_blocked()
        disk.hangs = False
        with trio.fail_after(1.0):
            await shelf.prepare(second)
        nursery.cancel_scope.cancel()
    disk.answers()
    shelf.close()


@pytest.mark.trio
async def test_a_package_that_cannot_be_closed_is_waited_for_no_longer(
    tmp_path: Path, tray_clock: object, disk: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(_: StoredPackage) -> None:
        disk.ask()

    shelf, first, second = two_recipes(tmp_path)
    await shelf.prepare(first)
    await shelf.prepare(second)
    monkeypatch.setattr(StoredPackage, "close", close)
    disk.hangs = True
    began_s = trio.current_time()
    await shelf.keep([second])
    assert trio.current_time() - began_s == pytest.approx(STORE_S)
    disk.answers()
    await shelf.prepare(second)
    shelf.close()


@pytest.mark.trio
async def test_what_a_thread_was_left_at_is_closed_when_it_has_come_back(
    tmp_path: Path, tray_clock: object, disk: Answering
) -> None:
    """No descriptor is lost with it."""
    shelf, first, second = two_recipes(tmp_path)
    before = descriptors()
    async with trio.open_nursery() as nursery:
        disk.hangs = True
        nursery.start_soon(shelf.prepare, first)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await shelf.keep([second])
    disk.answers()
    assert descriptors() > before
    await shelf.keep([second])
    assert descriptors() == before
