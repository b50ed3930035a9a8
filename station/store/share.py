"""Which links of the chains one process looks at."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

RUN = 1 << 16
"""Links, some thousand attempts: who looks at the others passes over them together."""


@dataclass(frozen=True, slots=True)
class Share:
    """Of all links in runs of `run`, every `of`th of these, from the `number`th on."""

    number: int = 0
    of: int = 1
    run: int = RUN

    def rows(self, seq: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Those that say they are of such links; what names no link is of the first share."""
        if self.of == 1:
            return sa.true()
        is_link = sa.and_(sa.func.typeof(seq) == "integer", seq > 0)
        return sa.case((is_link, (seq // self.run) % self.of), else_=0) == self.number

    def links(self, count: int) -> Iterator[range]:
        """Those from 1 to `count`."""
        if self.of == 1:
            yield range(1, count + 1)
            return
        for first in range(self.number * self.run, count + 1, self.of * self.run):
            yield range(max(first, 1), min(first + self.run, count + 1))

    def how_many(self, count: int) -> int:
        return sum(map(len, self.links(count)))


WHOLE = Share()
