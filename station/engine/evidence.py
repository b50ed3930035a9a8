"""What is kept of an attempt. Whatever goes wrong with its transcript is told, and costs no
verdict and no time worth the name; a dump is kept before the first erase, or there is none."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import trio

from station.config import Settings
from station.disk import Disk
from station.errors import DumpNotKept, EvidenceNotKept
from station.evidence.cabinet import EFS2, Cabinet
from station.evidence.dump import Dump
from station.evidence.lines import Value
from station.evidence.transcript import Transcript
from station.model import DeviceInfo, EvidenceRef, Failure, Outcome
from station.store.writer import Store

T = TypeVar("T")

SETTLE_EVERY_S = 1.0
PATIENCE_S = 5.0
"""A disk that takes longer for a few kilobytes gets no more of them; nobody waits for it."""
DUMP_PATIENCE_S = 30.0
"""For a piece of a dump, and for all of it to be safe."""

THREADS = 4
"""A tray's attempts write side by side; so many threads are lost to a folder that hangs."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the closing row tells: the files, or why there is no transcript."""

    files: tuple[EvidenceRef, ...] = ()
    trouble: EvidenceNotKept | None = None

    @property
    def readings(self) -> dict[str, str]:
        return {} if self.trouble is None else {"evidence": f"not stored: {self.trouble.cause}"}

    @property
    def words(self) -> str:
        told = (f"{name} {words}" for name, words in self.readings.items())
        return " ".join((EvidenceNotKept.code, *told))


class Evidence(Transcript):
    """A `station.flash.tape.Tape` that ends in the cabinet."""

    def __init__(
        self, cabinet: Cabinet, disk: Disk, attempt_id: str, header: Mapping[str, Value]
    ) -> None:
        """`disk` is that of the cabinet, the same for every attempt."""
        super().__init__({"attempt": attempt_id, **header}, trio.current_time)
        self._cabinet = cabinet
        self._disk = disk
        self._attempt_id = attempt_id
        self._settled_at = trio.current_time()
        self._spool_failed = False
        self._is_kept = False
        self._dumps: list[EvidenceRef] = []

    def occupied(self, device: DeviceInfo | None) -> None:
        """Who is in the slot now."""
        if device is None:
            self.said("port", "the slot is empty")
        else:
            where = f"{device.path}, enumeration {device.generation}"
            self.said("port", f"{device.usb_id} on {where}")

    async def settle(self) -> None:
        """Spool what is new, so that it outlives a dead engine."""
        now = trio.current_time()
        if self._spool_failed or now < self._settled_at + SETTLE_EVERY_S:
            return
        self._settled_at = now
        if data := self.take():
            try:
                await _written(self._disk, lambda: self._cabinet.spool(self._attempt_id, data))
            except EvidenceNotKept:
                self._spool_failed = True  # `keep` tries once more, and tells

    async def keep(self, outcome: Outcome, failure: Failure | None) -> Kept:
        """Put the whole transcript away, safely, before the closing row names it."""
        why = "" if failure is None else f" {failure.code}: {failure.cause}"
        self.said("verdict", f"{outcome.value}{why}")
        data = self.whole()
        try:
            transcript = await _written(self._disk, lambda: self._cabinet.put(data))
        except EvidenceNotKept as error:
            return Kept(tuple(self._dumps), error)
        self._is_kept = True
        return Kept((transcript, *self._dumps))

    @asynccontextmanager
    async def dump(self) -> AsyncIterator["KeptDump"]:
        """A file for memory that is read out of the module. Raises DumpNotKept."""
        dump = Dump(self._cabinet, self._attempt_id)
        await _or_no_dump(self._disk, dump.drop)
        try:
            yield KeptDump(dump, self._disk, self._dumps.append)
        finally:
            with trio.CancelScope(shield=True), suppress(DumpNotKept):
                await _or_no_dump(self._disk, dump.drop)

    async def done(self) -> None:
        """The closing row is committed; what was spooled of a transcript that is not kept stays."""
        kinds = () if self._is_kept else (EFS2,)
        with suppress(EvidenceNotKept):
            await _written(self._disk, lambda: self._cabinet.drop(self._attempt_id, *kinds))


@dataclass(frozen=True, slots=True)
class KeptDump:
    """A `station.flash.session.DumpFile`; `kept` is told what the closing row shall name."""

    dump: Dump
    disk: Disk
    kept: Callable[[EvidenceRef], None]

    async def add(self, data: bytes) -> None:
        await _or_no_dump(self.disk, lambda: self.dump.add(data))

    async def keep(self) -> EvidenceRef:
        ref = await _or_no_dump(self.disk, self.dump.keep)
        self.kept(ref)
        return ref


async def _or_no_dump(disk: Disk, work: Callable[[], T]) -> T:
    try:
        return await _written(disk, work, DUMP_PATIENCE_S)
    except EvidenceNotKept as error:
        raise DumpNotKept(error.cause) from error


async def close_interrupted(store: Store, settings: Settings) -> None:
    """End what a dead engine left open, with what it had heard so far, or why that is not there.
    Raises StoreError."""
    cabinet, disk, station = Cabinet(settings.evidence), Disk(), settings.station.name
    found = await _adopted(cabinet, disk, await store.left_open(station=station))
    closed = await store.close_interrupted(
        station=station,
        evidence={attempt_id: ref for attempt_id, kept in found.items() for ref in kept.files},
        readings={attempt_id: kept.readings for attempt_id, kept in found.items()},
    )
    troubled = {attempt_id for attempt_id, kept in found.items() if kept.trouble is not None}

    def tidy() -> None:
        """What was not kept is left where it is."""
        for attempt_id in set(closed) - troubled:
            cabinet.drop(attempt_id)
        if not troubled:
            cabinet.sweep()

    if disk.is_busy:
        return  # it hangs
    with suppress(EvidenceNotKept):
        await _written(disk, tidy)


async def _adopted(cabinet: Cabinet, disk: Disk, attempts: Iterable[str]) -> dict[str, Kept]:
    """A disk that hangs once is asked no more in this start."""
    found: dict[str, Kept] = {}
    trouble: EvidenceNotKept | None = None
    for attempt_id in attempts:
        found[attempt_id] = Kept(trouble=trouble)
        if trouble is not None:
            continue
        try:
            spooled = await _written(disk, partial(cabinet.adopt, attempt_id))
        except EvidenceNotKept as error:
            found[attempt_id] = Kept(trouble=error)
            if disk.is_busy:
                trouble = EvidenceNotKept(f"not looked for; of another attempt: {error.cause}")
        else:
            found[attempt_id] = Kept((spooled,) if spooled else ())
    return found


async def _written(disk: Disk, work: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Raises EvidenceNotKept, too, for a disk that takes too long."""
    try:
        return await disk.ask(work, patience_s)
    except EvidenceNotKept:
        raise
    except trio.TooSlowError:
        raise EvidenceNotKept(f"the disk did not take it within {patience_s:g} s") from None
    except Exception as error:
        raise EvidenceNotKept(f"{type(error).__name__}: {error}") from error
