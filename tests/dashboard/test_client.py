"""The way to the engine: real sockets, an engine that may be gone, old, hostile or asleep."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.dashboard.client import Client
from station.dashboard.picture import Change, Picture
from station.errors import NoEngine
from station.live import LogLine, SlotState
from station.wire import Abort, Answer, Beat, Logged, Refusal, Retry, SlotChanged
from station.wire.messages import MAX_MESSAGE_BYTES
from tests.dashboard.engine import ScriptedEngine, answering, serving
from tests.dashboard.show import PATIENCE_S, Clock
from tests.dashboard.tray import LINE, NOW_UTC_US, STATES, rows

HELLO = (
    b'{"protocol":1,"station":"LINE 3","site":"Graz","software":"0.4","engine":"e1",'
    b'"rows":[["A1"]],"hands":false,"type":"hello"}\n'
)
SNAPSHOT = (
    b'{"seq":1,"utc_us":7,"line":{"state":"disarmed"},"slots":[{"slot":"A1","state":"empty",'
    b'"since_utc_us":5}],"log":[],"type":"snapshot"}\n'
)


class Ears:
    """What the app is to a client: hears that something changed."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.picture = Picture()
        self.changes: list[Change] = []
        self.troubles: list[str] = []
        self.client = Client(path, self.picture, self.clock, self._hear)
        self.client.first_pause_s = 0.01
        self.client.longest_pause_s = 0.05
        self._heard = asyncio.Event()

    def _hear(self, change: Change) -> None:
        self.changes.append(change)
        self.troubles.append(self.picture.trouble)
        self._heard.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait, from one change to the next, until this holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def connected(self) -> None:
        await self.until(lambda: not self.picture.trouble)

    async def in_trouble(self, *words: str) -> None:
        """It was said at least once; by now it may be over."""
        await self.until(lambda: any(word in said for said in self.troubles for word in words))


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[Ears]:
    ears = Ears(path)
    running = asyncio.create_task(ears.client.run())
    try:
        yield ears
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def raw(path: Path, *lines: bytes) -> AsyncIterator[None]:
    """Something that sends these bytes to whoever connects, and then listens."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.writelines(lines)
        await writer.drain()
        while await reader.read(65536):
            pass

    async with answering(path, serve):
        yield


def engine() -> ScriptedEngine:
    return ScriptedEngine(rows(8, STATES), LINE, STATES)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * PATIENCE_S):
            await test()

    asyncio.run(bounded())


# --- keeping the picture ----------------------------------------------------------------------


def test_snapshot_then_changes(tmp_path: Path) -> None:
    async def test() -> None:
        served = engine()
        served.utc_us = NOW_UTC_US + 5_000_000
        async with serving(served, tmp_path / "s"), listening(tmp_path / "s") as ears:
            await ears.connected()
            assert list(ears.picture.slots) == [view.slot for view in STATES]
            assert ears.picture.ahead_us == 5_000_000
            empty = replace(STATES[8], state=SlotState.EMPTY)
            await served.say(SlotChanged(0, empty))
            await served.say(Logged(0, (LogLine(1, "module left"),)))
            await ears.until(lambda: len(ears.picture.log) == 1)
            assert ears.picture.slots["B1"].state is SlotState.EMPTY
            assert ears.changes[-2].slots == {"B1"}

    run(test)


def test_literal_lines(tmp_path: Path) -> None:
    """What goes over the socket, byte by byte, and not only what our own code makes of it."""

    async def test() -> None:
        async with raw(tmp_path / "s", HELLO, SNAPSHOT), listening(tmp_path / "s") as ears:
            await ears.connected()
            assert ears.picture.hello
            assert ears.picture.hello.rows == (("A1",),)
            assert ears.picture.slots["A1"].state is SlotState.EMPTY

    run(test)


def test_it_connects_when_the_engine_comes_and_again_when_it_was_gone(tmp_path: Path) -> None:
    async def test() -> None:
        served = engine()
        async with listening(tmp_path / "s") as ears:
            await ears.in_trouble("no engine listens on")
            assert ears.picture.is_stale()
            async with serving(served, tmp_path / "s"):
                await ears.connected()
                assert not ears.picture.is_stale()
                served.hang_up()
                await ears.in_trouble("closed the connection", "Connection reset")
                await ears.until(lambda: served.connections == 2)
                await ears.connected()

    run(test)


def test_a_gap_in_the_numbers_is_a_new_connection(tmp_path: Path) -> None:
    async def test() -> None:
        served = engine()
        async with serving(served, tmp_path / "s"), listening(tmp_path / "s") as ears:
            await ears.connected()
            served._seq += 1
            await served.say(Beat(0, 1))
            await ears.in_trouble("lost")
            await ears.until(lambda: served.connections == 2)
            await ears.connected()

    run(test)


def test_an_engine_that_falls_silent_is_asked_on_another_connection(tmp_path: Path) -> None:
    async def test() -> None:
        served = engine()
        async with serving(served, tmp_path / "s"), listening(tmp_path / "s") as ears:
            ears.client.silence_s = 0.05
            await ears.in_trouble("does not answer")
            await ears.until(lambda: served.connections > 1)

    run(test)


# --- engines that are not ours ----------------------------------------------------------------


def test_an_engine_of_another_version(tmp_path: Path) -> None:
    async def test() -> None:
        served = engine()
        served.hello = replace(served.hello, protocol=2, software="9.0")
        async with serving(served, tmp_path / "s"), listening(tmp_path / "s") as ears:
            await ears.in_trouble("version 2")
            assert "9.0" in ears.troubles[-1]
            assert ears.picture.hello is None

    run(test)


@pytest.mark.parametrize(
    "names", [(), ((),), (("A1", "A1"),), (("A1",), ("A1",)), (tuple(map(str, range(257))),)]
)
def test_a_tray_that_cannot_be_shown(tmp_path: Path, names: tuple[tuple[str, ...], ...]) -> None:
    async def test() -> None:
        served = engine()
        served.hello = replace(served.hello, rows=names)
        async with serving(served, tmp_path / "s"), listening(tmp_path / "s") as ears:
            await ears.in_trouble("slots; 1 to 256 can be shown")
            assert ears.picture.hello is None

    run(test)


def test_a_socket_that_this_user_may_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    async def test() -> None:
        monkeypatch.setattr(asyncio, "open_unix_connection", refuse)  # root may open anything
        async with listening(tmp_path / "s") as ears:
            await ears.in_trouble("may not open")

    run(test)


def test_a_line_without_an_end(tmp_path: Path) -> None:
    async def test() -> None:
        endless = b"x" * (MAX_MESSAGE_BYTES + 2)
        async with raw(tmp_path / "s", HELLO, endless), listening(tmp_path / "s") as ears:
            await ears.in_trouble("too long")

    run(test)


@settings(max_examples=30, deadline=None)
@given(lines=st.lists(st.binary(max_size=60) | st.just(HELLO) | st.just(SNAPSHOT), max_size=4))
def test_garbage_is_words_on_the_screen(
    lines: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is on the socket, the client lives and connects to the engine that follows."""
    path = tmp_path_factory.mktemp("garbage") / "s"

    async def test() -> None:
        async with listening(path) as ears:
            async with raw(path, *lines, b"\n{}\n"):
                await ears.in_trouble("unknown", "hello", "lost")
            async with serving(engine(), path):
                await ears.until(lambda: "B1" in ears.picture.slots)

    run(test)


