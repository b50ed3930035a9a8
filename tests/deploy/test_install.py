"""install.sh and uninstall.sh, below a folder of their own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from station.config import load_settings
from tests.deploy import DEPLOY

SCRIPTS = ("install.sh", "uninstall.sh")
DELETE = "--delete-settings-and-records"


def call(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(DEPLOY / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def done(script: str, *arguments: str) -> str:
    result = call(script, *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def tree(root: Path) -> dict[str, str]:
    """Every file and link below, with what it holds and its mode."""
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else f"{path.stat().st_mode:o} {path.read_text()}"
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_installing_again_changes_nothing(tmp_path: Path) -> None:
    done("install.sh", "--root", str(tmp_path))
    first = tree(tmp_path)
    done("install.sh", "--root", str(tmp_path))
    assert tree(tmp_path) == first
    assert set(first) >= {
        "etc/systemd/system/station.service",
        "etc/systemd/system/station-kiosk.service",
        "etc/systemd/system/station-console.service",
        "etc/systemd/system/station-campaign.service",
        "etc/systemd/system/station-campaign.timer",
        "etc/station/campaigns/nightly.yaml",
        "etc/udev/rules.d/60-station.rules",
        "etc/sysusers.d/station.conf",
        "etc/station/station.yaml",
        "etc/station/foot.ini",
        "usr/local/bin/station",
    }


def test_each_thing_done_is_said(tmp_path: Path) -> None:
    said = done("install.sh", "--root", str(tmp_path))
    for path in tree(tmp_path):
        assert f"{tmp_path}/{path}" in said


def test_what_the_engineer_wrote_is_kept_and_what_is_ours_is_renewed(tmp_path: Path) -> None:
    done("install.sh", "--root", str(tmp_path))
    settings = tmp_path / "etc/station/station.yaml"
    recipe = next((tmp_path / "etc/station/recipes").iterdir())
    unit = tmp_path / "etc/systemd/system/station.service"
    settings.write_text("mine\n")
    recipe.unlink()
    unit.write_text("of an older version\n")
    said = done("install.sh", "--root", str(tmp_path))
    assert settings.read_text() == "mine\n"
    assert not recipe.exists(), "a recipe that was taken away does not come back"
    assert unit.read_text() == (DEPLOY / "station.service").read_text()
    assert f"kept      {settings}" in said


def test_the_settings_load_and_fit_the_service(tmp_path: Path) -> None:
    done("install.sh", "--root", str(tmp_path))
    settings = load_settings(tmp_path / "etc/station/station.yaml")
    assert settings.database == "sqlite:////var/lib/station/station.sqlite"
    assert settings.store == Path("/var/lib/station/packages")
    assert settings.recipes == Path("/etc/station/recipes")
    assert settings.socket == Path("/run/station/station.sock")
    unit = (DEPLOY / "station.service").read_text()
    assert "\nRuntimeDirectory=station\n" in unit
    assert "\nStateDirectory=station\n" in unit


def test_uninstalling_leaves_settings_and_records(tmp_path: Path) -> None:
    done("install.sh", "--root", str(tmp_path))
    record = tmp_path / "var/lib/station/station.sqlite"
    record.parent.mkdir(parents=True)
    record.write_text("rows")
    (tmp_path / "opt/station/bin").mkdir(parents=True)
    (tmp_path / "opt/station/bin/station").write_text("software")
    before = tree(tmp_path)
    for _ in range(2):
        assert "kept" in done("uninstall.sh", "--root", str(tmp_path))
        kept = {
            path: text
            for path, text in before.items()
            if path.startswith(("etc/station/", "var/lib/station/"))
        }
        assert tree(tmp_path) == kept
    done("uninstall.sh", "--root", str(tmp_path), DELETE)
    assert tree(tmp_path) == {}


def test_files_of_others_stay(tmp_path: Path) -> None:
    done("install.sh", "--root", str(tmp_path))
    rule = tmp_path / "etc/udev/rules.d/90-other.rules"
    rule.write_text("#\n")
    command = tmp_path / "usr/local/bin/station"
    command.unlink()
    command.symlink_to("/somewhere/else")
    assert "not ours" in done("install.sh", "--root", str(tmp_path))
    done("uninstall.sh", "--root", str(tmp_path), DELETE)
    assert set(tree(tmp_path)) == {"etc/udev/rules.d/90-other.rules", "usr/local/bin/station"}


def test_a_root_with_spaces(tmp_path: Path) -> None:
    root = tmp_path / "a line, no 1"
    done("install.sh", "--root", str(root))
    done("uninstall.sh", "--root", str(root), DELETE)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    "arguments", [("--rot", "x"), ("--root",), ("--root", ""), ("--root", "/"), ("x",)]
)
def test_a_wrong_argument_does_nothing(script: str, arguments: tuple[str, ...]) -> None:
    result = call(script, *arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"{script}: ")


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_names_every_option(script: str) -> None:
    text = done(script, "--help")
    assert "--root DIR" in text
    assert ("--wheels" in text) if script == "install.sh" else (DELETE in text)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_finds_nothing(script: str) -> None:
    result = subprocess.run(
        ["shellcheck", str(DEPLOY / script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.skipif(shutil.which("foot") is None, reason="foot is not installed")
def test_the_terminal_understands_its_settings() -> None:
    result = subprocess.run(
        ["foot", "--check-config", f"--config={DEPLOY / 'foot.ini'}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
