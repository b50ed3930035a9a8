"""Questions are answered by keyboard, and nothing dangerous by a slip."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from station.dashboard.confirm import ConfirmScreen, LiftScreen, ReasonScreen
from tests.dashboard.golden import check_golden
from tests.dashboard.stage import Dialog, staged

Answers = Callable[..., list[object]]
SIZES = ((80, 24), (120, 40), (160, 48))


@pytest.fixture
def answer(tmp_path: Path) -> Answers:
    """The dialog's answers to these keys: one, or none yet."""

    def answers(dialog: Dialog, *keys: str) -> list[object]:
        async def main() -> list[object]:
            async with staged(dialog, tmp_path) as stage:
                await stage.press(*keys)
                return stage.answers

        return asyncio.run(main())

    return answers


def question(dangerous: bool = False) -> ConfirmScreen:
    return ConfirmScreen("Disarm the line?", "Nothing more is started.", "Disarm", dangerous)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["y"], True),
        (["n"], False),
        (["escape"], False),
        (["enter"], True),
        (["right", "enter"], False),
        (["tab", "enter"], False),
        (["right", "left", "enter"], True),
    ],
)
def test_yes_and_no(answer: Answers, keys: list[str], expected: bool) -> None:
    assert answer(question(), *keys) == [expected]


@pytest.mark.parametrize(("keys", "expected"), [(["enter"], False), (["y"], True)])
def test_enter_is_no_when_it_is_dangerous(answer: Answers, keys: list[str], expected: bool) -> None:
    assert answer(question(dangerous=True), *keys) == [expected]


def test_other_keys_answer_nothing(answer: Answers) -> None:
    assert answer(question(), "r", "x", "a", "7") == []


def test_a_reason_is_given_in_words(answer: Answers) -> None:
    assert answer(ReasonScreen("Why?"), *"loose cable", "enter") == ["loose cable"]


def test_a_reason_that_is_empty_is_asked_again(answer: Answers) -> None:
    assert answer(ReasonScreen("Why?"), "space", "enter") == []
    assert answer(ReasonScreen("Why?"), ".", ".", "enter") == []
    assert answer(ReasonScreen("Why?"), "enter", *"dirt", "enter") == ["dirt"]


def test_no_reason_is_no_answer(answer: Answers) -> None:
    assert answer(ReasonScreen("Why?"), *"loose", "escape") == [None]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([*"eva", "tab", *"new hub", "enter"], [("eva", "new hub")]),
        ([*"eva", "enter", *"new hub", "enter"], [("eva", "new hub")]),
        (["tab", *"new hub", "enter"], []),
        (["tab", *"new hub", "enter", *"eva", "enter"], [("eva", "new hub")]),
        ([*"eva", "enter", "space", "enter"], []),
        ([*"eva", "enter", ".", "enter"], []),
        (["enter"], []),
        ([*"eva", "escape"], [None]),
    ],
)
def test_a_stop_is_lifted_with_name_and_reason(
    answer: Answers, keys: list[str], expected: list[object]
) -> None:
    assert answer(LiftScreen("Lift the stop of the line?"), *keys) == expected


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_it_lies_over_the_screen(tmp_path: Path, size: tuple[int, int], plain: bool) -> None:
    async def look() -> None:
        async with staged(question(), tmp_path, size, plain=plain) as stage:
            for told in (
                "Disarm the line?",
                "Nothing more is started.",
                "Disarm (y)",
                "No (n, Esc)",
            ):
                assert told in stage.text
            assert stage.text.isascii() == plain
            check_golden(stage.show.app, f"{size[0]}x{size[1]}-confirm{'-plain' * plain}")

    asyncio.run(look())


def test_a_long_text_is_shown_whole(tmp_path: Path) -> None:
    text = " ".join(f"word{number}" for number in range(40))

    async def look() -> None:
        async with staged(ConfirmScreen("Sure?", text), tmp_path) as stage:
            assert all(word in stage.text for word in text.split())

    asyncio.run(look())


def test_what_a_module_is_called_is_not_markup(tmp_path: Path) -> None:
    async def look() -> None:
        async with staged(ConfirmScreen("[red]A1[/]?", "[b", "Yes"), tmp_path) as stage:
            assert "[red]A1[/]?" in stage.text

    asyncio.run(look())
