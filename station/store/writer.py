"""The one writer. Each call is one transaction in one thread hop and returns after COMMIT; only
verdicts that wait at the same time share one (`station.store.together`).

Frozen model objects go in, nothing of SQLAlchemy comes out. A call that has begun is never cut
by cancellation: trio waits for the thread, so a commit happens wholly or not at all; a call
cancelled before it began has written nothing. `close_attempt` runs even in a cancelled scope.

A database may hang and not fail. Who does not get the writer in time has written nothing. An
attempt waits no longer for its own commit, either, which may then still come about, wholly.
Whatever goes wrong in the database or on its disk is a `DatabaseError`, also that its file is not
in its place any more. Questions go by threads of their own and never wait for a commit.
"""

import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import sqlalchemy as sa
import trio

from station.errors import DatabaseError, RecordDamaged, ResultSetAside
from station.model import (
    AttemptClosed,
    AttemptOpened,
    EvidenceRef,
    Lot,
    Operator,
    Shift,
    StationEvent,
    StepRecord,
)
from station.patience import real_s
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store import (
    ids,
    people,
    schema,
    shifts,
    signing,
)
from station.store.asking import Asking
from station.store.batch import Batch, batch_of
from station.store.boots import Boot, insert_boot
from station.store.database import SAVE_S, database_errors, is_refused, writer_engine
from station.store.examine import newest_key, require_whole
from station.store.facts import Facts
from station.store.in_place import InPlace
from station.store.inserts import (
    insert_attempt,
    insert_verdict,
    interrupted_row,
    open_attempts,
)
from station.store.pending import Pending, Result, beside
from station.store.revision import check
from station.store.rows import event_row, evidence_row, reading_rows, step_row
from station.store.settle import insert_missing
from station.store.slot_states import SlotChange, insert_slot_changes
from station.store.together import Together
from station.store.unit_events import Judgement, UnitEvent, judge
from station.store.waiting import TURN_S, Settled, Waiting

T = TypeVar("T")

WHOLE_S = 5.0
"""A start looks for damage so long; a large record is looked through by `station doctor`."""

COMMIT_S = 15.0
"""For what must be on record before anything goes on, and for the writer that somebody else has."""

SETTLE_S = TURN_S + SAVE_S
KEEP_S = 5.0
"""A disk gets so long to take a result."""


