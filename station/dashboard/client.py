"""The way to the engine: connects, keeps the picture, asks; and does so again when it broke."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from station.dashboard.picture import Change, Picture
from station.errors import NoAccess, NoEngine, OtherProtocol, StationError
from station.wire import (
    PROTOCOL,
    Answer,
    Arm,
    Command,
    Hello,
    Message,
    Watch,
    command_line,
    parse_message,
)
from station.wire.messages import MAX_MESSAGE_BYTES

MAX_SLOTS = 256
CONNECT_TIMEOUT_S = 5.0
SILENCE_S = 10.0
"""The engine speaks every second; silent for so long, it is asked anew on another connection."""
ANSWER_TIMEOUT_S = 30.0
"""The engine tells of a database that takes its time before that."""
ARM_TIMEOUT_S = 660.0
"""Arming reads whole packages."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0


@dataclass(slots=True)
class Client:
    """Keeps `picture` true as long as `run` runs. `tell` hears of every change."""

    socket: Path
    picture: Picture
    clock: Callable[[], int]
    tell: Callable[[Change], None]
    answer_timeout_s: float = ANSWER_TIMEOUT_S
    silence_s: float = SILENCE_S
    first_pause_s: float = FIRST_PAUSE_S
    longest_pause_s: float = LONGEST_PAUSE_S
    _writer: asyncio.StreamWriter | None = None
    _asked: dict[str, asyncio.Future[Answer]] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    async def run(self) -> None:
        """Stay connected until cancelled; a broken connection is words in the picture."""
        pause_s = self.first_pause_s
        while True:
            try:
                await self._live()
            except StationError as error:
                connected = not self.picture.trouble
                self.picture.trouble, self.picture.remedy = error.cause, error.remedy
                self.tell(Change(line=True))
                if connected:
                    pause_s = self.first_pause_s
                elif isinstance(error, (OtherProtocol, NoAccess)):
                    pause_s = self.longest_pause_s  # a person has to do something first
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, self.longest_pause_s)

    async def ask(self, command: Command) -> Answer:
        """See Link. Raises NoEngine when there is no answer in time."""
        if self._writer is None or self.picture.trouble:
            raise NoEngine("the engine is not there, nothing was changed")
        number = str(next(self._ids))
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        limit_s = ARM_TIMEOUT_S if isinstance(command, Arm) else self.answer_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await _send(self._writer, command.model_copy(update={"id": number}))
                return await answer
        except TimeoutError:
            raise NoEngine(
                f"no answer to {command.do!r} within {limit_s:.0f} s; look what became of it"
            ) from None
        finally:
            del self._asked[number]

    # --- one connection -----------------------------------------------------------------------

    async def _live(self) -> None:
        """From connecting to the end of that connection, which is always a StationError."""
        with _as_no_engine(self.socket):
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(
                    self.socket, limit=MAX_MESSAGE_BYTES
                )
            self._writer = writer
            try:
                await self._greet(reader)
                await _send(writer, Watch(id="watch"))
                await self._listen(reader)
            finally:
                self._writer = None
                self._drop_questions()
                writer.transport.abort()

    async def _greet(self, reader: asyncio.StreamReader) -> None:
        hello = await self._next(reader)
        if not isinstance(hello, Hello):
            raise OtherProtocol("whatever listens on the socket does not say hello like an engine")
        if hello.protocol != PROTOCOL:
            raise OtherProtocol(
                f"the engine speaks version {hello.protocol} of the socket's lines "
                f"(its software is {hello.software}), this screen version {PROTOCOL}"
            )
        slots = [slot for row in hello.rows for slot in row]
        if not slots or len(slots) > MAX_SLOTS or len(set(slots)) < len(slots):
            raise OtherProtocol(
                f"the engine names {len(slots)} slots; 1 to {MAX_SLOTS} can be shown, each once"
            )
        self._take(hello)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Numbered lines without a gap; answers go to those who asked."""
        last = 0
        while True:
            message = await self._next(reader)
            match message:
                case Hello():
                    raise NoEngine("the engine said hello twice")
                case Answer(id="watch", refused=refused):
                    if refused:
                        raise NoEngine(refused.cause)
                case Answer():
                    self._answer(message)
                case _:
                    if message.seq != last + 1:
                        raise NoEngine("lines from the engine were lost")
                    last = message.seq
                    self._take(message)

    async def _next(self, reader: asyncio.StreamReader) -> Message:
        async with asyncio.timeout(self.silence_s):
            line = await reader.readline()
        if not line.endswith(b"\n"):
            raise NoEngine("the engine closed the connection")
        return parse_message(line)

    def _take(self, message: Message) -> None:
        self.tell(self.picture.take(message, self.clock()))

    # --- questions ----------------------------------------------------------------------------

    def _answer(self, answer: Answer) -> None:
        waiting = self._asked.get(answer.id or "")
        if waiting and not waiting.done():
            waiting.set_result(answer)

    def _drop_questions(self) -> None:
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(
                    NoEngine("the connection broke before the answer; look what became of it")
                )


async def _send(writer: asyncio.StreamWriter, command: Command) -> None:
    """Bounded by the caller, or short: a command fits into the socket's buffer."""
    try:
        writer.write(command_line(command))
        await writer.drain()
    except OSError as error:
        raise NoEngine(f"the connection to the engine broke: {error.strerror}") from error


@contextmanager
def _as_no_engine(socket: Path) -> Iterator[None]:
    """What the system says about a socket, in the station's words."""
    try:
        yield
    except PermissionError as error:
        raise NoAccess(f"this user may not open {socket}") from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoEngine(f"no engine listens on {socket}") from error
    except TimeoutError as error:
        raise NoEngine("the engine does not answer") from error
    except OSError as error:
        raise NoEngine(f"{socket}: {error.strerror or error}") from error
    except ValueError as error:
        raise NoEngine("the engine sent a line that is too long") from error
