"""The control socket of a rehearsal; the peer writes literal lines."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from trio.testing import MockClock

from station.sim.factory import Factory
from station.sim.rehearsal import Rehearsal, ports_for
from station.sim.usbip_control import IDLE_S, MAX_CONNECTIONS, MAX_LINE_BYTES, Control, Request
from station.sim.usbip_server import UsbipServer


class Room:
    def __init__(self, path: Path) -> None:
        ports = ports_for(["A1", "A2"])
        server = UsbipServer(list(ports.values()))
        self.rehearsal = Rehearsal(server, ports, Factory("ec25", size_mb=1, seed=7))
        self.rehearsal.fill()
        self.stopped = trio.Event()
        self.control = Control(self.rehearsal, self.stopped.set)
        self._path = path / "control"
        self.socket = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        self.streams: list[trio.SocketStream] = []

    async def listen(self) -> trio.SocketListener:
        await self.socket.bind(str(self._path))
        self.socket.listen(64)
        return trio.SocketListener(self.socket)

    async def peer(self) -> trio.SocketStream:
        self.streams.append(await trio.open_unix_socket(str(self._path)))
        return self.streams[-1]

    async def ask(self, line: bytes) -> dict[str, object]:
        peer = await self.peer()
        await peer.send_all(line)
        return await answer(peer)


async def answer(peer: trio.SocketStream) -> dict[str, object]:
    heard = b""
    while not heard.endswith(b"\n"):
        data = await peer.receive_some(65536)
        assert data, f"closed after {heard!r}"
        heard += data
    found = json.loads(heard)
    assert isinstance(found, dict)
    return found


@asynccontextmanager
async def room(path: Path) -> AsyncIterator[Room]:
    made = Room(path)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.control.serve, await made.listen())
        try:
            yield made
        finally:
            for stream in made.streams:
                await stream.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_questions_and_answers(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with room(tmp_path) as at:
        peer = await at.peer()
        await peer.send_all(b'{"do":"unplug","slot":"A2"}\n')
        assert await answer(peer) == {"ok": True, "data": None}
        await peer.send_all(b'{"do":"status"}\n')
        status = (await answer(peer))["data"]
        assert isinstance(status, list)
        assert [(slot["slot"], slot["device"]) for slot in status] == [
            ("A1", "2c7c:0125"),
            ("A2", None),
        ]
        assert await at.ask(b'{"do":"plug","slot":"A2","fault":"nak"}\n') == {
            "ok": True,
            "data": None,
        }
        assert (await at.ask(b'{"do":"power","slot":"A1","to":"off"}\n'))["ok"] is True
        assert await at.ask(b'{"do":"calibration","slot":"A1"}\n') == {
            "ok": True,
            "data": {"intact": True},
        }
        assert (await at.ask(b'{"do":"breaches","slot":"A1"}\n'))["data"] == []
        dump = (await at.ask(b'{"do":"dump","slot":"A1"}\n'))["data"]
        assert isinstance(dump, list)
        assert dump[0].keys() == {"name", "start_sector", "length_bytes", "sha256"}
        assert not at.stopped.is_set()
        assert (await at.ask(b'{"do":"stop"}\n'))["ok"] is True
        assert at.stopped.is_set()


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (b"hello", "R309", "the line"),
        (b"[]", "R309", "the line"),
        (b"{}", "R309", "do"),
        (b'{"do":"burn"}', "R309", "do"),
        (b'{"do":"status","colour":"red"}', "R309", "colour"),
        (b'{"do":"plug"}', "R309", "plug needs a slot"),
        (b'{"do":"plug","slot":7}', "R309", "slot"),
        (b'{"do":"plug","slot":"A1"}', "L602", "A1 already"),
        (b'{"do":"power","slot":"A1"}', "R309", "off, on or cycle"),
        (b'{"do":"dump","slot":"A1","folder":"here"}', "R309", "absolute"),
        (b'{"do":"dump","slot":"A1","folder":"/proc/none"}', "S505", "/proc/none"),
    ],
)
@pytest.mark.trio
async def test_what_is_refused(
    tmp_path: Path, autojump_clock: MockClock, line: bytes, code: str, words: str
) -> None:
    async with room(tmp_path) as at:
        refused = await at.ask(line + b"\n")
        assert (refused["ok"], refused["code"]) == (False, code)
        assert words in str(refused["cause"])
        assert refused["remedy"]


@pytest.mark.trio
async def test_who_does_not_speak_is_sent_away(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with room(tmp_path) as at:
        silent, endless = await at.peer(), await at.peer()
        await endless.send_all(b"x" * (MAX_LINE_BYTES + 1))
        began_s = trio.current_time()
        assert await endless.receive_some(1) == b""
        assert trio.current_time() == began_s
        assert await silent.receive_some(1) == b""
        assert trio.current_time() - began_s == pytest.approx(IDLE_S)
        assert (await at.ask(b'{"do":"status"}\n'))["ok"] is True


@pytest.mark.trio
async def test_connections_are_bounded(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with room(tmp_path) as at:
        held = [await at.peer() for _ in range(MAX_CONNECTIONS)]
        await trio.testing.wait_all_tasks_blocked()
        assert await (await at.peer()).receive_some(1) == b""
        await held[0].aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (await at.ask(b'{"do":"status"}\n'))["ok"] is True


@given(st.binary(max_size=200))
def test_any_line_is_a_request_or_refused(line: bytes) -> None:
    try:
        Request.model_validate_json(line)
    except ValidationError:
        pass
    else:
        assert json.loads(line)["do"]
