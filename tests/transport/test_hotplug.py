"""Waiting for changes: nothing lost, nobody woken twice, everybody woken once."""

import errno
import gc
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from station.transport.hotplug import POLL_S, Events, Polling, listen


class Bell:
    """An event source that a test rings; `failure` is what reading it fails with."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        self.failure: int | None = None
        self.reads = 0

    def fileno(self) -> int:
        return self._out

    def poll(self, timeout: float) -> object | None:
        assert timeout == 0
        self.reads += 1
        if self.failure is not None:
            os.read(self._out, 1)
            raise OSError(self.failure, os.strerror(self.failure))
        try:
            return os.read(self._out, 1)
        except BlockingIOError:
            return None

    def ring(self, times: int = 1) -> None:
        os.write(self._in, b"!" * times)

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


async def wakes(events: Events, timeout_s: float = 60.0) -> bool:
    """True if a change was told; False if the time-out was (of the mock clock: no real wait)."""
    begun_s = trio.current_time()
    await events.wait(timeout_s)
    return trio.current_time() - begun_s < timeout_s


@pytest.mark.trio
async def test_an_event_wakes_everybody_at_once(bell: Bell) -> None:
    events = Events(bell)
    woken: list[int] = []

    async def waiter(number: int) -> None:
        await events.wait(60)
        woken.append(number)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for number in range(16):
                nursery.start_soon(waiter, number)
            await wait_all_tasks_blocked()
            assert woken == []
            bell.ring(3)
    assert sorted(woken) == list(range(16))


@pytest.mark.trio
async def test_an_event_between_a_scan_and_the_wait_is_not_lost(bell: Bell) -> None:
    events = Events(bell)
    with trio.fail_after(5):
        events.looks()
        bell.ring()
        await events.wait(60)


@pytest.mark.trio
async def test_an_event_that_another_task_took_is_not_lost(bell: Bell) -> None:
    events = Events(bell)
    looked, taken = trio.Event(), trio.Event()

    async def scanner() -> None:
        events.looks()
        looked.set()
        await taken.wait()
        await events.wait(60)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scanner)
            await looked.wait()
            bell.ring()
            await events.wait(60)
            taken.set()


@pytest.mark.trio
async def test_a_task_is_told_once_of_each_change(bell: Bell, autojump_clock: MockClock) -> None:
    events = Events(bell)
    bell.ring(5)
    assert await wakes(events)
    assert not await wakes(events)

    bell.ring()
    assert await wakes(events)
    events.looks()
    assert not await wakes(events)


@pytest.mark.trio
async def test_a_time_out(bell: Bell, autojump_clock: MockClock) -> None:
    events = Events(bell)
    assert not await wakes(events, 1.0)
    assert trio.current_time() == pytest.approx(1.0, abs=0.01)


@pytest.mark.trio
async def test_the_reader_hands_over_when_it_leaves(bell: Bell) -> None:
    events = Events(bell)
    woken = trio.Event()

    async def second() -> None:
        await events.wait(60)
        woken.set()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            reader = trio.CancelScope()

            async def first() -> None:
                with reader:
                    await events.wait(60)

            nursery.start_soon(first)
            await wait_all_tasks_blocked()
            nursery.start_soon(second)
            await wait_all_tasks_blocked()
            reader.cancel()
            await wait_all_tasks_blocked()
            assert not woken.is_set()
            bell.ring()


@pytest.mark.trio
async def test_waiters_come_and_go_with_time_outs(bell: Bell, autojump_clock: MockClock) -> None:
    events = Events(bell)
    ended: list[float] = []

    async def waiter(timeout_s: float) -> None:
        await events.wait(timeout_s)
        ended.append(timeout_s)

    async with trio.open_nursery() as nursery:
        for timeout_s in (3.0, 1.0, 2.0, 4.0):
            nursery.start_soon(waiter, timeout_s)
    assert ended == [1.0, 2.0, 3.0, 4.0]


def test_it_outlives_a_run_of_trio(bell: Bell) -> None:
    events = Events(bell)

    async def once() -> None:
        events.looks()
        bell.ring()
        with trio.fail_after(5):
            await events.wait(60)

    for _ in range(3):
        trio.run(once)


@pytest.mark.trio
async def test_an_overrun_is_a_change(bell: Bell, autojump_clock: MockClock) -> None:
    events = Events(bell)
    bell.failure = errno.ENOBUFS
    bell.ring()
    assert await wakes(events)

    bell.failure = None
    assert not await wakes(events)
    bell.ring()
    assert await wakes(events)


@pytest.mark.trio
async def test_a_source_that_broke_is_replaced_by_time(
    bell: Bell, autojump_clock: MockClock
) -> None:
    events = Events(bell)
    bell.failure = errno.EBADF
    bell.ring()
    assert await wakes(events)
    reads = bell.reads

    begun_s = trio.current_time()
    await events.wait(60)
    assert trio.current_time() - begun_s == pytest.approx(POLL_S)
    assert bell.reads == reads


@pytest.mark.trio
async def test_a_flood_of_events_is_taken_in_parts(bell: Bell) -> None:
    events = Events(bell)
    bell.ring(3000)
    with trio.fail_after(5):
        await events.wait(60)
    assert bell.reads == 1024


@pytest.mark.trio
async def test_without_events_time_tells(autojump_clock: MockClock) -> None:
    polling = Polling()
    polling.looks()
    await polling.wait(60)
    assert trio.current_time() == pytest.approx(POLL_S)
    await polling.wait(0.01)
    assert trio.current_time() == pytest.approx(POLL_S + 0.01)


def open_sockets() -> int:
    """What listening opens; files of earlier tests may be closed by their threads meanwhile."""
    gc.collect()  # what earlier tests left to be collected is not ours
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder's own descriptor
            found += str(entry.readlink()).startswith("socket:")
    return found


@pytest.mark.parametrize("daemon", [True, False], ids=["udevd", "kernel"])
def test_listening_leaves_nothing_open(tmp_path: Path, daemon: bool) -> None:
    control = tmp_path / "control"
    if daemon:
        control.touch()
    listen(control)
    before = open_sockets()
    for _ in range(5):
        assert isinstance(listen(control), Events | Polling)
    assert open_sockets() == before


def test_without_libudev(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(_: str) -> object:
        raise ImportError("No library named udev")

    monkeypatch.setattr("importlib.import_module", missing)
    assert isinstance(listen(tmp_path / "none"), Polling)
