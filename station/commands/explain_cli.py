"""The arguments of `station explain`."""

from typing import Annotated

import typer

from station.commands import explain
from station.commands.exits import leave, station_errors
from station.commands.options import Config, settings_of

app = typer.Typer()


@app.command("explain")
def _explain(
    attempt: Annotated[
        str | None,
        typer.Argument(help="Its id as in `audit find --json`, or how it begins (6 characters)."),
    ] = None,
    slot: Annotated[str | None, typer.Option(help="The newest attempt in this slot.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Every message, one line each.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Tell what happened in an attempt, why its verdict, and what to do; reads only."""
    with station_errors():
        leave(explain.explain(settings_of(config), attempt, slot, full=full, as_json=json))
