"""`station operator` and `station shift`: by the engine where one runs, else with its lease."""

import csv
import io
import json
from pathlib import Path

import pytest

from station.engine.lock import own
from station.live import SlotState
from station.store.database import sqlite_url
from station.store.revision import create_if_missing
from tests.commands.running import RECIPE, engine, files, records
from tests.commands.test_cli import station
from tests.store.samples import rows

BY_EVA = ("--by", "eva")
EVA = ("operator", "add", "eva", "--role", "engineer", "--reason", "runs the line")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return files(tmp_path, 1)


def run(config: Path, *arguments: str) -> tuple[int, str]:
    """Exit code, and what was said."""
    done = station(*arguments, "--config", config, cwd=config.parent)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def url_of(config: Path) -> str:
    (database,) = config.parent.glob("*.sqlite")
    return sqlite_url(database)


def test_without_an_engine(config: Path) -> None:
    code, said = run(config, "operator", "list")
    assert (code, "S" in said) == (3, True)
    database = config.parent / "station.sqlite"
    create_if_missing(sqlite_url(database))
    assert run(config, "operator", "list") == (
        0,
        "nobody is registered: names are not checked\n",
    )
    assert run(config, *EVA, "--badge", "E-1") == (0, "eva is registered\n")
    code, said = run(config, "flash", "--once", "--operator", "jan")
    assert (code, "L640 UNKNOWN PERSON" in said) == (1, True)
    assert rows(sqlite_url(database), "SELECT * FROM attempt_opened") == []
    code, said = run(config, "flash", "--once", "--operator", "E-1")
    assert (code, "NO USB" in said) == (1, True)
    assert rows(sqlite_url(database), "SELECT operator FROM attempt_opened") == [("eva",)]
    assert "E-1" not in str(rows(sqlite_url(database), "SELECT * FROM operator"))
    code, said = run(config, *EVA, "--by", "eva")
    assert (code, "L642 TAKEN ALREADY" in said) == (1, True)
    code, said = run(config, "operator", "add", "jan", "--role", "operator", "--reason", "new")
    assert (code, "L640 UNKNOWN PERSON" in said) == (1, True)
    code, said = run(config, "operator", "add", "jan", "--role", "boss", "--reason", "new")
    assert (code, "operator_add.role" in said) == (2, True)
    code, said = run(config, "operator", "retire", "eva", "--reason", "left", "--by", "E-1")
    assert (code, said) == (
        0,
        "eva is retired\n"
        "there is no engineer now: from now on nobody is asked for a name, until one is added\n",
    )
    (line,) = station(
        "operator", "list", "--json", "--config", config, cwd=config.parent
    ).stdout.splitlines()
    told = json.loads(line)
    assert (told["name"], told["is_active"], told["by"]) == ("eva", False, "eva")
    with own(database, ()):
        code, said = run(config, *EVA)
    assert (code, "another station process uses the database" in said) == (2, True)
    code, said = run(config, "shift", "status")
    assert (code, "L605 NO ENGINE" in said) == (2, True)


def test_the_list_for_spreadsheets(config: Path) -> None:
    database = config.parent / "station.sqlite"
    create_if_missing(sqlite_url(database))

    def listed(form: str) -> str:
        return station("operator", "list", form, "--config", config, cwd=config.parent).stdout

    head = "station,name,role,is_active,has_badge,since_utc_us,by,peer_uid,peer_user,reason\n"
    assert listed("--csv") == head
    assert run(config, *EVA, "--badge", "E-1")[0] == 0
    assert run(config, "operator", "add", "=jan", "--role", "operator", "--reason", "new", *BY_EVA)
    assert run(config, "operator", "retire", "=jan", "--reason", "left", *BY_EVA)[0] == 0
    eva, jan = csv.DictReader(io.StringIO(listed("--csv")))
    assert list(eva) == list(json.loads(listed("--json").splitlines()[0]))
    assert (eva["name"], eva["role"], eva["is_active"], eva["has_badge"]) == (
        *("eva", "engineer", "True", "True"),
    )
    assert (jan["name"], jan["is_active"], jan["by"], jan["reason"]) == (
        *("'=jan", "False", "eva", "left"),
    )
    code, said = run(config, "operator", "list", "--csv", "--json")
    assert (code, "exclude each other" in said) == (2, True)
    told = station("audit", "events", "--kind", "operator*", "--json", "--config", config,
                   cwd=config.parent).stdout.splitlines()  # fmt: skip
    assert [(one["actor"], one["role"]) for one in map(json.loads, told)] == [
        (json.loads(told[0])["peer_user"], None),
        ("eva", "engineer"),
        ("eva", "engineer"),
    ]


