"""A database or disk in trouble: no false verdict, no lost row, and on again by itself."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from station.engine.backlog import LAST_S, Backlog
from station.engine.health import LOOK_S
from station.errors import RecordDamaged, ResultsLost, ResultsWaiting
from station.live import SlotState as S
from station.live import SlotView
from station.model import Outcome
from station.store import database
from station.store.database import SAVE_S, sqlite_path
from station.store.events import find_events
from station.store.pending import beside
from station.store.writer import COMMIT_S, KEEP_S, Store
from tests.engine.line import Running, running
from tests.engine.tray import Line, code_of, make_line
from tests.fakes.disk import dead_disk
from tests.fakes.hung_writer import HungWriter
from tests.mock_time import time_passes
from tests.store.samples import stranger

Trouble = Callable[[Running], AbstractContextManager[None]]


@contextmanager
def locked(run: Running) -> Iterator[None]:
    """Another program writes for as long as it likes."""
    with stranger(run.bench.settings().database) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def dead(run: Running) -> Iterator[None]:
    """No file can be written, neither the database nor any other."""
    with dead_disk():
        yield


@contextmanager
def read_only(run: Running) -> Iterator[None]:
    """The writer's own connection may not write: SQLite's real SQLITE_READONLY."""
    _query_only(run, "ON")
    yield
    _query_only(run, "OFF")


def _query_only(run: Running, value: str) -> None:
    with closing(run.line.world.store._engine.raw_connection()) as connection:
        connection.execute(f"PRAGMA query_only = {value}")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for locks by the wall's clock."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)


def codes(run: Running) -> list[str]:
    return [alarm.code for alarm in run.line.feed.line.alarms]


def assert_no_verdict(view: SlotView) -> None:
    assert view.outcome is None
    assert view.failure is not None
    assert view.failure.code == "S530"


def folder(bench: Line) -> Path:
    found = beside(bench.settings().database)
    assert found is not None
    return found


@pytest.mark.trio
@pytest.mark.parametrize("trouble", [locked, dead, read_only])
@pytest.mark.parametrize("step", ["program", "confirm"])
async def test_a_result_that_cannot_be_committed_is_no_verdict_until_it_is(
    tmp_path: Path, tray_clock: object, impatient: None, trouble: Trouble, step: str
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", step)
        with trouble(run):
            assert_no_verdict(await run.see("A1", S.DONE))
            run.plug("A2")
            await run.until(lambda: "S531" in codes(run))
            await run.see("A2", S.WAITING)
            await time_passes(300)
            assert_no_verdict(run["A1"])
            assert run["A2"].state is S.WAITING
            assert bench.tray.modules["A2"].out_log.entries == []
            assert run.line.health.is_alive
        view = await run.see("A2", S.DONE)
        assert view.outcome is Outcome.PASS, view.failure
        assert run["A1"].outcome is Outcome.PASS
        assert run["A1"].failure is None
        await run.until(lambda: codes(run) == [])
        await run.until(lambda: run.line.feed.line.counts.good == 2)
    (record,) = bench.recorded(slot="A1")
    assert code_of(record) is None
    assert [s.name for s in record.steps][-1] == "confirm"
    assert len(record.images) > 5
    assert [path.name for path in folder(bench).iterdir()] == ["reserve"]


@pytest.mark.trio
async def test_a_flash_does_not_wait_for_the_lock_with_every_fact(
    tmp_path: Path, tray_clock: object, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it silent any longer than the trouble lasts."""
    bench, tries = make_line(tmp_path), 0
    save = Store.save

    async def counted(*told: Any, **how: Any) -> None:  # noqa: ANN401 - handed through
        nonlocal tries
        tries += 1
        await save(*told, **how)

    monkeypatch.setattr(Store, "save", counted)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", "program")
        with locked(run):
            tries = 0
            await run.until_step("A1", "verify")
            assert tries <= 1
        await run.until_step("A1", "confirm")
        (begun,) = bench.recorded()
        assert (begun.closed, [s.name for s in begun.steps][-1]) == (None, "reset")
        assert len(begun.images) > 5
        assert (await run.see("A1", S.DONE)).outcome is Outcome.PASS


