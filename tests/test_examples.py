"""What people copy from the README and the examples of settings must be something."""

import re
from pathlib import Path

import pytest

from station.model import imei_is_valid

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["README.md", "config/station.yaml", "deploy/station.yaml"])
def test_every_imei_of_an_example_is_one(name: str) -> None:
    imeis = re.findall(r"\b\d{15}\b", (ROOT / name).read_text(encoding="utf-8"))
    assert imeis
    assert all(map(imei_is_valid, imeis))
