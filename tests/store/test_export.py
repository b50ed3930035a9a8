"""An export is one moment of the record, page by page, and the same as the question's answer."""

from pathlib import Path
from typing import Any

import pytest

from station.errors import NoDatabase
from station.store import export
from station.store.database import sqlite_url
from station.store.export import exporting
from station.store.far import unheard
from station.store.queries import find_attempts
from station.store.verify import verify
from tests.store.samples import IMEI, a_key, attempt, begun, flashed, written


@pytest.fixture
def record(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Five attempts, the last one open; pages hold two."""
    monkeypatch.setattr(export, "_PAGE", 2)
    for slot in ("A1", "A2", "A1", "A2"):
        flashed(url, attempt(slot=slot))
    begun(url, attempt(slot="A1"))
    return url


@pytest.mark.parametrize(
    "asked", [{"since_utc_us": 0}, {"imei": IMEI}, {"slot": "A1"}, {"slot": "nowhere"}]
)
def test_it_is_what_the_question_finds(record: str, asked: dict[str, Any]) -> None:
    with exporting(record, **asked) as found:
        assert list(found.attempts) == find_attempts(record, **asked)


def test_it_is_of_one_moment(record: str) -> None:
    before = verify(record).heads
    with exporting(record, slot="A1") as found:
        first = next(found.attempts)
        flashed(record, attempt(slot="A1"))
        assert len([first, *found.attempts]) == 3
        assert {name: (seq, hash_) for name, seq, hash_ in found.heads} == before


def test_that_moment_is_verified(record: str) -> None:
    """What is written while it is looked at is of another."""
    before = verify(record)
    with exporting(record, slot="A1") as found:
        flashed(record, attempt(slot="A1"))
        checked = found.verify((), frozenset(), unheard)
        assert (checked.is_untouched, checked.heads) == (True, before.heads)
        assert checked.rows == before.rows
        assert len(list(found.attempts)) == 3


def test_each_station_tells_how_far_it_went(record: str) -> None:
    key = a_key()
    signed = written(record, lambda store: store.sign("line-1", key, "rows"))
    flashed(record, attempt(station="line-2"))
    with exporting(record, slot="A1") as found:
        assert [head[0] for head in found.heads] == ["line-1", "line-2"]
        assert found.checkpoints == (signed,)


def test_a_record_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoDatabase), exporting(sqlite_url(tmp_path / "none.db"), slot="A1"):
        pass
