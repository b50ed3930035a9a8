"""The engine from start to drain: what systemd hears, what is recorded, what `stop` is answered."""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import pytest
import trio

from station import __version__
from station.config import Settings, load_families, load_settings
from station.engine.notify import Notify
from station.engine.service import END_S, FEED_DOG_S, run_engine
from station.engine.stop import Stop
from station.store.events import find_events
from station.wire import Hello, Snapshot, Status, Watch
from station.wire import Stop as StopCommand
from tests.engine import tray
from tests.engine.screens import Screen
from tests.fakes.hung_writer import HungWriter
from tests.mock_time import time_passes
from tests.new_record import new_record


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, ear: socket.socket, folder: Path) -> None:
        self.ear = ear
        self.ear.bind(str(folder / "notify"))
        self.environ = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "20000000"}

    def heard(self) -> list[str]:
        words = []
        while True:
            try:
                words.append(self.ear.recv(4096).decode())
            except BlockingIOError:
                return words


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)) as ear:
        yield Systemd(ear, tmp_path)


@asynccontextmanager
async def served(
    bench: tray.Line, systemd: Systemd, *, linger_s: float = 1e9
) -> AsyncIterator[tuple[Settings, Stop]]:
    """An engine on this bench; it must have ended by itself when the context does."""
    settings = load_settings(bench.config)
    new_record(settings.database)
    ready, stop = trio.Event(), Stop()

    async def tell_ready() -> None:
        ready.set()

    serve = partial(
        run_engine,
        settings,
        load_families(settings.families),
        bench.backend,
        stop=stop,
        notify=Notify(systemd.environ),
        operator="nobody",
        linger_s=linger_s,
        ready=tell_ready,
    )
    with trio.fail_after(100_000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await ready.wait()
            yield settings, stop


@pytest.mark.trio
async def test_stop_is_answered_then_the_engine_ends_and_says_so(
    tmp_path: Path, tray_clock: object, systemd: Systemd
) -> None:
    bench = tray.make_line(tmp_path / "line")
    async with (
        served(bench, systemd) as (settings, _),
        await trio.open_unix_socket(settings.socket) as stream,
    ):
        screen = Screen(stream)
        hello = await screen.next()
        assert isinstance(hello, Hello)
        assert (hello.station, hello.software, hello.rows) == ("demo", __version__, (("A1",),))
        await screen.ask(Watch())
        assert isinstance(await screen.next(), Snapshot)
        await time_passes(3 * FEED_DOG_S)
        before = systemd.heard()
        assert before.count("READY=1") == 1
        assert "WATCHDOG=1" in before
        assert "STATUS=disarmed, 0 of 1 slots busy" in before
        answer = await screen.ask(StopCommand(id="9", by="eva"))
        assert (answer.id, answer.refused) == ("9", None)
        assert await screen.is_over()
    assert "STOPPING=1" in systemd.heard()
    assert not settings.socket.exists()
    events = find_events(settings.database)
    assert [event.kind for event in events] == ["started", "stop", "stopped"]
    assert (events[1].actor, events[1].peer_uid) == ("eva", os.getuid())


@pytest.mark.trio
async def test_an_engine_that_nobody_watches_ends_when_it_may(
    tmp_path: Path, tray_clock: object, systemd: Systemd
) -> None:
    bench = tray.make_line(tmp_path / "line")
    async with served(bench, systemd, linger_s=900) as (settings, stop):
        async with await trio.open_unix_socket(settings.socket) as stream:
            screen = Screen(stream)
            await screen.next()
            await screen.ask(Watch())
            with trio.move_on_after(5000):  # somebody watches
                while await screen.line():
                    pass
            assert not stop.gently.is_set()
        with trio.fail_after(1000):
            await stop.gently.wait()


@pytest.mark.trio
async def test_the_socket_of_a_dead_engine_is_replaced(
    tmp_path: Path, tray_clock: object, systemd: Systemd
) -> None:
    """Whoever calls holds the lock, so no living engine is there."""
    bench = tray.make_line(tmp_path / "line")
    settings = load_settings(bench.config)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(settings.socket))
    dead.close()
    async with served(bench, systemd) as (_, stop):
        async with await trio.open_unix_socket(settings.socket) as stream:
            screen = Screen(stream)
            await screen.next()
            answer = await screen.ask(Status())
            assert answer.data["line"]["state"] == "disarmed"
        stop.gently.set()


@pytest.mark.trio
async def test_an_engine_whose_database_hangs_ends_all_the_same(
    tmp_path: Path, tray_clock: object, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for its last words, nor for the file to be closed."""
    hung = HungWriter(monkeypatch)
    async with served(tray.make_line(tmp_path / "line"), systemd) as (_, stop):
        await time_passes(5)  # what is recorded of the start is, and next it looks after the writer
        hung.begin()
        await hung.since.wait()
        began = trio.current_time()
        stop.gently.set()
    assert trio.current_time() - began < END_S
