"""What the history says of an attempt, from its record. Pure."""

from rich.style import Style
from rich.text import Text

from station.dashboard.face import VERDICTS, Face
from station.dashboard.palette import Kind, Palette
from station.dashboard.paper import (
    StepRow,
    day_and_clock,
    fields,
    joined,
    paragraph,
    seconds,
    step_rows,
    trouble,
)
from station.dashboard.words import clock, cut_front
from station.model import AttemptRecord, IdKind, StepRecord

_OPEN = Face(Kind.RUN, "◔", "RUNNING", "RUN")
"""Opened and not closed: it runs, or the station lost its power and has not started since."""

COLUMNS = ("when", "slot", "verdict", "code", "took", "recipe", "before", "after", "operator")


def row(palette: Palette, record: AttemptRecord, firmware_columns: int) -> tuple[Text, ...]:
    """The attempt as a row of the table, in the order of COLUMNS; of builds at least the end."""
    opened, closed = record.opened, record.closed
    shown = face_of_record(record)
    cells = (
        f"{day_and_clock(opened.started_utc_us)[:16]}",
        opened.slot,
        f"{shown.shape} {shown.word}",
        closed.failure.code if closed and closed.failure else "",
        seconds(closed.duration_us) if closed else "",
        opened.recipe.name if opened.recipe else "",
        cut_front(opened.unit.firmware or "", firmware_columns),
        cut_front((closed.firmware_after if closed else None) or "", firmware_columns),
        opened.operator,
    )
    accent = Style(color=palette.accent[shown.kind].color, bold=True)
    return tuple(
        Text(palette.text(cell), accent if name in ("verdict", "code") else "", no_wrap=True)
        for name, cell in zip(COLUMNS, cells, strict=True)
    )


def face_of_record(record: AttemptRecord) -> Face:
    """The face of its verdict, or of having none yet."""
    return VERDICTS[record.closed.outcome] if record.closed else _OPEN


def details(palette: Palette, record: AttemptRecord, columns: int) -> Text:
    """Everything about one attempt that a person asks for."""
    opened, closed = record.opened, record.closed
    package = opened.package
    recipe = opened.recipe
    pairs: list[tuple[str, str | None]] = [
        *_names(record),
        ("model", opened.unit.model),
        ("SKU", opened.unit.sku),
        ("before", opened.unit.firmware or "-"),
        ("after", (closed.firmware_after if closed else None) or "-"),
        ("recipe", f"{recipe.name} revision {recipe.revision}" if recipe else None),
        ("package", package.name if package else None),
        ("sha256", package.sha256 if package else None),
        ("checked by", closed.verify.value if closed else None),
        ("operator", opened.operator),
        ("station", opened.station),
        ("slot", opened.slot),
        ("USB", opened.port_path),
        ("began", day_and_clock(opened.started_utc_us)),
        ("ended", clock(closed.ended_utc_us) if closed else None),
        ("attempt", opened.attempt_id),
        ("software", opened.software_version),
    ]
    said = [StepRow(s.name, s.outcome, s.duration_us, _detail(s)) for s in record.steps]
    return joined(
        _failure(palette, record, columns),
        fields(palette, pairs, columns),
        step_rows(palette, said, columns),
    )


def _names(record: AttemptRecord) -> list[tuple[str, str | None]]:
    """The unit's names as they were read before and after, each once."""
    labels = {IdKind.IMEI: "IMEI", IdKind.SERIAL: "serial", IdKind.CHIP: "chip"}
    units = [record.opened.unit, *([record.closed.unit] if record.closed else [])]
    names = [(each.kind, each.value) for each in record.opened.identifiers]
    for unit in units:
        names.append((IdKind.IMEI, unit.imei or ""))
        names.append((IdKind.SERIAL, unit.serial or ""))
        names.append((IdKind.CHIP, unit.chip_serial or ""))
    kinds = list(IdKind)
    found = sorted({name for name in names if name[1]}, key=lambda n: (kinds.index(n[0]), n[1]))
    return [(labels.get(kind, kind.value), value) for kind, value in found]


def _detail(step: StepRecord) -> str:
    told = [f"{name} {value}" for name, value in step.detail.items()]
    again = {0: [], 1: ["tried twice"]}.get(step.retries, [f"tried {step.retries + 1} times"])
    return ", ".join([*again, *told])


def _failure(palette: Palette, record: AttemptRecord, columns: int) -> Text:
    if record.closed is None:
        return paragraph(palette, "No verdict yet.", columns, palette.dim)
    failure = record.closed.failure
    if failure is None:
        return Text()
    return trouble(palette, failure, face_of_record(record).kind, columns)
