"""`station doctor`: order, output, exit code, no harm."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from station.commands.checks.finding import Finding, Grade, bad, ok, warn
from station.commands.checks.ground import Ground
from station.commands.doctor import CHECKS, examine
from station.config import load_families, load_settings
from station.transport.topology import Topology
from tests.commands.test_cli import station
from tests.demo_line import demo_line


def ground(folder: Path) -> Ground:
    settings = load_settings(demo_line(folder / "line", ["A1"]))
    return Ground(settings, load_families(), Topology(), root=folder / "nothing")


def mixed(_: Ground) -> Iterator[Finding]:
    yield ok("fine", "a")
    yield warn("soon", "b", why="w", remedy="r")


def broken(_: Ground) -> Iterator[Finding]:
    yield bad("bad", "c", why="w", remedy="r")
    raise ZeroDivisionError("of ours")


def test_worst_first_and_a_broken_check_hides_nothing(tmp_path: Path) -> None:
    findings = examine(ground(tmp_path), (mixed, broken))
    assert [f.grade for f in findings] == [Grade.BAD, Grade.WARN, Grade.CANNOT_TELL, Grade.OK]
    assert findings[2].where == "broken"
    assert "ZeroDivisionError: of ours" in findings[2].what


def test_a_machine_with_nothing_in_it_breaks_no_check(tmp_path: Path) -> None:
    findings = examine(ground(tmp_path))
    assert [f for f in findings if f.what.startswith("the check broke")] == []
    assert {f.grade for f in findings} == set(Grade)


def test_whatever_is_wrong_has_a_remedy(tmp_path: Path) -> None:
    for finding in examine(ground(tmp_path), CHECKS):
        assert finding.where, finding
        assert finding.grade is Grade.OK or finding.remedy, finding
        assert finding.grade not in (Grade.BAD, Grade.WARN) or finding.why, finding


def test_the_command_says_it_and_changes_nothing(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    before = _files(tmp_path)
    people = station("doctor", "--config", config, cwd=tmp_path)
    lines = station("doctor", "--json", "--config", config, cwd=tmp_path)
    assert people.returncode == lines.returncode == 1, people.stderr + lines.stderr
    assert people.stdout.startswith("BAD ")
    assert "\x1b" not in people.stdout
    findings = [json.loads(line) for line in lines.stdout.splitlines()]
    assert all(list(f) == ["grade", "what", "where", "why", "remedy"] for f in findings)
    assert people.stdout.count("\nOK ") == sum(f["grade"] == "OK" for f in findings)
    assert _files(tmp_path) == before


def _files(folder: Path) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if not path.is_dir() or os.access(path, os.R_OK)
    }


def test_without_settings_it_says_so(tmp_path: Path) -> None:
    done = station("doctor", "--config", tmp_path / "none.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
