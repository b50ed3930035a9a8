"""The arguments of `station audit export` and `check-bundle`."""

from pathlib import Path
from typing import Annotated

import typer

from station.commands import audit, audit_export
from station.commands.audit_ask_cli import (
    Chip,
    Code,
    Imei,
    Lot,
    Name,
    Operator,
    OutcomeName,
    Serial,
    Shift,
    Slot,
    Station,
)
from station.commands.exits import leave, station_errors
from station.commands.options import Config, Since, Until, settings_of
from station.commands.span import span_of


def export_bundle(
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="A new file.")],
    name: Name = None,
    imei: Imei = None,
    serial: Serial = None,
    chip: Chip = None,
    firmware: Annotated[
        str | None, typer.Option(help="Version before or after; a trailing * is a wild card.")
    ] = None,
    package: Annotated[str | None, typer.Option(help="Name or sha256 of a package.")] = None,
    recall: Annotated[
        bool,
        typer.Option(
            "--recall", help="Only what `recall` lists: each unit's latest good flash is this."
        ),
    ] = False,
    station: Station = None,
    slot: Slot = None,
    operator: Operator = None,
    lot: Lot = None,
    shift: Shift = None,
    outcome: OutcomeName = None,
    code: Code = None,
    since: Since = None,
    until: Until = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not look whether the record is as it was written.")
    ] = False,
    config: Config = None,
) -> None:
    """Write what `find` or `recall` would answer into one signed file for an auditor elsewhere."""
    with station_errors():
        span = span_of(since, until)
        question = audit.Question(
            name=name,
            imei=imei,
            serial=serial,
            chip=chip,
            firmware=firmware,
            package=package,
            outcome=audit.outcome_of(outcome),
            code=code,
            since_utc_us=span.since_utc_us,
            until_utc_us=span.until_utc_us,
            station=station,
            slot=slot,
            operator=operator,
            lot=lot,
            shift=shift,
        )
        audit.check(question)
        audit_export.export(settings_of(config), question, out, is_recall=recall, quick=quick)


def check_bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="As `export` wrote it.")],
    public_key: Annotated[
        list[str] | None,
        typer.Option(help="The station's, 64 hex digits; again for more that are trusted."),
    ] = None,
) -> None:
    """Is a bundle what the station signed? Needs neither its record nor settings."""
    with station_errors():
        leave(audit_export.check(file, tuple(public_key or ())))
