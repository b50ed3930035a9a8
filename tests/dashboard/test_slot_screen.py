"""One slot in detail: everything about it, its transcript, and its keys."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from station.dashboard.slot_screen import SlotScreen
from station.wire import Abort, Answer, Command, Follow, Hold, Refusal, Release, Retry, SlotChanged
from tests.dashboard.golden import check_golden
from tests.dashboard.stage import (
    FAILED,
    FLASHING,
    PASSED,
    SECOND_US,
    SLOTS,
    Shelf,
    Stage,
    staged,
    transcript,
)

Script = Callable[[Stage], Awaitable[None]]
Play = Callable[[str, Script], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a script before the detail of a slot."""

    def run(slot: str, script: Script) -> None:
        async def main() -> None:
            async with staged(SlotScreen(slot), tmp_path, (100, 30), history=Shelf()) as stage:
                await script(stage)

        asyncio.run(main())

    return run


def followed(stage: Stage) -> list[str | None]:
    return [each.slot for each in stage.engine.commands if isinstance(each, Follow)]


# --- what is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize(
    ("size", "slot"),
    [*(((80, 24), view.slot) for view in SLOTS), ((120, 40), "A3"), ((160, 48), "A3")],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}x{value[1]}",
)
def test_it_looks_as_it_was_looked_at(
    tmp_path: Path, size: tuple[int, int], slot: str, plain: bool
) -> None:
    async def look() -> None:
        async with staged(SlotScreen(slot), tmp_path, size, plain=plain) as stage:
            said = [f"> AT+QGMR  {number}" for number in range(40)]
            await stage.engine.say(transcript(slot, *said))
            await stage.until(said[-1])
            assert stage.text.isascii() or not plain
            name = f"{size[0]}x{size[1]}-slot-{slot}{'-plain' * plain}"
            check_golden(stage.show.app, name)

    asyncio.run(look())


def test_all_that_is_known_is_shown(play: Play) -> None:
    async def script(stage: Stage) -> None:
        known = (
            PASSED.imei, PASSED.serial, PASSED.chip_serial, PASSED.model, PASSED.sku,
            PASSED.firmware, PASSED.recipe, PASSED.attempt_id, PASSED.port_path,
        )  # fmt: skip
        for told in known:
            assert told is not None
            assert told in stage.text
        for step in PASSED.steps:
            assert step.name in stage.text
        assert "61.3 s" in stage.text
        assert "took 1:35" in stage.text

    play("A1", script)


def test_a_failure_is_shown_in_full(play: Play) -> None:
    async def script(stage: Stage) -> None:
        failure = FAILED.failure
        assert failure is not None
        for told in (failure.code, failure.headline, failure.cause, failure.remedy):
            assert told in stage.text

    play("A3", script)


def test_work_shows_how_far_it_is_and_what_will_be(play: Play) -> None:
    async def script(stage: Stage) -> None:
        for told in ("program system", "43 %", "4.1 MB/s", "0:41"):
            assert told in stage.text
        assert f"{FLASHING.firmware} → {FLASHING.version}" in stage.text

    play("A2", script)


def test_a_verdict_from_before_says_when_and_where(play: Play) -> None:
    async def script(stage: Stage) -> None:
        assert "given before this engine started: PASS 2026-11-18 09:06:40 in slot B2" in stage.text

    play("A4", script)


def test_it_follows_what_the_engine_says_of_the_slot(play: Play) -> None:
    async def script(stage: Stage) -> None:
        done = replace(FLASHING, done_bytes=60_000_000, imei="866758041239999")
        await stage.engine.say(SlotChanged(0, done))
        await stage.until("98 %", "866758041239999")

    play("A2", script)


