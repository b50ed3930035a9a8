"""The arguments of `station shift`."""

from typing import Annotated

import typer

from station.commands import shift
from station.commands.exits import station_errors
from station.commands.options import Config, settings_of

app = typer.Typer(help="Whose shift it is.", no_args_is_help=True)


@app.command("start")
def _start(
    operator: Annotated[str | None, typer.Option(metavar="NAME", help="Who works.")] = None,
    badge: Annotated[
        str | None, typer.Option(metavar="CODE", help="The same by the badge.")
    ] = None,
    config: Config = None,
) -> None:
    """Begin a shift; the one before it ends. Arming begins one, too."""
    with station_errors():
        shift.start(settings_of(config), operator=operator, badge=badge)


@app.command("end")
def _end(
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            help="Which operator or engineer asks, by name or badge. "
            "Default: the user of the operating system.",
        ),
    ] = None,
    config: Config = None,
) -> None:
    """End the shift and disarm the line; what runs is finished, a campaign goes on. The record is
    signed."""
    with station_errors():
        shift.end(settings_of(config), by)


@app.command("status")
def _status(
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Who is on shift now."""
    with station_errors():
        shift.status(settings_of(config), as_json=json)
