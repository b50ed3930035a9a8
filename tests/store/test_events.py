"""What people did to the line, as it was written."""

import pytest

from station.errors import HistoryTrouble
from station.store import schema
from station.store.events import find_events, kinds_on_record, last_event, newest
from station.store.records import Condition
from tests.store.samples import NOON_US, event, plan, recorded, rows, stranger, written


def test_an_event_comes_back_as_it_was_written(url: str) -> None:
    by_a_person = event("armed", detail={"recipes": [{"name": "a", "revision": 3}], "target": 500})
    by_itself = event(
        "started",
        utc_us=NOON_US + 1,
        actor=None,
        peer_uid=None,
        peer_user=None,
        slot=None,
        detail={},
    )
    recorded(url, by_a_person, by_itself)
    assert find_events(url) == [by_a_person, by_itself]


def test_the_largest_user_id_fits(url: str) -> None:
    nobody = event(peer_uid=2**32 - 2, peer_user=None)
    recorded(url, nobody)
    assert find_events(url) == [nobody]


def test_words_no_database_takes_are_kept_as_far_as_they_go(url: str) -> None:
    recorded(url, event(actor="a\0b", detail={"reason": "\0\udcff"}))
    (found,) = find_events(url)
    assert (found.actor, found.detail) == ("a\ufffdb", {"reason": "\0\udcff"})


def test_conditions(url: str) -> None:
    armed = event("armed", slot=None)
    hold = event("hold", utc_us=NOON_US + 20, slot="A1")
    other = event("hold", utc_us=NOON_US + 10, slot="A2")
    recorded(url, armed, hold, other)
    assert find_events(url) == [armed, other, hold]
    assert find_events(url, kind="hold") == [other, hold]
    assert find_events(url, kind="hold", slot="A1") == [hold]
    assert find_events(url, slot="Z9") == []
    assert find_events(url, since_utc_us=NOON_US + 10) == [other, hold]
    assert find_events(url, since_utc_us=NOON_US + 21) == []
    assert find_events(url, until_utc_us=NOON_US + 20) == [armed, other]
    assert find_events(url, since_utc_us=NOON_US + 1, until_utc_us=NOON_US + 20) == [other]
    assert find_events(url, kind="ho*") == [other, hold]
    assert find_events(url, kind="Ho*") == find_events(url, kind="h%*") == []
    assert find_events(url, kind="*", limit=1) == [hold]
    assert find_events(url, limit=1) == [hold]
    assert find_events(url, limit=2) == [other, hold]


def test_the_kinds_that_are_on_record(url: str) -> None:
    assert kinds_on_record(url) == set()
    recorded(url, event("hold"), event("armed"), event("hold"), event("stop", station="line-2"))
    assert kinds_on_record(url) == {"armed", "hold", "stop"}


def test_events_of_one_moment_stay_in_their_order(url: str) -> None:
    both = [event("disarmed"), event("stop")]
    recorded(url, *both)
    assert find_events(url) == both


def test_the_last_event_is_of_this_station_and_kind(url: str) -> None:
    early, late = event("armed"), event("armed", utc_us=NOON_US + 2)
    elsewhere = event("armed", utc_us=NOON_US + 3, station="line-2")
    recorded(url, late, early, elsewhere, event("disarmed", utc_us=NOON_US + 4))
    assert last_event(url, "line-1", "armed") == late
    assert last_event(url, "line-2", "armed") == elsewhere
    assert last_event(url, "line-1", "hold") is None
    assert written(url, lambda store: store.last_event("line-1", "armed")) == late


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "conditions",
    [
        [schema.station_event.c.station == "line-1", schema.station_event.c.kind == "armed"],
        [schema.station_event.c.utc_us >= NOON_US],
    ],
)
def test_the_newest_are_found_without_sorting_all(url: str, conditions: list[Condition]) -> None:
    steps = plan(url, newest(conditions, 1))
    assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step], steps


@pytest.mark.sqlite
def test_a_row_somebody_else_wrote_is_a_damaged_database(url: str) -> None:
    with stranger(url) as connection, connection:
        connection.execute(
            "INSERT INTO station_event (id, station, utc_us, kind, detail) "
            "VALUES ('x', 'line-1', 1, 'hold', 'not json')"
        )
    with pytest.raises(HistoryTrouble, match="a row holds an unknown value"):
        find_events(url)
    assert len(rows(url, "SELECT * FROM station_event")) == 1
