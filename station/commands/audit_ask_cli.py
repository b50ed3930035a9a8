"""The arguments of what `station audit` answers besides attempts."""

from typing import Annotated

import typer

from station.commands import audit, audit_ask
from station.commands.answers import form_of
from station.commands.exits import station_errors
from station.commands.options import Config, Csv, Since, Until, settings_of
from station.commands.span import span_of
from station.store.yields import By

app = typer.Typer()

Station = Annotated[
    str | None, typer.Option(help="Of this station; default: of all that share the record.")
]
Slot = Annotated[str | None, typer.Option(help="Begun in this slot.")]


def _stripped(text: str | None) -> str | None:
    """What is scanned or pasted may bring blanks along; no name on record has any around it."""
    return None if text is None else text.strip()


Name = Annotated[
    str | None,
    typer.Option(help="IMEI, serial, chip serial or label of the unit.", callback=_stripped),
]
Imei = Annotated[
    str | None, typer.Option(help="Of the unit, 15 digits; no other name.", callback=_stripped)
]
Serial = Annotated[
    str | None, typer.Option(help="Serial number of the unit, as it tells it.", callback=_stripped)
]
Chip = Annotated[str | None, typer.Option(help="Chip serial, 8 hex digits.", callback=_stripped)]
Operator = Annotated[str | None, typer.Option(help="Begun by this person.", callback=_stripped)]
Lot = Annotated[str | None, typer.Option(help="Begun for this lot.", callback=_stripped)]
Shift = Annotated[
    str | None,
    typer.Option(
        help="`last` (with --station, where stations share the record), or the id of a shift or "
        "its first characters."
    ),
]
OutcomeName = Annotated[
    str | None, typer.Option("--outcome", help="PASS, NO_CHANGE, FAIL, BLOCKED, ERROR, ABORTED, …")
]
Code = Annotated[str | None, typer.Option(help="Of the failure, e.g. D206.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON line per row on stdout.")]
Package = Annotated[
    str | None, typer.Option(help="Name or sha256 of a package, or 8 digits of it at least.")
]
Firmware = Annotated[str | None, typer.Option(help="Version; a trailing * is a wild card.")]


@app.command("recall")
def _recall(
    package: Package = None,
    firmware: Firmware = None,
    station: Annotated[
        str | None, typer.Option(help="Only units whose latest good flash was made there.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """Units whose latest good flash (PASS or NO_CHANGE) is this package or version."""
    with station_errors():
        audit_ask.tell_recall(
            settings_of(config),
            package=package,
            firmware=firmware,
            station=station,
            form=form_of(as_json=json, as_csv=csv),
        )


@app.command("ever")
def _ever(
    package: Package = None,
    firmware: Firmware = None,
    station: Annotated[
        str | None, typer.Option(help="Only units that had such a flash there.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """Units that ever had a good flash with this, and whether it is still the latest."""
    with station_errors():
        audit_ask.tell_ever(
            settings_of(config),
            package=package,
            firmware=firmware,
            station=station,
            form=form_of(as_json=json, as_csv=csv),
        )


@app.command("pareto")
def _pareto(
    since: Since = None,
    until: Until = None,
    station: Station = None,
    slot: Slot = None,
    operator: Operator = None,
    lot: Lot = None,
    shift: Shift = None,
    json: Json = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """Failure codes, the most frequent first, without golden units."""
    with station_errors():
        form = form_of(as_json=json, as_csv=csv)
        scope = audit.scope_of(
            since=since,
            until=until,
            station=station,
            slot=slot,
            operator=operator,
            lot=lot,
            shift=shift,
        )
        audit_ask.tell_pareto(settings_of(config), scope, form)


@app.command("yield")
def _yield(
    since: Since = None,
    until: Until = None,
    by: Annotated[By, typer.Option(help="A row for each; days are UTC.")] = By.ALL,
    station: Station = None,
    slot: Slot = None,
    operator: Operator = None,
    lot: Lot = None,
    shift: Shift = None,
    json: Json = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """First-pass yield, final yield, retest rate, and what is in none of them."""
    with station_errors():
        form = form_of(as_json=json, as_csv=csv)
        scope = audit.scope_of(
            since=since,
            until=until,
            station=station,
            slot=slot,
            operator=operator,
            lot=lot,
            shift=shift,
        )
        audit_ask.tell_yield(settings_of(config), scope, by, form)


@app.command("clashes")
def _clashes(
    since: Since = None,
    until: Until = None,
    station: Station = None,
    json: Json = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """Names that cannot be right or that two units go by, with all names of both."""
    with station_errors():
        audit_ask.tell_clashes(
            settings_of(config),
            span=span_of(since, until),
            station=station,
            form=form_of(as_json=json, as_csv=csv),
        )


@app.command("open")
def _open(
    since: Since = None,
    until: Until = None,
    station: Station = None,
    slot: Slot = None,
    json: Json = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """Attempts without an end: running now, or left by an engine that died."""
    with station_errors():
        form = form_of(as_json=json, as_csv=csv)
        scope = audit.scope_of(since=since, until=until, station=station, slot=slot)
        audit.tell_open(settings_of(config), scope, form)
