"""An engine by script: a real unix socket, literal lines, and it keeps what it was told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from station.live import LineView, LogLine, SlotView
from station.wire import (
    PROTOCOL,
    Answer,
    Beat,
    Command,
    Hello,
    LineChanged,
    Logged,
    SlotChanged,
    Snapshot,
    Transcript,
    Watch,
    message_line,
    parse_command,
)

Numbered = Beat | LineChanged | Logged | SlotChanged | Transcript


class ScriptedEngine:
    """One line and its slots. `reply` answers commands; None is yes, False is silence."""

    def __init__(
        self, rows: tuple[tuple[str, ...], ...], line: LineView, slots: tuple[SlotView, ...]
    ) -> None:
        self.hello = Hello(PROTOCOL, "LINE 3", "Graz", "0.4", "engine-1", rows, hands=True)
        self.line = line
        self.slots = slots
        self.log: tuple[LogLine, ...] = ()
        self.utc_us = 0
        self.commands: list[Command] = []
        self.reply: Callable[[Command], Answer | bool | None] = lambda _: None
        self.connections = 0
        self.was_asked = asyncio.Event()
        """A command other than watching came."""
        self._seq = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def say(self, message: Numbered) -> None:
        """Send this to everybody who watches, with the next number."""
        self._seq += 1
        for writer in self._writers:
            writer.write(message_line(replace(message, seq=self._seq)))
            await writer.drain()

    def hang_up(self) -> None:
        """Break all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from hello to its end."""
        self.connections += 1
        writer.write(message_line(self.hello))
        while line := await reader.readline():
            command = parse_command(line)
            self.commands.append(command)
            if not isinstance(command, Watch):
                self.was_asked.set()
            reply = self.reply(command)
            if reply is False:
                continue
            answer = reply if isinstance(reply, Answer) else Answer(None)
            writer.write(message_line(replace(answer, id=command.id)))
            if isinstance(command, Watch):
                self._seq = 1
                self._writers.append(writer)
                snapshot = Snapshot(1, self.utc_us, self.line, self.slots, self.log)
                writer.write(message_line(snapshot))

    def told(self) -> list[Command]:
        """The commands without watching and following, and without their ids."""
        quiet = ("watch", "follow", "recipes")
        return [c.model_copy(update={"id": None}) for c in self.commands if c.do not in quiet]


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(path: Path, serve: Serve) -> AsyncIterator[None]:
    """Whoever connects to `path` is served; at the end of the block nothing of it is left."""
    open_now: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        open_now[task] = writer
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass  # the screen went away
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()
            del open_now[task]

    server = await asyncio.start_unix_server(connection, path)
    try:
        yield
    finally:
        server.close()
        await asyncio.sleep(0)  # a connection that was just taken gets its task
        for writer in open_now.values():
            writer.transport.abort()
        await asyncio.gather(*open_now, return_exceptions=True)


@asynccontextmanager
async def serving(engine: ScriptedEngine, path: Path) -> AsyncIterator[None]:
    """The engine listens on `path` until the end of the block."""
    async with answering(path, engine.serve):
        yield
