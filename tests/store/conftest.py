"""A database made by the real migrations, in a file."""

from pathlib import Path

import pytest

from station.store.database import sqlite_url
from station.store.revision import create_if_missing


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = sqlite_url(tmp_path / "station.db")
    create_if_missing(made)
    return made
