"""`station unit` and `station audit slots`, as they are typed, with an engine and without."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.main import get_command

from station.commands.unit_cli import app
from station.config import Settings, load_settings
from station.engine.lock import own
from station.live import SlotState
from station.store.database import sqlite_path
from station.store.revision import create_if_missing
from station.store.slot_states import OFF, SlotChange
from station.store.unit_events import QUARANTINED, RELEASED, find_unit_events
from station.store.writer import Store
from tests.commands.running import engine, files
from tests.commands.test_cli import station
from tests.demo_line import demo_line
from tests.store.samples import CHIP, IMEI, NOON_US, SERIAL, attempt, flashed, written

BY = ("--by", "eva", "--reason", "two labels")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A record with one unit."""
    found = load_settings(demo_line(tmp_path / "line", ["A1", "A2"]))
    create_if_missing(found.database)
    flashed(found.database, attempt(station=found.station.name))
    return found


def unit(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    done = station("unit", *arguments, "--config", settings.path, cwd=settings.path.parent)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_without_an_engine_the_command_writes_it(settings: Settings) -> None:
    code, _, told = unit(settings, "quarantine", IMEI, *BY)
    assert (code, told) == (0, f"unit {IMEI}: quarantined, and on record\n")
    (line,) = unit(settings, "list", "--json")[1].splitlines()
    held = json.loads(line)
    assert (held["by"], held["reason"], held["attempt_id"]) == ("eva", "two labels", None)
    assert held["names"] == [f"imei {IMEI}", f"serial {SERIAL}", f"chip {CHIP}"]
    assert "two labels" in unit(settings, "list")[1]
    code, _, told = unit(settings, "quarantine", SERIAL, *BY)
    assert code == 1
    assert "in quarantine already: two labels" in told
    assert unit(settings, "release", CHIP.upper(), *BY)[0] == 0
    assert unit(settings, "list")[1] == ""
    first, second = find_unit_events(settings.database, name=IMEI)
    assert (first.kind, second.kind) == (QUARANTINED, RELEASED)
    assert (first.actor, first.peer_uid is not None) == ("eva", True)
    assert unit(settings, "release", IMEI, *BY)[0] == 1


def test_the_list_for_spreadsheets(settings: Settings) -> None:
    head = "unit_id,names,since_utc_us,by,reason,attempt_id,station\n"
    assert unit(settings, "list", "--csv")[1] == head
    assert unit(settings, "quarantine", f" {IMEI} ", *BY)[0] == 0
    (row,) = csv.DictReader(io.StringIO(unit(settings, "list", "--csv")[1]))
    (line,) = map(json.loads, unit(settings, "list", "--json")[1].splitlines())
    assert list(row) == list(line)
    assert json.loads(row["names"]) == line["names"]
    assert (row["by"], row["attempt_id"]) == ("eva", "")
    assert unit(settings, "list", "--csv", "--json")[0] == 2


@pytest.mark.parametrize(
    ("command", "who"),
    [("quarantine", "an operator or engineer who works here."), ("release", "an engineer.")],
)
def test_who_may_is_said(command: str, who: str) -> None:
    """As `station.engine.people.judgement` has it."""
    params = get_command(app).commands[command].params  # type: ignore[attr-defined]  # it is a group
    (help_,) = (param.help for param in params if param.name == "by")
    assert help_.endswith(f"registered, {who}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("quarantine", "864266050000099", *BY), "no unit was ever seen"),
        (("quarantine", "\x1b[2J", *BY), "cannot be shown"),
        (("quarantine", IMEI, "--by", " ", "--reason", "x"), "by"),
        (("release", IMEI, "--by", "eva", "--reason", "x" * 201), "reason"),
        (("quarantine", IMEI, "--by", "eva"), "--reason"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    settings: Settings, arguments: tuple[str, ...], says: str
) -> None:
    code, _, told = unit(settings, *arguments)
    assert code == 2
    assert says in told
    assert find_unit_events(settings.database) == []


def test_nobody_writes_beside_another_writer(settings: Settings) -> None:
    with own(sqlite_path(settings.database), ()):
        code, _, told = unit(settings, "quarantine", IMEI, *BY)
    assert code == 2
    assert "another station process uses the database" in told


def test_a_running_engine_writes_it(tmp_path: Path) -> None:
    config = files(tmp_path / "line", 1)
    settings = load_settings(config)
    create_if_missing(settings.database)
    flashed(settings.database, attempt(station=settings.station.name))
    with engine(config):
        assert unit(settings, "quarantine", IMEI, *BY)[0] == 0
        code, _, told = unit(settings, "release", "nobody", *BY)
        assert code == 1
        assert "no unit was ever seen" in told
    (event,) = find_unit_events(settings.database)
    assert (event.kind, event.actor, event.reason) == (QUARANTINED, "eva", "two labels")


def test_the_states_of_a_slot_in_every_form(settings: Settings) -> None:
    name = settings.station.name
    told = (
        (name, "A1", SlotState.EMPTY.value, 0),
        (name, "A2", "held", 0),
        (name, "A1", OFF, 90),
        ("line-9", "C7", "held", 0),
    )
    changes = [
        SlotChange(str(number), whose, NOON_US + seconds * 1_000_000, slot, state)
        for number, (whose, slot, state, seconds) in enumerate(told)
    ]

    async def work(store: Store) -> None:
        await store.add_slot_changes(changes)

    written(settings.database, work)

    def asked(*more: str) -> str:
        command = ("audit", "slots", *more, "--config", str(settings.path))
        return station(*command, cwd=settings.path.parent).stdout

    lines = [json.loads(line) for line in asked("--json").splitlines()]
    assert [(one["slot"], one["state"], one["seconds"]) for one in lines] == [
        ("A1", "empty", 90.0),
        ("A1", "off", None),
        ("A2", "held", None),
    ]
    assert lines[0]["to_utc"] == lines[1]["from_utc"] == "2026-09-21T14:14:50.123456Z"
    table = asked("--slot", "A1")
    assert "90.0" in table
    assert "held" not in table
    assert asked("--slot", "") == ""
    assert asked("--since", "2026-12-01").count("now") == 2
    first, *_ = csv.DictReader(io.StringIO(asked("--csv")))
    assert first == {key: str(value) for key, value in lines[0].items()}
    (other,) = map(json.loads, asked("--station", "line-9", "--json").splitlines())
    assert (other["station"], other["slot"], other["state"]) == ("line-9", "C7", "held")
    assert asked("--station", "line-9", "--slot", "A1") == ""
    assert len(asked("--station", name, "--csv").splitlines()) == 4
    (first, second) = map(
        json.loads, asked("--until", "2026-09-21T14:14:50", "--json").splitlines()
    )
    assert [first, second] == [lines[0], lines[2]], "what began before, and when that ended"
    assert asked("--until", "2026-09-21", "--json") == ""


def test_the_states_of_a_slot_that_never_was(settings: Settings) -> None:
    command = ("audit", "slots", "--slot", "a1", "--config", str(settings.path))
    told = station(*command, cwd=settings.path.parent)
    assert (told.returncode, told.stdout) == (0, "")
    assert "no slot on this record is called a1; there are: A1" in told.stderr


@pytest.mark.parametrize("slot", [(), ("--slot", "A1")])
def test_a_record_that_no_engine_wrote(settings: Settings, slot: tuple[str, ...]) -> None:
    """`flash --once` and `demo --once` tell no states: nothing would read as: no slot was used."""
    command = ("audit", "slots", *slot, "--json", "--config", str(settings.path))
    told = station(*command, cwd=settings.path.parent)
    assert (told.returncode, told.stdout) == (0, "")
    name = settings.station.name
    assert told.stderr.startswith(f"{name} has no slot states on this record: an engine")
    assert "flash --once" in told.stderr
    assert told.stderr.count("\n") == 1
