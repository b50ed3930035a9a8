"""A database made by the real migrations: a file, or one of `python -m tests.postgres`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from station.store.database import sqlite_url
from tests.new_record import new_record
from tests.postgres.databases import SERVER, migrated_database


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with _record(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One database for all examples of a property."""
    with _record(tmp_path_factory.mktemp("shared")) as made:
        yield made


@contextmanager
def _record(folder: Path) -> Iterator[str]:
    if SERVER is not None:
        with migrated_database() as made:
            yield made
    else:
        file = sqlite_url(folder / "station.db")
        new_record(file)
        yield file
