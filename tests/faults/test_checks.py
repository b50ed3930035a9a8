"""Each check of the campaign can fail: a station that is broken in one way is found by it, in a few
rounds that hold with the station as it is."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
import trio

from station.engine import life, select
from station.engine.attempt import Attempt
from station.engine.world import Order, World
from station.errors import UnknownInEdl
from station.flash.ladder import Ladder
from station.live import SlotState
from station.model import AttemptRecord, Outcome, Unit
from station.selection import Decision
from station.sim.mishap import Cure, Mishap, What
from station.store import inserts, writer
from tests.faults import judge, promise, restart
from tests.faults.bench import Bench
from tests.faults.campaign import ATTEMPTS, Case, Round, Totals, draw, play
from tests.faults.live import Hand
from tests.faults.table import FOR_EVER, Row
from tests.holding import Broken

NEEDS_THE_LADDER = 2
"""The number of a round with a mishap that only the ladder gets over, ..."""
WRONG_PROGRAMMER = 118
"""... with a module that refuses its programmer, and the station lives, ..."""
DIES_IN_EDL = 30
"""... and in which the station dies with a healthy module in EDL, its chip serial on record."""

LIVES_FOR_S = 44.0
"""A healthy module has its verdict by then, ..."""
AMID_THE_FLASH_S = 14.0
"""... and is half written by then."""

Break = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("line"), attempts=ATTEMPTS)
    yield made
    made.close()


def campaign(bench: Bench, rounds: Iterable[int]) -> Totals:
    totals = Totals()
    for number in rounds:
        play(bench, draw(number, [slot.name for slot in bench.settings.slots]), totals)
    return totals


def ladder_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ladder, "_next", lambda *_: None)


def nothing_given_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Attempt, "_must_give_back", lambda *_: False)


def edl_refused(patch: pytest.MonkeyPatch) -> None:
    """Whatever is on record of the module."""
    as_it_is = select._select_in_edl

    async def refuse(
        world: World, order: Order, only: str | None, unit: Unit, left: AttemptRecord | None
    ) -> select.Selection:
        if order.recipe is None:
            raise UnknownInEdl("whoever it is")
        return await as_it_is(world, order, only, unit, left)

    patch.setattr(select, "_select_in_edl", refuse)


def all_are_done(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(select, "decide", lambda *_: Decision.SKIP)


@pytest.mark.parametrize(
    ("broken", "number", "words"),
    [
        (ladder_off, NEEDS_THE_LADDER, "but the table says PASS"),
        (nothing_given_back, WRONG_PROGRAMMER, "not given back"),
        (edl_refused, DIES_IN_EDL, "nothing is the matter with it, and it got"),
        (all_are_done, NEEDS_THE_LADDER, "NO_CHANGE, but the flash is old"),
    ],
)
def test_a_broken_station_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, broken: Break, number: int, words: str
) -> None:
    campaign(bench, [number])
    broken(monkeypatch)
    with pytest.raises(Broken, match=words):
        campaign(bench, [number])


def test_a_station_that_takes_strangers_for_known_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module that it finishes was never on record, as far as the campaign can see."""
    monkeypatch.setattr(restart, "left", lambda *_: restart.Left(committed=False, in_edl=True))
    with pytest.raises(Broken, match="a stranger in EDL got"):
        campaign(bench, [DIES_IN_EDL])


