"""The engine's socket, over real unix sockets: commands answered, changes told."""

import os
import pwd
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from station.engine.server import (
    Peer,
)
from station.wire import (
    Answer,
    Beat,
    Command,
    Follow,
    Hello,
    Recipes,
    SlotChanged,
    Snapshot,
    Status,
    Stop,
    Transcript,
    Watch,
    command_line,
)
from tests.engine.screens import A1, A2, LINE, Clerk, House, serving
from tests.mock_time import time_passes


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path / "engine.sock") as house:
        yield house


# --- commands ---------------------------------------------------------------------------------


@pytest.mark.trio
async def test_the_lines_are_these(autojump_clock: MockClock, house: House) -> None:
    async with house.screen() as screen:
        assert await screen.line() == (
            b'{"protocol":1,"station":"st-1","site":"lab","software":"0.1","engine":"e1",'
            b'"rows":[["A1","A2"]],"hands":false,"type":"hello"}\n'
        )
        await screen.say(b'{"do":"status","id":"1"}\n{"do":"retry","id":"2","slot":"A1"}\nx\n')
        assert await screen.line() == (
            b'{"id":"1","refused":null,"data":{"line":{"state":"disarmed","operator":null,'
            b'"recipes":[],"label":null,"target":null,"counts":{"good":0,"first":0,'
            b'"first_pass":0},"expected":0,"alarms":[],'
            b'"lot":null,"shift":null,"campaign":null}},"type":"answer"}\n'
        )
        assert await screen.line() == (
            b'{"id":"2","refused":{"code":"L602","headline":"NOT NOW","cause":"slot A1 is busy",'
            b'"remedy":"Do what the cause says, then try again."},"data":{},"type":"answer"}\n'
        )
        assert b'{"id":null,"refused":{"code":"R309",' in await screen.line()


@pytest.mark.trio
async def test_the_desk_knows_who_asks(autojump_clock: MockClock, house: House) -> None:
    async with house.greeted() as screen:
        await screen.ask(Status(id="1", by="maria"))
    user = pwd.getpwuid(os.getuid()).pw_name
    assert house.clerk.done == [
        (Status(id="1", by="maria"), Peer(os.getpid(), os.getuid(), os.getgid(), user))
    ]


