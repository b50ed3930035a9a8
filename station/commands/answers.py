"""Answers on stdout, however many: a table for people, JSON lines and CSV for programs.

Some hundred are in memory at a time; a long table has its head again where the next begin.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Generic, TypeVar

from rich.table import Table
from rich.text import Text

from station.commands.exits import show
from station.commands.reporter import print_table
from station.errors import UsageError
from station.wire import cell

T = TypeVar("T")

_AT_ONCE = 500
_WITH_PARTS = (dict, list)


class Form(Enum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def form_of(*, as_json: bool, as_csv: bool) -> Form:
    """Raises UsageError if both are wanted."""
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """How one kind of answer is told. `keys` are those of `facts`; both are a contract: names stay,
    nothing is taken away. A fact with parts is JSON within its cell of CSV. `columns` are for
    people."""

    keys: Sequence[str]
    facts: Callable[[T], Mapping[str, object]]
    columns: Mapping[str, Callable[[T], str]]


def answer(found: Iterable[T], shape: Shape[T], form: Form) -> None:
    """Print all that is found; nothing is an empty answer, in CSV the head alone."""
    if form is Form.CSV:
        show(csv_lines([shape.keys]))
    for some in in_parts(found):
        if form is Form.JSON:
            show("\n".join(json.dumps(shape.facts(one)) for one in some))
        elif form is Form.CSV:
            facts = [shape.facts(one) for one in some]
            show(csv_lines([_cell(one[key]) for key in shape.keys] for one in facts))
        else:
            _print(some, shape.columns)


def in_parts(found: Iterable[T]) -> Iterator[list[T]]:
    """All, some hundred at a time."""
    left = iter(found)
    while some := list(islice(left, _AT_ONCE)):
        yield some


def csv_lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(fact: object) -> str:
    return cell(json.dumps(fact) if isinstance(fact, _WITH_PARTS) else fact)


def _print(some: Sequence[T], columns: Mapping[str, Callable[[T], str]]) -> None:
    table = Table()
    for title in columns:
        table.add_column(title, overflow="fold")
    for one in some:
        table.add_row(*(Text(shown(one)) for shown in columns.values()))
    print_table(table)