@pytest.mark.trio
async def test_a_refusal_that_was_never_opened_waits_whole(
    tmp_path: Path, tray_clock: object, impatient: None
) -> None:
    """The database goes away before the attempt is opened: nothing was sent to the module."""
    bench = make_line(tmp_path)
    before = bench.fingerprint("A1")
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", "identify")
        with locked(run):
            assert_no_verdict(await run.see("A1", S.DONE))
            assert bench.recorded() == []
        await run.until(lambda: run["A1"].outcome is not None)
        assert run["A1"].outcome is Outcome.ERROR
    (record,) = bench.recorded()
    assert code_of(record) == "S501"
    assert bench.fingerprint("A1") == before


@pytest.mark.trio
async def test_an_engine_that_dies_meanwhile_leaves_the_result_to_the_next(
    tmp_path: Path, tray_clock: object, impatient: None
) -> None:
    bench = make_line(tmp_path)
    with ExitStack() as until_it_is_dead:
        async with running(bench) as run:
            await run.arm()
            run.plug("A1")
            await run.until_step("A1", "confirm")
            until_it_is_dead.enter_context(locked(run))
            await run.see("A1", S.DONE)
            with pytest.raises(ResultsWaiting, match="the next start records"):
                Backlog(run.line.world).require_empty()
    async with running(bench) as run:
        view = await run.see("A1", S.DONE)
        assert view.outcome is Outcome.PASS
    (record,) = bench.recorded()
    assert code_of(record) is None


