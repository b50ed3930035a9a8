"""Who works here and whose shift it is, as it was written."""

from dataclasses import replace

from station.model import GOLDEN, Lot, Outcome, Role, Shift
from station.store import shifts
from station.store.counts import counts_since
from station.store.events import find_events
from station.store.ids import new_id
from station.store.people import changes, operators
from station.store.shifts import golden_outcomes
from station.store.writer import Store
from tests.store.samples import NOON_US, attempt, event, failed, person, rows, verdict, written

STATION = "line-1"


def shift(operator: str = "maria", **parts: object) -> Shift:
    made = Shift(new_id(), STATION, NOON_US, operator, Role.OPERATOR, 1000, "line")
    return replace(made, **parts)  # type: ignore[arg-type]  # the names are checked by replace


def test_a_person_comes_back_as_written_and_the_last_row_of_a_name_counts(url: str) -> None:
    first, other = person(), person("jan", role=Role.ENGINEER, badge_sha256=None, actor=None)
    retired = person(is_active=False, reason="left")

    async def write(store: Store) -> None:
        for one in (first, other, retired, person("eva", station="line-2")):
            await store.add_operator(one)

    written(url, write)
    assert operators(url, STATION) == [other, retired]


def test_what_was_written_last_counts_whatever_the_clock_said(url: str) -> None:
    late = person(is_active=False, utc_us=NOON_US - 1, operator_id="0" * 36)

    async def write(store: Store) -> None:
        await store.add_operator(person())
        await store.add_operator(late)

    written(url, write)
    assert operators(url, STATION) == [late]


def test_every_change_is_told_with_the_role_of_who_made_it(url: str) -> None:
    jan = person("jan", role=Role.ENGINEER, actor=None)
    added, gone = person(), person(is_active=False, reason="left")
    elsewhere = person("eva", station="line-2")
    jan_left = person("jan", is_active=False, actor="jan")
    late = person()

    async def write(store: Store) -> None:
        for one in (jan, added, gone, elsewhere, jan_left, late):
            await store.add_operator(one)

    written(url, write)
    engineer = Role.ENGINEER
    assert changes(url) == [
        *((jan, None), (added, engineer), (gone, engineer), (jan_left, engineer), (late, None)),
        (elsewhere, None),
    ]


def test_one_shift_is_open_and_a_new_one_ends_it(url: str) -> None:
    first, second = shift(), shift("jan", utc_us=NOON_US + 5, role=None, peer_user=None)
    ended = event("shift_end", utc_us=NOON_US + 9)

    async def write(store: Store) -> None:
        assert await store.open_shift(STATION) is None
        await store.start_shift(first)
        assert await store.open_shift(STATION) == first
        assert await store.open_shift("line-2") is None
        await store.start_shift(second)
        assert await store.open_shift(STATION) == second
        await store.end_shift(second.shift_id, "ended", ended)
        assert await store.open_shift(STATION) is None

    written(url, write)
    assert rows(url, "SELECT utc_us, reason FROM shift_ended ORDER BY seq") == [
        (NOON_US + 5, shifts.RELIEVED),
        (NOON_US + 9, "ended"),
    ]
    assert find_events(url) == [ended]


def test_a_lot_is_written_when_it_is_armed_first(url: str) -> None:
    def lot(name: str) -> Lot:
        return Lot(new_id(), STATION, NOON_US, name, "maria")

    first = lot("PO-77")

    async def write(store: Store) -> None:
        await store.arm(event("armed"), shift(), first)
        await store.arm(event("armed"), None, lot("PO-77"))
        await store.arm(event("armed"), None, lot("PO-78"))
        await store.arm(event("armed"), None, replace(lot("PO-77"), station="line-2"))
        await store.arm(event("armed"), None, None)

    written(url, write)
    lots = rows(url, "SELECT id, station, utc_us, name, operator FROM lot ORDER BY seq")
    assert lots[0] == (first.lot_id, STATION, NOON_US, "PO-77", "maria")
    assert sorted(row[3] for row in lots) == ["PO-77", "PO-77", "PO-78"]
    assert rows(url, "SELECT count(*) FROM station_event") == [(5,)]


def test_golden_units_are_asked_of_their_shift_and_in_no_count(url: str) -> None:
    mine = shift()
    golden = {"shift_id": mine.shift_id, "purpose": GOLDEN}

    async def write(store: Store) -> None:
        await store.start_shift(mine)
        for begun, end in (
            (attempt(**golden), failed),
            (attempt(**golden), verdict),
            (attempt(shift_id=mine.shift_id), verdict),
        ):
            await store.open_attempt(begun)
            await store.close_attempt(end(begun))

    written(url, write)
    outcomes = [outcome for outcome, _ in golden_outcomes(url, mine.shift_id)]
    assert outcomes == [Outcome.PASS, Outcome.FAIL]
    assert golden_outcomes(url, "none") == []
    counts = counts_since(url, STATION, 0)
    assert (counts.good, counts.first, counts.first_pass) == (1, 1, 1)
