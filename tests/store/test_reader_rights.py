"""People who may read the record but not write beside it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.store.queries import find_attempts
from station.store.revision import create_if_missing
from tests.strangers import as_stranger, folder_for_all


@pytest.fixture(params=["log files left", "no log files"])
def foreign_folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    with folder_for_all() as folder:
        create_if_missing(f"sqlite:///{folder}/station.sqlite")
        if request.param == "no log files":  # as the engine leaves them when it ends
            for suffix in ("-wal", "-shm"):
                (folder / f"station.sqlite{suffix}").unlink(missing_ok=True)
        with as_stranger(folder):
            yield folder


def test_the_record_can_be_read_while_no_engine_runs(foreign_folder: Path) -> None:
    assert not os.access(foreign_folder, os.W_OK, effective_ids=True)
    before = sorted(foreign_folder.iterdir())
    assert find_attempts(f"sqlite:///{foreign_folder}/station.sqlite") == []
    assert sorted(foreign_folder.iterdir()) == before
