"""The record of one attempt while it is made.

Until the attempt is opened, facts wait in memory: a module that was only read may be forgotten,
and a refusal is opened and closed in one go. From then on each fact is committed as it becomes
true. If the database fails while a module is half written, the flash goes on, without waiting for
each fact, and the facts wait for a commit that works, at the latest the closing one: a record can
be repeated, a brick cannot. If that fails, too, the whole result waits on disk until the database
takes it.
"""

from dataclasses import dataclass, field

from station.errors import NotRecorded, StationError, StoreError
from station.model import (
    AttemptClosed,
    AttemptOpened,
    AttemptRecord,
    Identifier,
    ImageSent,
    StepRecord,
)
from station.store.pending import Result
from station.store.writer import Store


@dataclass(slots=True)
class Journal:
    """A `station.flash.session.Recorder` on the database."""

    store: Store
    attempt_id: str
    opened: AttemptOpened | None = None
    steps: list[StepRecord] = field(default_factory=list)
    images: list[ImageSent] = field(default_factory=list)
    _saved_steps: int = 0
    _saved_images: int = 0
    _learnt: tuple[Identifier, ...] = ()
    _names: tuple[Identifier, ...] = ()
    """All that were read since the attempt was opened."""

    async def open(self, opened: AttemptOpened) -> None:
        """Commit the attempt with the steps so far. Raises StoreError: then nothing is written."""
        await self.store.open_attempt(opened, tuple(self.steps))
        self.opened = opened
        self._saved_steps = len(self.steps)

    async def step(self, record: StepRecord) -> None:
        self.steps.append(record)
        await self._save_if_possible()

    async def image(self, image: ImageSent) -> None:
        self.images.append(image)
        await self._save_if_possible()

    async def identifiers(self, identifiers: tuple[Identifier, ...]) -> None:
        """Committed before anything is erased. Raises StoreError."""
        self._names += identifiers
        await self.store.add_identifiers(self.attempt_id, identifiers)

    async def learn(self, identifiers: tuple[Identifier, ...]) -> None:
        """Names read when the module is written already: they may wait for `close`."""
        self._names += identifiers
        self._learnt += identifiers
        await self._save_if_possible()

    async def close(self, opened: AttemptOpened, closed: AttemptClosed) -> AttemptRecord:
        """Commit the verdict and whatever is still waiting, `opened` too if it never was. Raises
        NotRecorded, with everything kept, whatever was in the way."""
        record = AttemptRecord(self.opened or opened, closed, tuple(self.steps), tuple(self.images))
        try:
            if self.opened is None:
                await self.open(opened)
            await self._save()
            await self.store.close_attempt(closed)
        except Exception as error:
            cause = error.cause if isinstance(error, StationError) else repr(error)
            place = await self.store.keep(Result(record, self._names))
            where = "only the engine remembers it" if place is None else f"it waits in {place}"
            raise NotRecorded(f"the result is not on record, {where}: {cause}") from error
        return record

    async def _save_if_possible(self) -> None:
        if self.opened is None or not self.store.is_writable:
            return
        try:
            await self._save()
        except StoreError:
            return  # waits for `close`, which raises if the trouble lasts

    async def _save(self) -> None:
        while self._saved_steps < len(self.steps):
            await self.store.add_step(self.attempt_id, self.steps[self._saved_steps])
            self._saved_steps += 1
        while self._saved_images < len(self.images):
            ordinal = self._saved_images + 1
            await self.store.add_image(self.attempt_id, ordinal, self.images[ordinal - 1])
            self._saved_images = ordinal
        if self._learnt:
            await self.store.add_identifiers(self.attempt_id, self._learnt)
            self._learnt = ()
