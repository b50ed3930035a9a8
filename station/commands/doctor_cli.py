"""The arguments of `station doctor`."""

from typing import Annotated

import typer

from station.commands import doctor
from station.commands.exits import leave, station_errors
from station.commands.options import Config, settings_of

app = typer.Typer()


@app.command("doctor")
def _doctor(
    json: Annotated[
        bool, typer.Option("--json", help="One JSON line per finding on stdout.")
    ] = False,
    config: Config = None,
) -> None:
    """Tell what would fail tomorrow, each with its remedy; changes nothing."""
    with station_errors():
        leave(doctor.doctor(settings_of(config), as_json=json))
