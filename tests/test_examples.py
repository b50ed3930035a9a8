"""What people copy from the README and the examples of settings must be something."""

import re
from pathlib import Path

import pytest

from station.model import imei_is_valid
from station.sim.layouts import LAYOUTS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["README.md", "config/station.yaml", "deploy/station.yaml"])
def test_every_imei_of_an_example_is_one(name: str) -> None:
    imeis = re.findall(r"\b\d{15}\b", (ROOT / name).read_text(encoding="utf-8"))
    assert imeis
    assert all(map(imei_is_valid, imeis))


def test_the_recipes_of_the_readme_are_those_of_a_demo() -> None:
    """Its commands are tried on one."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    recipes = re.findall(r"--recipe ([a-z]\S*)", text)
    assert recipes
    assert set(recipes) <= {f"{family}-demo" for family in LAYOUTS}
