"""Results that are not in the record yet: in files, or in memory while not even those work.

Blocks on disk; one thread at a time.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from station.errors import DatabaseError, DiskTrouble, ResultSetAside
from station.model import AttemptRecord
from station.store.pending import Pending, Result, attempt_of

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
        self._files: dict[int, Path] = {}
        self._memory: dict[int, Result] = {}
        self._aside: tuple[Path, ...] = ()
        self._left_over: set[Path] = set()
        self._last = 0
        self.why = ""

    @property
    def count(self) -> int:
        return len(self._files) + len(self._memory)

    @property
    def unsafe(self) -> tuple[Result, ...]:
        """Those that end with this process."""
        return tuple(self._memory.values())

    @property
    def attempts(self) -> frozenset[str]:
        """Those that have a result, whatever the record says of them."""
        in_memory = (result.attempt_id for result in self._memory.values())
        return frozenset((*map(attempt_of, self._files.values()), *in_memory))

    @property
    def aside(self) -> tuple[Path, ...]:
        """Files that were set aside, as of the last look."""
        return self._aside

    @property
    def left_over(self) -> tuple[Path, ...]:
        """Files of results that are on record, which could not be removed."""
        return tuple(sorted(self._left_over))

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

    def keep(self, result: Result) -> Path | None:
        """Its file; None if it could only be remembered. Never raises."""
        self._last += 1
        number = self._last
        self._memory[number] = result
        self.save()
        return self._files.get(number)

    def save(self) -> None:
        """Give files to the results that have none, as far as the disk allows."""
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

    def settle(self, commit: Callable[[Result], None]) -> Settled:
        """Commit what waits, in the order of writing, until the database refuses. `commit` raises
        DatabaseError, or ResultSetAside for what can never be recorded."""
        self.why = ""
        self._look_again()
        recorded: list[AttemptRecord] = []
        aside: list[tuple[Path, str]] = []
        until_s = time.monotonic() + TURN_S
        for number in sorted((*self._files, *self._memory)):
            if time.monotonic() > until_s:
                break
            try:
                result = self._result(number)
                commit(result)
            except ResultSetAside as error:
                aside += self._put_aside(number, error.cause)
            except DatabaseError as error:
                self.why = error.cause
                break
            except OSError as error:
                self.why = f"{self._files[number]}: {error.strerror}"
            else:
                self._forget(number)
                recorded.append(result.record)
        self.save()
        self._look_again()
        return Settled(tuple(recorded), tuple(aside))

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

    def _put_aside(self, number: int, why: str) -> list[tuple[Path, str]]:
        """A result without a file stays in memory until it has one."""
        place = self._files.get(number)
        if place is None or self._pending is None:
            self.why = why
            return []
        try:
            moved = self._pending.set_aside(place, "damaged")
        except OSError as error:
            self.why = f"{place}: {error.strerror}; {why}"
            return []
        del self._files[number]
        return [(moved, why)]
