"""Scouts read ahead of a long question, change nothing about its answer, and are gone with it."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from station.model import Outcome
from station.store import schema, scouts
from station.store.database import reader_engine, sqlite_url
from station.store.recall import ever, recall
from tests.store.made import NEW, OLD, line

_opened = schema.attempt_opened.c
_QUESTION = sa.select(_opened.id, _opened.lot).where(
    _opened.package_sha256 == OLD.sha256, _opened.package_name == OLD.name
)
_FOR_EVER = sa.literal_column(
    "CASE WHEN reached() IS NULL THEN"
    " (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT count() FROM n) END",
    sa.Integer,
).label("for_ever")


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


def at_work() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "scout"]


@contextmanager
def heard(url: str, what: str, deed: Callable[..., None]) -> Iterator[None]:
    engine = reader_engine(url)
    sa.event.listen(engine, what, deed)
    try:
        yield
    finally:
        sa.event.remove(engine, what, deed)


def test_the_answer_is_the_same(record: str) -> None:
    assert len(list(recall(record, package=OLD.name))) == 10
    assert len(list(recall(record, package=OLD.sha256[:8]))) == 10
    assert len(list(recall(record, firmware="R*"))) == 20
    assert len(list(ever(record, package=OLD.name))) == 20


@pytest.mark.sqlite
def test_each_attempt_is_on_one_of_their_stretches(record: str) -> None:
    with reader_engine(record).connect() as connection:
        keys = list(connection.scalars(_QUESTION))
        found = [
            key
            for stretch in scouts.stretches(record, _QUESTION)
            for key in connection.scalars(_QUESTION.where(stretch.holds(_opened.id)))
        ]
    assert len(keys) == 20
    assert found == sorted(keys)


@pytest.mark.sqlite
def test_nothing_is_gone_through_once_for_each_stretch(record: str) -> None:
    """Where the way along an index is not parted by keys, or another would be gone."""
    by_name = _opened.package_name == OLD.name
    assert scouts.stretches(record, sa.select(_opened.id).where(by_name)) == []
    by_digest = _opened.package_sha256 == OLD.sha256
    assert scouts.stretches(record, sa.select(_opened.id, _opened.lot).where(by_digest)) == []


@pytest.mark.sqlite
def test_they_ask_meanwhile_and_are_gone_with_the_question(record: str) -> None:
    asked = threading.Event()

    def note(connection: Any, cursor: Any, sql: str, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        if threading.current_thread().name == "scout" and "max(" in sql:
            asked.set()

    with heard(record, "after_cursor_execute", note):
        with scouts.scouted(record, _QUESTION):
            assert asked.wait(30)
        assert not at_work()


@pytest.mark.sqlite
def test_whoever_leaves_the_question_does_not_wait_for_them(record: str) -> None:
    reached = threading.Event()

    def connected(raw: sqlite3.Connection, _: object) -> None:
        raw.create_function("reached", 0, reached.set)

    with heard(record, "connect", connected):
        with scouts.scouted(record, _QUESTION.add_columns(_FOR_EVER)):
            assert reached.wait(30)
            assert at_work()
        assert not at_work()


@pytest.mark.sqlite
def test_one_whose_disk_does_not_answer_holds_nobody(
    record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scouts, "_LEAVE_S", 0.1)
    reached, answers = threading.Event(), threading.Event()

    def hang() -> None:
        reached.set()
        answers.wait(30)

    def connected(raw: sqlite3.Connection, _: object) -> None:
        raw.create_function("reached", 0, hang)

    with heard(record, "connect", connected):
        with scouts.scouted(record, _QUESTION.add_columns(_FOR_EVER)):
            assert reached.wait(30)
        left = at_work()
        answers.set()
    assert left
    for one in left:
        one.join(30)
    assert not at_work()


@pytest.mark.sqlite
def test_a_question_needs_no_scouts(record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        assert len(list(recall(record, package=OLD.name))) == 10

    def denied(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", denied)
    assert len(list(recall(record, package=OLD.name))) == 10


@pytest.mark.sqlite
def test_a_small_record_has_none(url: str) -> None:
    with scouts.scouted(url, _QUESTION):
        assert not at_work()


@pytest.mark.sqlite
@pytest.mark.parametrize("keys", [[], ["no key"]])
def test_what_is_no_record_of_a_station_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: list[str]
) -> None:
    monkeypatch.setattr(scouts, "WORTH_IT_BYTES", 0)
    url = sqlite_url(tmp_path / "odd.db")
    with sa.create_engine(url).begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE attempt_opened (package_sha256, package_name, id, lot)"
        )
        connection.exec_driver_sql(
            "CREATE INDEX its ON attempt_opened (package_sha256, package_name, id, lot)"
        )
        for key in keys:
            connection.exec_driver_sql("INSERT INTO attempt_opened (id) VALUES (?)", (key,))
    with scouts.scouted(url, _QUESTION):
        assert not at_work()
