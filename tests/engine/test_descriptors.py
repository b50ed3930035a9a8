"""An engine that may open no more files: outcomes all the same, and on again by itself."""

import logging
import socket
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from station.engine.server import ACCEPT_AGAIN_S, IDLE_S
from station.errors import NoDescriptors, StationError
from station.live import SlotState as S
from station.model import DeviceInfo, Outcome
from station.sim.backend import SimBackend
from station.wire import Hello, Status
from tests.engine.line import running
from tests.engine.screens import HELLO, Screen, serving
from tests.engine.tray import make_line
from tests.fakes.descriptors import starved
from tests.mock_time import time_passes


@pytest.mark.trio
async def test_a_screen_that_finds_no_room_waits_and_the_others_go_on(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = 0
    accept = trio.SocketListener.accept

    async def counted(self: trio.SocketListener) -> trio.SocketStream:
        nonlocal tries
        tries += 1
        return await accept(self)

    monkeypatch.setattr(trio.SocketListener, "accept", counted)
    with socket.socket(socket.AF_UNIX) as late:
        async with serving(tmp_path / "engine.sock") as house, house.greeted() as early:
            late.setblocking(False)
            with starved():
                late.connect(str(house.path))
                tries = 0
                await time_passes(IDLE_S / 2)
                assert 10 <= tries <= IDLE_S / 2 / ACCEPT_AGAIN_S + 1
                assert (await early.ask(Status(id="1"))).refused is None
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(late))
            hello = await Screen(stream).next()
            assert isinstance(hello, Hello)
            assert hello == HELLO
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.trio
@pytest.mark.parametrize("step", ["identify", "enter_edl", "program", "verify", "confirm"])
async def test_every_attempt_ends_and_the_line_goes_on_when_there_is_room(
    tmp_path: Path, tray_clock: object, step: str
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", step)
        with starved():
            view = await run.see("A1", S.DONE)
            run.plug("A2")
            await run.until(lambda: "S535" in [alarm.code for alarm in run.line.feed.line.alarms])
            await run.see("A2", S.WAITING)
            await time_passes(300)
            assert run["A2"].state is S.WAITING
            assert bench.tray.modules["A2"].out_log.entries == []
        assert (await run.see("A2", S.DONE)).outcome is Outcome.PASS
        await run.until(lambda: run.line.feed.line.alarms == ())
        view = run["A1"]
        assert view.outcome in (Outcome.PASS, Outcome.ERROR), view.failure
    (record,) = bench.recorded(slot="A1")
    assert record.closed is not None
    assert record.closed.outcome is view.outcome
    if view.outcome is Outcome.PASS:
        assert record.steps[-1].name == "confirm"


@pytest.mark.trio
@pytest.mark.parametrize("step", ["enter_edl", "reset", "confirm"])
async def test_a_module_is_not_blamed_for_a_station_that_cannot_look(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It came back in time, and nobody could see it."""
    bench = make_line(tmp_path, slots=2)
    scan = SimBackend.scan

    async def fail(self: SimBackend) -> tuple[DeviceInfo, ...]:
        await scan(self)
        raise NoDescriptors("no file can be opened any more")

    async with running(bench) as run:
        await run.arm()
        run.plug("A1")
        await run.until_step("A1", step)
        with monkeypatch.context() as patched:
            patched.setattr(SimBackend, "scan", fail)
            view = await run.see("A1", S.DONE, S.AWAY)
            assert view.outcome is Outcome.ERROR
            assert view.failure is not None
            assert view.failure.code == "L611"
        run.plug("A2")
        assert (await run.see("A2", S.DONE)).outcome is Outcome.PASS


@pytest.mark.trio
async def test_a_package_that_could_not_be_opened_is_tried_again(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        with starved(), pytest.raises(StationError):
            await run.arm()
        await run.arm()
        run.plug("A1")
        assert (await run.see("A1", S.DONE)).outcome is Outcome.PASS
