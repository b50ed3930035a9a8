"""What auditors ask, on known data, in processes of their own: table, JSON lines and CSV."""

import csv
import io
import json
import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from station.commands.audit_cli import app
from station.config import load_settings
from station.model import Outcome
from station.sim.layouts import layout_of
from station.store.revision import create_if_missing
from station.store.schema import clash, lot
from tests.commands.test_cli import station
from tests.demo_line import demo_line
from tests.store.made import DAY_US, MIDNIGHT_US, NEW, OLD, imei, line
from tests.store.samples import rows

PASS, FAIL = Outcome.PASS, Outcome.FAIL
TODAY, TOMORROW = MIDNIGHT_US, MIDNIGHT_US + DAY_US


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a line with two days on record: maria's lot, then paul's, and a clash."""
    path = demo_line(tmp_path_factory.mktemp("line"), ["A1", "A2"])
    url = load_settings(path).database
    create_if_missing(url)
    with line(url) as made:
        first = {"operator": "maria", "lot": "PO-1", "shift_id": made.shift("maria", TODAY)}
        made.tried(1, PASS, package=OLD, started_utc_us=TODAY, **first)
        made.tried(2, FAIL, package=OLD, code="D206", started_utc_us=TODAY, **first)
        second = {"operator": "paul", "lot": "=PO-2", "shift_id": made.shift("paul", TOMORROW)}
        made.tried(2, PASS, package=OLD, started_utc_us=TOMORROW, **second)
        made.tried(1, PASS, package=NEW, slot="A2", started_utc_us=TOMORROW, **second)
        made.tried(3, FAIL, code="P110", started_utc_us=TOMORROW, **second)
        made.tried(4, Outcome.ERROR, code="S501", started_utc_us=TOMORROW, **second)
        last = made.tried(5, None, slot="A2", started_utc_us=TOMORROW, **second)
        armed = {"station": "line-1", "utc_us": TODAY, "operator": "maria"}
        names = ("PO-1", "=PO-2", "PO-3")
        made.batch.insert(lot, [armed | {"id": name, "name": name} for name in names])
    one, other = (row[0] for row in rows(url, "SELECT id FROM unit ORDER BY id LIMIT 2"))
    with line(url) as made:
        row = {"id": "c1", "station": "line-1", "utc_us": TOMORROW, "attempt_id": last}
        what = {"kind": "imei", "value": imei(2), "detail": "{}"}
        made.batch.insert(clash, [row | what | {"unit_id": one, "other_unit_id": other}])
    return path


def ask(config: Path, *arguments: str) -> str:
    done = station("audit", *arguments, "--config", config, cwd=config.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def lines(config: Path, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in ask(config, *arguments, "--json").splitlines()]


def sheet(config: Path, *arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ask(config, *arguments, "--csv"))))


# --- which units ------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [("--package", "R05"), ("--firmware", "R05*")])
def test_recall(config: Path, wanted: tuple[str, str]) -> None:
    (one,) = lines(config, "recall", *wanted)
    assert one == {
        "unit_id": one["unit_id"],
        "imei": imei(2),
        "serial": None,
        "chip_serial": None,
        "attempt_id": one["attempt_id"],
        "ended_utc": "2026-09-22T00:00:20.000000Z",
        "station": "line-1",
        "slot": "A1",
        "operator": "paul",
        "lot": "=PO-2",
        "outcome": "PASS",
        "package": "R05",
        "package_sha256": OLD.sha256,
        "firmware": "R05",
        "is_latest": True,
    }


def test_recall_for_people_and_for_spreadsheets(config: Path) -> None:
    table = ask(config, "recall", "--package", "55555555")
    assert imei(2) in table
    assert f"R05 {OLD.sha256[:8]}" in table
    (one,) = sheet(config, "recall", "--package", "R05")
    assert list(one) == list(lines(config, "recall", "--package", "R05")[0])
    assert one["lot"] == "'=PO-2"


def test_ever(config: Path) -> None:
    found = {one["imei"]: one["is_latest"] for one in lines(config, "ever", "--package", "R05")}
    assert found == {imei(1): False, imei(2): True}
    assert "still latest good" in ask(config, "ever", "--firmware", "R05")


def test_clashes_until(config: Path) -> None:
    assert lines(config, "clashes", "--until", "2026-09-22") == []
    assert len(lines(config, "clashes", "--until", "2026-09-23")) == 1


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            ("recall", "--package", "R0"),
            "no package on this record is called R0; there are: R05, R06",
        ),
        (
            ("ever", "--package", "r06"),
            "no package on this record is called r06; there are: R06, R05",
        ),
        (
            ("recall", "--firmware", "R07*"),
            "no firmware on this record is called R07*; there are: R0",
        ),
        (("find", "--slot", "a2"), "no slot on this record is called a2; there are: A2, A1"),
        (("yield", "--slot", "a2"), "no slot on this record is called a2; there are: A2, A1"),
        (("pareto", "--slot", "B"), "no slot on this record is called B; there are: A1, A2"),
        (("open", "--slot", "a2"), "no slot on this record is called a2; there are: A2, A1"),
        (("events", "--slot", "Z9"), "no slot on this record is called Z9; there are: A1, A2"),
        (
            ("find", "--operator", "Maria"),
            "no operator on this record is called Maria; there are: ma",
        ),
        (
            ("yield", "--operator", "pau"),
            "no operator on this record is called pau; there are: paul, ",
        ),
        (
            ("find", "--shift", "0192aaaa-0000"),
            "no shift on this record has the id 0192aaaa-0000; `audit ",
        ),
        (("yield", "--shift", "0192aaaa"), "no shift on this record has the id 0192aaaa; `audit y"),
        (("find", "--lot", "PO-4"), "no lot on this record is called PO-4; there are: PO-"),
        (("pareto", "--lot", "po-3"), "no lot on this record is called po-3; there are: PO-3, "),
        (("find", "--code", "D999"), "no code on this record is called D999; there are: D206, "),
        (
            ("find", "--station", "line-9"),
            "no station on this record is called line-9; there are: li",
        ),
        (
            ("recall", "--firmware", "R05", "--station", "line"),
            "no station on this record is called l",
        ),
        (
            ("ever", "--package", "R05", "--station", "line-9"),
            "no station on this record is called l",
        ),
        (
            ("yield", "--station", "line-9"),
            "no station on this record is called line-9; there are: l",
        ),
        (
            ("open", "--station", "line-9"),
            "no station on this record is called line-9; there are: li",
        ),
        (
            ("clashes", "--station", "line-9"),
            "no station on this record is called line-9; there are",
        ),
        (
            ("boots", "--station", "line-9"),
            "no station on this record is called line-9; there are: l",
        ),
        (
            ("slots", "--station", "line-9"),
            "no station on this record is called line-9; there are: l",
        ),
        (
            ("events", "--station", "line-9"),
            "no station on this record is called line-9; there are: ",
        ),
        (("find", "--name", "nobody"), "no unit on this record goes by the name nobody\n"),
        (("find", "--imei", imei(9)), f"no unit on this record goes by the IMEI {imei(9)}\n"),
        (("find", "--serial", imei(1)), f"no unit on this record goes by the serial {imei(1)}\n"),
        (("find", "--chip", "0A"), "no unit on this record goes by the chip serial 0A\n"),
    ],
)
def test_a_name_that_the_record_never_had(config: Path, wanted: tuple[str, ...], told: str) -> None:
    """A name cut short would read as: no unit has it."""
    done = station("audit", *wanted, "--json", "--config", config, cwd=config.parent)
    assert done.returncode == 0
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "wanted",
    [
        ("find", "--code", "D222"),
        ("find", "--code", "d206"),
        ("find", "--lot", "PO-3"),
        ("find", "--station", "demo"),
        ("slots", "--station", "line-1"),
        ("events", "--slot", "A2"),
    ],
    ids=" ".join,
)
def test_a_name_that_may_have_nothing_yet(config: Path, wanted: tuple[str, ...]) -> None:
    """A code of the list, a lot that was armed, what the settings have."""
    done = station("audit", *wanted, "--config", config, cwd=config.parent)
    assert done.returncode == 0
    assert " on this record is called " not in done.stderr


def test_what_was_scanned_with_a_blank(config: Path) -> None:
    """It is no other name; a lot on record never has one around it."""
    for option, value in (("--imei", imei(2)), ("--name", imei(2)), ("--lot", "PO-1")):
        asked = lines(config, "find", option, f" {value}\t")
        assert asked == lines(config, "find", option, value) != []
    assert sheet(config, "pareto", "--lot", " PO-1") == sheet(config, "pareto", "--lot", "PO-1")


# --- how much, how often ----------------------------------------------------------------------


def test_pareto(config: Path) -> None:
    found = lines(config, "pareto", "--since", "2026-09-22")
    assert [(one["code"], one["attempts"], one["of_attempts"]) for one in found] == [
        ("P110", 1, 2),
        ("S501", 1, 2),
    ]
    assert "33.3 %" in ask(config, "pareto")
    assert [one["code"] for one in sheet(config, "pareto", "--lot", "PO-1")] == ["D206"]


def test_yield_by_day(config: Path) -> None:
    first, second = lines(config, "yield", "--by", "day")
    assert first == {
        "by": "day",
        "group": "2026-09-21",
        "shift_started_utc": None,
        "shift_operator": None,
        "units": 2,
        "judged": 2,
        "first": 2,
        "first_pass": 1,
        "final_good": 1,
        "no_change": 0,
        "blocked": 0,
        "aborted": 0,
        "station_loss": 0,
        "unnamed": 0,
        "off_line": 0,
    }
    assert (second["units"], second["first"], second["first_pass"]) == (3, 2, 1)
    assert (second["final_good"], second["station_loss"]) == (2, 1)
    (alone,) = lines(config, "yield", "--by", "day", "--until", "2026-09-22")
    assert alone == first


def test_yield_of_all_and_by_shift_for_people(config: Path) -> None:
    table = ask(config, "yield")
    assert "50.0 % (2/4)" in table
    assert "66.6 % (2/3)" in table
    assert "2026-09-22 00:00:00 paul" in ask(config, "yield", "--by", "shift")
    assert [one["group"] for one in sheet(config, "yield", "--by", "lot")] == ["'=PO-2", "PO-1"]
    (last,) = lines(config, "yield", "--by", "shift", "--shift", "last")
    assert (last["shift_operator"], last["first"]) == ("paul", 2)


# --- clashes, open, find ----------------------------------------------------------------------


def test_clashes_with_the_names_of_both(config: Path) -> None:
    (one,) = lines(config, "clashes")
    assert (one["kind"], one["value"], one["slot"]) == ("imei", imei(2), "A2")
    assert (one["names"], one["other_names"]) == (f"imei {imei(1)}", f"imei {imei(2)}")
    assert f"imei {imei(1)}" in ask(config, "clashes", "--since", "2026-09-22")
    assert sheet(config, "clashes", "--since", "2026-09-23") == []


def test_open(config: Path) -> None:
    (one,) = lines(config, "open")
    assert (one["slot"], one["outcome"], one["unit"]["imei"]) == ("A2", None, imei(5))
    assert "OPEN" in ask(config, "open")
    assert ask(config, "open", "--slot", "A1") == ""


@pytest.mark.parametrize(
    ("arguments", "units"),
    [
        (["--operator", "maria"], [1, 2]),
        (["--lot", "PO-1", "--outcome", "fail"], [2]),
        (["--shift", "last", "--code", "P110"], [3]),
        (["--until", "2026-09-22"], [1, 2]),
        (["--since", "2026-09-21", "--limit", "2"], [4, 5]),
        (["--outcome", "no-change"], []),
    ],
)
def test_find_by_who_what_and_when(config: Path, arguments: list[str], units: list[int]) -> None:
    found = lines(config, "find", *arguments)
    assert [one["unit"]["imei"] for one in found] == [imei(unit) for unit in units]


def test_find_tells_under_what_an_attempt_was_begun(config: Path) -> None:
    one, _ = lines(config, "find", "--lot", "PO-1")
    assert (one["operator"], one["lot"], one["purpose"]) == ("maria", "PO-1", None)
    assert sheet(config, "find", "--lot", "PO-1")[0]["shift_id"] == one["shift_id"]


def test_find_by_a_name_tells_all_names(config: Path) -> None:
    assert ask(config, "find", "--name", imei(1)).startswith(f"unit: imei {imei(1)}\n")


# --- nothing, and no question -----------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        ("recall", "--package", "none"),
        ("ever", "--firmware", "none*"),
        ("pareto", "--slot", "B9"),
        ("yield", "--lot", "none", "--by", "day"),
        ("clashes", "--since", "2030-01-01"),
        ("open", "--until", "2020-01-01"),
    ],
)
def test_nothing_found_is_an_empty_answer(config: Path, question: tuple[str, ...]) -> None:
    """What is asked for and was never on record is told on stderr, and nothing else."""
    done = station("audit", *question, "--config", config, cwd=config.parent)
    assert (done.returncode, done.stdout) == (0, "")
    assert all(" on this record is called " in told for told in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recall"], "ask for something: --package, --firmware"),
        (["ever", "--package", ""], "--package is empty"),
        (["recall", "--package", " "], "--package is empty"),
        (["ever", "--package", OLD, "--firmware", "\t"], "--firmware is empty"),
        (["slots", "--slot", " "], "--slot is empty"),
        (["slots", "--station", ""], "--station is empty"),
        (["recall", "--package", "x" * 257], "--package has 257 characters; 256 are the most"),
        (["yield", "--slot", "x" * 257], "--slot has 257 characters"),
        (["find", "--code", "D\udcff"], "--code 'D\\udcff' is no UTF-8 text"),
        (["yield", "--since", "0001-01-01T00:00+14:00"], "--since '0001-01-01T00:00+14:00' is bef"),
        (["find", "--until", "9999-12-31T23:59-14:00"], "after 9999 in UTC"),
        (["yield", "--shift", "night"], "--shift 'night' is neither"),
        (["pareto", "--until", "noon"], "--until 'noon' is neither"),
        (["pareto", "--lot", " "], "--lot is empty"),
        (["open", "--json", "--csv"], "exclude each other"),
        (["find", "--outcome", "good"], "--outcome 'good' is none of PASS, NO_CHANGE"),
        (["find", "--imei", " \t"], "--imei is empty"),
        (["recall", "--firmware", "R05", "--station", " "], "--station is empty"),
        (["events", "--kind", "armd"], "--kind 'armd' is none of abort, armed, "),
        (["events", "--kind", "Armed*"], "--kind 'Armed*' is none of abort, armed, "),
    ],
)
def test_a_question_that_is_none(config: Path, arguments: list[str], words: str) -> None:
    done = station("audit", *arguments, "--config", config, cwd=config.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize(
    "question",
    [
        *("find", "pareto", "yield", "open", "clashes", "events", "boots", "slots"),
        "export --out a.zip",
    ],
)
@pytest.mark.parametrize(
    "span", [("2026-09-22", "2026-09-21"), ("2026-09-22", "2026-09-22"), ("8h", "1d")]
)
def test_nothing_lies_between(config: Path, question: str, span: tuple[str, str]) -> None:
    """An empty answer to a slip would read as: it did not happen."""
    since, until = span
    asked = (*question.split(), "--since", since, "--until", until)
    done = station("audit", *asked, "--config", config, cwd=config.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--since {since} is not before --until {until}: nothing lies between" in done.stderr


def test_each_option_says_what_it_is() -> None:
    without = [
        f"{name} {option.opts[0]}"
        for name, command in get_command(app).commands.items()  # type: ignore[attr-defined]  # it is a group
        for option in command.params
        if not getattr(option, "help", None)
    ]
    assert without == []


# --- the README -------------------------------------------------------------------------------

README = Path(__file__).parents[2] / "README.md"
QUESTIONS = {
    *("find", "recall", "ever", "pareto", "yield", "clashes", "open", "events", "boots", "slots"),
}
COMMANDS = [
    shlex.split(text, comments=True)[2:]
    for text in README.read_text(encoding="utf-8").splitlines()
    if text.startswith("station audit ")
]
ASKED = [words for words in COMMANDS if words[0] in QUESTIONS]


@pytest.mark.parametrize("question", ASKED, ids=" ".join)
def test_the_examples_of_the_readme_are_answered(config: Path, question: list[str]) -> None:
    done = station("audit", *question, "--config", config, cwd=config.parent)
    assert done.returncode == 0, done.stderr


def test_the_readme_names_packages_and_versions_as_records_have_them() -> None:
    """A shorter name is answered with nothing."""
    version = layout_of("ec25").newer_version
    text = README.read_text(encoding="utf-8")
    packages = re.findall(r"--package (EC25\S+)", text)
    versions = re.findall(r"--firmware '(EC25\S+)'", text)
    assert packages
    assert set(packages) == {version}
    assert versions
    assert all(fnmatchcase(version, wanted) for wanted in versions)


def test_the_readme_has_an_example_of_each_question() -> None:
    assert {words[0] for words in ASKED} == QUESTIONS
