"""The arguments of `station recipe`."""

from pathlib import Path
from typing import Annotated

import typer

from station.commands import inspect
from station.commands.exits import station_errors
from station.commands.options import Config, settings_of
from station.model import Unit

app = typer.Typer(help="Check recipes, ask which one a unit gets.", no_args_is_help=True)


@app.command("check")
def _recipe_check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Recipe files or folders.")] = None,
    config: Config = None,
) -> None:
    """Explain everything that is wrong with recipes; default: those of the settings."""
    with station_errors():
        inspect.tell(
            inspect.recipe_check(paths) if paths else inspect.recipes_check(settings_of(config))
        )


@app.command("match")
def _recipe_match(
    imei: Annotated[str | None, typer.Option(help="IMEI of the unit.")] = None,
    sku: Annotated[str | None, typer.Option(help="Label, as scanned or typed.")] = None,
    firmware: Annotated[str | None, typer.Option(help="Build that the unit reports.")] = None,
    config: Config = None,
) -> None:
    """Explain which recipe a unit would get."""
    with station_errors():
        unit = Unit(imei=imei, firmware=firmware, functionality=1)
        inspect.tell(inspect.recipe_match(settings_of(config), unit, sku))
