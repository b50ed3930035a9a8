"""The arguments of `station evidence`."""

from typing import Annotated

import typer

from station.commands import evidence
from station.commands.exits import station_errors
from station.commands.options import By, Config, Reason, settings_of

app = typer.Typer(help="Transcripts and dumps, kept as files.", no_args_is_help=True)


@app.callback()
def _evidence() -> None:
    """Transcripts and dumps, kept as files."""


@app.command("prune")
def _prune(
    older_than: Annotated[
        int,
        typer.Option(
            metavar="DAYS",
            help="How long ago the attempt must have ended.",
            min=1,
            max=evidence.MAX_DAYS,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
    by: By = None,
    reason: Reason = None,
    config: Config = None,
) -> None:
    """Delete old transcripts and dumps; the rows that name them stay. An engine may run."""
    with station_errors():
        settings = settings_of(config)
        evidence.prune(settings, older_than, dry_run=dry_run, by=by, reason=reason)
