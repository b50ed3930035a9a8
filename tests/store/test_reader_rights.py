"""People who may read the record but not write beside it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.store.queries import find_attempts
from station.store.revision import create_if_missing

NOBODY = 65534


@pytest.fixture(params=["log files left", "no log files"])
def foreign_folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder where the caller of the test may read and not write; root becomes nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create_if_missing(f"sqlite:///{folder}/station.sqlite")
        if request.param == "no log files":  # as the engine leaves them when it ends
            for suffix in ("-wal", "-shm"):
                (folder / f"station.sqlite{suffix}").unlink(missing_ok=True)
        for file in folder.iterdir():
            file.chmod(0o644)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


def test_the_record_can_be_read_while_no_engine_runs(foreign_folder: Path) -> None:
    assert not os.access(foreign_folder, os.W_OK, effective_ids=True)
    before = sorted(foreign_folder.iterdir())
    assert find_attempts(f"sqlite:///{foreign_folder}/station.sqlite") == []
    assert sorted(foreign_folder.iterdir()) == before