def test_without_an_engine_no_verdict_stands(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.say_nothing_for(7 * SECOND_US)
        assert "the engine says nothing" in stage.text
        palette = stage.show.app.palette
        strips = stage.screen._compositor.render_strips()
        grounds = {segment.style.bgcolor for row in strips[3:] for segment in row if segment.style}
        assert grounds.isdisjoint({style.bgcolor for style in palette.body.values()} - {
            palette.screen.bgcolor, palette.strip.bgcolor,
        })  # fmt: skip

    play("A1", script)


def test_no_data_looks_as_it_was_looked_at(tmp_path: Path) -> None:
    async def look() -> None:
        async with staged(SlotScreen("A3"), tmp_path) as stage:
            await stage.say_nothing_for(7 * SECOND_US)
            check_golden(stage.show.app, "80x24-slot-no-data")

    asyncio.run(look())


def test_an_engine_without_this_slot_is_no_crash(play: Play) -> None:
    async def script(stage: Stage) -> None:
        stage.show.app.picture.slots.clear()
        await stage.show.drawn()
        await stage.press("right", "h", "escape", "r", "escape")

    play("A1", script)


# --- the transcript ---------------------------------------------------------------------------


def test_the_transcript_is_asked_for_and_shown(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.show.until(lambda: followed(stage)[-1:] == ["A2"])
        await stage.engine.say(transcript("A2", "> ATI", "< Quectel"))
        await stage.until("> ATI", "< Quectel")
        await stage.engine.say(transcript("A2", "> AT+QGMR", anew=False))
        await stage.until("> ATI", "> AT+QGMR")
        await stage.engine.say(transcript("A2", "a new attempt"))
        await stage.until("a new attempt")
        assert "> ATI" not in stage.text

    play("A2", script)


def test_the_transcript_of_another_slot_is_not_shown(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.engine.say(transcript("A3", "not of this module"))
        await stage.show.until(lambda: stage.show.app.picture.followed == "A3")
        await stage.show.drawn()
        assert "not of this module" not in stage.text

    play("A2", script)


def test_connected_again_it_is_asked_for_again(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.show.until(lambda: followed(stage)[-1:] == ["A2"])
        before = len(followed(stage))
        stage.engine.hang_up()

        def is_asked() -> bool:
            stage.show.app.show_news()
            return len(followed(stage)) > before

        await stage.show.until(is_asked)
        assert followed(stage)[-1] == "A2"

    play("A2", script)


def test_left_it_is_not_followed_any_more(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("escape")
        assert stage.is_left
        await stage.show.until(lambda: followed(stage)[-1:] == [None])

    play("A2", script)


# --- keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "expected"), [("right", "A3"), ("left", "A1")])
def test_the_neighbours_are_one_key_away(play: Play, key: str, expected: str) -> None:
    async def script(stage: Stage) -> None:
        await stage.press(key)
        await stage.show.until(lambda: followed(stage)[-1:] == [expected])
        view = next(view for view in SLOTS if view.slot == expected)
        await stage.until(view.imei or "")

    play("A2", script)


def test_the_slots_go_around(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("left")
        await stage.until("kept out of the line")

    play("A1", script)


@pytest.mark.parametrize(
    ("slot", "keys", "told"),
    [
        ("A3", ["r"], [Retry(slot="A3")]),
        ("A1", ["r", "enter"], []),
        ("A1", ["r", "y"], [Retry(slot="A1")]),
        ("A4", ["r", "n"], []),
        ("A2", ["x", "enter"], []),
        ("A2", ["x", "y"], [Abort(slot="A2", now=True)]),
        ("A3", ["x"], [Abort(slot="A3")]),
        ("A6", ["o"], [Release(slot="A6")]),
        ("A1", ["o", *"dirt", "enter"], [Hold(slot="A1", reason="dirt")]),
        ("A1", ["o", "escape"], []),
    ],
)
def test_keys_that_do_something(
    play: Play, slot: str, keys: list[str], told: list[Command]
) -> None:
    async def script(stage: Stage) -> None:
        await stage.press(*keys)
        await stage.show.until(lambda: len(stage.engine.told()) >= len(told))
        assert stage.engine.told() == told

    play(slot, script)


def test_to_abort_a_module_that_is_written_says_what_that_means(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("x")
        assert "It is being written" in stage.text
        assert "flashed again" in stage.text

    play("A2", script)


def test_without_an_engine_no_command_is_offered_or_sent(play: Play) -> None:
    async def script(stage: Stage) -> None:
        assert "r retry" in stage.text
        await stage.say_nothing_for(7 * SECOND_US)
        assert "r retry" not in stage.text
        for key in ("r", "x", "o"):
            await stage.press(key)
            assert "L605  NO ENGINE" in stage.text
            await stage.press("escape")
        assert stage.engine.told() == []

    play("A1", script)


def test_a_refusal_is_shown(play: Play) -> None:
    async def script(stage: Stage) -> None:
        refused = Refusal("L601", "NOT ARMED", "the line is not armed", "Arm the line first.")
        stage.engine.reply = lambda c: Answer(None, refused) if isinstance(c, Retry) else None
        await stage.press("r")
        await stage.until("NOT ARMED", "the line is not armed", "Arm the line first.")

    play("A3", script)


def test_h_asks_for_the_history_of_the_unit(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("h")
        await stage.until("HISTORY OF A UNIT", f"Nothing is recorded of {PASSED.imei}")

    play("A1", script)


def test_help_lies_one_key_away(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("question_mark")
        assert "WHAT A SLOT SAYS" in stage.text
        await stage.press("escape")
        assert not stage.is_left

    play("A6", script)
