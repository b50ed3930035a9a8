"""The arguments of `station dash` and `station run`."""

from typing import Annotated

import typer

from station.commands import dash, run
from station.commands.exits import leave, station_errors
from station.commands.options import Config, Plain, settings_of

app = typer.Typer()


@app.command("dash")
def _dash(
    plain: Plain = False,
    kiosk: Annotated[
        bool, typer.Option("--kiosk", help="For a screen on the wall: no key ends it.")
    ] = False,
    config: Config = None,
) -> None:
    """Show the running line; leaving the screen stops nothing."""
    with station_errors():
        leave(dash.dash(settings_of(config), plain=plain, kiosk=kiosk))


@app.command("run")
def _run(plain: Plain = False, config: Config = None) -> None:
    """Start an engine if none runs, and show it; leaving the screen leaves the engine."""
    with station_errors():
        leave(run.run(settings_of(config), plain=plain))
