"""All keys on one page, and what colours mean in words."""

import asyncio
from pathlib import Path

import pytest
from textual.binding import Binding, BindingType

from station.dashboard.face import STATES, VERDICTS
from station.dashboard.grid_screen import GridScreen
from station.dashboard.help_screen import HelpScreen
from tests.dashboard.golden import check_golden
from tests.dashboard.stage import staged

SIZES = ((80, 24), (120, 40), (160, 48))


def page(folder: Path, *, kiosk: bool = False) -> str:
    async def main() -> str:
        async with staged(HelpScreen(), folder, kiosk=kiosk) as stage:
            return stage.text

    return asyncio.run(main())


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_everything_is_on_one_page(tmp_path: Path, size: tuple[int, int], plain: bool) -> None:
    async def look() -> None:
        async with staged(HelpScreen(), tmp_path, size, plain=plain) as stage:
            keys = ("Enter", " a ", " d ", " r ", " x ", " o ", " c ", " l ", "/ h", "? F1", " q ")
            words = [face.word for face in VERDICTS.values()]
            for told in (*keys, *words, "NO DATA"):
                assert told in stage.text
            assert stage.text.isascii() == plain
            check_golden(stage.show.app, f"{size[0]}x{size[1]}-help{'-plain' * plain}")

    asyncio.run(look())


def test_every_kind_of_state_is_explained(tmp_path: Path) -> None:
    text = page(tmp_path)
    explained = {face.kind for face in STATES.values() if face.word in text}
    assert explained == {face.kind for face in STATES.values()}


WORDS = (
    *("TRYING AGAIN", "NOT RECORDED", "QUARANTINE", "IMEI CLASH", "GOLDEN UNIT FIRST"),
    *("CAMPAIGN RUNS", "ALREADY PASS", "NO VERDICT", "WAIT"),
)


def test_with_room_every_word_of_a_tile_is_explained(tmp_path: Path) -> None:
    async def look() -> None:
        async with staged(HelpScreen(), tmp_path, (120, 40)) as stage:
            told = {*WORDS, *(face.word for face in (*STATES.values(), *VERDICTS.values()))}
            assert {word for word in told if word not in stage.text} == set()
            assert "more words" not in stage.text

    asyncio.run(look())


def test_on_few_rows_the_rest_is_a_key_away(tmp_path: Path) -> None:
    async def look() -> None:
        async with staged(HelpScreen(), tmp_path) as stage:
            assert "more words below" in stage.text
            assert "CAMPAIGN RUNS" not in stage.text
            await stage.press(*["down"] * 12)
            await stage.until("CAMPAIGN RUNS", "NO VERDICT")

    asyncio.run(look())


def test_every_key_of_the_grid_is_explained(tmp_path: Path) -> None:
    text = page(tmp_path)
    keys = {key for binding in GridScreen.BINDINGS for key in keys_of(binding)}
    assert {key for key in keys if len(key) == 1 and f" {key} " not in text} == set()


def keys_of(binding: BindingType) -> list[str]:
    return binding.key.split(",") if isinstance(binding, Binding) else binding[0].split(",")


def test_a_kiosk_cannot_be_left_and_says_nothing_of_it(tmp_path: Path) -> None:
    assert "the engine goes on" in page(tmp_path)
    assert "the engine goes on" not in page(tmp_path, kiosk=True)


@pytest.mark.parametrize("key", ["escape", "question_mark", "f1"])
def test_it_goes_away(tmp_path: Path, key: str) -> None:
    async def main() -> bool:
        async with staged(HelpScreen(), tmp_path) as stage:
            await stage.press(key)
            return stage.is_left

    assert asyncio.run(main())
