"""What keeps modules from being started, and what makes systemd restart the engine."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, TypeVar

import pytest
import trio

from station.disk import Disk
from station.engine.health import LOOK_S, PING_S, RESERVE_BYTES, STALE_S, Health
from station.engine.ports import PortBoard
from station.engine.wall_clock import WallClock
from station.errors import (
    DatabaseError,
    DiskTrouble,
    EvidenceNotKept,
    PortsUnwatched,
    UsbUnavailable,
)
from station.live import SlotState as S
from station.model import DeviceInfo, Outcome
from station.sim.backend import SimBackend
from station.store.database import BUSY_TIMEOUT_S
from tests.engine.line import running
from tests.engine.tray import make_line
from tests.mock_time import time_passes

T = TypeVar("T")


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


class _Store:
    """Answers, complains, or hangs."""

    def __init__(self) -> None:
        self.mood = "well"
        self.damaged: str | None = None

    async def ping(self) -> None:
        if self.mood == "hung":
            await trio.sleep_forever()
        if self.mood == "locked":
            await time_passes(BUSY_TIMEOUT_S + 0.1)
            raise DatabaseError("another program kept it locked")
        if self.mood == "ill":
            raise DatabaseError("database is locked")


class _Nothing:
    """No results wait."""

    trouble = aside = left_over = changed = None

    async def catch_up(self) -> tuple[()]:
        return ()


class _Prompt(Disk):
    """Answers at once: the mock clock would jump while a thread does."""

    async def ask(self, work: Callable[[], T], timeout_s: float) -> T:
        await trio.lowlevel.checkpoint()
        return work()


class _BlindBackend(SimBackend):
    """No USB any more, from a moment on."""

    blind = False

    async def scan(self) -> tuple[DeviceInfo, ...]:
        if self.blind:
            raise UsbUnavailable("libusb is gone")
        return await super().scan()


async def _health(tmp_path: Path, store: _Store, nursery: trio.Nursery) -> Health:
    board = PortBoard(_BlindBackend(()), ())
    clock = WallClock(lambda: 0, lambda: 0)
    health = Health(
        store,  # type: ignore[arg-type] # a fake, as are the next ones
        board,
        (tmp_path,),
        _Nothing(),  # type: ignore[arg-type]
        clock,
        _Nothing(),  # type: ignore[arg-type]
        tmp_path / "elsewhere" / "evidence",
    )

    async def watch() -> None:
        while True:
            await health.look()
            await time_passes(LOOK_S)

    nursery.start_soon(board.watch)
    nursery.start_soon(watch)
    await time_passes(LOOK_S / 2)
    return health


@pytest.mark.trio
async def test_the_dog_is_fed_only_while_the_writer_answers(
    tmp_path: Path, tray_clock: object, nursery: trio.Nursery
) -> None:
    store = _Store()
    health = await _health(tmp_path, store, nursery)
    await time_passes(300)
    assert health.is_alive
    assert health.obstacle is None
    store.mood = "ill"
    await time_passes(300)
    assert health.is_alive, "a database that complains is no reason to be shot in mid-flash"
    assert health.report[DatabaseError] == "database is locked"
    store.mood = "locked"
    await time_passes(300)
    assert health.is_alive, "SQLite tells of a lock when it has waited for it"
    assert health.report[DatabaseError] == "another program kept it locked"
    store.mood = "well"
    await time_passes(10)
    assert health.obstacle is None
    store.mood = "hung"
    await time_passes(STALE_S + 5)
    assert not health.is_alive
    await time_passes(3600)
    assert not health.is_alive, "a writer that hangs stays dead"


@pytest.mark.trio
async def test_ports_that_cannot_be_seen_are_an_alarm_but_no_death(
    tmp_path: Path, tray_clock: object, nursery: trio.Nursery
) -> None:
    health = await _health(tmp_path, _Store(), nursery)
    backend = health.board._backend
    assert isinstance(backend, _BlindBackend)
    backend.blind = True
    await time_passes(3 * STALE_S)
    assert health.is_alive
    assert "USB" in (health.report[PortsUnwatched] or "")
    backend.blind = False
    await time_passes(5)
    assert health.obstacle is None


@pytest.mark.trio
async def test_a_disk_that_never_answers_is_an_alarm_and_blocks_nobody(
    tmp_path: Path,
    autojump_clock: object,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that is gone, behind a hard mount."""
    back = threading.Event()
    asked: SimpleQueue[object] = SimpleQueue()

    def hang(folder: object) -> _Usage:
        asked.put(folder)
        back.wait(60)
        return _Usage(0, 0, 2 * RESERVE_BYTES)

    monkeypatch.setattr(shutil, "disk_usage", hang)
    try:
        health = await _health(tmp_path, _Store(), nursery)
        await time_passes(300)
        assert "did not answer" in (health.report[DiskTrouble] or "")
        assert health.is_alive
        assert asked.get(timeout=60) == tmp_path
        assert asked.empty(), "one thread waits, not one for each look"
    finally:
        back.set()


@pytest.mark.trio
async def test_a_folder_of_evidence_that_never_answers_is_an_alarm_and_stops_nothing(
    tmp_path: Path,
    autojump_clock: object,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No module is the worse for it; but people learn why nothing is kept."""
    back = threading.Event()
    asked: SimpleQueue[object] = SimpleQueue()
    evidence = tmp_path / "elsewhere" / "evidence"
    evidence.mkdir(parents=True)

    def hang(folder: object) -> _Usage:
        if folder == evidence:
            asked.put(folder)
            back.wait(60)
        return _Usage(0, 0, 2 * RESERVE_BYTES)

    monkeypatch.setattr(shutil, "disk_usage", hang)
    try:
        health = await _health(tmp_path, _Store(), nursery)
        health._disks = _Prompt()
        await time_passes(300)
        assert health.report[EvidenceNotKept] == f"{evidence} did not answer within {PING_S:g} s"
        assert health.obstacle is None
        assert health.is_alive
        assert asked.get(timeout=60) == evidence
        assert asked.empty()
    finally:
        back.set()


@pytest.mark.trio
async def test_an_engine_whose_tasks_stand_still_is_not_alive(
    tmp_path: Path, tray_clock: object
) -> None:
    async with trio.open_nursery() as nursery:
        health = await _health(tmp_path, _Store(), nursery)
        await time_passes(60)
        assert health.is_alive
        nursery.cancel_scope.cancel()
    await time_passes(STALE_S + 1)
    assert not health.is_alive


@pytest.mark.trio
async def test_a_full_disk_starts_nothing_until_there_is_room_again(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = RESERVE_BYTES - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(1 << 40, 0, free))
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.see("A1", S.WAITING)
        await time_passes(300)
        assert run["A1"].state is S.WAITING
        alarms = run.line.feed.line.alarms
        assert [alarm.code for alarm in alarms] == [DiskTrouble.code]
        free = RESERVE_BYTES
        view = await run.see("A1", S.DONE)
        assert view.outcome is Outcome.PASS
        assert run.line.feed.line.alarms == ()
