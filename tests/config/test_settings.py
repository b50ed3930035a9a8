"""station.yaml into settings."""

import json
import os.path
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.config import find_config, load_settings
from station.config.settings import (
    DEFAULT_PLACES,
    BreakerSection,
    GoldenSection,
    LineSection,
    StationFile,
    TraySection,
)
from station.config.strict import read_model
from station.config.yaml_lines import parse_document
from station.errors import ConfigError
from station.model import PortPath, Slot

GOOD = """\
station: {name: line-1, site: Main hall}
database: ../var/station.db
store: packages
recipes: /srv/recipes
slots:
  B2: {ports: ["1-1.2", "2-1.2"], recipe: ec25}
  A1: {ports: ["1-1.1"]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "station.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return [line.removeprefix(f"{path}:") for line in caught.value.cause.splitlines()]


def test_settings_as_written(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    assert (settings.station.name, settings.station.site) == ("line-1", "Main hall")
    assert settings.database == f"sqlite:///{tmp_path.parent / 'var/station.db'}"
    assert settings.store == tmp_path / "packages"
    assert settings.recipes == Path("/srv/recipes")
    assert settings.families is None
    assert settings.slots == (
        Slot("B2", frozenset({PortPath(1, (1, 2)), PortPath(2, (1, 2))}), "ec25"),
        Slot("A1", frozenset({PortPath(1, (1, 1))})),
    )


def test_a_database_url_is_left_as_it_is(tmp_path: Path) -> None:
    url = "postgresql+psycopg://station@db/line"
    text = GOOD.replace("../var/station.db", url) + "families: f.yaml\n"
    settings = load_settings(write(tmp_path, text))
    assert settings.database == url
    assert settings.families == tmp_path / "f.yaml"


def test_all_problems_at_once_with_line_and_nearest_key(tmp_path: Path) -> None:
    text = (
        GOOD.replace("site:", "sight:")
        .replace("recipe: ec25", "recipie: ec25")
        .replace('"1-1.1"', "1-0")
        .replace("database: ../var/station.db", "database: no")
    )
    assert problems(tmp_path, text) == [
        "1: key 'station.site': is missing",
        "1: key 'station.sight': is not known here (nearest key: 'site')",
        "2: key 'database': unquoted no is read as a truth value (false); write it in quotes: "
        '"no"',
        "6: key 'slots.B2.recipie': is not known here (nearest key: 'recipe')",
        "7: key 'slots.A1.ports[0]': '1-0' is not a USB port path such as 1-1.4, usb1/1-1/1-1.4 "
        "or /sys/bus/usb/devices/1-1.4",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"1-1.1"', '"2-1.2"', "7: key 'slots.A1.ports[0]': port 2-1.2 is in slot B2 too"),
        ('"2-1.2"', '"1-1.2"', "6: key 'slots.B2.ports[1]': port 1-1.2 is listed twice"),
        ('["1-1.1"]', "[]", "7: key 'slots.A1.ports': needs at least 1 entry"),
        ('["1-1.1"]', "1-1.1", "7: key 'slots.A1.ports': must be a list such as [a, b], not 1-1.1"),
        ("A1:", '"A 1":', "7: key 'slots.A 1': a slot name has 1 to 16 letters"),
        ("A1:", '"' + "A" * 17 + '":', "7: key 'slots.AAAAAAAAAAAAAAAAA': a slot name has"),
        ("A1:", "12:", "7: key 'slots': holds a key, unquoted 12 is read as a number"),
        ("A1:", "B2:", "7: key 'slots.B2': is in line 6 already"),
        ("line-1", '""', "1: key 'station.name': must be printable text, not empty"),
        ("line-1", '"a\\nb"', "1: key 'station.name': must be printable text, not empty"),
        ("../var/station.db", "sqlite:///x.db", "2: key 'database': this URL is relative to"),
        ("packages", "[a]", "3: key 'store': must be text, not a list"),
        ("packages", "{a: b}", "3: key 'store': must be text, not a group of keys"),
        ("packages", "x" * 257, "3: key 'store': may be at most 256 characters long"),
        (
            '["1-1.1"]',
            str([f"1-{n}" for n in range(1, 6)]),
            "7: key 'slots.A1.ports': may have at most 4 entries",
        ),
        ("packages", "", "3: key 'store': has no value"),
        ("{name: line-1, site: Main hall}", "x", "1: key 'station': must be a group of keys"),
    ],
)
def test_one_problem(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    (found,) = problems(tmp_path, GOOD.replace(old, new, 1))
    assert found.startswith(problem)


# --- the tray and the socket ------------------------------------------------------------------


def tray(folder: Path, text: str) -> TraySection:
    return load_settings(write(folder, f"{GOOD}tray: {text}\n")).tray


def test_left_out_a_full_tray_has_all_slots(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    assert (settings.tray.expect, settings.tray.columns) == ("all", None)
    assert settings.rows == (("B2", "A1"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", "all"),
        ("none", "none"),
        ('"none"', "none"),
        ("1", 1),
        ("2", 2),
        ("[A1]", ("A1",)),
        ("[A1, B2]", ("A1", "B2")),
    ],
)
def test_what_a_full_tray_has(tmp_path: Path, text: str, expected: object) -> None:
    assert tray(tmp_path, f"{{expect: {text}}}").expect == expected


FORMS = (
    "8: key 'tray.expect': must be all, none, a number of modules from 1 to 256, "
    "or a list of slots such as [A1, A2]"
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *((wrong, FORMS) for wrong in ("al", "ALL", "yes", "no", "true", "false", '"2"', '""')),
        *((wrong, FORMS) for wrong in ("0", "-1", "257", "1.0", "012", "{A1: B2}")),
        *((wrong, FORMS) for wrong in ("[]", "[1]", "[A1, no]", "[[A1]]", "[A1, ~]")),
        (str([f"S{number}" for number in range(257)]), FORMS),
        ("~", "8: key 'tray.expect': has no value"),
        ("", "8: key 'tray.expect': has no value"),
        ("3", "8: key 'tray.expect': 3 modules do not fit into 2 slots"),
        ("[A1, Z9]", "8: key 'tray.expect[1]': there is no slot 'Z9'"),
        ("[A1, B2, A1]", "8: key 'tray.expect[2]': slot A1 is listed twice"),
    ],
)
def test_a_full_tray_of_something_else(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, f"{GOOD}tray: {{expect: {text}}}\n") == [problem]


def test_left_out_the_line_stops_where_four_fifths_are_not_good(tmp_path: Path) -> None:
    line = load_settings(write(tmp_path, GOOD)).line
    assert (line.slot_failures, line.hub_losses) == (3, 3)
    assert line.breaker == BreakerSection(window=20, minimum=10, yield_percent=80)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{slot_failures: null, breaker: null}", LineSection(slot_failures=None, breaker=None)),
        ("{hub_losses: 4}", LineSection(hub_losses=4)),
        (
            "{breaker: {window: 8, minimum: 8}}",
            LineSection(breaker=BreakerSection(window=8, minimum=8)),
        ),
    ],
)
def test_when_the_line_stops(tmp_path: Path, text: str, expected: LineSection) -> None:
    assert load_settings(write(tmp_path, f"{GOOD}line: {text}\n")).line == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{slot_failures: 1}", "8: key 'line.slot_failures': must be at least 2"),
        ("{hub_losses: 1}", "8: key 'line.hub_losses': must be at least 2"),
        ("{hub_losses: null}", "8: key 'line.hub_losses': has no value"),
        (
            "{breaker: {yield_percent: 101}}",
            "8: key 'line.breaker.yield_percent': must be at most 100",
        ),
        (
            "{breaker: {window: 5, minimum: 6}}",
            "8: key 'line.breaker': minimum 6 is more than the window of 5",
        ),
        (
            "{breaker: {windw: 5}}",
            "8: key 'line.breaker.windw': is not known here (nearest key: 'window')",
        ),
    ],
)
def test_a_line_that_cannot_stop_so(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, f"{GOOD}line: {text}\n") == [problem]


def test_golden_units_are_named_or_there_are_none(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, GOOD)).golden == GoldenSection()
    text = f'{GOOD}golden: {{units: ["864266050000011", MPA1], at_shift_start: true}}\n'
    golden = load_settings(write(tmp_path, text)).golden
    assert golden == GoldenSection(units=("864266050000011", "MPA1"), at_shift_start=True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{at_shift_start: true}",
            "8: key 'golden': at_shift_start needs at least one unit in units",
        ),
        ("{units: MPA1}", "8: key 'golden.units': must be a list such as [a, b]"),
        ('{units: [""]}', "8: key 'golden.units[0]': must be printable text"),
        ("{units: [MPA1], first: true}", "8: key 'golden.first': is not known here"),
    ],
)
def test_golden_units_of_another_kind(tmp_path: Path, text: str, problem: str) -> None:
    (said,) = problems(tmp_path, f"{GOOD}golden: {text}\n")
    assert said.startswith(problem)


def test_an_imei_as_a_number_is_refused(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, f"{GOOD}golden: {{units: [864266050000011]}}\n")
    assert said.startswith("8: key 'golden.units[0]':")


def slots(number: int) -> str:
    head, _ = GOOD.split("slots:")
    lines = (f"  S{place}: {{ports: [1-{place}]}}\n" for place in range(1, number + 1))
    return f"{head}slots:\n{''.join(lines)}"


@pytest.mark.parametrize(
    ("number", "text", "lengths"),
    [
        (8, "{}", [4, 4]),
        (9, "{}", [8, 1]),
        (9, "{columns: 3}", [3, 3, 3]),
        (9, "{columns: 16}", [9]),
        (2, "{columns: 1}", [1, 1]),
    ],
)
def test_rows_as_they_lie_on_the_fixture(
    tmp_path: Path, number: int, text: str, lengths: list[int]
) -> None:
    settings = load_settings(write(tmp_path, f"{slots(number)}tray: {text}\n"))
    assert [len(row) for row in settings.rows] == lengths
    flat = [name for row in settings.rows for name in row]
    assert flat == [slot.name for slot in settings.slots]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{columns: 0}", "8: key 'tray.columns': must be at least 1"),
        ("{columns: 17}", "8: key 'tray.columns': must be at most 16"),
        ('{columns: "4"}', "8: key 'tray.columns': must be a whole number without quotes, not"),
        ("{rows: 2}", "8: key 'tray.rows': is not known here (known keys: columns, expect)"),
        ("4", "8: key 'tray': must be a group of keys, not 4"),
    ],
)
def test_a_tray_of_another_shape(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems(tmp_path, f"{GOOD}tray: {text}\n")
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("database", "more", "expected"),
    [
        ("../var/station.db", "", "../var/evidence"),
        ("sqlite:////srv/x/station.db", "", "/srv/x/evidence"),
        ("postgresql+psycopg://station@db/line", "", "evidence"),
        ("../var/station.db", "evidence: kept\n", "kept"),
        ("../var/station.db", "evidence: /srv/kept\n", "/srv/kept"),
    ],
)
def test_evidence_lies_where_the_record_does(
    tmp_path: Path, database: str, more: str, expected: str
) -> None:
    text = GOOD.replace("../var/station.db", database) + more
    expected_path = Path(os.path.normpath(tmp_path / expected))
    assert load_settings(write(tmp_path, text)).evidence == expected_path


def test_the_socket_lies_beside_the_settings(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, GOOD)).socket == tmp_path / "station.sock"
    for text, expected in (
        ("line.sock", tmp_path / "line.sock"),
        ("../run/line.sock", tmp_path.parent / "run/line.sock"),
        ("/run/station/station.sock", Path("/run/station/station.sock")),
    ):
        assert load_settings(write(tmp_path, f"{GOOD}socket: {text}\n")).socket == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('"a\\0b"', "holds a character that cannot be printed"),
        ('"a\\nb"', "must be printable text, not empty"),
        ('""', "must be printable text, not empty"),
        ("[a]", "must be text, not a list"),
        ("12", "unquoted 12 is read as a number"),
        ("x" * 257, "may be at most 256 characters long"),
    ],
)
def test_a_socket_that_cannot_be_a_path(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems(tmp_path, f"{GOOD}socket: {text}\n")
    assert found.startswith(f"8: key 'socket': {problem}")


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "12\n"])
def test_a_file_that_is_something_else(tmp_path: Path, text: str) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith("1: must be a group of keys")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text("ab1-.:*", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "site", "ports", "A1", "expect", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["station", "database", "store", "recipes", "slots", "socket", "tray", "y"]
        ),
        values,
    )
)
def test_any_shape_is_settings_or_sentences(value: dict[str, object]) -> None:
    document = parse_document(Path("s.yaml"), json.dumps(value).encode())  # JSON is YAML
    try:
        read_model(document, StationFile)
        lines = []
    except ConfigError as error:
        lines = error.cause.splitlines()
    assert all(line.startswith("s.yaml:1:") for line in lines)


# --- which file -------------------------------------------------------------------------------


def test_the_caller_wins_then_the_environment(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.yaml", tmp_path / "other.yaml"
    mine.touch()
    other.touch()
    assert find_config(mine, {"STATION_CONFIG": str(other)}) == mine
    assert find_config(None, {"STATION_CONFIG": str(other)}) == other


def test_then_the_default_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(DEFAULT_PLACES[-1]) == "/etc/station/station.yaml"
    here = Path("config/station.yaml")
    here.parent.mkdir()
    here.touch()
    assert find_config(None, {"STATION_CONFIG": ""}) == here


@pytest.mark.skipif(DEFAULT_PLACES[-1].exists(), reason="this machine is a station")
def test_nothing_found_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        find_config(None, {})
    for place in ("--config", "$STATION_CONFIG", "config/station.yaml", "/etc/station/"):
        assert place in caught.value.cause


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "no.yaml"
    with pytest.raises(ConfigError, match=r"no\.yaml.*named by --config"):
        find_config(missing, {})
    with pytest.raises(ConfigError, match=r"named by \$STATION_CONFIG"):
        find_config(None, {"STATION_CONFIG": "x" * 5000})


def test_what_becomes_of_work_that_was_cut_off(tmp_path: Path) -> None:
    line = load_settings(write(tmp_path, GOOD)).line
    assert (line.resume, line.put_back_s) == ("certain", 30)
    line = load_settings(write(tmp_path, GOOD + "line: {resume: same_slot, put_back_s: 0}\n")).line
    assert (line.resume, line.put_back_s) == ("same_slot", 0)


@pytest.mark.parametrize(
    ("text", "attempts"), [("{}", 2), ("{attempts: 1}", 1), ("{attempts: 5}", 5)]
)
def test_how_often_a_module_is_tried(tmp_path: Path, text: str, attempts: int) -> None:
    assert load_settings(write(tmp_path, f"{GOOD}line: {text}\n")).line.attempts == attempts


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [("0", "must be at least 1"), ("6", "must be at most 5"), ("null", "has no value")],
)
def test_a_module_is_tried_at_least_once_and_not_for_ever(
    tmp_path: Path, wrong: str, problem: str
) -> None:
    text = f"{GOOD}line: {{attempts: {wrong}}}\n"
    assert problems(tmp_path, text) == [f"8: key 'line.attempts': {problem}"]


@pytest.mark.parametrize("wrong", ["resume: always", "put_back_s: -1", "put_back_s: 601"])
def test_nothing_else_becomes_of_it(tmp_path: Path, wrong: str) -> None:
    (problem,) = problems(tmp_path, f"{GOOD}line: {{{wrong}}}\n")
    assert problem.startswith("8: key 'line.")
