"""The command line: arguments in, exit code out. Which command is in which module."""

from typing import Annotated

import typer

from station import __version__
from station.commands.exits import show
from station.commands.lazy import LazyGroup

MODULES = {
    name: f"station.commands.{module}_cli"
    for name, module in (
        ("serve", "serve"),
        ("dash", "screen"),
        ("run", "screen"),
        ("demo", "demo"),
        ("flash", "flash"),
        ("plan", "plan"),
        ("doctor", "doctor"),
        ("explain", "explain"),
        ("line", "line"),
        ("campaign", "campaign"),
        ("shift", "shift"),
        ("operator", "operator"),
        ("slots", "slots"),
        ("recipe", "recipe"),
        ("package", "package"),
        ("audit", "audit"),
        ("unit", "unit"),
        ("evidence", "evidence"),
        ("db", "db"),
        ("sim", "sim"),
    )
}


class _Commands(LazyGroup):
    MODULES = MODULES


app = typer.Typer(
    cls=_Commands,
    help="Flashing station for cellular modules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of `station`."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        show(__version__)
        raise typer.Exit


@app.callback()
def _station(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Flashing station for cellular modules."""