def test_a_wrong_pass_before_the_stations_death_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start writes what this one has not: later nobody could tell."""
    flash = Attempt._flash
    began: list[Attempt] = []

    async def not_the_first_time(self: Attempt) -> None:
        began.append(self)
        if len(began) > 1:
            await flash(self)

    monkeypatch.setattr(Attempt, "_flash", not_the_first_time)
    with pytest.raises(Broken, match="first A1: PASS, but the flash is old"):
        play(bench, Round(1, {"A1": Case()}, LIVES_FOR_S), Totals())


def test_a_station_that_forgets_what_its_death_cut_off_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"outcome": Outcome.ABORTED}
    monkeypatch.setattr(
        writer, "interrupted_row", lambda *given: inserts.interrupted_row(*given) | wrong
    )
    with pytest.raises(Broken, match=r"cut off, and .*ABORTED"):
        play(bench, Round(1, {"A1": Case()}, AMID_THE_FLASH_S), Totals())


def test_a_module_that_was_written_before_anybody_knew_it_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart, "left", lambda *_: restart.Left(committed=False, in_edl=True))
    with pytest.raises(Broken, match="but its chip serial is not on record"):
        play(bench, Round(1, {"A1": Case()}, AMID_THE_FLASH_S), Totals())


PULLED_OUT = Round(1, {"A1": Case()}, None, (Hand(("A1",), AMID_THE_FLASH_S, None),))
"""On the running line."""


def test_a_slot_that_no_new_module_can_free_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(life.TABLE[SlotState.PULLED], life.Input.APPEARED)
    with pytest.raises(Broken, match="a new module in A1 got no attempt"):
        play(bench, PULLED_OUT, Totals())


def test_a_slot_that_stays_at_work_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: Attempt) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(Attempt, "run_alone", hang)
    with pytest.raises(Broken, match="no rest: A1 identifying"):
        play(bench, PULLED_OUT, Totals())


def test_an_attempt_that_takes_too_long_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = Attempt._flash

    async def at_leisure(self: Attempt) -> None:
        await flash(self)
        await trio.sleep(judge.ATTEMPT_S)

    monkeypatch.setattr(Attempt, "_flash", at_leisure)
    with pytest.raises(Broken, match="A1: at work for"):
        play(bench, Round(1, {"A1": Case()}, None), Totals())


def test_each_attempt_is_judged(bench: Bench) -> None:
    totals = campaign(bench, [DIES_IN_EDL])
    assert 0 < totals.outcomes["INTERRUPTED"] < totals.judged == totals.attempts


def test_what_was_held_against_the_table_is_counted(bench: Bench) -> None:
    totals = campaign(bench, [NEEDS_THE_LADDER])
    assert 0 < totals.compared.total() <= totals.attempts


# --- what the table says of a mishap --------------------------------------------------------------


@pytest.mark.parametrize(
    ("drawn", "line"),
    [
        (Mishap(What.HANGS, "erase", Cure.RESET), "hangs at erase, until reset"),
        (Mishap(What.HANGS, "erase", Cure.NONE), "hangs at erase, until power"),
        (Mishap(What.DIPS, "erase", Cure.POWER), "dips at erase"),
        (Mishap(What.DIPS, "erase", Cure.POWER, times=FOR_EVER), "dips at erase, always"),
        (Mishap(What.VANISHES, "erase", Cure.RESET), "vanishes at erase"),
        (Mishap(What.VANISHES, "erase", Cure.NONE, times=2), "vanishes at erase, always"),
    ],
)
def test_one_mishap_has_one_line_in_whatever_words(drawn: Mishap, line: str) -> None:
    [named] = [promise.lines()[mishap] for mishap in promise.lines() if mishap.name == line]
    assert promise.own_line(drawn) == named


@pytest.mark.parametrize(
    "drawn",
    [
        Mishap(What.HANGS, "erase", after=1),
        Mishap(What.HANGS, "erase", times=2),
        Mishap(What.HANGS, "erase", Cure.TIME, times=FOR_EVER),  # it takes what comes between
        Mishap(What.VANISHES, "erase", Cure.TIME, times=FOR_EVER),  # it returns
    ],
)
def test_what_the_table_does_not_know_has_no_line(drawn: Mishap) -> None:
    assert promise.own_line(drawn) is None


ERASED = Mishap(What.DIPS, "erase")
GOOD = Row(ERASED.name, "PASS", "-", "new", "runtime", ())


@pytest.mark.parametrize(
    "wrong", [{"outcome": "FAIL"}, {"code": "U102"}, {"flash": "partly"}, {"mode": "edl"}]
)
def test_each_cell_of_a_line_counts(wrong: dict[str, str]) -> None:
    assert promise.check("A1", ERASED, 1, [GOOD]) is promise.By.LINE
    with pytest.raises(Broken, match="but the table says"):
        promise.check("A1", ERASED, 1, [replace(GOOD, **wrong)])  # type: ignore[arg-type]


def test_a_fault_of_its_own_is_held_against_its_line() -> None:
    nak = Row("nak", "FAIL", "P112", "partly", "edl", ())
    assert promise.check_fault("A1", "nak", [nak]) is promise.By.FAULT
    with pytest.raises(Broken, match=r"PASS .*but the table says FAIL P112"):
        promise.check_fault("A1", "nak", [nak, replace(nak, outcome="PASS")])


@pytest.mark.parametrize(
    ("drawn", "struck", "by"),
    [
        (Mishap(What.DIPS, "erase", after=20), 0, promise.By.UNSTRUCK),
        (Mishap(What.DIPS, "erase", after=2), 1, promise.By.LATER),
        (Mishap(What.DIPS, "erase", after=2, times=3), 3, promise.By.KIND),
    ],
)
def test_what_has_no_line_is_not_free(drawn: Mishap, struck: int, by: promise.By) -> None:
    assert promise.check("A1", drawn, struck, [GOOD]) is by
    with pytest.raises(Broken, match="but the table allows"):
        promise.check("A1", drawn, struck, [replace(GOOD, outcome="FAIL", code="P101")])
