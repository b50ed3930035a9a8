"""The facts of one attempt, on their way into the record.

How many are there already is asked and told in the writer's thread, where one transaction follows
the other. So nobody has to wait for a commit: one that comes about late has counted what it wrote,
and the next one writes the rest, in its order.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from station.model import Identifier, ImageSent, StepRecord
from station.store import schema
from station.store.batch import Batch
from station.store.inserts import insert_names
from station.store.rows import image_row, step_row


class Count(NamedTuple):
    """Of each kind."""

    steps: int = 0
    images: int = 0
    names: int = 0


_NONE = Count()


@dataclass(slots=True)
class Facts:
    """Whoever makes the attempt adds to the lists. `names` are those read since it was opened."""

    attempt_id: str
    steps: list[StepRecord] = field(default_factory=list)
    images: list[ImageSent] = field(default_factory=list)
    names: list[Identifier] = field(default_factory=list)
    saved: Count = _NONE

    @property
    def count(self) -> Count:
        return Count(len(self.steps), len(self.images), len(self.names))

    def insert(self, batch: Batch, *, seen_utc_us: int) -> Count:
        """What is not on record yet; what is `saved` once that is committed."""
        old, new = self.saved, self.count
        steps = self.steps[old.steps : new.steps]
        batch.insert(schema.step, [step_row(self.attempt_id, step) for step in steps])
        images = enumerate(self.images[old.images : new.images], old.images + 1)
        rows = [image_row(self.attempt_id, ordinal, image) for ordinal, image in images]
        batch.insert(schema.image_sent, rows)
        if names := self.names[old.names : new.names]:
            insert_names(batch, self.attempt_id, names, seen_utc_us=seen_utc_us)
        return new
