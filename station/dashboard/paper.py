"""Words and rows that the screens for reading have in common. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Protocol

from rich.cells import cell_len, chop_cells
from rich.style import Style
from rich.text import Text

from station.dashboard.block_letters import large
from station.dashboard.palette import Kind, Palette
from station.dashboard.words import local
from station.errors import UsageError
from station.model import StepOutcome


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step as it is read; `outcome` and `duration_us` are None while it runs."""

    name: str
    outcome: StepOutcome | None
    duration_us: int | None
    detail: str


class Trouble(Protocol):
    """What went wrong: an error, a failure of the record, a refusal of the engine, an alarm."""

    @property
    def code(self) -> str: ...
    @property
    def headline(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def remedy(self) -> str: ...


_MIN_DETAIL = 14
"""Cells; less of a detail tells nothing."""
_MIN_WRAPPED = 10

_MARKS = {
    StepOutcome.OK: ("✔", Kind.GOOD),
    StepOutcome.FAILED: ("✖", Kind.BAD),
    StepOutcome.SKIPPED: ("·", Kind.OFF),
    None: ("◔", Kind.RUN),
}


def remedy_of(what: Trouble) -> str:
    """What to do; empty where the cause says it: that remedy is about command lines."""
    return "" if what.code == UsageError.code else what.remedy


def seconds(duration_us: int) -> str:
    """12.3 s."""
    return f"{duration_us / 1_000_000:.1f} s"


def day_and_clock(utc_us: int) -> str:
    """2026-11-20 10:42:31, local time."""
    return f"{local(utc_us):%Y-%m-%d %H:%M:%S}"


def ink(palette: Palette, kind: Kind) -> Style:
    """The kind's colour for words on the ordinary ground."""
    return palette.screen + Style(color=palette.accent[kind].color, bold=True)


def banner(
    palette: Palette,
    text: str,
    style: Style,
    columns: int,
    rows: int,
    *,
    small: str = "",
    margin: bool = False,
) -> Text:
    """The text in letters as large as fit into so many rows, on a ground across the screen.

    `small`: what stands there instead, in one row, when no large letters fit. `margin`: with
    a row of the ground above and below.
    """
    one_row = palette.text(small or text, columns - 2)
    drawn = large(text, columns - 2, rows, palette.plain) or (one_row,)
    if margin:
        drawn = ("", *drawn, "")
    return _lines(Text(f" {row}".ljust(columns)[:columns], style) for row in drawn)


def fields(palette: Palette, pairs: Iterable[tuple[str, str | None]], columns: int) -> Text:
    """`label value` pairs, as many on a row as fit, a long value on several; those without a value
    are left out."""
    rows: list[Text] = []
    for label, value in pairs:
        if not value:
            continue
        head = f" {label} "
        first, *more = _wrapped(palette.text(value), columns - cell_len(head))
        pair = Text.assemble((head, palette.dim), (first, palette.screen), ("  ", ""))
        if rows and rows[-1].cell_len + pair.cell_len <= columns + 2:
            rows[-1].append_text(pair)
        else:
            rows.append(pair)
        rows.extend(Text(f"{'':{cell_len(head)}}{rest}  ", palette.screen) for rest in more)
    return _lines(rows)


def trouble(palette: Palette, what: Trouble, kind: Kind, columns: int) -> Text:
    """Code, headline, cause and remedy, nothing cut; of a wrong entry the cause alone."""
    head = Text(f" {palette.text(f'{what.code}  {what.headline}')} ", palette.body[kind])
    if not remedy_of(what):
        return paragraph(palette, what.cause, columns, ink(palette, kind))
    cause = paragraph(palette, what.cause, columns, palette.screen)
    remedy = paragraph(palette, f"→ {what.remedy}", columns, ink(palette, Kind.ACT))
    return _lines([head, cause, remedy])


def paragraph(palette: Palette, text: str, columns: int, style: Style) -> Text:
    return _lines(Text(f" {row}", style) for row in _wrapped(palette.text(text), columns - 2))


def step_rows(palette: Palette, steps: Sequence[StepRow], columns: int) -> Text:
    """One row a step: how it ended, name, seconds, detail as far as it fits."""
    name_columns = min(max((cell_len(step.name) for step in steps), default=0), columns // 2)
    rows = []
    for step in steps:
        mark, kind = _MARKS[step.outcome]
        took = "" if step.duration_us is None else seconds(step.duration_us)
        head = Text.assemble((f" {palette.text(mark)} ", ink(palette, kind)))
        head.append(f"{palette.text(step.name, name_columns)} {took:>8}", palette.screen)
        room = columns - head.cell_len - 2
        if step.detail and room >= _MIN_DETAIL:
            detail = palette.text(step.detail)
            head.append(f"  {detail}", palette.dim)
            head.truncate(columns, overflow="ellipsis" if not palette.plain else "crop")
        rows.append(head)
    return _lines(rows)


def joined(*parts: Text) -> Text:
    """The parts below each other, empty ones left out."""
    return _lines(part for part in parts if part)


def _wrapped(text: str, columns: int) -> list[str]:
    """At least one row; none is wider, not even in a script with double-width letters."""
    columns = max(columns, _MIN_WRAPPED)
    rows = wrap(text, columns, break_on_hyphens=False)
    return [piece for row in rows for piece in chop_cells(row, columns)] or [""]


def _lines(rows: Iterable[Text]) -> Text:
    return Text("\n", no_wrap=True).join(rows)
