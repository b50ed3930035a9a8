"""`station audit events`, and `audit find` by whatever name, in processes of their own."""

import csv
import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from station.config import load_settings
from station.model import Role
from station.store.revision import create_if_missing
from station.store.unit_events import QUARANTINED, RELEASED, Judgement
from station.store.writer import Store, now_utc_us
from tests.commands.test_cli import station
from tests.demo_line import demo_line
from tests.store.samples import (
    CHIP,
    IMEI,
    NOON_US,
    SERIAL,
    attempt,
    event,
    flashed,
    person,
    recorded,
    written,
)

HOLD = event("hold", detail={"reason": "the cable is loose, é"})
ARMED = event(
    "armed",
    utc_us=NOON_US - 1,
    slot=None,
    peer_user=None,
    detail={
        "recipes": [f"ec25-efa {'0a1b2c3d' * 8}"],
        "target": 500,
        "label": None,
        "counted_since_utc_us": NOON_US,
        "other_utc_us": 10**17,
    },
)
STOPPED = event(
    "stopped", utc_us=NOON_US + 1, actor=None, peer_uid=None, peer_user=None, slot=None, detail={}
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings with a record: three events long ago, and a flashed unit."""
    path = demo_line(tmp_path_factory.mktemp("line"), ["A1"])
    url = load_settings(path).database
    create_if_missing(url)
    recorded(url, HOLD, ARMED, STOPPED)
    flashed(url, attempt())
    return path


def ask(config: Path, *arguments: str) -> str:
    done = station("audit", *arguments, "--config", config, cwd=config.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_lines_oldest_first_with_every_key(config: Path) -> None:
    lines = [json.loads(line) for line in ask(config, "events", "--json").splitlines()]
    assert [line["kind"] for line in lines] == ["armed", "hold", "stopped"]
    assert lines[1] == {
        "event_id": HOLD.event_id,
        "station": "line-1",
        "utc": "2026-09-21T14:13:20.123456Z",
        "kind": "hold",
        "actor": "maria",
        "peer_uid": 1000,
        "peer_user": "worker",
        "role": None,
        "slot": "A1",
        "detail": {"reason": "the cable is loose, é"},
    }
    assert lines[2]["actor"] is lines[2]["peer_uid"] is lines[2]["slot"] is None


def test_a_table_for_people(config: Path) -> None:
    table = ask(config, "events")
    (armed,) = [line for line in table.splitlines() if "armed" in line]
    for words in ("2026-09-21 14:13:20", "maria", "uid 1000"):
        assert words in armed
    detail = "counted since: 2026-09-21 14:13:20; other utc us: 100000000000000000;"
    assert detail in table
    assert 'recipes: ["ec25-efa 0a1b2c3d"]; target: 500' in table
    assert "label" not in table
    assert "reason: the cable is loose, é" in table


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        (["--slot", "A1"], ["hold"]),
        (["--kind", "armed"], ["armed"]),
        (["--kind", "armed", "--slot", "A1"], []),
        (["--since", "2026-09-21T14:13:20"], ["armed", "hold", "stopped"]),
        (["--since", "2026-09-21T14:13:21"], []),
    ],
)
def test_conditions(config: Path, arguments: list[str], kinds: list[str]) -> None:
    answer = ask(config, "events", "--json", *arguments)
    assert [json.loads(line)["kind"] for line in answer.splitlines()] == kinds


def test_events_for_spreadsheets(config: Path) -> None:
    _, hold, stopped = csv.DictReader(io.StringIO(ask(config, "events", "--csv")))
    assert list(hold) == list(json.loads(ask(config, "events", "--json").splitlines()[1]))
    assert (hold["kind"], hold["actor"], hold["role"]) == ("hold", "maria", "")
    assert json.loads(hold["detail"]) == {"reason": "the cable is loose, é"}
    assert stopped["detail"] == "{}"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings with a record: eva had a unit put in quarantine, and released it after a hold."""
    path = demo_line(tmp_path_factory.mktemp("judged"), ["A1"])
    url = load_settings(path).database
    create_if_missing(url)
    flashed(url, attempt())
    eva = Judgement(IMEI, QUARANTINED, "line-1", NOON_US - 5, "eva", "two labels", "engineer", 1000)
    written(url, lambda store: store.judge_unit(eva))
    recorded(url, HOLD)
    later = replace(eva, kind=RELEASED, utc_us=NOON_US + 5, reason="board changed, IMEI kept")
    written(url, lambda store: store.judge_unit(later))
    return path


def test_who_released_a_unit_and_why(judged: Path) -> None:
    lines = [json.loads(line) for line in ask(judged, "events", "--json").splitlines()]
    assert [line["kind"] for line in lines] == ["unit_quarantined", "hold", "unit_released"]
    assert lines[2] == {
        "event_id": lines[2]["event_id"],
        "station": "line-1",
        "utc": "2026-09-21T14:13:20.123461Z",
        "kind": "unit_released",
        "actor": "eva",
        "peer_uid": 1000,
        "peer_user": None,
        "role": "engineer",
        "slot": None,
        "detail": {
            "unit": f"imei {IMEI}, serial {SERIAL}, chip {CHIP}",
            "unit_id": lines[2]["detail"]["unit_id"],
            "reason": "board changed, IMEI kept",
            "attempt_id": None,
        },
    }
    table = ask(judged, "events", "--kind", "unit_released")
    for words in ("2026-09-21 14:13:20", "eva", "engineer", "uid 1000", "board changed, IMEI kept"):
        assert words in table
    (row,) = csv.DictReader(io.StringIO(ask(judged, "events", "--kind", "unit_released", "--csv")))
    assert json.loads(row["detail"]) == lines[2]["detail"]


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        (["--kind", "unit_quarantined"], ["unit_quarantined"]),
        (["--kind", "hold"], ["hold"]),
        (["--slot", "A1"], ["hold"]),
        (["--kind", "unit_*"], ["unit_quarantined", "unit_released"]),
        (["--since", "2026-09-21T14:13:21"], []),
        (["--until", "2026-09-21T14:13:20"], []),
        (
            ["--until", "2026-09-21T14:13:21", "--kind", "unit*"],
            ["unit_quarantined", "unit_released"],
        ),
    ],
)
def test_conditions_on_what_was_decided_about_units(
    judged: Path, arguments: list[str], kinds: list[str]
) -> None:
    answer = ask(judged, "events", "--json", *arguments)
    assert [json.loads(line)["kind"] for line in answer.splitlines()] == kinds