# --- asking -----------------------------------------------------------------------------------


def test_answers_find_their_questions(tmp_path: Path) -> None:
    async def test() -> None:
        served = engine()
        refusal = Refusal("L602", "NOT NOW", "the slot is busy", "wait")
        served.reply = lambda c: Answer(None, refusal) if isinstance(c, Retry) else None
        async with serving(served, tmp_path / "s"), listening(tmp_path / "s") as ears:
            await ears.connected()
            answers = await asyncio.gather(
                ears.client.ask(Retry(slot="A1")), ears.client.ask(Abort(slot="A2"))
            )
            assert [answer.refused for answer in answers] == [refusal, None]

    run(test)


def test_no_answer_in_time(tmp_path: Path) -> None:
    async def test() -> None:
        served = engine()
        served.reply = lambda c: False if isinstance(c, Retry) else None
        async with serving(served, tmp_path / "s"), listening(tmp_path / "s") as ears:
            await ears.connected()
            ears.client.answer_timeout_s = 0.05
            with pytest.raises(NoEngine, match="no answer to 'retry'"):
                await ears.client.ask(Retry(slot="A1"))

    run(test)


def test_the_engine_dies_before_it_answers(tmp_path: Path) -> None:
    async def test() -> None:
        served = engine()
        served.reply = lambda c: False if isinstance(c, Retry) else None
        async with serving(served, tmp_path / "s"), listening(tmp_path / "s") as ears:
            await ears.connected()
            asked = asyncio.create_task(ears.client.ask(Retry(slot="A1")))
            await served.was_asked.wait()
            served.hang_up()
            with pytest.raises(NoEngine, match="broke before the answer"):
                await asked

    run(test)


def test_nothing_is_asked_without_an_engine(tmp_path: Path) -> None:
    async def test() -> None:
        async with listening(tmp_path / "s") as ears:
            with pytest.raises(NoEngine, match="nothing was changed"):
                await ears.client.ask(Retry(slot="A1"))

    run(test)
