"""The arguments of `station audit`."""

from pathlib import Path
from typing import Annotated

import typer

from station.commands import (
    audit,
    audit_ask_cli,
    audit_boots,
    audit_events,
    audit_export_cli,
    audit_seal,
    audit_slots,
)
from station.commands.answers import form_of
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
from station.commands.options import Config, Csv, Json, Since, Until, settings_of
from station.commands.span import span_of

app = typer.Typer(help="Which serial got which firmware.", no_args_is_help=True)
app.command("export")(audit_export_cli.export_bundle)
app.command("check-bundle")(audit_export_cli.check_bundle)


@app.command("find")
def _audit_find(
    name: Name = None,
    imei: Imei = None,
    serial: Serial = None,
    chip: Chip = None,
    firmware: Annotated[
        str | None, typer.Option(help="Version before or after; a trailing * is a wild card.")
    ] = None,
    package: Annotated[str | None, typer.Option(help="Name or sha256 of a package.")] = None,
    station: Station = None,
    slot: Slot = None,
    operator: Operator = None,
    lot: Lot = None,
    shift: Shift = None,
    outcome: OutcomeName = None,
    code: Code = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="The newest so many.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """Every attempt that fits all that is asked; nothing found is an empty answer."""
    with station_errors():
        form = form_of(as_json=json, as_csv=csv)
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
        audit.find(settings_of(config), question, form, limit)


@app.command("events")
def _audit_events(
    since: Since = None,
    until: Until = None,
    station: Station = None,
    slot: Annotated[
        str | None,
        typer.Option(help="About this slot; what is about units or people is about none."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help=f"A trailing * is a wild card. There are {', '.join(audit_events.KINDS)}."
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON line per event on stdout.")
    ] = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """What people did to the line and to units, who gave and took which role, why, and when the
    engine ran."""
    with station_errors():
        audit_events.tell_events(
            settings_of(config),
            span=span_of(since, until),
            station=station,
            slot=slot,
            kind=kind,
            form=form_of(as_json=json, as_csv=csv),
        )


@app.command("boots")
def _audit_boots(
    since: Since = None,
    until: Until = None,
    station: Station = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON line per start on stdout.")
    ] = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """Each start of an engine: software, libraries, kernel, libusb, where its slots were."""
    with station_errors():
        audit_boots.tell_boots(
            settings_of(config),
            span=span_of(since, until),
            station=station,
            form=form_of(as_json=json, as_csv=csv),
        )


@app.command("slots")
def _audit_slots(
    slot: Annotated[
        str | None, typer.Option(help="Default: all of the settings, or of --station on record.")
    ] = None,
    since: Since = None,
    until: Until = None,
    station: Annotated[
        str | None, typer.Option(help="Of this station; default: of the one in the settings.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON line per interval on stdout.")
    ] = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """How each slot was over time: from when to when it was in which state."""
    with station_errors():
        audit_slots.tell_slots(
            settings_of(config),
            station=station,
            slot=slot,
            span=span_of(since, until),
            form=form_of(as_json=json, as_csv=csv),
        )


@app.command("verify")
def _audit_verify(
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="What the station published, one to a line; default: as the settings."),
    ] = None,
    public_key: Annotated[
        list[str] | None,
        typer.Option(help="Trusted, 64 hex digits; again for more. Default: its own, settings."),
    ] = None,
    config: Config = None,
) -> None:
    """Is the record what the station wrote? Names the first row that is not."""
    with station_errors():
        leave(
            audit_seal.check(
                settings_of(config), audit_seal.Witness(checkpoints, tuple(public_key or ()))
            )
        )


@app.command("key")
def _audit_key(config: Config = None) -> None:
    """Print the public half of the key that the station signs with; makes it if there is none."""
    with station_errors():
        audit_seal.new_key(settings_of(config))


app.add_typer(audit_ask_cli.app)
