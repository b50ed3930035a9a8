"""The arguments of `station db`."""

from pathlib import Path
from typing import Annotated

import typer

from station.commands import db
from station.commands.exits import leave, station_errors
from station.commands.inspect import tell
from station.commands.options import By, Config, Reason, settings_of

app = typer.Typer(help="The database: its schema, its health, its copies.", no_args_is_help=True)


@app.command("upgrade")
def _db_upgrade(config: Config = None) -> None:
    """Create the database or bring it to this software's schema, after a backup; the engine must
    be stopped."""
    with station_errors():
        tell(db.upgrade_database(settings_of(config)))


@app.command("check")
def _db_check(
    deep: Annotated[
        bool, typer.Option("--deep", help="Each row against the chain, as `audit verify` does.")
    ] = False,
    config: Config = None,
) -> None:
    """Is the database whole, guarded, and of the schema that this software needs?"""
    with station_errors():
        leave(db.check_database(settings_of(config), deep=deep))


@app.command("backup")
def _db_backup(
    out: Annotated[
        Path | None, typer.Option(help="A new file; default: a dated one beside the database.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not look at the chain of the copy.")
    ] = False,
    config: Config = None,
) -> None:
    """Copy the record, also while an engine runs, and look whether the copy is whole."""
    with station_errors():
        tell(db.back_up(settings_of(config), out, chain=not quick))


@app.command("restore")
def _db_restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    by: By = None,
    reason: Reason = None,
    unsigned: Annotated[
        bool,
        typer.Option(
            "--unsigned", help="Also one that no trusted key has signed: from before the key."
        ),
    ] = False,
    config: Config = None,
) -> None:
    """Put a backup in the place of the record, which is kept; the engine must be stopped."""
    with station_errors():
        tell(db.put_back(settings_of(config), file, by=by, reason=reason, unsigned=unsigned))
