"""The arguments of `station operator`."""

from typing import Annotated

import typer

from station.commands import people
from station.commands.answers import form_of
from station.commands.exits import station_errors
from station.commands.options import Config, settings_of

app = typer.Typer(help="Who works here, and as what.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As it stands in the record.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="ENGINEER",
        help="Which engineer says so, by name or badge. Default: the user of the operating system.",
    ),
]


@app.command("add")
def _add(
    name: Name,
    role: Annotated[str, typer.Option(help="operator, engineer or auditor.")],
    reason: Reason,
    badge: Annotated[
        str | None, typer.Option(metavar="CODE", help="What a scanner reads from their badge.")
    ] = None,
    by: By = None,
    config: Config = None,
) -> None:
    """Register a person. From the first engineer on only those who are registered may work."""
    with station_errors():
        parts = {"name": name, "role": role, "badge": badge, "reason": reason, "by": by}
        people.change(settings_of(config), "operator_add", **parts)


@app.command("retire")
def _retire(name: Name, reason: Reason, by: By = None, config: Config = None) -> None:
    """The person does not work here any more; what they did stays on record."""
    with station_errors():
        people.change(settings_of(config), "operator_retire", name=name, reason=reason, by=by)


@app.command("list")
def _list(
    json: Annotated[
        bool, typer.Option("--json", help="One JSON line per person, those who retired, too.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="The same as CSV.")] = False,
    config: Config = None,
) -> None:
    """Those who work here. How that came about: `station audit events --kind 'operator*'`."""
    with station_errors():
        people.show_all(settings_of(config), form_of(as_json=json, as_csv=csv))
