"""The arguments of `station package`."""

from pathlib import Path

import typer

from station.commands import inspect
from station.commands.exits import station_errors
from station.commands.options import Config, settings_of

app = typer.Typer(help="Firmware packages and their store.", no_args_is_help=True)


@app.command("add")
def _package_add(path: Path, config: Config = None) -> None:
    """Check a package (folder or zip) and copy it into the store."""
    with station_errors():
        inspect.tell(inspect.package_add(settings_of(config), path))


@app.command("check")
def _package_check(
    path: Path,
    config: Config = None,  # noqa: ARG001 - --config is accepted everywhere
) -> None:
    """Check a package without storing it."""
    with station_errors():
        inspect.tell(inspect.package_check(path))


@app.command("list")
def _package_list(config: Config = None) -> None:
    """The packages in the store."""
    with station_errors():
        inspect.tell(inspect.package_list(settings_of(config)))