@pytest.mark.trio
async def test_an_engine_that_ends_names_the_results_it_could_save_nowhere(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", "confirm")
        with dead_disk():
            await run.see("A1", S.DONE)
            backlog, began = Backlog(run.line.world), trio.current_time()
            assert await backlog.last_try() == ()
            assert LAST_S <= trio.current_time() - began < LAST_S + LOOK_S
            with pytest.raises(ResultsLost) as raised:
                backlog.require_empty()
    imei = bench.tray.modules["A1"].identity.imei
    assert f"slot A1 {imei} PASS" in raised.value.cause


@pytest.mark.trio
async def test_a_damaged_file_is_set_aside_with_alarm_and_event_and_stops_nothing(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    folder(bench).mkdir(parents=True)
    name = "000001-01a22110-b70a-74dd-9925-199fc20c693d.json"
    (folder(bench) / name).write_text("not what it was")
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        assert (await run.see("A1", S.DONE)).outcome is Outcome.PASS
        assert codes(run) == ["S532"]
        (alarm,) = run.line.feed.line.alarms
        assert alarm.cause.endswith(f"{name}.damaged")
    (event,) = find_events(bench.settings().database, kind="result_set_aside")
    assert str(event.detail["file"]).endswith(f"{name}.damaged")
    assert "does not begin" in str(event.detail["why"])


@pytest.mark.trio
async def test_a_file_that_cannot_be_removed_keeps_neither_engine_nor_line_from_starting(
    tmp_path: Path, tray_clock: object, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result is on record; people are told of the file until it is gone."""
    bench = make_line(tmp_path, slots=2)
    with ExitStack() as until_it_is_dead:
        async with running(bench) as run:
            await run.arm()
            run.plug("A1")
            await run.until_step("A1", "confirm")
            until_it_is_dead.enter_context(locked(run))
            await run.see("A1", S.DONE)
    (file,) = folder(bench).glob("*.json")
    unlink = Path.unlink

    def refuse(place: Path, missing_ok: bool = False) -> None:
        if place == file:
            raise OSError(errno.EROFS, "Read-only file system", str(place))
        unlink(place, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        async with running(bench) as run:
            await run.arm()
            run.plug("A2")
            assert (await run.see("A2", S.DONE)).outcome is Outcome.PASS
            (alarm,) = run.line.feed.line.alarms
            assert (alarm.code, alarm.cause) == ("S537", str(file))
            Backlog(run.line.world).require_empty()
            patched.undo()
            await run.until(lambda: codes(run) == [])
    assert not file.exists()
    assert len(bench.recorded(slot="A1")) == 1


def spoil(bench: Line) -> bytes:
    """Everything behind the first page of the database is overwritten; what it was."""
    path = sqlite_path(bench.settings().database)
    assert path is not None
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (len(whole) - 4096))
    return whole


@pytest.mark.trio
async def test_a_record_that_is_damaged_while_it_is_used_gets_no_more_results(
    tmp_path: Path, tray_clock: object
) -> None:
    """They wait until the backup is restored; the engine does not start on the damaged file."""
    bench = make_line(tmp_path, slots=2)
    path = sqlite_path(bench.settings().database)
    assert path is not None
    async with running(bench) as run:
        await run.arm()
        with stranger(bench.settings().database) as somebody:
            somebody.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = spoil(bench)
        run.plug("A1")
        assert_no_verdict(await run.see("A1", S.DONE))
        run.plug("A2")
        await run.until(lambda: "S533" in codes(run))
        await run.see("A2", S.WAITING)
        await time_passes(300)
        assert run["A2"].state is S.WAITING
        assert_no_verdict(run["A1"])
        assert len(list(folder(bench).glob("*.json"))) == 1

    for log in path.parent.glob(f"{path.name}-*"):
        log.unlink()
    with pytest.raises(RecordDamaged, match="damaged"):
        async with running(bench):
            pass
    path.write_bytes(whole)
    async with running(bench):
        pass
    (record,) = bench.recorded()
    assert record.closed is not None
    assert (record.closed.outcome, code_of(record)) == (Outcome.ERROR, "S533")


@pytest.mark.trio
async def test_damage_that_no_question_meets_is_found_at_the_start(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    await bench.flash()
    path = sqlite_path(bench.settings().database)
    assert path is not None
    with path.open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(b"\xa5" * 4096)
    with pytest.raises(RecordDamaged):
        async with running(bench):
            pass


@contextmanager
def replaced(bench: Line) -> Iterator[None]:
    """By a copy from before, as somebody does who knows of no `station db restore`."""
    path = sqlite_path(bench.settings().database)
    assert path is not None
    files = [path, *path.parent.glob(f"{path.name}-*")]
    for file in files:
        file.rename(path.parent / f"old-{file.name}")
    shutil.copy(path.parent / "copy", path)
    yield
    for file in files:
        (path.parent / f"old-{file.name}").replace(file)


def copy(bench: Line) -> None:
    path = sqlite_path(bench.settings().database)
    assert path is not None
    with (
        stranger(bench.settings().database) as somebody,
        closing(sqlite3.connect(path.parent / "copy")) as to,
    ):
        somebody.backup(to)


@pytest.mark.trio
@pytest.mark.parametrize("step", ["program", "confirm"])
async def test_a_database_that_is_replaced_gets_no_results_until_the_old_one_is_back(
    tmp_path: Path, tray_clock: object, step: str
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        copy(bench)
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", step)
        with replaced(bench):
            assert_no_verdict(await run.see("A1", S.DONE))
            run.plug("A2")
            await run.until(lambda: "S501" in codes(run))
            await run.see("A2", S.WAITING)
            await time_passes(300)
            assert run["A2"].state is S.WAITING
            assert bench.tray.modules["A2"].out_log.entries == []
            assert_no_verdict(run["A1"])
            assert bench.recorded() == []
            (cause,) = {alarm.cause for alarm in run.line.feed.line.alarms if alarm.code == "S501"}
            assert "another file was put in its place" in cause
            assert "put back what was there, or restart the engine" in cause
        assert (await run.see("A2", S.DONE)).outcome is Outcome.PASS
        assert run["A1"].outcome is Outcome.PASS
        await run.until(lambda: codes(run) == [])
    assert [code_of(record) for record in bench.recorded()] == [None, None]


@pytest.mark.trio
async def test_a_restart_goes_on_with_the_database_that_is_there(
    tmp_path: Path, tray_clock: object
) -> None:
    """It does not even know of the attempt, nor of the start under which it was begun."""
    bench = make_line(tmp_path)
    with ExitStack() as until_it_is_over:
        async with running(bench) as run:
            copy(bench)
            await run.arm()
            run.plug("A1")
            await run.until_step("A1", "program")
            until_it_is_over.enter_context(replaced(bench))
            assert_no_verdict(await run.see("A1", S.DONE))
        assert bench.recorded() == []
        async with running(bench) as run:
            assert (await run.see("A1", S.DONE)).outcome is Outcome.PASS
            assert codes(run) == []
            await run.line.world.store.ping()
        (record,) = bench.recorded()
        assert code_of(record) is None
        assert [path.name for path in folder(bench).iterdir()] == ["reserve"]


async def watch_dog(run: Running, dead: list[float]) -> None:
    """When it would not have been fed while the module was being written."""
    while True:
        if run.line.places["A1"].is_writing and not run.line.is_alive:
            dead.append(trio.current_time())
        await time_passes(1)


@pytest.mark.trio
@pytest.mark.parametrize("is_lost", [False, True])
@pytest.mark.parametrize("step", ["program", "confirm"])
async def test_a_database_that_hangs_costs_no_module_and_records_it_once(
    tmp_path: Path,
    tray_clock: object,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    is_lost: bool,
) -> None:
    """Nor does it keep anybody waiting; whether the commit that hung comes about is the disk's."""
    bench = make_line(tmp_path, slots=2)
    hung, dead = HungWriter(monkeypatch), list[float]()
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", step)
        hung.begin(lambda: run["A1"].state.is_busy)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_dog, run, dead)
            view = await run.see("A1", S.DONE)
            nursery.cancel_scope.cancel()
        assert_no_verdict(view)
        assert "did not answer within" in str(view.failure)
        assert dead == []
        assert trio.current_time() - began < 120
        run.plug("A2")
        await run.until(lambda: "S501" in codes(run))
        await run.see("A2", S.WAITING)
        await time_passes(300)
        assert run["A2"].state is S.WAITING
        assert_no_verdict(run["A1"])
        assert not run.line.is_alive, "there is nothing left to be finished"
        hung.end(is_lost=is_lost)
        assert (await run.see("A2", S.DONE)).outcome is Outcome.PASS
        assert run["A1"].outcome is Outcome.PASS
        await run.until(lambda: codes(run) == [])
        await run.until(lambda: run.line.feed.line.counts.good == 2)
    (record,) = bench.recorded(slot="A1")
    assert [s.name for s in record.steps][-1] == "confirm"
    assert len(record.images) > 5
    assert [path.name for path in folder(bench).iterdir()] == ["reserve"]


@pytest.mark.trio
async def test_facts_that_a_database_hung_over_are_saved_when_it_is_back(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was under way is not written again, and no result has to wait."""
    bench = make_line(tmp_path)
    hung = HungWriter(monkeypatch)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", "program")
        hung.begin(lambda: run["A1"].state.is_busy)
        await run.until_step("A1", "verify")
        hung.end()
        await run.until_step("A1", "confirm")
        (begun,) = bench.recorded()
        assert (begun.closed, [s.name for s in begun.steps][-1]) == (None, "reset")
        assert len(begun.images) > 5
        assert (await run.see("A1", S.DONE)).outcome is Outcome.PASS


@pytest.mark.trio
async def test_an_abort_now_is_obeyed_while_the_database_hangs(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_line(tmp_path)
    hung = HungWriter(monkeypatch)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", "program")
        hung.begin(lambda: run["A1"].state.is_busy)
        await hung.since.wait()
        run.line.places["A1"].abort(now=True, reason="by hand")
        assert_no_verdict(await run.see("A1", S.DONE, timeout_s=SAVE_S + COMMIT_S + KEEP_S))
        hung.end()
        await run.until(lambda: run["A1"].outcome is Outcome.ABORTED)
    (record,) = bench.recorded()
    assert record.closed is not None
    assert record.closed.outcome is Outcome.ABORTED


@pytest.mark.trio
async def test_an_attempt_whose_opening_hangs_is_recorded_as_it_was_opened(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent to the module, and what is opened late agrees with what was kept."""
    bench = make_line(tmp_path)
    before = bench.fingerprint("A1")
    hung = HungWriter(monkeypatch)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", "preflight")
        hung.begin(lambda: run["A1"].state.is_busy)
        assert_no_verdict(await run.see("A1", S.DONE))
        hung.end()
        await run.until(lambda: run["A1"].outcome is Outcome.ERROR)
        assert codes(run) == []
    (record,) = bench.recorded()
    assert code_of(record) == "S501"
    assert bench.fingerprint("A1") == before
