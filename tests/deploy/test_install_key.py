"""install.sh and the key that the station signs with: the steps that need root are left out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from station.seal.keys import load_key
from tests.commands.test_cli import environment
from tests.deploy import DEPLOY

INSTALL = """
source "$1" --root "$2"
for step in check_machine add_users install_software give_folders reload; do
    eval "$step() { :; }"
done
install_station
"""

SETPRIV = """#!/bin/sh
[ "$1 $2 $3 $4 $5" = "--reuid station --regid station --init-groups" ] || exit 64
shift 5
exec "$@"
"""

COMMAND = f"""#!/bin/sh
exec '{sys.executable}' -m station "$@"
"""


def put(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)


def install(root: Path) -> str:
    """What it said."""
    result = subprocess.run(
        ["bash", "-c", INSTALL, "test", str(DEPLOY / "install.sh"), str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment() | {"PATH": f"{root}/stubs:{os.environ['PATH']}"},
    )
    assert result.returncode == 0, result.stderr
    assert "\nNext:\n" in result.stdout, "it came to its end"
    return result.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with software and settings, and nothing that the station wrote."""
    put(tmp_path / "stubs/setpriv", SETPRIV)
    put(tmp_path / "opt/station/bin/station", COMMAND)
    settings = tmp_path / "etc/station/station.yaml"
    settings.parent.mkdir(parents=True)
    shipped = (DEPLOY / "station.yaml").read_text()
    settings.write_text(shipped.replace("/var/lib/station", f"{tmp_path}/var/lib/station"))
    (tmp_path / "var/lib/station").mkdir(parents=True)
    return tmp_path


def test_the_key_is_made_once_for_its_owner_alone(root: Path) -> None:
    key = root / "var/lib/station/station.key"
    first = install(root)
    made = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    public = key.with_name("station.key.pub")
    assert public.read_text() == f"{load_key(key).public}\n"
    assert public.stat().st_mode & 0o777 == 0o644
    told = f"its public half, for auditors: {load_key(key).public}\n"
    assert told in first
    again = install(root)
    assert key.read_bytes() == made
    assert key.stat().st_mode & 0o777 == 0o600
    assert told in again


def test_a_key_that_cannot_be_used_is_kept_and_the_rest_is_installed(root: Path) -> None:
    key = root / "var/lib/station/station.key"
    key.write_text("of somebody else\n")
    key.chmod(0o644)
    said = install(root)
    assert "not made, so the record stays unsigned: " in said
    assert "can be read by others" in said
    assert key.read_text() == "of somebody else\n"
    assert (root / "var/lib/station/station.sqlite").exists()
