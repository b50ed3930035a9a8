"""A tray's verdicts share a transaction, and nothing else."""

from collections.abc import Callable

import pytest
import trio
from sqlalchemy.exc import OperationalError

from station.errors import DatabaseError
from station.model import AttemptClosed
from station.store.batch import Batch
from station.store.queries import find_attempts
from station.store.together import Together, Work
from station.store.verify import verify
from station.store.writer import Store
from tests.store.samples import attempt, verdict, written

TRAY = 8


def nothing(_: Batch) -> None:
    """Writes no row."""


def never_called(trouble: Callable[[], Exception]) -> tuple[Together, list[Work]]:
    """Over a database in trouble, and what it was asked to write."""
    asked: list[Work] = []

    def commit(work: Work) -> None:
        asked.append(work)
        raise trouble()

    return Together(commit), asked


def locked() -> Exception:
    error = DatabaseError("another program kept it locked")
    error.__cause__ = OperationalError("BEGIN IMMEDIATE", None, Exception("locked"))
    return error


def test_who_gets_the_writer_takes_along_all_that_wait() -> None:
    transactions: list[Work] = []
    together = Together(transactions.append)
    first, second = together.add(nothing), together.add(nothing)
    together.commit_blocking(first)
    together.commit_blocking(second)
    assert len(transactions) == 1
    together.commit_blocking(together.add(nothing))
    assert len(transactions) == 2


def test_what_was_given_up_is_not_taken_along() -> None:
    """Its result waits elsewhere by now."""
    written: list[str] = []
    together = Together(lambda work: work(None))  # type: ignore[arg-type]  # no work here asks it
    lost = together.add(lambda _: written.append("lost"))
    own = together.add(lambda _: written.append("own"))
    lost.is_over = True
    together.commit_blocking(own)
    assert written == ["own"]


def test_trouble_of_the_database_is_told_to_each_and_waited_for_once() -> None:
    together, asked = never_called(locked)
    waiting = [together.add(nothing) for _ in range(TRAY)]
    for one in waiting:
        with pytest.raises(DatabaseError, match="locked"):
            together.commit_blocking(one)
    assert len(asked) == 1


def test_a_row_that_is_refused_fails_alone(url: str) -> None:
    """The third is closed already."""
    refused: list[str] = []

    async def close(store: Store, closed: AttemptClosed) -> None:
        try:
            await store.close_attempt(closed)
        except DatabaseError:
            refused.append(closed.attempt_id)

    async def work(store: Store) -> None:
        tray = [attempt(slot=f"A{n}") for n in range(TRAY)]
        for opened in tray:
            await store.open_attempt(opened)
        await store.close_attempt(verdict(tray[2]))
        async with trio.open_nursery() as nursery:
            for opened in tray:
                nursery.start_soon(close, store, verdict(opened))
        assert refused == [tray[2].attempt_id]

    written(url, work)
    assert all(record.closed for record in find_attempts(url))
    assert verify(url).is_untouched
