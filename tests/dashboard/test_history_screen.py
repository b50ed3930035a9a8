"""The history of a unit, typed or scanned, with or without an engine."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.widgets import DataTable, Input

from station.dashboard.history import DatabaseHistory
from station.dashboard.history_questions import Ask, Sheet
from station.dashboard.history_screen import LIMIT, HistoryScreen
from station.errors import DatabaseError, NoDatabase
from station.model import AttemptRecord, Identifier, IdKind
from station.store.migrate import upgrade
from tests.dashboard.golden import check_golden
from tests.dashboard.show import showing
from tests.dashboard.stage import SECOND_US, Shelf, Stage, staged
from tests.store.samples import (
    BOOT,
    CHIP,
    IDENTIFY,
    IMEI,
    NOON_US,
    PROGRAM,
    SERIAL,
    attempt,
    failed,
    flashed,
    verdict,
)

Script = Callable[[Stage], Awaitable[None]]
Play = Callable[[Script], None]
SIZES = ((80, 24), (120, 40), (160, 48))


def record(number: int, outcome: str) -> AttemptRecord:
    """`number` minutes after noon."""
    opened = attempt(
        attempt_id=f"019a96b2-7d30-7c41-9f2e-0c55f1d1a{number:03}",
        started_utc_us=NOON_US + number * 60 * SECOND_US,
    )
    closed = {"pass": verdict(opened), "fail": failed(opened), "open": None}[outcome]
    return AttemptRecord(opened, closed, (IDENTIFY, PROGRAM), (BOOT,))


FOUND = (record(3, "open"), record(2, "pass"), record(1, "fail"))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(FOUND)


@pytest.fixture
def play(tmp_path: Path, shelf: Shelf) -> Play:
    """Run a script before a history that was not asked yet."""

    def run(script: Script) -> None:
        async def main() -> None:
            async with staged(HistoryScreen(), tmp_path, (120, 40), history=shelf) as stage:
                await script(stage)

        asyncio.run(main())

    return run


# --- what is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_it_looks_as_it_was_looked_at(
    tmp_path: Path, size: tuple[int, int], plain: bool, shelf: Shelf
) -> None:
    async def look() -> None:
        screen = HistoryScreen(IMEI)
        async with staged(screen, tmp_path, size, plain=plain, history=shelf) as stage:
            await stage.until("3 attempts")
            await stage.press("down", "down")
            assert stage.text.isascii() or not plain
            check_golden(stage.show.app, f"{size[0]}x{size[1]}-history{'-plain' * plain}")

    asyncio.run(look())


def test_attempts_are_listed_newest_first_with_what_matters(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press(*IMEI, "enter")
        await stage.until("3 attempts", "RUNNING", "PASS", "FAIL", "ec25-efa", "worker", "20.0 s")
        text = stage.text
        assert text.index("RUNNING") < text.index("PASS") < text.index("FAIL")

    play(script)


def test_the_selected_attempt_is_shown_in_full(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press(*IMEI, "enter")
        await stage.until("No verdict yet.")
        await stage.press("down", "down")
        closed = FOUND[2].closed
        assert closed is not None
        assert closed.failure is not None
        for told in (IMEI, SERIAL, "bb" * 32, "program", "tried twice", FOUND[2].opened.attempt_id):
            assert told in stage.text
        for told in (closed.failure.code, closed.failure.headline, closed.failure.remedy):
            assert told in stage.text
        await stage.press("up")
        assert closed.failure.remedy not in stage.text
        assert CHIP in stage.text

    play(script)


def test_nothing_found_says_so(play: Play, shelf: Shelf) -> None:
    async def script(stage: Stage) -> None:
        shelf.found.clear()
        await stage.press(*"999", "enter")
        await stage.until("Nothing is recorded of 999.")

    play(script)


def test_a_record_that_cannot_be_asked_says_why_and_what_to_do(play: Play, shelf: Shelf) -> None:
    async def script(stage: Stage) -> None:
        shelf.error = DatabaseError("the database is damaged")
        await stage.press(*"999", "enter")
        await stage.until("S501", "the database is damaged")
        shelf.error = None
        await stage.press("enter")
        await stage.until("3 attempts")

    play(script)


def test_more_than_the_limit_is_said(play: Play, shelf: Shelf) -> None:
    async def script(stage: Stage) -> None:
        shelf.found = [record(number, "pass") for number in range(LIMIT + 1)]
        await stage.press(*IMEI, "enter")
        await stage.until(f"{LIMIT} newest attempts")

    play(script)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("rack:9", "Ask for a unit's whole name, or slot:A3, operator:maria,"),
        ("slot:A9", "Nothing is recorded of slot:A9 on this station."),
    ],
)
def test_what_to_ask_where_nothing_is_found(
    play: Play, shelf: Shelf, typed: str, says: str
) -> None:
    async def script(stage: Stage) -> None:
        shelf.found.clear()
        await stage.press(*typed, "enter")
        await stage.until(says)
        assert shelf.asked == [typed]

    play(script)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("slot:", "slot: of which? Type it behind the colon, as in slot:A3."),
        ("operator: ", "as in operator:maria."),
        ("Lot:", "as in lot:PO-77."),
        ("shift:", "as in shift:last."),
        ("shift:night", "shift: takes `last`, or the id of a shift"),
    ],
)
def test_half_a_question_is_not_asked(play: Play, shelf: Shelf, typed: str, says: str) -> None:
    async def script(stage: Stage) -> None:
        await stage.press(*typed, "enter")
        await stage.until(says)
        assert shelf.asked == []

    play(script)


def test_the_line_says_what_it_takes(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.until("slot:A3, operator:maria, lot:PO-77, shift:last")

    play(script)


# --- asking -----------------------------------------------------------------------------------


def test_what_the_scanner_sends_around_it_is_not_asked(play: Play, shelf: Shelf) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("tilde", *IMEI, "enter")
        await stage.until("3 attempts")
        assert shelf.asked == [IMEI]
        assert stage.screen.query_one(Input).value == IMEI

    play(script)


def test_nothing_typed_asks_nothing(play: Play, shelf: Shelf) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("space", "enter")
        assert shelf.asked == []

    play(script)


def test_slash_asks_for_another_unit(play: Play, shelf: Shelf) -> None:
    async def script(stage: Stage) -> None:
        await stage.press(*"111", "enter")
        await stage.until("3 attempts")
        await stage.press("slash", *"222", "enter")
        await stage.until("222: 3 attempts")
        assert shelf.asked == ["111", "222"]

    play(script)


def test_a_slow_record_blocks_nobody_and_only_the_last_question_counts(
    play: Play, shelf: Shelf
) -> None:
    gate = threading.Event()
    find = shelf.find

    def slow(text: str, limit: int) -> list[AttemptRecord]:
        if text == "111":
            gate.wait(20)
            return [record(9, "fail")]
        return find(text, limit)

    shelf.find = slow  # type: ignore[method-assign]  # this shelf is far away

    async def script(stage: Stage) -> None:
        await stage.press(*"111", "enter")
        await stage.until("looking for 111")
        await stage.press("slash", *"222", "enter")
        await stage.until("222: 3 attempts")
        gate.set()
        await stage.show.drawn()
        assert "222: 3 attempts" in stage.text
        assert len(stage.screen.query_one(DataTable).rows) == len(FOUND)

    play(script)


# --- questions about all units ----------------------------------------------------------------

FLASHED = ("IMEI", "serial", "chip", "flashed", "slot", "package", "firmware")
RECALLED = Sheet(
    FLASHED, ((IMEI, SERIAL, CHIP, "2026-09-21 14:13", "A1", "R05", "R05_" + "x" * 50),)
)
YIELDED = Sheet(
    ("slot", "first pass", "final", "retests", "station loss", "blocked", "golden"),
    (
        ("all", "97.5 % (39/40)", "100.0 % (40/40)", "2.5 % (1/40)", "1", "0", "2"),
        ("A1", "95.0 % (19/20)", "100.0 % (20/20)", "5.0 % (1/20)", "1", "0", "2"),
        ("A2", "100.0 % (20/20)", "100.0 % (20/20)", "0.0 % (0/20)", "0", "0", "0"),
    ),
)


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_answer_looks_as_it_was_looked_at(
    tmp_path: Path, size: tuple[int, int], plain: bool, shelf: Shelf
) -> None:
    shelf.answers = {Ask.TODAY: YIELDED}

    async def look() -> None:
        screen = HistoryScreen()
        async with staged(screen, tmp_path, size, plain=plain, history=shelf) as stage:
            await stage.press("f5")
            await stage.until("yield of today: 3 rows")
            await stage.press("down")
            assert stage.text.isascii() or not plain
            check_golden(stage.show.app, f"{size[0]}x{size[1]}-yield{'-plain' * plain}")

    asyncio.run(look())


def test_a_recall_list_is_asked_by_what_was_typed(play: Play, shelf: Shelf) -> None:
    shelf.answers = {Ask.RECALL: RECALLED}

    async def script(stage: Stage) -> None:
        await stage.press(*"R05", "f2")
        await stage.until("latest good flash is R05: 1 row", SERIAL, CHIP, "x" * 50)
        assert shelf.asked == ["RECALL R05"]

    play(script)


def test_nothing_typed_asks_for_a_package_first(play: Play, shelf: Shelf) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("f3")
        await stage.until("Type a package or a version first")
        assert shelf.asked == []

    play(script)


def test_after_an_answer_a_unit_is_found_as_before(play: Play, shelf: Shelf) -> None:
    shelf.answers = {Ask.CLASHES: Sheet(("when", "slot"), ())}

    async def script(stage: Stage) -> None:
        await stage.press("f8")
        await stage.until("names that clash: nothing")
        await stage.press("slash", *IMEI, "enter")
        await stage.until("3 attempts", "PASS", "ec25-efa")

    play(script)


def test_a_question_that_cannot_be_asked_says_why(play: Play, shelf: Shelf) -> None:
    async def script(stage: Stage) -> None:
        shelf.error = DatabaseError("the database is damaged")
        await stage.press("f7")
        await stage.until("S501", "the database is damaged")

    play(script)


def test_escape_goes_back(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("escape")
        assert stage.is_left

    play(script)


def test_it_works_without_an_engine(tmp_path: Path, shelf: Shelf) -> None:
    async def main() -> None:
        async with showing(tmp_path / "nobody") as show:
            show.app.history = shelf
            screen = HistoryScreen(IMEI)
            await show.app.push_screen(screen)
            table = screen.query_one(DataTable)
            await show.until(lambda: len(table.rows) == len(FOUND))

    asyncio.run(main())


# --- the real record --------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'station.sqlite'}"
    upgrade(url)
    label = Identifier(IdKind.LABEL, "PO-77/12", "operator")
    first = attempt(started_utc_us=NOON_US)
    second = attempt(started_utc_us=NOON_US + SECOND_US)
    named = attempt(
        started_utc_us=NOON_US + 2 * SECOND_US,
        identifiers=(Identifier(IdKind.IMEI, IMEI, "at"), label),
    )
    flashed(url, first, failed(first))
    flashed(url, second)
    flashed(url, named)
    return url


@pytest.mark.parametrize("name", [IMEI, SERIAL, CHIP, CHIP.upper(), "PO-77/12"])
def test_any_name_finds_the_unit_newest_first(url: str, name: str) -> None:
    found = DatabaseHistory(url, "line-1").find(name, 10)
    started = [each.opened.started_utc_us for each in found]
    assert started == [NOON_US + 2 * SECOND_US, NOON_US + SECOND_US, NOON_US]


def test_the_limit_keeps_the_newest(url: str) -> None:
    found = DatabaseHistory(url, "line-1").find(IMEI, 1)
    assert [each.opened.started_utc_us for each in found] == [NOON_US + 2 * SECOND_US]


def test_a_stranger_is_not_found(url: str) -> None:
    assert DatabaseHistory(url, "line-1").find("000000000000000", 10) == []


def test_no_database_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(NoDatabase):
        DatabaseHistory(f"sqlite:///{tmp_path / 'none.sqlite'}", "line-1").find(IMEI, 10)
