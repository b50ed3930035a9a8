"""Signs the record while the line runs: at the start, at the end of a shift, when it has grown, and
when the engine stops. No module waits for it."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from station.config import Settings
from station.errors import DatabaseError, NotPublished
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey, load_key
from station.seal.published import publish
from station.store.writer import Store

LOOK_S = 60.0
PUBLISH_S = 10.0
"""A file on another machine may never answer."""


@dataclass(slots=True)
class Notary:
    """Made by `notary`. `trouble`: what keeps checkpoints from where they are published."""

    store: Store
    station: str
    key: PrivateKey | None
    publish_to: Path | None
    every_links: int
    trouble: str | None = None
    _rung: trio.Event = field(default_factory=trio.Event)
    _due: list[Checkpoint] = field(default_factory=list)
    _limiter: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    async def sign(self, reason: str) -> None:
        """As far as the record goes; what it meets is in `trouble`, or told by the store."""
        if self.key is None:
            return
        try:
            made = await self.store.sign(self.station, self.key, reason)
        except DatabaseError:
            return  # the engine knows: nothing else can be recorded, either
        if made is not None and self.publish_to is not None:
            self._due.append(made)
        await self._publish()

    async def sign_if_grown(self) -> None:
        """Once `every_links` were added since it was signed last."""
        if self.key is None:
            return
        try:
            grown = await self.store.unsigned_links(self.station)
        except DatabaseError:
            return
        if grown >= self.every_links:
            await self.sign("rows")
        else:
            await self._publish()

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

    async def _publish(self) -> None:
        while self._due and self.publish_to is not None:
            work = partial(publish, self._due[0], self.publish_to)
            try:
                with trio.fail_after(PUBLISH_S):
                    await trio.to_thread.run_sync(
                        work, limiter=self._limiter, abandon_on_cancel=True
                    )
            except NotPublished as error:
                self.trouble = error.cause
                return
            except trio.TooSlowError:
                self.trouble = f"{self.publish_to} did not answer within {PUBLISH_S:g} s"
                return
            self._due.pop(0)
        self.trouble = None


async def notary(store: Store, settings: Settings) -> Notary:
    """Without a key nothing is signed; `station doctor` says so. Raises NoSigningKey for one that
    cannot be used."""
    key: PrivateKey | None = None
    if settings.audit.key is not None or settings.key.exists():
        key = await trio.to_thread.run_sync(load_key, settings.key)
    return Notary(store, settings.station.name, key, settings.publish, settings.audit.every_links)
