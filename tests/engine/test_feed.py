"""What a screen is told, whatever it misses."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
import trio
import trio.testing

from station.engine.feed import LOG_LINES, TEXT_CHARS, TRANSCRIPT_LINES, Feed, Subscription, plain
from station.errors import UsageError
from station.live import LineState, LineView, LogLine, SlotState, SlotView, StepView
from station.wire import (
    Beat,
    LineChanged,
    Logged,
    Message,
    SlotChanged,
    Snapshot,
    Transcript,
    message_line,
)
from station.wire.messages import MAX_MESSAGE_BYTES

pytestmark = pytest.mark.trio

A1 = SlotView("A1", SlotState.EMPTY, 1)
B1 = SlotView("B1", SlotState.EMPTY, 1)
LINE = LineView(LineState.DISARMED)


def make_feed(*slots: SlotView) -> Feed:
    ticks = count(1000)
    return Feed(slots or (A1, B1), LINE, lambda: next(ticks))


async def begun(subscription: Subscription) -> Snapshot:
    (snapshot,) = await subscription.take()
    assert isinstance(snapshot, Snapshot)
    return snapshot


def texts(messages: list[Message]) -> list[str]:
    return [
        line.text
        for message in messages
        if isinstance(message, Logged | Transcript)
        for line in message.lines
    ]


async def is_silent(subscription: Subscription) -> bool:
    """Nothing new: taking blocks until every other task does, too."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def give_up() -> None:
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()

            nursery.start_soon(give_up)
            await subscription.take()
            nursery.cancel_scope.cancel()
    return scope.cancelled_caught


async def test_first_comes_everything_at_once() -> None:
    feed = make_feed(B1, A1)
    feed.log("armed")
    busy = replace(A1, state=SlotState.FLASHING)
    feed.show_slot(busy)
    with feed.subscribe() as subscription:
        feed.log("more")
        (snapshot,) = await subscription.take()
    assert snapshot == Snapshot(
        seq=1,
        utc_us=1002,
        line=LINE,
        slots=(B1, busy),
        log=(LogLine(1000, "armed"), LogLine(1001, "more")),
    )


async def test_a_slot_that_changed_often_is_told_once_and_newest() -> None:
    feed = make_feed()
    with feed.subscribe() as subscription:
        await begun(subscription)
        for done in range(1, 11):
            feed.show_slot(replace(B1, done_bytes=done))
            feed.show_slot(replace(A1, done_bytes=-done))
        feed.show_line(replace(LINE, operator="ann"))
        feed.show_line(replace(LINE, operator="maria"))
        feed.log("hello", slot="A1", good=True)
        assert await subscription.take() == [
            SlotChanged(2, replace(A1, done_bytes=-10)),
            SlotChanged(3, replace(B1, done_bytes=10)),
            LineChanged(4, replace(LINE, operator="maria")),
            Logged(5, (LogLine(1001, "hello", "A1", True),)),
        ]
        assert subscription.beat() == Beat(6, 1002)
        feed.log("on")
        assert await subscription.take() == [Logged(7, (LogLine(1003, "on"),))]


async def test_what_is_the_same_is_not_told_again() -> None:
    feed = make_feed()
    odd = replace(A1, model="EC25\x1b[2J")
    feed.show_slot(odd)
    with feed.subscribe() as subscription:
        await begun(subscription)
        feed.show_slot(replace(B1))
        feed.show_slot(odd)
        feed.show_line(replace(LINE))
        assert await is_silent(subscription)


async def test_a_reader_that_stops_waiting_loses_nothing() -> None:
    feed = make_feed()
    with feed.subscribe() as subscription:
        await begun(subscription)
        assert await is_silent(subscription)
        feed.show_slot(replace(A1, done_bytes=1))
        with trio.CancelScope() as scope:
            scope.cancel()
            await subscription.take()
        assert scope.cancelled_caught
        assert await subscription.take() == [SlotChanged(2, replace(A1, done_bytes=1))]


@pytest.mark.parametrize(
    ("news", "kind"),
    [
        (lambda feed, _: feed.show_slot(replace(A1, done_bytes=1)), "slot"),
        (lambda feed, _: feed.show_line(replace(LINE, operator="ann")), "line"),
        (lambda feed, _: feed.log("news"), "log"),
        (lambda feed, _: feed.tell("A1", "news"), "transcript"),
        (lambda feed, _: feed.begin("A1"), "transcript"),
        (lambda _, subscription: subscription.follow("B1"), "transcript"),
    ],
)
async def test_a_waiting_reader_wakes_for_all_news(
    autojump_clock: trio.testing.MockClock,
    news: Callable[[Feed, Subscription], None],
    kind: str,
) -> None:
    feed = make_feed()
    with feed.subscribe() as subscription:
        subscription.follow("A1")
        await begun(subscription)
        await subscription.take()
        taken: list[Message] = []
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                with trio.move_on_after(60):
                    taken.extend(await subscription.take())

            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            assert not taken
            news(feed, subscription)
        assert [message.type for message in taken] == [kind]


