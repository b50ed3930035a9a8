"""The arguments of `station db`."""

import typer

from station.commands import inspect
from station.commands.exits import station_errors
from station.commands.options import Config, settings_of

app = typer.Typer(help="The database and its schema.", no_args_is_help=True)


@app.command("upgrade")
def _db_upgrade(config: Config = None) -> None:
    """Create the database or bring it to this software's schema, after a backup."""
    with station_errors():
        inspect.tell(inspect.database_upgrade(settings_of(config)))


@app.command("check")
def _db_check(config: Config = None) -> None:
    """Is the database's schema the one this software needs?"""
    with station_errors():
        inspect.tell(inspect.database_check(settings_of(config)))
