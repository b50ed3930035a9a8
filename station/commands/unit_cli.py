"""The arguments of `station unit`."""

from typing import Annotated

import typer

from station.commands import unit
from station.commands.answers import form_of
from station.commands.exits import station_errors
from station.commands.options import Config, Csv, settings_of
from station.store.unit_events import QUARANTINED, RELEASED

app = typer.Typer(help="Units that are not touched, and who said so.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="IMEI, serial or chip serial of one unit, or its id.")
]
By = Annotated[
    str,
    typer.Option(
        "--by",
        help="Who says so, by name or badge: where an engineer is registered, an operator or "
        "engineer who works here.",
    ),
]
ByEngineer = Annotated[
    str,
    typer.Option(
        "--by", help="Who says so, by name or badge: where one is registered, an engineer."
    ),
]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


@app.command("quarantine")
def _quarantine(name: Name, by: By, reason: Reason, config: Config = None) -> None:
    """From now on the unit is refused, wherever it is plugged in."""
    with station_errors():
        unit.judge(settings_of(config), QUARANTINED, name, by=by, reason=reason)


@app.command("release")
def _release(name: Name, by: ByEngineer, reason: Reason, config: Config = None) -> None:
    """Let a unit out of quarantine; its names are no clash any more."""
    with station_errors():
        unit.judge(settings_of(config), RELEASED, name, by=by, reason=reason)


@app.command("list")
def _list(
    json: Annotated[bool, typer.Option("--json", help="One JSON line per unit on stdout.")] = False,
    csv: Csv = False,
    config: Config = None,
) -> None:
    """The units in quarantine now."""
    with station_errors():
        unit.show_quarantined(settings_of(config), form_of(as_json=json, as_csv=csv))