async def test_readers_are_numbered_and_kept_up_to_date_apart() -> None:
    feed = make_feed()
    with feed.subscribe() as quick:
        await begun(quick)
        with feed.subscribe() as late:
            feed.show_slot(replace(A1, done_bytes=1))
            assert await quick.take() == [SlotChanged(2, replace(A1, done_bytes=1))]
            assert (await begun(late)).seq == 1
            assert await is_silent(late)
        feed.show_slot(replace(A1, done_bytes=2))
        assert await quick.take() == [SlotChanged(3, replace(A1, done_bytes=2))]


async def test_a_reader_that_slept_gets_what_the_rings_still_hold() -> None:
    feed = make_feed()
    with feed.subscribe() as subscription:
        subscription.follow("A1")
        await begun(subscription)
        await subscription.take()
        for number in range(20_000):
            feed.log(f"event {number}")
            feed.tell("A1", f"line {number}")
            feed.show_slot(replace(A1, done_bytes=number))
        messages = await subscription.take()
    assert [message.type for message in messages] == ["slot", "log", "transcript"]
    expected = [f"event {number}" for number in range(20_000 - LOG_LINES, 20_000)]
    expected += [f"line {number}" for number in range(20_000 - TRANSCRIPT_LINES, 20_000)]
    assert texts(messages) == expected


async def test_following_a_slot_shows_its_transcript_then_what_is_added() -> None:
    feed = make_feed()
    feed.tell("A1", "before", good=False)
    with feed.subscribe() as subscription:
        await begun(subscription)
        feed.tell("A1", "unseen")
        assert await is_silent(subscription)

        subscription.follow("A1")
        before, unseen = LogLine(1000, "before", "A1", False), LogLine(1002, "unseen", "A1")
        assert await subscription.take() == [Transcript(2, "A1", (before, unseen), anew=True)]
        feed.tell("A1", "after")
        feed.tell("B1", "another slot")
        after = LogLine(1003, "after", "A1")
        assert await subscription.take() == [Transcript(3, "A1", (after,), anew=False)]

        subscription.follow("B1")
        (other,) = await subscription.take()
        assert isinstance(other, Transcript)
        assert (other.slot, other.anew, texts([other])) == ("B1", True, ["another slot"])

        subscription.follow(None)
        feed.tell("B1", "nobody looks")
        assert await is_silent(subscription)


async def test_a_new_attempt_starts_its_transcript_anew() -> None:
    feed = make_feed()
    with feed.subscribe() as subscription:
        subscription.follow("A1")
        await begun(subscription)
        assert await subscription.take() == [Transcript(2, "A1", (), anew=True)]
        feed.tell("A1", "first attempt")
        feed.begin("A1")
        assert await subscription.take() == [Transcript(3, "A1", (), anew=True)]
        feed.begin("A1")
        feed.tell("A1", "third attempt")
        (message,) = await subscription.take()
        assert isinstance(message, Transcript)
        assert (message.anew, texts([message])) == (True, ["third attempt"])


async def test_only_a_slot_that_exists_is_followed() -> None:
    with make_feed().subscribe() as subscription, pytest.raises(UsageError, match="no slot 'Z9'"):
        subscription.follow("Z9")


async def test_text_of_a_module_cannot_steer_a_terminal() -> None:
    assert plain("OK\r\n\x1b[31mred\x00\u202eback\ud800") == "OK  ?[31mred??back?"
    assert len(plain("x" * 5000)) == TEXT_CHARS
    feed = make_feed()
    with feed.subscribe() as subscription:
        subscription.follow("A1")
        await begun(subscription)
        feed.show_slot(
            replace(
                A1, model="\x1b]0;", steps=(StepView("probe", detail="a\x07b"), StepView("erase"))
            )
        )
        feed.show_line(replace(LINE, label="\x9b2J"))
        feed.log("\x1bc")
        feed.tell("A1", "\x1bc")
        sent = b"".join(map(message_line, await subscription.take()))
    for control in (rb"\u001b", rb"\u0007", rb"\u009b"):
        assert control not in sent.lower()
    assert feed.slots["A1"].model == "?]0;"
    assert [step.detail for step in feed.slots["A1"].steps] == ["a?b", ""]


async def test_no_message_is_too_long_however_much_was_said() -> None:
    feed = make_feed()
    loud = "\N{GRINNING FACE}" * TEXT_CHARS
    for _ in range(TRANSCRIPT_LINES):
        feed.log(loud)
        feed.tell("A1", loud)
    with feed.subscribe() as subscription:
        subscription.follow("A1")
        snapshot = await begun(subscription)
        followed = await subscription.take()
        assert len(texts(followed)) == TRANSCRIPT_LINES
        assert [isinstance(part, Transcript) and part.anew for part in followed] == (
            [True] + [False] * (len(followed) - 1)
        )
        for message in (snapshot, *followed):
            assert len(message_line(message)) < MAX_MESSAGE_BYTES / 2


async def test_a_snapshot_has_the_newest_of_a_long_log() -> None:
    feed = make_feed()
    for number in range(LOG_LINES):
        feed.log(f"{number} ".ljust(TEXT_CHARS, "x"))
    with feed.subscribe() as subscription:
        snapshot = await begun(subscription)
        assert [line.text.split()[0] for line in snapshot.log] == [
            str(number) for number in range(LOG_LINES - len(snapshot.log), LOG_LINES)
        ]
        assert len(snapshot.log) == 100
