"""A short campaign; `python -m tests.faults --attempts 100000` is a long one."""

from pathlib import Path

import pytest

from tests.faults.bench import Bench
from tests.faults.campaign import ATTEMPTS, Case, Round, Totals, draw, play
from tests.holding import Broken


def test_a_few_rounds_hold(tmp_path: Path) -> None:
    bench, totals = Bench(tmp_path, attempts=ATTEMPTS), Totals()
    slots = [slot.name for slot in bench.settings.slots]
    for number in range(7):
        play(bench, draw(number, slots), totals)
    assert totals.attempts >= 7 * 8
    bench.close()


def test_the_judge_sees_a_wrong_pass(tmp_path: Path) -> None:
    """Of a module whose flash was changed behind the station's back."""
    bench = Bench(tmp_path, slots=1)
    bench._new = bench.module()
    with pytest.raises(Broken, match="PASS, but the flash is"):
        play(bench, Round(1, {"A1": Case()}, None), Totals())
    bench.close()


def test_equal_seeds_are_equal_rounds() -> None:
    assert draw(7, ["A1", "A2"]) == draw(7, ["A1", "A2"])
    assert draw(7, ["A1", "A2"]) != draw(8, ["A1", "A2"])


def test_a_round_can_be_seen_again(tmp_path: Path) -> None:
    """Mishaps for ever, the station's death: all as it was, or the reproduction is none."""
    played = []
    for folder in (tmp_path / "once", tmp_path / "again"):
        folder.mkdir()
        bench, totals = Bench(folder, attempts=ATTEMPTS), Totals()
        for number in (3, 8, 12):
            play(bench, draw(number, [slot.name for slot in bench.settings.slots]), totals)
        played.append(totals)
        bench.close()
    assert played[0] == played[1]
