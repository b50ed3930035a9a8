"""Signs the record while the line runs: at the start, at the end of a shift, when it has grown, and
when the engine stops. No module waits for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from station.config import Settings
from station.disk import Disk
from station.errors import (
    DatabaseError,
    NoCheckpoint,
    NotPublished,
    RecordChanged,
    StationError,
)
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey, find_key, load_key
from station.seal.published import last_published, publish
from station.store.writer import Store

LOOK_S = 60.0
PUBLISH_S = 10.0
"""A file on another machine may never answer."""

T = TypeVar("T")


@dataclass(slots=True)
class Notary:
    """Made by `notary`. `trouble`: what keeps checkpoints from where they are published.
    `changed`: why the record is not signed any more. `known`: the last that was published.

    Nothing is signed before the file could be read once: an older copy of the record cannot be told
    from the record without it."""

    store: Store
    station: str
    key: PrivateKey | None
    publish_to: Path | None
    every_links: int
    trouble: str | None = None
    changed: str | None = None
    known: Checkpoint | None = None
    _has_read: bool = False
    _is_begun: bool = False
    """The file must be there: one that is missing lies on a share that is not mounted."""
    _owed: str | None = None
    """Why to sign as soon as the file could be read."""
    _rung: trio.Event = field(default_factory=trio.Event)
    _due: list[Checkpoint] = field(default_factory=list)
    _disk: Disk = field(default_factory=Disk)

    async def sign(self, reason: str) -> None:
        """As far as the record goes; what it meets is in `trouble` and `changed`, or told by the
        store."""
        if self.key is None:
            return
        self._owed = reason
        if not await self._read():
            return
        self._owed = None
        try:
            made = await self.store.sign(self.station, self.key, reason, self.known)
        except RecordChanged as error:
            self.changed = error.cause
            return
        except DatabaseError:
            return  # the engine knows: nothing else can be recorded, either
        if made is not None and self.publish_to is not None:
            self._due.append(made)
        await self._publish()

    async def sign_if_grown(self) -> None:
        """Once `every_links` were added since it was signed last, or what could not be signed when
        it was asked for."""
        if self.key is None:
            return
        if self._owed is not None:
            await self.sign(self._owed)
            return
        try:
            grown = await self.store.unsigned_links(self.station)
        except DatabaseError:
            return
        if grown >= self.every_links:
            await self.sign("rows")
        else:
            await self._publish()

    def troubles(self) -> list[StationError]:
        """For people; none of it is a verdict."""
        found: list[StationError] = []
        if self.changed is not None:
            found.append(RecordChanged(self.changed))
        if self.trouble is not None:
            found.append(NotPublished(self.trouble))
        return found

    def shift_ended(self) -> None:
        """Sign soon, however little it is."""
        self._rung.set()

    async def run(self) -> None:
        while True:
            with trio.move_on_after(LOOK_S):
                await self._rung.wait()
            if self._rung.is_set():
                self._rung = trio.Event()
                await self.sign("shift")
            else:
                await self.sign_if_grown()

    async def _read(self) -> bool:
        """What is published, once; whether that worked. What an engine before this one signed and
        could not publish is due. Only for a record that was never signed a file is begun."""
        if self._has_read or self.publish_to is None:
            return True
        try:
            newest = await self.store.newest_checkpoint(self.station)
        except DatabaseError:
            return False
        self._is_begun = newest is not None
        self.known = await self._at_the_disk(
            partial(last_published, self.publish_to, self.station, must_exist=self._is_begun)
        )
        if self.trouble is not None:
            return False
        if newest is not None and (self.known is None or self.known.seq < newest.seq):
            self._due.append(newest)
        self._has_read = True
        return True

    async def _publish(self) -> None:
        while self._due and self.publish_to is not None:
            await self._at_the_disk(
                partial(publish, self._due[0], self.publish_to, must_exist=self._is_begun)
            )
            if self.trouble is not None:
                return
            self.known, self._is_begun = self._due.pop(0), True

    async def _at_the_disk(self, work: Callable[[], T]) -> T | None:
        """In a thread, and no longer than PUBLISH_S; None and `trouble` if it does not work."""
        trouble, done = None, None
        try:
            done = await self._disk.ask(work, PUBLISH_S)
        except (NotPublished, NoCheckpoint) as error:
            trouble = error.cause
        except trio.TooSlowError:
            trouble = f"{self.publish_to} did not answer within {PUBLISH_S:g} s"
        self.trouble = trouble  # not before: an alarm stays until it works again
        return done


async def notary(store: Store, settings: Settings) -> Notary:
    """Without a key nothing is signed, which `station doctor` tells. Raises NoSigningKey for one
    that cannot be used."""
    load = partial(_key_of, settings)
    key = await trio.to_thread.run_sync(load)
    return Notary(store, settings.station.name, key, settings.publish, settings.audit.every_links)


def _key_of(settings: Settings) -> PrivateKey | None:
    """One that the settings name must be there."""
    return find_key(settings.key) if settings.audit.key is None else load_key(settings.key)
