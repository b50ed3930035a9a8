"""The arguments of `station campaign`."""

from pathlib import Path
from typing import Annotated

import typer

from station.commands import campaign
from station.commands.answers import form_of
from station.commands.exits import leave, station_errors
from station.commands.options import By, Config, Reason, settings_of

app = typer.Typer(help="What a night does by itself with a rack of modules.", no_args_is_help=True)

Campaign = Annotated[
    str, typer.Argument(metavar="NAME", help="A file in the folder `campaigns`, such as nightly.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Id = Annotated[
    str | None, typer.Argument(metavar="ID", help="How a campaign's id begins. Default: the last.")
]


@app.command("plan")
def _plan(name: Campaign, json: Json = False, config: Config = None) -> None:
    """What it would do now with each module. The modules are asked, nothing is changed."""
    with station_errors():
        campaign.plan(settings_of(config), name, as_json=json)


@app.command("run")
def _run(
    name: Campaign,
    by: By = None,
    reason: Reason = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="DIGEST", help="Only if its file is as `plan` showed it."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until it is over: exit code 1 unless all are good.")
    ] = False,
    config: Config = None,
) -> None:
    """Begin it. The running engine does the rest; nothing is ever asked."""
    with station_errors():
        settings = settings_of(config)
        leave(campaign.run(settings, name, by=by, reason=reason, policy_sha256=policy, wait=wait))


@app.command("status")
def _status(
    campaign_id: Id = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV on stdout, a row a slot.")] = False,
    config: Config = None,
) -> None:
    """How far the last one is, from the record; an engine need not run."""
    with station_errors():
        form = form_of(as_json=json, as_csv=csv)
        campaign.status(settings_of(config), campaign_id, form)


@app.command("abort")
def _abort(
    by: Annotated[str, typer.Option("--by", help="Who ends it.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    config: Config = None,
) -> None:
    """Start nothing more; what is being written is finished."""
    with station_errors():
        campaign.abort(settings_of(config), by=by, reason=reason)


@app.command("sheet")
def _sheet(
    campaign_id: Id = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="One page to be printed.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="On stdout. The default.")] = False,
    config: Config = None,
) -> None:
    """The morning sheet, from the record."""
    with station_errors():
        campaign.sheet(settings_of(config), campaign_id, html=html, text=text or html is None)


@app.command("check")
def _check(config: Config = None) -> None:
    """Look for mistakes in all campaigns of the folder."""
    with station_errors():
        leave(campaign.check(settings_of(config)))
