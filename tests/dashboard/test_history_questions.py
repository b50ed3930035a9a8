"""What a screen asks of the whole record, on known data."""

from pathlib import Path
from typing import Any

import pytest

from station.dashboard.history import DatabaseHistory
from station.dashboard.history_questions import Ask, Row
from station.model import Outcome, PackageRef
from station.store.database import sqlite_url
from station.store.migrate import upgrade
from station.store.schema import clash
from tests.store.made import DAY_US, MIDNIGHT_US, NEW, OLD, Line, imei, line
from tests.store.samples import rows

NOW_US = MIDNIGHT_US + DAY_US // 2
YESTERDAY_US = MIDNIGHT_US - 1
PASS, FAIL = Outcome.PASS, Outcome.FAIL
LOT = "PO-77/12"
R08 = PackageRef("R08", "88" * 32)


def elsewhere_too(made: Line) -> None:
    """What another station writes into the same record, in slots of the same names."""
    there: dict[str, Any] = {"station": "line-2", "package": R08, "started_utc_us": NOW_US}
    shift = made.shift("paul", NOW_US, "line-2")
    made.tried(9, PASS, shift_id=shift, **there)
    made.tried(8, FAIL, code="D207", shift_id=shift, **there)
    last = made.tried(7, None, **there)
    row = {"id": "c2", "station": "line-2", "utc_us": NOW_US, "attempt_id": last}
    what = {"kind": "imei", "value": imei(7), "detail": "{}"}
    made.batch.insert(clash, [row | what | {"unit_id": None, "other_unit_id": None}])


@pytest.fixture
def history(tmp_path: Path) -> DatabaseHistory:
    """A unit that failed yesterday and passed today, one that failed today, one at work; and what
    another station did meanwhile."""
    url = sqlite_url(tmp_path / "station.sqlite")
    upgrade(url)
    with line(url) as made:
        shift = made.shift("maria")
        made.tried(1, FAIL, code="D206", package=OLD, started_utc_us=YESTERDAY_US)
        made.tried(1, PASS, package=OLD, started_utc_us=NOW_US, shift_id=shift)
        made.tried(2, FAIL, code="P110", slot="A2", started_utc_us=NOW_US)
        made.tried(3, PASS, package=NEW, started_utc_us=NOW_US, shift_id=shift)
        last = made.tried(4, None, slot="A3", started_utc_us=NOW_US, operator="paula", lot=LOT)
        elsewhere_too(made)
    one, other = (row[0] for row in rows(url, "SELECT id FROM unit ORDER BY id LIMIT 2"))
    with line(url) as made:
        row = {"id": "c1", "station": "line-1", "utc_us": NOW_US, "attempt_id": last}
        what = {"kind": "imei", "value": imei(2), "detail": "{}"}
        made.batch.insert(clash, [row | what | {"unit_id": one, "other_unit_id": other}])
    return DatabaseHistory(url, "line-1")


def ask(history: DatabaseHistory, asked: Ask, text: str = "") -> tuple[Row, ...]:
    answer = history.ask(asked, text, NOW_US, 10)
    assert all(len(row) == len(answer.columns) for row in answer.rows)
    assert not answer.is_cut
    return answer.rows


@pytest.mark.parametrize("text", ["R05", "R05*", "55555555"])
def test_recall_by_package_or_version(history: DatabaseHistory, text: str) -> None:
    (row,) = ask(history, Ask.RECALL, text)
    assert (row[0], row[5]) == (imei(1), "R05")
    assert ask(history, Ask.EVER, text) == (("yes", *row),)
    assert ask(history, Ask.RECALL, "R07*") == ()


def test_a_recall_list_has_the_units_of_all_stations(history: DatabaseHistory) -> None:
    (row,) = ask(history, Ask.RECALL, "R08")
    assert (row[0], row[4]) == (imei(9), "line-2/A1")


def test_today_is_today_on_the_wall(history: DatabaseHistory) -> None:
    assert [row[:4] for row in ask(history, Ask.CODES)] == [("P110", "HEADLINE P110", "FAIL", "1")]
    found = ask(history, Ask.TODAY)
    assert [row[:3] for row in found] == [
        ("all", "50.0 % (1/2)", "66.6 % (2/3)"),
        ("A1", "100.0 % (1/1)", "100.0 % (2/2)"),
        ("A2", "0.0 % (0/1)", "0.0 % (0/1)"),
    ]


def test_the_last_shift(history: DatabaseHistory) -> None:
    assert [row[:2] for row in ask(history, Ask.SHIFT)] == [
        ("all", "100.0 % (1/1)"),
        ("A1", "100.0 % (1/1)"),
    ]


def test_what_has_no_end_and_what_clashes(history: DatabaseHistory) -> None:
    ((_, slot, name, *_),) = ask(history, Ask.OPEN)
    assert (slot, name) == ("A3", imei(4))
    ((_, slot, what, unit, other, _),) = ask(history, Ask.CLASHES)
    assert (slot, what) == ("A3", f"imei {imei(2)}")
    assert (unit, other) == (f"imei {imei(1)}", f"imei {imei(2)}")


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("slot:A2", [2]),
        ("SLOT: A3 ", [4]),
        ("operator:paula", [4]),
        (f"lot:{LOT}", [4]),
        ("shift:last", [3, 1]),
        (imei(9), [9]),
        ("slot:B1", []),
        ("rack:A1", []),
    ],
)
def test_what_was_done_in_a_slot_by_a_person_for_a_lot_in_a_shift(
    history: DatabaseHistory, text: str, units: list[int]
) -> None:
    assert [one.opened.unit.imei for one in history.find(text, 10)] == [imei(n) for n in units]


def test_a_shift_by_its_id(history: DatabaseHistory) -> None:
    (newest, _) = history.find("shift:last", 10)
    assert [one.opened.shift_id for one in history.find(f"shift:{newest.opened.shift_id}", 1)] == [
        newest.opened.shift_id
    ]


def test_more_than_the_limit_is_told(history: DatabaseHistory) -> None:
    answer = history.ask(Ask.TODAY, "", NOW_US, 2)
    assert (len(answer.rows), answer.is_cut) == (2, True)