def test_nothing_found_is_an_empty_answer(config: Path) -> None:
    assert ask(config, "events", "--kind", "retry") == ""


def test_an_hour_ago_is_counted_from_now(config: Path) -> None:
    url = load_settings(config).database
    new = replace(event("release"), utc_us=now_utc_us())
    recorded(url, new)
    (line,) = ask(config, "events", "--kind", "release", "--since", "1h", "--json").splitlines()
    assert json.loads(line)["event_id"] == new.event_id


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["events", "--slot", ""], "--slot is empty"),
        (["events", "--kind", ""], "--kind is empty"),
        (["events", "--since", "yesterday"], "--since 'yesterday' is neither"),
        (["find", "--name", ""], "--name is empty"),
        (["find"], "ask for something: --name, --imei"),
    ],
)
def test_a_question_that_is_none(config: Path, arguments: list[str], words: str) -> None:
    done = station("audit", *arguments, "--config", config, cwd=config.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize("name", [IMEI, SERIAL, CHIP, CHIP.upper()])
def test_find_by_whatever_name(config: Path, name: str) -> None:
    (line,) = ask(config, "find", "--name", name, "--json").splitlines()
    assert json.loads(line)["unit"]["imei"] == IMEI


def test_a_kind_that_is_on_record_can_be_asked_for(config: Path) -> None:
    """Whatever made it: another release, or nobody who told the list."""
    url = load_settings(config).database
    recorded(url, event("moved_by_crane", utc_us=NOON_US + 2))
    assert "moved_by_crane" in ask(config, "events", "--kind", "moved_by*")
    done = station("audit", "events", "--kind", "moved", "--config", config, cwd=config.parent)
    assert (done.returncode, done.stdout) == (2, "")
    for kind in ("moved_by_crane", "slot_lifted", "unit_released", "operator_add"):
        assert kind in done.stderr


# --- who works here ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """At line-1 eva joins and makes maria an operator, then an engineer of her, who lets eva go; at
    line-2 there is another eva."""
    path = demo_line(tmp_path_factory.mktemp("line"), ["A1"])
    url = load_settings(path).database
    create_if_missing(url)
    eva = partial(person, "eva", role=Role.ENGINEER, badge_sha256=None)
    told = (
        eva(actor=None, reason="runs the line"),
        person(actor="eva", reason="starts today", utc_us=NOON_US + 1_000_000),
        person(actor="eva", is_active=False, utc_us=NOON_US + 2_000_000),
        person(actor="eva", role=Role.ENGINEER, utc_us=NOON_US + 3_000_000),
        eva(actor="maria", is_active=False, reason="moved", utc_us=NOON_US + 4_000_000),
        eva(actor="maria", station="line-2", utc_us=NOON_US + 5_000_000),
    )

    async def work(store: Store) -> None:
        for one in told:
            await store.add_operator(one)

    written(url, work)
    return path


def test_who_gave_and_took_which_role(staffed: Path) -> None:
    found = [json.loads(line) for line in ask(staffed, "events", "--json").splitlines()]
    told = [(one["kind"], one["detail"]["name"], one["actor"], one["role"]) for one in found]
    assert told == [
        ("operator_add", "eva", None, None),
        ("operator_add", "maria", "eva", "engineer"),
        ("operator_retire", "maria", "eva", "engineer"),
        ("operator_add", "maria", "eva", "engineer"),
        ("operator_retire", "eva", "maria", "engineer"),
        ("operator_add", "eva", "maria", None),
    ]
    assert found[1] == {
        "event_id": found[1]["event_id"],
        "station": "line-1",
        "utc": "2026-09-21T14:13:21.123456Z",
        "kind": "operator_add",
        "actor": "eva",
        "peer_uid": 1000,
        "peer_user": "line",
        "role": "engineer",
        "slot": None,
        "detail": {
            "name": "maria",
            "role": "operator",
            "has_badge": True,
            "reason": "starts today",
        },
    }


def test_who_works_here_for_people_and_for_spreadsheets(staffed: Path) -> None:
    asked = ("events", "--kind", "operator*", "--station", "line-1")
    table = ask(staffed, *asked)
    assert "name: maria; role: operator; has badge: true; reason: starts today" in table
    assert len(list(csv.DictReader(io.StringIO(ask(staffed, *asked, "--csv"))))) == 5


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--kind", "operator_retire"], ["maria", "eva"]),
        (["--kind", "operator_add", "--station", "line-2"], ["eva"]),
        (["--since", "2026-09-21T14:13:22", "--until", "2026-09-21T14:13:24"], ["maria", "maria"]),
        (["--slot", "A1"], []),
        (["--kind", "unit*"], []),
    ],
)
def test_conditions_on_who_works_here(
    staffed: Path, arguments: list[str], names: list[str]
) -> None:
    """A role is known though its row is not asked for."""
    found = [json.loads(line) for line in ask(staffed, "events", "--json", *arguments).splitlines()]
    assert [one["detail"]["name"] for one in found] == names
    if "--since" in arguments:
        assert {one["role"] for one in found} == {"engineer"}
