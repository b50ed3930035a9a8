"""What peers of the engine's socket may try, and whom it harms: themselves."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from station.engine.server import IDLE_S, MAX_BAD_LINES, MAX_CONNECTIONS, SEND_S
from station.wire import (
    MAX_COMMAND_BYTES,
    Answer,
    Hello,
    SlotChanged,
    Snapshot,
    Status,
    Watch,
    command_line,
    parse_message,
)
from tests.engine.screens import A1, House, serving
from tests.mock_time import time_passes


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path / "engine.sock") as house:
        yield house


@pytest.mark.trio
async def test_a_screen_that_never_reads_is_dropped_and_slows_nobody(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as quick, house.greeted() as dead:
        await quick.ask(Watch())
        await dead.say(command_line(Watch()))
        newest = 0
        async with trio.open_nursery() as nursery:

            async def read_all() -> None:
                nonlocal newest
                while newest < 2999:
                    message = await quick.next()
                    if isinstance(message, SlotChanged):
                        newest = message.slot.done_bytes

            nursery.start_soon(read_all)
            started_s = trio.current_time()
            for number in range(3000):
                house.feed.show_slot(replace(A1, done_bytes=number, model="M" * 900))
                for _ in range(20):
                    house.feed.log("L" * 900)
                if number % 10 == 0:
                    await time_passes(0.1)
        assert trio.current_time() < started_s + 31
        assert await dead.is_over()
        assert await house.is_well()


@pytest.mark.trio
async def test_lines_stay_whole_when_a_screen_pauses(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as screen:
        await screen.say(command_line(Watch()))
        for number in range(10):
            for _ in range(50):
                house.feed.log(f"{number}".ljust(900))
            await time_passes(0.5)
        await screen.say(command_line(Status(id="late")))
        await time_passes(2)
        assert isinstance(await screen.next(), Answer)
        assert isinstance(await screen.next(), Snapshot)
        seqs = []
        while not isinstance(message := await screen.next(), Answer):
            assert not isinstance(message, Hello)
            seqs.append(message.seq)
        assert message.id == "late"
        assert seqs == list(range(2, len(seqs) + 2))


@pytest.mark.trio
async def test_a_peer_that_asks_and_never_reads_is_dropped(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as dead:
        flood = command_line(Status(id="x" * 64)) * 1000
        started_s = trio.current_time()
        await dead.say_until_gone(flood, pause_s=0)
        assert trio.current_time() == pytest.approx(started_s + SEND_S)
        assert await house.is_well()


@pytest.mark.trio
async def test_who_says_nothing_whole_is_sent_away(autojump_clock: MockClock, house: House) -> None:
    async with house.greeted() as idle, house.greeted() as dribbling:
        started_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dribbling.say_until_gone, b" ", 7)
            assert await idle.is_over()
            assert await dribbling.is_over()
            assert trio.current_time() == pytest.approx(started_s + IDLE_S)


@pytest.mark.trio
async def test_bad_lines_are_answered_until_there_are_too_many(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as screen:
        for _ in range(MAX_BAD_LINES - 1):
            await screen.say(b'{"do":"dance","id":"5"}\n')
            answer = await screen.answer()
            assert answer.refused is not None
            assert (answer.id, answer.refused.code) == ("5", "R309")
            assert "'dance'" in answer.refused.cause
        assert (await screen.ask(Status())).refused is None
        began_s = trio.current_time()
        await screen.say(b"\n" * MAX_BAD_LINES)
        assert [(await screen.answer()).refused is None for _ in range(MAX_BAD_LINES)] == (
            [False] * MAX_BAD_LINES
        )
        assert await screen.is_over()
        assert trio.current_time() == began_s


@pytest.mark.trio
@pytest.mark.parametrize("end", [b"", b"\n"], ids=["endless", "ended"])
async def test_a_line_that_is_too_long_is_refused(
    autojump_clock: MockClock, house: House, end: bytes
) -> None:
    async with house.greeted() as screen:
        longest = b'{"do":"status"}'.ljust(MAX_COMMAND_BYTES)
        await screen.say(longest + b"\n")
        assert (await screen.answer()).refused is None
        await screen.say(longest + b" " + end)
        answer = await screen.answer()
        assert answer.refused is not None
        assert answer.refused.cause == "command: the line has more than 65536 bytes"
        assert await screen.is_over()


@pytest.mark.trio
@pytest.mark.parametrize("last", [b"", b'{"do":"sta', b'{"do":"status"}\n', b'{"do":"watch"}\n'])
async def test_leaving_at_any_moment_makes_no_noise(
    autojump_clock: MockClock, house: House, last: bytes
) -> None:
    async with house.screen() as screen:
        await screen.say(last)
    async with house.screen() as screen:
        await screen.say(last)
        await screen.stream.send_eof()
        assert await screen.is_over()
    await time_passes(5)
    assert await house.is_well()
    with house.feed.subscribe() as subscription:
        (snapshot,) = await subscription.take()
        assert isinstance(snapshot, Snapshot)
        assert snapshot.log == ()


@pytest.mark.trio
async def test_one_too_many_is_told_so_and_a_free_place_is_given_again(
    autojump_clock: MockClock, house: House
) -> None:
    async with trio.open_nursery() as nursery:
        held = [house.greeted() for _ in range(MAX_CONNECTIONS)]
        screens = [await place.__aenter__() for place in held]
        async with house.greeted() as turned_away:
            answer = await turned_away.answer()
            assert answer.refused is not None
            assert (answer.id, answer.refused.code) == (None, "L612")
            assert await turned_away.is_over()
        assert [(await screen.ask(Status())).refused for screen in screens] == (
            [None] * MAX_CONNECTIONS
        )
        await held.pop().__aexit__(None, None, None)
        await trio.testing.wait_all_tasks_blocked()
        assert await house.is_well()
        for place in held:
            await place.__aexit__(None, None, None)
        nursery.cancel_scope.cancel()


_CHUNKS = st.lists(
    st.binary(max_size=200)
    | st.sampled_from(
        [
            b"\n",
            b'{"do":"watch"}\n',
            b'{"do":"follow","slot":"A1"}\n',
            b'{"do":"status","id":"\\ud800"}\n',
            b'{"id":"\\ud800"}\n',
            b'{"do":"retry","slot":"A1","by":"\\u202e"}\n',
            b"[" * 4000 + b"\n",
            b'{"\\u001b":1,"do":"status"}\n',
            b'{"do":"recipes"}\n',
            b"9" * 5000 + b"\n",
            b" " * MAX_COMMAND_BYTES,
        ]
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(_CHUNKS)
def test_no_bytes_harm_the_engine(chunks: list[bytes]) -> None:
    async def visit() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with serving(Path(folder, "s")) as house:
                async with house.greeted() as screen, trio.open_nursery() as nursery:

                    async def hear() -> None:
                        while line := await screen.line():
                            parse_message(line)

                    nursery.start_soon(hear)
                    try:
                        for chunk in chunks:
                            await screen.say(chunk)
                            await trio.testing.wait_all_tasks_blocked()
                    except trio.BrokenResourceError:
                        pass  # sent away
                    nursery.cancel_scope.cancel()
                assert await house.is_well()
                with house.feed.subscribe() as subscription:
                    (snapshot,) = await subscription.take()
                    assert isinstance(snapshot, Snapshot)
                    assert snapshot.log == ()

    trio.run(visit, clock=MockClock(autojump_threshold=0))


@pytest.mark.trio
async def test_a_bug_with_one_screen_is_logged_and_stays_there(
    autojump_clock: MockClock, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.greeted() as quiet, house.greeted() as screen:
        monkeypatch.setattr(
            "station.engine.server.parse_command", lambda line: line.decode("utf-16")
        )
        await screen.say(b"x\n")
        assert await screen.is_over()
        monkeypatch.undo()
        await quiet.ask(Watch())
        snapshot = await quiet.next()
    assert isinstance(snapshot, Snapshot)
    (line,) = snapshot.log
    assert line.good is False
    assert "UnicodeDecodeError" in line.text
