"""Peers of the engine's socket, and a server with a desk for them to talk to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import trio
import trio.testing

from station.engine.feed import Feed
from station.engine.server import (
    Peer,
    serve_socket,
)
from station.errors import NotNow
from station.live import LineState, LineView, SlotState, SlotView
from station.wire import (
    Answer,
    Command,
    Hello,
    Message,
    Recipes,
    Retry,
    Status,
    Stop,
    command_line,
    parse_message,
)
from tests.mock_time import time_passes

HELLO = Hello(1, "st-1", "lab", "0.1", "e1", (("A1", "A2"),), hands=False)
A1 = SlotView("A1", SlotState.EMPTY, 1)
A2 = SlotView("A2", SlotState.EMPTY, 1)
LINE = LineView(LineState.DISARMED)
SILENCE_S = 120
"""By the tests' clock: nothing takes so long."""


@dataclass(slots=True)
class Clerk:
    """A desk that notes what it is asked, refuses retries, has a bug, and may be slow."""

    done: list[tuple[Command, Peer]] = field(default_factory=list)
    gate: trio.Event = field(default_factory=trio.Event)
    """Set: `stop` is carried out."""

    async def carry_out(self, command: Command, peer: Peer) -> dict[str, Any]:
        match command:
            case Retry():
                raise NotNow(f"slot {command.slot} is busy")
            case Recipes():
                raise ZeroDivisionError("no recipes per slot")
            case Stop():
                await self.gate.wait()
            case _:
                pass
        self.done.append((command, peer))
        return {"line": LINE}


@dataclass(slots=True)
class Screen:
    """A peer that reads what it is sent, message by message."""

    stream: trio.SocketStream
    _buffer: bytearray = field(default_factory=bytearray)

    async def line(self) -> bytes:
        """Empty at the end."""
        while b"\n" not in self._buffer:
            try:
                with trio.fail_after(SILENCE_S):
                    data = await self.stream.receive_some(1 << 16)
            except trio.BrokenResourceError:
                return b""
            if not data:
                return b""
            self._buffer += data
        end = self._buffer.index(b"\n") + 1
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line

    async def next(self) -> Message:
        return parse_message(await self.line())

    async def answer(self) -> Answer:
        """The next answer; what was told meanwhile is skipped."""
        while not isinstance(message := await self.next(), Answer):
            pass
        return message

    async def say(self, line: bytes) -> None:
        await self.stream.send_all(line)

    async def say_until_gone(self, line: bytes, pause_s: float) -> None:
        with suppress(trio.BrokenResourceError):
            while True:
                await self.say(line)
                await time_passes(pause_s)

    async def ask(self, command: Command) -> Answer:
        await self.say(command_line(command))
        return await self.answer()

    async def is_over(self) -> bool:
        """Waits for the end of the connection, whatever comes before."""
        with trio.move_on_after(SILENCE_S):
            while await self.line():
                pass
            return True
        return False


@dataclass(slots=True)
class House:
    """A running server and the way to it."""

    path: Path
    feed: Feed
    clerk: Clerk

    @asynccontextmanager
    async def screen(self) -> AsyncIterator[Screen]:
        async with await trio.open_unix_socket(self.path) as stream:
            yield Screen(stream)

    @asynccontextmanager
    async def greeted(self) -> AsyncIterator[Screen]:
        async with self.screen() as screen:
            assert await screen.next() == HELLO
            yield screen

    async def is_well(self) -> bool:
        async with self.greeted() as screen:
            return (await screen.ask(Status(id="well"))).refused is None


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[House]:
    ticks = count(1000)
    house = House(path, Feed([A1, A2], LINE, lambda: next(ticks)), Clerk())
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_socket, path, HELLO, house.clerk, house.feed)
        yield house
        nursery.cancel_scope.cancel()
