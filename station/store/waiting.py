"""Results that are not in the record yet: in files, or in memory while not even those work.

A result is remembered at once. What blocks on disk is one thread's at a time; while that one
commits, which may take for ever, others may save.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from station.errors import DatabaseError, DiskTrouble, ResultSetAside
from station.model import AttemptRecord
from station.store.pending import Pending, Result, attempt_of

T = TypeVar("T")

TURN_S = 3.0
"""After so long the rest waits for the next turn: others want to commit, too."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a turn: now on record, and set aside with the reason."""

    recorded: tuple[AttemptRecord, ...] = ()
    aside: tuple[tuple[Path, str], ...] = ()


class Waiting:
    """`pending` None: there is no place for files. `why` is what the last turn met."""

    def __init__(self, pending: Pending | None) -> None:
        self._pending = pending
        self._disk = threading.Lock()
        self._new: deque[Result] = deque()
        self._files: dict[int, Path] = {}
        self._memory: dict[int, Result] = {}
        self._aside: tuple[Path, ...] = ()
        self._left_over: set[Path] = set()
        self._last = 0
        self._recorded: deque[AttemptRecord] = deque()
        self._put_away: deque[tuple[Path, str]] = deque()
        self.why = ""

    @property
    def count(self) -> int:
        return len(self._files) + len(self.unsafe)

    @property
    def unsafe(self) -> tuple[Result, ...]:
        """Those that end with this process."""
        return (*self._memory.values(), *self._new)

    @property
    def attempts(self) -> frozenset[str]:
        """Those that have a result, whatever the record says of them."""
        in_memory = (result.attempt_id for result in self.unsafe)
        return frozenset((*map(attempt_of, list(self._files.values())), *in_memory))

    @property
    def aside(self) -> tuple[Path, ...]:
        """Files that were set aside, as of the last look."""
        return self._aside

    @property
    def left_over(self) -> tuple[Path, ...]:
        """Files of results that are on record, which could not be removed."""
        return tuple(sorted(self._left_over))

    @property
    def is_idle(self) -> bool:
        """Nothing waits, neither for the record nor to be told or removed."""
        told = self._recorded or self._put_away
        return not (self.count or self._left_over or told)

    def file_of(self, attempt_id: str) -> Path | None:
        files = list(self._files.values())
        return next((file for file in files if attempt_of(file) == attempt_id), None)

    def news(self) -> Settled:
        """What is on record now, or was set aside; told once."""
        return Settled(tuple(_taken(self._recorded)), tuple(_taken(self._put_away)))

    def prepare(self) -> None:
        """Room on disk, and what lies there already. Raises DiskTrouble where that cannot be
        known: the attempt of a result that nobody sees would be taken for interrupted."""
        if self._pending is None:
            return
        self._pending.prepare()
        try:
            self._look(self._pending)
        except OSError as error:
            raise DiskTrouble(f"{self._pending.folder}: {error.strerror}") from error

    def _look(self, pending: Pending) -> None:
        """What lies in the folder; what is on record is removed, if that works by now. Raises
        OSError: then it is as it was."""
        files, self._aside = pending.files(), pending.aside()
        self._last = max((self._last, *files))
        recorded = self._left_over
        self._files = {number: place for number, place in files.items() if place not in recorded}
        self._left_over = {place for place in recorded if not pending.remove(place)}

    def remember(self, result: Result) -> None:
        """Never blocks; `save` comes next."""
        self._new.append(result)

    def save(self) -> None:
        """Give files to the results that have none, as far as the disk allows."""
        with self._disk:
            self._save()

    def _save(self) -> None:
        while self._new:
            self._last += 1
            self._memory[self._last] = self._new[0]
            self._new.popleft()
        if self._pending is None:
            self.why = "the database is a server's, and no folder was named for results"
            return
        for number, result in list(self._memory.items()):
            try:
                self._files[number] = self._pending.write(number, result)
            except OSError as error:
                self.why = f"{self._pending.folder}: {error.strerror}"
                return
            del self._memory[number]

    def settle(self, commit: Callable[[Result], None]) -> None:
        """Commit what waits, in the order of writing, until the database refuses. `commit` raises
        DatabaseError, or ResultSetAside for what can never be recorded."""
        with self._disk:
            self.why = ""
            self._look_again()
            numbers = sorted((*self._files, *self._memory))
        until_s = time.monotonic() + TURN_S
        for number in numbers:
            if time.monotonic() > until_s or not self._settle_one(number, commit):
                break
        with self._disk:
            self._save()
            self._look_again()

    def _settle_one(self, number: int, commit: Callable[[Result], None]) -> bool:
        """False: the database refuses, and would refuse the next one, too."""
        try:
            with self._disk:
                result = self._result(number)
            commit(result)
        except ResultSetAside as error:
            with self._disk:
                self._put_aside(number, error.cause)
        except DatabaseError as error:
            self.why = error.cause
            return False
        except OSError as error:
            self.why = f"{self._files[number]}: {error.strerror}"
        else:
            with self._disk:
                self._forget(number)
            self._recorded.append(result.record)
        return True

    def _look_again(self) -> None:
        """As far as the disk allows; the reserve may have been given up."""
        if self._pending is not None:
            self._pending.prepare()
            with suppress(OSError):
                self._look(self._pending)

    def _result(self, number: int) -> Result:
        known = self._memory.get(number)
        if known is not None or self._pending is None:
            return self._memory[number]
        return self._pending.read(self._files[number])

    def _forget(self, number: int) -> None:
        self._memory.pop(number, None)
        place = self._files.pop(number, None)
        if place is None or self._pending is None:
            return
        if not self._pending.remove(place):
            self._left_over.add(place)

    def _put_aside(self, number: int, why: str) -> None:
        """A result without a file stays in memory until it has one."""
        place = self._files.get(number)
        if place is None or self._pending is None:
            self.why = why
            return
        try:
            moved = self._pending.set_aside(place, "damaged")
        except OSError as error:
            self.why = f"{place}: {error.strerror}; {why}"
            return
        del self._files[number]
        self._put_away.append((moved, why))


def _taken(told: deque[T]) -> Iterator[T]:
    while told:
        yield told.popleft()
