"""Questions that an engine asks the record, off the trio thread. They never wait for the writer."""

from collections.abc import Callable, Collection
from typing import TypeVar

import trio

from station.errors import DatabaseError, RecordDamaged
from station.live import Counts
from station.model import (
    AttemptRecord,
    Operator,
    Outcome,
    Shift,
    StationEvent,
    Unit,
)
from station.patience import real_s
from station.seal.checkpoint import Checkpoint
from station.store import clashes, counts, events, people, queries, shifts, signing, unfinished
from station.store.database import SAVE_S, shown
from station.store.examine import newest_utc_us
from station.store.reading import reading

T = TypeVar("T")

_READERS = 4
"""Questions asked at once; each is one short-lived connection."""


class Asking:
    """Each question raises as `station.store.queries`."""

    def __init__(self, url: str) -> None:
        self.damaged: str | None = None
        """Once damage was met nothing is written any more: it would be lost with the file."""
        self._url = url
        self._readers = trio.CapacityLimiter(_READERS)

    async def unit_by_chip(self, chip_serial: str) -> Unit | None:
        """`queries.unit_by_chip`, off the trio thread; so are the next ones."""
        return await self._ask(lambda: queries.unit_by_chip(self._url, chip_serial))

    async def known_against(self, unit: Unit, but_attempt: str) -> clashes.Against:
        return await self._ask_soon(
            lambda: clashes.known_against(self._url, unit, but_attempt=but_attempt)
        )

    async def last_verdict(
        self, unit: Unit, *, outcome: Outcome | None = None, before_attempt: str | None = None
    ) -> AttemptRecord | None:
        def ask() -> AttemptRecord | None:
            return queries.last_verdict(
                self._url, unit, outcome=outcome, before_attempt=before_attempt
            )

        return await self._ask(ask)

    async def layout_agreed(self, chip_serial: str, package_sha256: str) -> bool:
        return await self._ask_soon(
            lambda: unfinished.layout_agreed(self._url, chip_serial, package_sha256)
        )

    async def unfinished_unit(self, chip_serial: str) -> AttemptRecord | None:
        return await self._ask(lambda: unfinished.unfinished_unit(self._url, chip_serial))

    async def unproven_attempt(self, unit: Unit) -> str | None:
        return await self._ask_soon(lambda: unfinished.unproven_attempt(self._url, unit))

    async def unfinished_slot(
        self, station: str, slot: str, port_paths: Collection[str]
    ) -> AttemptRecord | None:
        def ask() -> AttemptRecord | None:
            return unfinished.unfinished_slot(self._url, station, slot, port_paths)

        return await self._ask(ask)

    async def counts_since(self, station: str, since_utc_us: int) -> Counts:
        return await self._ask(lambda: counts.counts_since(self._url, station, since_utc_us))

    async def newest_utc_us(self) -> int | None:
        return await self._ask(lambda: newest_utc_us(self._url))

    async def last_event(self, station: str, kind: str) -> StationEvent | None:
        return await self._ask(lambda: events.last_event(self._url, station, kind))

    async def latest_verdicts(self, station: str, limit: int) -> list[AttemptRecord]:
        return await self._ask(lambda: queries.latest_verdicts(self._url, station, limit))

    async def ask(self, question: Callable[[str], T]) -> T:
        """Any other question of `station.store`: it is given the database's URL."""
        return await self._ask(lambda: question(self._url))

    async def operators(self, station: str) -> list[Operator]:
        return await self._ask(lambda: people.operators(self._url, station))

    async def open_shift(self, station: str) -> Shift | None:
        return await self._ask(lambda: shifts.open_shift(self._url, station))

    async def golden_outcomes(self, shift_id: str) -> list[tuple[Outcome, str | None]]:
        return await self._ask(lambda: shifts.golden_outcomes(self._url, shift_id))

    async def held_slots(self, station: str) -> dict[str, StationEvent]:
        return await self._ask(lambda: events.held_slots(self._url, station))

    async def newest_checkpoint(self, station: str) -> Checkpoint | None:
        """The one in the record that reaches furthest."""

        def ask() -> Checkpoint | None:
            with reading(self._url) as connection:
                return signing.newest_checkpoint(connection, station)

        return await self._ask(ask)

    async def unsigned_links(self, station: str) -> int:
        """How many were added to the station's chain since it was signed last."""
        return await self._ask(lambda: signing.unsigned_links(self._url, station))

    # --- threads ------------------------------------------------------------------------------

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await trio.to_thread.run_sync(
                question, limiter=self._readers, abandon_on_cancel=True
            )
        except RecordDamaged as error:
            self.damaged = error.cause
            raise

    async def _ask_soon(self, question: Callable[[], T]) -> T:
        """What a module waits for, whose step would blame it. Raises DatabaseError as well."""
        with trio.move_on_after(real_s(SAVE_S)):
            return await self._ask(question)
        raise self._late(SAVE_S)

    def _late(self, patience_s: float) -> DatabaseError:
        words = f"it did not answer within {patience_s:g} s"
        return DatabaseError(f"database {shown(self._url)}: {words}")
