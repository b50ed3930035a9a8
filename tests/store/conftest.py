"""A database made by the real migrations: a file, or one of `python -m tests.postgres`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from station.store.database import sqlite_url
from station.store.revision import create_if_missing
from tests.postgres.databases import SERVER, migrated_database


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    if SERVER is not None:
        with migrated_database() as made:
            yield made
    else:
        file = sqlite_url(tmp_path / "station.db")
        create_if_missing(file)
        yield file
