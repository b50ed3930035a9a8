"""The arguments of `station evidence`."""

from typing import Annotated

import typer

from station.commands import evidence
from station.commands.exits import station_errors
from station.commands.options import Config, settings_of

app = typer.Typer(help="What was said to the modules, kept as files.", no_args_is_help=True)


@app.callback()
def _evidence() -> None:
    """What was said to the modules, kept as files."""


@app.command("prune")
def _prune(
    older_than: Annotated[
        int,
        typer.Option(
            metavar="DAYS", help="How old a transcript must be.", min=1, max=evidence.MAX_DAYS
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
    config: Config = None,
) -> None:
    """Delete old transcripts; the rows that name them stay. An engine may run meanwhile."""
    with station_errors():
        evidence.prune(settings_of(config), older_than, dry_run=dry_run)
