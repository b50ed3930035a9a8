"""Recipes made in memory, as if read from a file."""

from pathlib import Path
from typing import Any

from station.config import LoadedRecipe, QuectelEdlRecipe
from station.model import RecipeRef, Unit

VERSION = "EC25EFAR06A06M4G_01.002.01.002"

UNIT = Unit(imei="863436050940776", firmware="EC25EFAR05A03M4G_01.001.01.001", functionality=1)
"""A healthy module on an older version; the IMEI has a valid check digit."""


def recipe(
    name: str = "ec25",
    *,
    sku: tuple[str, ...] = ("EC25EFA*",),
    tac: tuple[str, ...] = (),
    version: str = VERSION,
    **rules: Any,  # noqa: ANN401 - any further key of a recipe file
) -> LoadedRecipe:
    read = QuectelEdlRecipe.model_validate(
        {
            "name": name,
            "revision": 1,
            "procedure": "quectel_edl",
            "match": {"sku": sku, "tac": tac},
            "firmware": {"package": "p", "version": version},
            **rules,
        }
    )
    return LoadedRecipe(read, RecipeRef(name, 1, "0" * 64, ""), Path(f"{name}.yaml"))
