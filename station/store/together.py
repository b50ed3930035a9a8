"""Verdicts that wait for the writer at the same time are committed together.

A tray ends in one instant. One transaction each would let the last slot wait for the disk as often
as there are slots; so whoever gets the writer takes along all that wait. They share a link of the
chain, and the disk's answer. A row that the database refuses fails alone: then each gets a
transaction of its own after all.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from station.errors import RecordDamaged
from station.store.batch import Batch

Work = Callable[[Batch], None]


@dataclass(slots=True)
class Waiting:
    """What is to be written in a transaction; `error` is what came of it, once it is over. Over is
    also what whoever waited has given up."""

    work: Work
    is_over: bool = False
    error: Exception | None = None


class Together:
    """`commit` runs one transaction, or raises and has written nothing."""

    def __init__(self, commit: Callable[[Work], None]) -> None:
        self._commit = commit
        self._waiting: deque[Waiting] = deque()

    def add(self, work: Work) -> Waiting:
        """From now on whoever commits takes it along."""
        waiting = Waiting(work)
        self._waiting.append(waiting)
        return waiting

    def commit_blocking(self, own: Waiting) -> None:
        """Return once this one is committed, by whomever; raises what `commit` did of it. In the
        writer's thread, of which there is one at a time."""
        if not own.is_over:
            self._commit_all(list(self._taken()))
        if own.error is not None:
            raise own.error

    def _taken(self) -> Iterator[Waiting]:
        while self._waiting:
            one = self._waiting.popleft()
            if not one.is_over:
                yield one

    def _commit_all(self, taken: list[Waiting]) -> None:
        def work(batch: Batch) -> None:
            for one in taken:
                one.work(batch)

        error = self._error_of(work)
        if error is not None and len(taken) > 1 and not _is_of_the_database(error):
            for one in taken:
                self._commit_all([one])
            return
        for one in taken:
            one.is_over, one.error = True, error

    def _error_of(self, work: Work) -> Exception | None:
        try:
            self._commit(work)
        except Exception as error:  # noqa: BLE001 - it is raised in the thread of whom it concerns
            return error
        return None


def _is_of_the_database(error: Exception) -> bool:
    """Disk full, locked, damaged: no other transaction would fare better."""
    return isinstance(error, RecordDamaged) or isinstance(error.__cause__, OperationalError)
