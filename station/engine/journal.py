"""The record of one attempt while it is made.

Until the attempt is opened, facts wait in memory: a module that was only read may be forgotten,
and a refusal is opened and closed in one go. From then on each fact is committed as it becomes
true. If the database fails or hangs while a module is half written, the flash goes on, without
waiting for each fact, and the facts wait for a commit that works, at the latest the closing one: a
record can be repeated, a brick cannot. If that fails, too, the whole result waits on disk until the
database takes it, or already has it.
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
from station.store.facts import Count, Facts
from station.store.pending import Result
from station.store.writer import COMMIT_S, Store


@dataclass(slots=True)
class Journal:
    """A `station.flash.session.Recorder` on the database."""

    store: Store
    attempt_id: str
    is_open: bool = False
    """On record, as far as anybody here knows."""
    facts: Facts = field(init=False)
    _opened: AttemptOpened | None = None
    """As it was given to the database, were it in vain: a commit may come about late."""

    def __post_init__(self) -> None:
        self.facts = Facts(self.attempt_id)

    @property
    def steps(self) -> list[StepRecord]:
        return self.facts.steps

    async def open(self, opened: AttemptOpened) -> None:
        """Commit the attempt with the steps so far. Raises StoreError: then nothing is written, or
        too late to be waited for."""
        self._opened, steps = opened, tuple(self.steps)
        await self.store.open_attempt(opened, steps)
        self.facts.saved = Count(steps=len(steps))
        self.is_open = True

    async def step(self, record: StepRecord) -> None:
        self.steps.append(record)
        await self._save_if_possible()

    async def image(self, image: ImageSent) -> None:
        self.facts.images.append(image)
        await self._save_if_possible()

    async def identifiers(self, identifiers: tuple[Identifier, ...]) -> None:
        """Committed before anything is erased. Raises StoreError."""
        self.facts.names += identifiers
        await self.store.save(self.facts, patience_s=COMMIT_S)

    async def learn(self, identifiers: tuple[Identifier, ...]) -> None:
        """Names read when the module is written already: they may wait for `close`."""
        self.facts.names += identifiers
        await self._save_if_possible()

    async def close(self, opened: AttemptOpened, closed: AttemptClosed) -> AttemptRecord:
        """Commit the verdict and whatever is still waiting, `opened` too if it never was. Raises
        NotRecorded, with everything kept, whatever was in the way."""
        opened = self._opened or opened
        facts = self.facts
        record = AttemptRecord(opened, closed, tuple(facts.steps), tuple(facts.images))
        try:
            if not self.is_open:
                await self.open(opened)
            await self.store.close_attempt(closed, facts)
        except Exception as error:
            cause = error.cause if isinstance(error, StationError) else repr(error)
            place = await self.store.keep(Result(record, tuple(facts.names)))
            where = "only the engine remembers it" if place is None else f"it waits in {place}"
            raise NotRecorded(f"the result is not on record, {where}: {cause}") from error
        return record

    async def _save_if_possible(self) -> None:
        if not self.is_open or not self.store.is_writable:
            return
        try:
            await self.store.save(self.facts)
        except StoreError:
            return  # waits for `close`, which raises if the trouble lasts
