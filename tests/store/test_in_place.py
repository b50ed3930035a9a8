"""A database that is moved away or replaced while it is open gets no more rows."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from station.errors import DatabaseError
from station.model import AttemptRecord
from station.store.database import sqlite_path, sqlite_url, writer_engine
from station.store.pending import Result
from station.store.queries import find_attempts
from station.store.writer import Store
from tests.store.samples import attempt, begun, event, rows, stranger, verdict, written

pytestmark = pytest.mark.sqlite

TAILS = ("", "-wal", "-shm")


class Moved:
    """The files of a database, which a hand moves away and puts back."""

    def __init__(self, url: str, tails: tuple[str, ...] = TAILS) -> None:
        path = sqlite_path(url)
        assert path is not None
        self.places = [path.with_name(path.name + tail) for tail in tails]

    def away(self, *_: object) -> None:
        for place in self.places:
            place.rename(self._elsewhere(place))

    def replace(self) -> None:
        """By a copy: there is no telling the bytes apart."""
        self.away()
        for place in self.places:
            place.write_bytes(self._elsewhere(place).read_bytes())

    def back(self) -> None:
        for place in self.places:
            self._elsewhere(place).replace(place)

    def _elsewhere(self, place: Path) -> Path:
        return place.with_name(f"old-{place.name}")


async def assert_refused(work: Callable[[], Awaitable[object]], why: str) -> None:
    with pytest.raises(DatabaseError, match=f"{why}.*put back.*or restart the engine"):
        await work()


@pytest.mark.parametrize(
    ("tails", "is_replaced", "why"),
    [
        (TAILS, False, "its file was moved away"),
        (TAILS, True, "another file was put in its place"),
        (TAILS[:1], False, "its file was moved away"),
        (TAILS[1:2], False, "the log beside it"),
        (TAILS[1:], True, "the log beside it"),
    ],
)
def test_nothing_is_committed_until_it_is_back(
    url: str, tails: tuple[str, ...], is_replaced: bool, why: str
) -> None:
    files = Moved(url, tails)

    async def work(store: Store) -> None:
        await store.add_event(event())
        (files.replace if is_replaced else files.away)()
        await assert_refused(store.ping, why)
        await assert_refused(lambda: store.add_event(event("release")), why)
        assert not store.is_writable
        files.back()
        await store.ping()
        assert store.is_writable
        await store.add_event(event("release"))

    written(url, work)
    assert rows(url, "SELECT kind FROM station_event ORDER BY id") == [("hold",), ("release",)]


def test_a_link_that_leads_elsewhere_is_another_file(url: str, tmp_path: Path) -> None:
    path = sqlite_path(url)
    assert path is not None
    (tmp_path / "disk").mkdir()
    real = path.rename(tmp_path / "disk" / "real.db")
    path.symlink_to(real)

    async def work(store: Store) -> None:
        await store.add_event(event())
        await store.ping()
        log = Moved(sqlite_url(real), TAILS[1:2])
        log.away()
        await assert_refused(store.ping, "the log beside it")
        log.back()
        path.unlink()
        path.symlink_to(tmp_path / "other.db")
        await assert_refused(store.ping, "moved away")

    written(url, work)


def test_a_verdict_whose_file_goes_with_the_commit_is_not_told_and_recorded_once(
    url: str,
) -> None:
    """Behind the last look before the commit, which a hand may always find."""
    opened = attempt()
    closed = verdict(opened)
    begun(url, opened)
    files = Moved(url)

    async def work(store: Store) -> None:
        await store.ping()
        sa.event.listen(store._engine, "commit", files.away, once=True)
        await assert_refused(lambda: store.close_attempt(closed), "its file was moved away")
        await store.keep(Result(AttemptRecord(opened, closed, (), ())))
        assert (await store.settle()).recorded == ()
        assert "put back what was there" in store.waiting.why
        files.back()
        assert len((await store.settle()).recorded) == 1

    written(url, work)
    (record,) = find_attempts(url)
    assert record.closed == closed


def test_a_file_that_is_replaced_while_it_is_opened_is_noticed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engine(of: str) -> sa.Engine:
        Moved(of, TAILS[:1]).replace()
        return writer_engine(of)

    monkeypatch.setattr("station.store.writer.writer_engine", engine)
    with pytest.raises(DatabaseError, match="another file was put in its place"):
        written(url, lambda store: store.ping())


def test_a_database_that_gets_its_log_with_the_first_row_is_in_place(url: str) -> None:
    """As one that was restored from a backup."""
    with stranger(url) as somebody:
        somebody.execute("PRAGMA journal_mode = DELETE")
    log = Moved(url, TAILS[1:2])

    async def work(store: Store) -> None:
        await store.add_event(event())
        await store.ping()
        log.away()
        await assert_refused(store.ping, "the log beside it")
        log.back()

    written(url, work)
