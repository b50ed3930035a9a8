"""Scouts read ahead of a long question, and change nothing about its answer."""

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from station.model import Outcome
from station.store import schema, scouts
from station.store.database import reader_engine, sqlite_url
from station.store.recall import ever, recall
from tests.store.made import NEW, OLD, line

_key = schema.attempt_opened.c.id


@pytest.fixture
def record(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Twenty units of the older package, of which ten have the newer one; worth scouts."""
    with line(url) as made:
        for unit in range(1, 21):
            made.tried(unit, Outcome.PASS, package=OLD)
        for unit in range(1, 11):
            made.tried(unit, Outcome.PASS, package=NEW)
    monkeypatch.setattr(scouts, "WORTH_IT_BYTES", 0)
    return url


def test_the_answer_is_the_same(record: str) -> None:
    assert len(list(recall(record, package=OLD.name))) == 10
    assert len(list(recall(record, firmware="R*"))) == 20
    assert len(list(ever(record, package=OLD.name))) == 20


@pytest.mark.sqlite
def test_each_attempt_is_on_one_of_their_stretches(record: str) -> None:
    question = sa.select(_key)
    with reader_engine(record).connect() as connection:
        keys = list(connection.scalars(question))
        found = [
            key
            for stretch in scouts.stretches(record)
            for key in connection.scalars(question.where(stretch.holds(_key)))
        ]
    assert found == sorted(keys)


@pytest.mark.sqlite
def test_they_ask_meanwhile_and_are_gone_with_the_question(record: str) -> None:
    engine, asked = reader_engine(record), threading.Event()

    def note(connection: Any, cursor: Any, sql: str, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        if threading.current_thread().name.startswith("scout") and "count(" in sql:
            asked.set()

    sa.event.listen(engine, "after_cursor_execute", note)
    try:
        with scouts.scouted(record, sa.select(_key)):
            assert asked.wait(30)
    finally:
        sa.event.remove(engine, "after_cursor_execute", note)
    assert not [one for one in threading.enumerate() if one.name.startswith("scout")]


@pytest.mark.sqlite
def test_a_small_record_has_none(url: str) -> None:
    with scouts.scouted(url, sa.select(_key)):
        assert not [one for one in threading.enumerate() if one.name.startswith("scout")]


@pytest.mark.sqlite
@pytest.mark.parametrize("keys", [[], ["no key"]])
def test_what_is_no_record_of_a_station_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: list[str]
) -> None:
    monkeypatch.setattr(scouts, "WORTH_IT_BYTES", 0)
    url = sqlite_url(tmp_path / "odd.db")
    with sa.create_engine(url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE attempt_opened (id TEXT)")
        for key in keys:
            connection.exec_driver_sql("INSERT INTO attempt_opened VALUES (?)", (key,))
    with scouts.scouted(url, sa.select(_key)):
        pass