@pytest.mark.trio
async def test_a_command_may_come_in_pieces_and_many_at_once(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as screen:
        for byte in command_line(Status(id="slowly")):
            await screen.say(bytes([byte]))
            await time_passes(0.1)
        assert (await screen.answer()).id == "slowly"
        await screen.say(b"".join(command_line(Status(id=str(n))) for n in range(500)))
        assert [(await screen.answer()).id for _ in range(500)] == [str(n) for n in range(500)]


@pytest.mark.trio
async def test_a_bug_at_the_desk_is_an_answer(autojump_clock: MockClock, house: House) -> None:
    async with house.greeted() as screen:
        answer = await screen.ask(Recipes(id="1"))
        assert answer.refused is not None
        assert (answer.id, answer.refused.code) == ("1", "X901")
        assert answer.refused.cause == "recipes: ZeroDivisionError: no recipes per slot"
        assert (await screen.ask(Status(id="2"))).refused is None


@pytest.mark.trio
@pytest.mark.parametrize("data", ["\ud800", "x" * (5 << 20)], ids=["not text", "too long"])
async def test_an_answer_that_cannot_be_sent_is_a_bug(
    autojump_clock: MockClock, house: House, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    async def carry_out(command: Command, peer: Peer) -> dict[str, Any]:
        return {"data": data}

    monkeypatch.setattr(Clerk, "carry_out", staticmethod(carry_out))
    async with house.greeted() as screen:
        answer = await screen.ask(Status(id="1"))
        assert answer.refused is not None
        assert (answer.id, answer.refused.code) == ("1", "X901")


@pytest.mark.trio
async def test_a_command_that_was_begun_is_finished_without_its_screen(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as screen:
        await screen.ask(Watch())
        await screen.say(command_line(Stop()))
        await time_passes(1)
        assert not house.clerk.done
    await time_passes(30)
    house.clerk.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert [command for command, _ in house.clerk.done] == [Stop()]
    assert await house.is_well()


# --- watching ---------------------------------------------------------------------------------


@pytest.mark.trio
async def test_a_watcher_sees_everything_then_changes_at_a_measured_pace(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as screen:
        await screen.say(command_line(Watch(id="w")))
        assert await screen.next() == Answer("w")
        assert await screen.next() == Snapshot(1, 1000, LINE, (A1, A2), ())
        await time_passes(0.5)

        first_s = trio.current_time()
        house.feed.show_slot(replace(A1, done_bytes=0, total_bytes=9))
        assert await screen.next() == SlotChanged(2, replace(A1, total_bytes=9))
        assert trio.current_time() == first_s
        for done in range(1, 10):
            house.feed.show_slot(replace(A1, done_bytes=done, total_bytes=9))
            await trio.testing.wait_all_tasks_blocked()
        assert await screen.next() == SlotChanged(3, replace(A1, done_bytes=9, total_bytes=9))
        assert trio.current_time() == pytest.approx(first_s + 0.1)


@pytest.mark.trio
async def test_a_quiet_engine_beats_every_second_for_as_long_as_it_takes(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as screen:
        await screen.ask(Watch())
        assert isinstance(await screen.next(), Snapshot)
        watched_s = trio.current_time()
        for number in range(2, 302):
            beat = await screen.next()
            assert isinstance(beat, Beat)
            assert beat.seq == number
        assert trio.current_time() == pytest.approx(watched_s + 300, rel=0.01)


@pytest.mark.trio
async def test_a_busy_engine_beats_too(autojump_clock: MockClock, house: House) -> None:
    async with house.greeted() as screen, trio.open_nursery() as nursery:

        async def work() -> None:
            for done in range(10_000):
                house.feed.show_slot(replace(A1, done_bytes=done))
                await time_passes(0.05)

        await screen.ask(Watch())
        nursery.start_soon(work)
        messages = [await screen.next() for _ in range(120)]
        assert [message.seq for message in messages if not isinstance(message, Hello | Answer)] == (
            list(range(1, 121))
        )
        assert 9 <= sum(isinstance(message, Beat) for message in messages) <= 12
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_changes_go_on_while_a_command_takes_its_time(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as screen:
        await screen.ask(Watch())
        await screen.say(command_line(Stop(id="s")) + command_line(Status(id="behind")))
        assert isinstance(await screen.next(), Snapshot)
        for number in range(1, 200):
            house.feed.show_slot(replace(A1, done_bytes=number))
            while not isinstance(message := await screen.next(), SlotChanged):
                assert isinstance(message, Beat)
            assert message.slot.done_bytes == number
        house.clerk.gate.set()
        assert [(await screen.answer()).id, (await screen.answer()).id] == ["s", "behind"]


@pytest.mark.trio
async def test_a_followed_slot_tells_its_transcript(
    autojump_clock: MockClock, house: House
) -> None:
    house.feed.tell("A2", "AT+QGMR")
    async with house.greeted() as screen:
        refusal = (await screen.ask(Follow(id="f", slot="Z9"))).refused
        assert refusal is not None
        assert refusal.cause == "command: follow.slot: there is no slot 'Z9'"
        await screen.ask(Follow(slot="A2"))
        await screen.ask(Watch())
        assert isinstance(await screen.next(), Snapshot)
        told = await screen.next()
        assert isinstance(told, Transcript)
        assert (told.slot, told.anew, [line.text for line in told.lines]) == (
            "A2",
            True,
            ["AT+QGMR"],
        )


@pytest.mark.trio
async def test_watching_twice_is_refused_and_goes_on(
    autojump_clock: MockClock, house: House
) -> None:
    async with house.greeted() as screen:
        await screen.ask(Watch())
        assert (await screen.ask(Watch(id="again"))).refused is not None
        house.feed.log("still here")
        while (message := await screen.next()).type != "log":
            assert isinstance(message, Snapshot | Beat)