def test_with_an_engine(config: Path) -> None:
    with engine(config, "--speed", "20") as started:
        assert run(config, *EVA, "--badge", "E-1") == (0, "eva is registered\n")
        jan = ("operator", "add", "jan", "--role", "operator", "--reason", "new")
        code, said = run(config, *jan)
        assert (code, "L640 UNKNOWN PERSON" in said) == (1, True)
        assert run(config, *jan, "--by", "eva")[0] == 0
        code, said = run(config, "operator", "list")
        assert (code, "engineer" in said, "jan" in said) == (0, True, True)
        assert run(config, "shift", "status") == (0, "nobody is on shift\n")
        code, said = run(config, "shift", "start")
        assert (code, "--badge CODE" in said) == (2, True)
        code, said = run(config, "shift", "start", "--operator", "root")
        assert (code, "L640" in said) == (1, True)
        code, said = run(config, "shift", "start", "--badge", "E-1")
        assert (code, "on shift: eva (engineer) since" in said) == (0, True)
        started.arm("--operator", "jan", "--lot", "PO-77")
        code, said = run(config, "shift", "status", "--json")
        told = json.loads(said)
        assert (code, told["operator"], told["role"]) == (0, "jan", "operator")
        code, said = run(config, "line", "status")
        assert f"ARMED by jan: {RECIPE}" in said
        assert "lot PO-77" in said
        for words in (("line", "retry", "A1"), ("line", "release", "A1"), ("shift", "end")):
            code, said = run(config, *words)
            assert (code, "L640 UNKNOWN PERSON" in said) == (1, True), "the user is no operator"
        assert run(config, "shift", "end", "--by", "jan")[0] == 0
        code, said = run(config, "shift", "end", "--by", "jan")
        assert (code, "L644 NO SHIFT" in said) == (1, True)
        night = ("campaign", "run", "nightly")
        code, said = run(config, *night, "--by", "jan", "--reason", "returns")
        assert (code, "L641 OTHER ROLE" in said) == (1, True)
        code, said = run(config, *night, "--by", "E-1")
        assert (code, "this wants a reason" in said) == (1, True)
        started.see("A1", SlotState.DONE)  # what the line began is finished
        code, said = run(config, *night, "--by", "E-1", "--reason", "returns", "--wait")
        assert (code, "nightly begun" in said) == (0, True), said
        code, said = run(config, *night)  # as the timer: the engine's own user
        assert (code, "nightly begun" in said) == (0, True), said
        started.end()
    armed = next(event for event in records(config, "events") if event["kind"] == "armed")
    assert armed["actor"] == "jan"
    asked, by_timer = records(config, "events", "--kind", "campaign_run")
    assert (asked["actor"], asked["role"]) == ("eva", "engineer")
    assert asked["detail"]["reason"] == "returns"
    assert (by_timer["role"], "reason" in by_timer["detail"]) == (None, False)
    assert rows(url_of(config), "SELECT operator, role FROM shift_started ORDER BY seq") == [
        ("eva", "engineer"),
        ("jan", "operator"),
    ]
    code, said = run(config, "audit", "verify")
    assert code == 0, said
