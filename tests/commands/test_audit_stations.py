"""What auditors ask of a record that two stations write, by slots of the same names."""

from pathlib import Path
from typing import Any

import pytest

from station.config import load_settings
from station.model import Outcome
from station.store.revision import create_if_missing
from station.store.schema import clash
from tests.commands.test_audit_ask import ask, lines
from tests.commands.test_cli import station
from tests.demo_line import demo_line
from tests.store.made import imei, line
from tests.store.samples import event, recorded

PASS, FAIL = Outcome.PASS, Outcome.FAIL


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In A1 of line-1 unit 1 passed, in A1 of line-2 unit 2 failed; and so on."""
    path = demo_line(tmp_path_factory.mktemp("line"), ["A1"])
    url = load_settings(path).database
    create_if_missing(url)
    with line(url) as made:
        for number, (name, outcome) in enumerate((("line-1", PASS), ("line-2", FAIL)), 1):
            shift = made.shift("maria", station=name)
            made.tried(number, outcome, station=name, shift_id=shift)
            left = made.tried(number + 2, None, station=name)
            row = {"id": f"c{number}", "station": name, "utc_us": 1, "attempt_id": left}
            what = {"kind": "imei", "value": imei(number), "detail": "{}"}
            made.batch.insert(clash, [row | what | {"unit_id": None, "other_unit_id": None}])
    recorded(url, event("hold"), event("hold", station="line-2"))
    return path


def station_of(found: list[dict[str, Any]]) -> list[str]:
    return [one["station"] for one in found]


@pytest.mark.parametrize(
    "question",
    [["find", "--slot", "A1"], ["open"], ["clashes"], ["events"]],
    ids=" ".join,
)
def test_all_are_asked_or_one(config: Path, question: list[str]) -> None:
    assert set(station_of(lines(config, *question))) == {"line-1", "line-2"}
    assert set(station_of(lines(config, *question, "--station", "line-1"))) == {"line-1"}
    done = station("audit", *question, "--station", "line-3", "--config", config, cwd=config.parent)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no station on this record is called line-3; there are: line-1, line-2" in done.stderr


@pytest.mark.parametrize("question", ["recall", "ever"])
def test_units_by_the_station_of_the_flash_that_counts(config: Path, question: str) -> None:
    """Unit 2 failed at line-2, so nothing was flashed well there."""
    package = ("--package", "R06")
    assert station_of(lines(config, question, *package)) == ["line-1"]
    assert station_of(lines(config, question, *package, "--station", "line-1")) == ["line-1"]
    assert lines(config, question, *package, "--station", "line-2") == []


def test_numbers_of_one(config: Path) -> None:
    assert [one["code"] for one in lines(config, "pareto")] == ["P110"]
    assert lines(config, "pareto", "--station", "line-1") == []
    groups = [one["group"] for one in lines(config, "yield", "--by", "slot")]
    assert groups == ["line-1/A1", "line-2/A1"]
    (one,) = lines(config, "yield", "--by", "slot", "--station", "line-2")
    assert (one["group"], one["first_pass"]) == ("A1", 0)
    (one,) = lines(config, "yield", "--by", "shift", "--shift", "last", "--station", "line-1")
    assert (one["first"], one["first_pass"]) == (1, 1)


@pytest.mark.parametrize(
    "question", [["find"], ["pareto"], ["yield"], ["export", "--out", "x.zip"]], ids=" ".join
)
def test_whose_last_shift_must_be_said(config: Path, question: list[str]) -> None:
    last = ("--shift", "last", "--config", config)
    done = station("audit", *question, *last, cwd=config.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert "say whose with --station" in done.stderr


def test_people_see_whose_slot_it_is(config: Path) -> None:
    for question in ("find", "--outcome", "fail"), ("open",):
        assert "line-2/A1" in ask(config, *question)
        told = ask(config, *question, "--station", "line-2")
        assert "A1" in told
        assert "line-2/A1" not in told
