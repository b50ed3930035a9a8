"""A short campaign; `python -m tests.faults --attempts 100000` is a long one."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from station.sim.mishap import Cure, Mishap, What
from tests.faults.bench import Bench
from tests.faults.campaign import ATTEMPTS, LIVE, Case, Round, Totals, draw, play
from tests.faults.live import Hand
from tests.holding import Broken

DIES, LIVE_LINE = 1, 6
"""The numbers of a round in which the station dies, and of one that the running line plays."""

TELL_A_NAME = ("copied-chip", "default-imei", "other-imei")
"""Faults of modules that tell what another one tells, too."""


def test_a_few_rounds_hold(tmp_path: Path) -> None:
    bench, totals = Bench(tmp_path, attempts=ATTEMPTS), Totals()
    slots = [slot.name for slot in bench.settings.slots]
    for number in (0, DIES, 2, LIVE_LINE):
        play(bench, draw(number, slots), totals)
    assert totals.attempts >= 4 * 8
    bench.close()


def test_a_tray_on_the_running_line_comes_to_rest(tmp_path: Path) -> None:
    """One hub fails amid the work, a hand pulls a module of the other: both find new ones."""
    bench, totals = Bench(tmp_path, attempts=ATTEMPTS), Totals()
    slots = [slot.name for slot in bench.settings.slots]
    hands = (Hand(tuple(slots[:4]), 14.0, 20.0), Hand(("A5",), 16.0, None))
    play(bench, Round(1, {slot: Case() for slot in slots}, None, hands), totals)
    assert (totals.codes["U130"], totals.codes["U110"]) == (4, 1)
    assert totals.judged == totals.attempts >= 2 * 8
    bench.close()


def test_a_module_that_leaves_whenever_it_is_asked_comes_to_rest(tmp_path: Path) -> None:
    """It came back when its hub did, and was asked who it is for ever."""
    bench, totals = Bench(tmp_path, attempts=ATTEMPTS), Totals()
    slots = [slot.name for slot in bench.settings.slots]
    dips = Mishap(What.DIPS, "confirm", Cure.NONE, after=5, times=1_000_000)
    cases = {slot: Case() for slot in slots} | {"A4": Case(mishap=dips)}
    play(bench, Round(1, cases, None, (Hand(tuple(slots[:4]), 26.4, 4.9),)), totals)
    bench.close()


def test_a_share_of_the_rounds_is_played_by_the_running_line() -> None:
    live = sum(draw(number, ["A1", "A2"]).hands is not None for number in range(400))
    assert live == pytest.approx(400 * LIVE, rel=0.4)


def test_the_judge_sees_a_wrong_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a module whose flash was changed behind the station's back."""
    monkeypatch.setattr(Bench, "_flashed", Bench.module)
    bench = Bench(tmp_path, slots=1)
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
        for number in (DIES, LIVE_LINE):
            play(bench, draw(number, [slot.name for slot in bench.settings.slots]), totals)
        played.append(totals)
        bench.close()
    assert played[0] == played[1]


def test_a_round_is_the_same_whatever_was_before_it(tmp_path: Path) -> None:
    """Though modules of many rounds tell one name, and the station has met it before."""
    told = [Round(1, {"A1": Case(fault=fault)}, None) for fault in TELL_A_NAME]
    drawn = [draw(DIES, ["A1", "A2"]), draw(LIVE_LINE, ["A1", "A2"])]
    twins = replace(told[0], seed=2, cases=dict.fromkeys(("A1", "A2"), Case(fault="copied-chip")))
    rounds = [*told, *drawn, twins]
    alone = []
    for number, round_ in enumerate(rounds):
        with closing(_bench(tmp_path / str(number))) as bench:
            alone.append(_played(bench, round_))
    with closing(_bench(tmp_path / "all")) as bench:
        for number in (5, 4, 3, 2, 1, 0, 5):
            assert _played(bench, rounds[number]) == alone[number], rounds[number]
    assert alone[-1][0].outcomes["BLOCKED"] > 0, "two of one tray still have one name"


def _bench(folder: Path) -> Bench:
    folder.mkdir()
    return Bench(folder, slots=2, attempts=ATTEMPTS)


def _played(bench: Bench, round_: Round) -> tuple[Totals, list[tuple[object, ...]]]:
    """What came of it, and what is on record of each of its attempts."""
    totals, newest = Totals(), bench.newest()
    play(bench, round_, totals)
    told: list[tuple[object, ...]] = []
    for record in bench.recorded_since(newest):
        closed = record.closed
        assert closed is not None
        code = closed.failure and closed.failure.code
        steps = [(step.name, step.outcome, step.duration_us) for step in record.steps]
        told.append((record.opened.slot, closed.outcome, code, closed.duration_us, steps))
    return totals, told
