"""The arguments of `station plan`."""

from typing import Annotated

import typer

from station.commands import inspect
from station.commands.exits import station_errors
from station.commands.options import Config, settings_of

app = typer.Typer()


@app.command("plan")
def _plan(
    recipe: Annotated[str, typer.Option(help="Name of the recipe.")],
    json: Annotated[bool, typer.Option("--json", help="The plan as JSON.")] = False,
    config: Config = None,
) -> None:
    """Show what a recipe would write, in order, without any module."""
    with station_errors():
        inspect.tell(inspect.plan(settings_of(config), recipe, as_json=json))
