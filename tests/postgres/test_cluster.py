"""What was not tested does not pass."""

import subprocess
import sys

import pytest

from tests.postgres import __main__ as postgres
from tests.postgres import cluster


def test_a_program_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(cluster.NoPostgres, match="install Debian's package postgresql"):
        cluster._program("no-such-initdb")
    monkeypatch.setattr(cluster, "_program", lambda _: "/no/such/initdb")
    assert postgres.main() == 1


def test_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cluster._SETTINGS, "no_such_setting", "1")
    monkeypatch.setattr(cluster, "WAIT_S", 5)
    assert postgres.main() == 1


def test_a_driver_that_is_not_installed() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "import importlib.util as u; u.find_spec = lambda name: None\n"
        "from tests.postgres.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the driver is missing" in done.stdout
