"""How far those have come who look at a whole record: a large one takes more than an hour."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Far:
    """`rows`: the share of all rows that was held against the chain, 0 to 1. `tables`: so many of
    `of` have had their turn; their pages and indexes are looked at after the rows."""

    rows: float
    tables: int
    of: int


Came = Callable[[Far], None]
"""Is told again and again, at least once a second or so, but not while a single process looks at
the pages of a table."""


def unheard(_: Far) -> None:
    """Nobody wants to know."""


def counted(tables: Sequence[str], came: Came) -> Iterator[str]:
    for number, table in enumerate(tables, 1):
        came(Far(1.0, number, len(tables)))
        yield table