def now_utc_us() -> int:
    """The wall clock, read in this one place: microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


@asynccontextmanager
async def open_store(
    url: str, *, clock: Callable[[], int] = now_utc_us, pending: Path | None = None
) -> AsyncIterator["Store"]:
    """The record, ready for writing. The database must exist at the right revision: raises
    DatabaseError, SchemaOutdated, SchemaTooNew, RecordDamaged, DiskTrouble. `clock`: microseconds,
    UTC. `pending`: where results wait that cannot be committed; beside a SQLite file if not given.
    """
    limiter = trio.CapacityLimiter(1)
    in_place = await trio.to_thread.run_sync(InPlace, url, limiter=limiter)
    await trio.to_thread.run_sync(check, url, limiter=limiter)
    await trio.to_thread.run_sync(require_whole, url, WHOLE_S, limiter=limiter)
    ids.after(await trio.to_thread.run_sync(newest_key, url, limiter=limiter))
    folder = pending or beside(url)
    waiting = Waiting(None if folder is None else Pending(folder))
    await trio.to_thread.run_sync(waiting.prepare, limiter=limiter)
    engine = writer_engine(url)
    try:
        await trio.to_thread.run_sync(_connect, url, engine, in_place, limiter=limiter)
        yield Store(url, engine, limiter, clock, waiting, in_place)
    finally:
        # One that hangs is left to the process.
        with trio.move_on_after(real_s(SAVE_S), shield=True):
            await trio.to_thread.run_sync(engine.dispose, limiter=limiter, abandon_on_cancel=True)


def _connect(url: str, engine: sa.Engine, in_place: InPlace) -> None:
    """For good: there is one connection, and it is to the file that was looked at."""
    with database_errors(url), engine.connect():
        in_place.require()


class Store(Asking):
    """Made by `open_store`."""

    def __init__(
        self,
        url: str,
        engine: sa.Engine,
        limiter: trio.CapacityLimiter,
        clock: Callable[[], int],
        waiting: Waiting,
        in_place: InPlace,
    ) -> None:
        super().__init__(url)
        self.waiting = waiting
        self.is_writable = True
        """The last transaction succeeded. What may wait should, until one does: each that meets a
        lock costs BUSY_TIMEOUT_S, and all wait for it."""
        self._engine = engine
        self._limiter = limiter
        self._clock = clock
        self._in_place = in_place
        self._keeper = trio.CapacityLimiter(1)
        self._together = Together(self._commit_to_stay)

    # --- writing ------------------------------------------------------------------------------

    async def open_attempt(self, opened: AttemptOpened, steps: Sequence[StepRecord] = ()) -> None:
        """Commit an attempt with the steps so far, before the module is changed."""

        def work(batch: Batch) -> None:
            insert_attempt(batch, opened)
            batch.insert(schema.step, [step_row(opened.attempt_id, step) for step in steps])

        await self._in_time(COMMIT_S, self._commit_blocking, work)

    async def save(self, facts: Facts, *, patience_s: float = SAVE_S) -> None:
        """Commit what is not on record yet. Names belong to the attempt's unit; an attempt opened
        without one finds or makes a unit by them."""
        seen_us = self._clock()

        def save_blocking() -> None:
            with self._writing() as batch:
                saved = facts.insert(batch, seen_utc_us=seen_us)
            facts.saved = saved

        if facts.saved != facts.count:
            await self._in_time(patience_s, save_blocking)

    async def close_attempt(self, closed: AttemptClosed, facts: Facts | None = None) -> None:
        """Commit the verdict and the facts not yet saved; only then may it be shown. Those that
        end at the same time are committed together."""
        seen_us = self._clock()

        def work(batch: Batch) -> None:
            if facts is not None:
                facts.insert(batch, seen_utc_us=seen_us)
            insert_verdict(batch, closed)

        own = self._together.add(work)
        with trio.CancelScope(shield=True):
            try:
                await self._in_time(COMMIT_S, self._together.commit_blocking, own)
            finally:
                own.is_over = True  # given up, nobody takes it along any more

    async def left_open(
        self, *, station: str | None = None, slots: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """The attempts that a dead engine left without an end, of which no result waits.

        On a database shared by stations name the `station`, and the `slots` if several engines
        run there: an attempt that is still running elsewhere is not left.
        """

        def work(batch: Batch) -> tuple[str, ...]:
            left = self._left_open(batch.connection, station, slots)
            return tuple(row["id"] for row in left)

        return await self._commit(work)

    async def close_interrupted(
        self,
        *,
        station: str | None = None,
        slots: Collection[str] | None = None,
        evidence: Mapping[str, EvidenceRef] = MappingProxyType({}),
        readings: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> tuple[str, ...]:
        """Close what is `left_open` as INTERRUPTED (X903); returns their names. By attempt:
        `evidence` that was found of it, `readings` that its end shall have."""
        now_us = self._clock()

        def work(batch: Batch) -> tuple[str, ...]:
            left = self._left_open(batch.connection, station, slots)
            for row in left:
                attempt_id = row["id"]
                verdict = interrupted_row(batch.connection, row, now_us)
                batch.insert(schema.attempt_closed, [verdict])
                if kept := evidence.get(attempt_id):
                    batch.insert(schema.evidence, [evidence_row(attempt_id, kept)])
                batch.insert(schema.reading, reading_rows(attempt_id, readings.get(attempt_id, {})))
            return tuple(row["id"] for row in left)

        return await self._commit(work)

    def _left_open(
        self, connection: sa.Connection, station: str | None, slots: Collection[str] | None
    ) -> list[sa.RowMapping]:
        waiting = self.waiting.attempts
        found = open_attempts(connection, station, slots)
        return [row for row in found if row["id"] not in waiting]

    async def add_event(self, event: StationEvent) -> None:
        """Commit what a person did to the line, or that the engine began or ended."""
        await self._commit(lambda batch: batch.insert(schema.station_event, [event_row(event)]))

    async def add_boot(self, boot: Boot) -> None:
        await self._commit(lambda batch: insert_boot(batch, boot))

    async def add_slot_changes(self, changes: Sequence[SlotChange]) -> None:
        await self._commit(lambda batch: insert_slot_changes(batch, changes))

    async def judge_unit(self, said: Judgement) -> UnitEvent:
        """Commit what a person decided about a unit. Raises as `unit_events.judge`."""
        return await self._commit(lambda batch: judge(batch, said))

    async def write(self, work: Callable[[Batch], T]) -> T:
        """One transaction of other rows; `work` runs in the writer's thread."""
        return await self._commit(work)

    async def add_operator(self, operator: Operator) -> None:
        """Commit that a person is registered, or retired."""
        await self._commit(lambda batch: people.insert_operator(batch, operator))

    async def start_shift(self, shift: Shift) -> None:
        """Commit it; the shift before it that is still open ends with it."""
        await self._commit(lambda batch: shifts.insert_start(batch, shift))

    async def end_shift(self, shift_id: str, reason: str, ended: StationEvent) -> None:
        """Commit that it ended, and by whom."""

        def work(batch: Batch) -> None:
            shifts.insert_end(batch, ended.station, shift_id, ended.utc_us, reason)
            batch.insert(schema.station_event, [event_row(ended)])

        await self._commit(work)

    async def arm(self, armed: StationEvent, shift: Shift | None, lot: Lot | None) -> None:
        """Commit that the line is armed, with the shift that begins by it and the lot, which is
        new if the station has none of its name."""

        def work(batch: Batch) -> None:
            if shift is not None:
                shifts.insert_start(batch, shift)
            if lot is not None:
                shifts.insert_lot(batch, lot)
            batch.insert(schema.station_event, [event_row(armed)])

        await self._commit(work)

    async def sign(
        self, station: str, key: PrivateKey, reason: str, known: Checkpoint | None = None
    ) -> Checkpoint | None:
        """Sign the station's chain as far as it goes and commit that; None if nothing was added
        since it was signed last. Raises as `signing.sign`."""
        now_us = self._clock()

        def work(batch: Batch) -> Checkpoint | None:
            return signing.sign(batch, station, key, reason=reason, now_us=now_us, known=known)

        return await self._commit(work)

    async def ping(self) -> None:
        """Return once the writer has held the write lock, having written nothing. Whoever is
        cancelled leaves it behind."""

        def lock_blocking() -> None:
            with (
                self._noting_trouble(),
                self._engine.connect() as connection,
                connection.begin() as begun,
            ):
                self._in_place.require()
                begun.rollback()

        await trio.to_thread.run_sync(lock_blocking, limiter=self._limiter, abandon_on_cancel=True)

    # --- results that wait --------------------------------------------------------------------

    async def keep(self, result: Result) -> Path | None:
        """Keep a result that could not be committed: its file, or None if it is in memory only.
        To be shielded by the caller."""
        self.waiting.remember(result)
        with trio.move_on_after(real_s(KEEP_S)):
            await trio.to_thread.run_sync(
                self.waiting.save, limiter=self._keeper, abandon_on_cancel=True
            )
        return self.waiting.file_of(result.attempt_id)

    async def settle(self) -> Settled:
        """Commit what waits, as far as the database takes it, and tell what came of it. Raises
        nothing of the store's. What is given up is told the next time."""
        with trio.move_on_after(real_s(SETTLE_S)):
            await trio.to_thread.run_sync(
                self.waiting.settle,
                self._record_blocking,
                limiter=self._limiter,
                abandon_on_cancel=True,
            )
        return self.waiting.news()

    def _record_blocking(self, result: Result) -> None:
        """Raises DatabaseError; ResultSetAside for what this database will never take."""
        ids.after(result.attempt_id)
        try:
            self._commit_to_stay(lambda batch: insert_missing(batch, result))
        except DatabaseError as error:
            if is_refused(error):
                raise ResultSetAside(error.cause) from error
            raise
        except (LookupError, ValueError) as error:
            raise ResultSetAside(f"the record holds an unknown value ({error})") from error

    # --- threads ------------------------------------------------------------------------------

    async def _commit(self, work: Callable[[Batch], T]) -> T:
        """Waits for the writer no longer than COMMIT_S, for the commit itself however long."""
        with trio.move_on_after(real_s(COMMIT_S)):
            return await trio.to_thread.run_sync(self._commit_blocking, work, limiter=self._limiter)
        raise self._overdue(COMMIT_S)

    async def _in_time(
        self, patience_s: float, blocking: Callable[..., None], *arguments: object
    ) -> None:
        """In the writer's thread; not cut by a cancellation, and waited for no longer than this.
        Raises DatabaseError: then it goes on alone if it had begun."""
        await trio.lowlevel.checkpoint_if_cancelled()
        with trio.move_on_after(real_s(patience_s), shield=True) as patience:
            await trio.to_thread.run_sync(
                blocking, *arguments, limiter=self._limiter, abandon_on_cancel=True
            )
        if patience.cancelled_caught:
            raise self._overdue(patience_s)

    def _overdue(self, patience_s: float) -> DatabaseError:
        self.is_writable = False
        return self._late(patience_s)

    def _commit_blocking(self, work: Callable[[Batch], T]) -> T:
        with self._writing() as batch:
            return work(batch)

    def _commit_to_stay(self, work: Callable[[Batch], None]) -> None:
        """A verdict: it is shown, and its file removed. So the database is looked for once more
        behind the commit, which takes longer than the look before it."""
        self._commit_blocking(work)
        with self._noting_trouble():
            self._in_place.require()

    @contextmanager
    def _writing(self) -> Iterator[Batch]:
        """A transaction; none in a record that is damaged. Raises DatabaseError."""
        if self.damaged is not None:
            raise RecordDamaged(self.damaged)
        with self._noting_trouble(), batch_of(self._engine) as batch:
            yield batch
            self._in_place.require()

    @contextmanager
    def _noting_trouble(self) -> Iterator[None]:
        try:
            with database_errors(self._url):
                yield
        except DatabaseError as error:
            self.is_writable = False
            if isinstance(error, RecordDamaged):
                self.damaged = error.cause
            raise
        self.is_writable = True
