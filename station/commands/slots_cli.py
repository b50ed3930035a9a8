"""The arguments of `station slots`."""

from typing import Annotated

import typer

from station.commands import slots
from station.commands.exits import station_errors
from station.commands.options import Config

app = typer.Typer(help="Where the slots are in the USB tree.", no_args_is_help=True)


@app.callback()
def _slots() -> None:
    """Where the slots are in the USB tree."""


@app.command("list")
def _list(
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Draw the USB tree: slots, empty ports, speeds, drivers, what each controller can take."""
    with station_errors():
        slots.list_slots(config, as_json=json)
