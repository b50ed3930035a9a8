"""`station audit export` and `check-bundle`, as a station and an auditor call them."""

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from station.commands import audit_export, audit_seal
from station.commands.audit import MOST_CHARS, Question, check
from station.commands.exits import Exit
from station.commands.span import span_of
from station.config import Settings, load_settings
from station.errors import DiskTrouble, NoCheckpoint, NoSigningKey, RecordChanged, UsageError
from station.model import Outcome
from station.seal.checkpoint import Checkpoint
from station.seal.keys import load_key
from station.seal.published import publish
from station.store.database import sqlite_path
from station.store.revision import create_if_missing
from tests.commands.test_cli import station
from tests.demo_line import demo_line
from tests.store.samples import IMEI, attempt, failed, flashed
from tests.tamper.edits import opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two attempts on one unit; a key."""
    found = load_settings(demo_line(tmp_path / "line", ["A1"]))
    create_if_missing(found.database)
    audit_seal.new_key(found)
    bad = attempt(station=found.station.name)
    flashed(found.database, bad, failed(bad))
    flashed(found.database, attempt(station=found.station.name))
    return found


def test_the_bundle_holds_what_find_tells(settings: Settings, tmp_path: Path) -> None:
    config = ("--config", settings.path)
    asked = ("--imei", IMEI, "--since", "2026-01-01")
    made = station("audit", "export", "--out", "a.zip", *asked, *config, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        lines, table = archive.read("attempts.jsonl"), archive.read("attempts.csv")
        manifest = json.loads(archive.read("manifest.json"))
    told = station("audit", "find", "--json", *asked, *config, cwd=tmp_path).stdout
    assert lines.decode() == told
    assert table.decode() == station("audit", "find", "--csv", *asked, *config, cwd=tmp_path).stdout
    assert len(list(csv.DictReader(io.StringIO(table.decode())))) == 2
    assert manifest["question"]["words"] == f"imei {IMEI}, since 2026-01-01T00:00:00Z"
    assert manifest["question"]["asked"]["imei"] == IMEI
    assert manifest["heads"][0]["station"] == settings.station.name


def test_all_that_find_can_be_asked(settings: Settings, tmp_path: Path) -> None:
    """Two of the attempts, one of which failed."""
    config = ("--config", settings.path)
    asked = ("--outcome", "FAIL", "--code", "p112", "--until", "2100-01-01", "--slot", "A1")
    made = station("audit", "export", "--out", "a.zip", *asked, *config, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert ": 1 attempts, outcome FAIL, code p112, until 2100-01-01" in made.stdout
    none = station("audit", "export", "--out", "b.zip", "--lot", "L-1", *config, cwd=tmp_path)
    assert ": 0 attempts, lot L-1" in none.stdout


def test_a_recall_list(settings: Settings, tmp_path: Path) -> None:
    """Whoever recalls units proves which had the package, not which ever met it."""
    config = ("--config", settings.path)
    asked = ("--package", "EC25EFAR06A06M4G")
    made = station("audit", "export", "--out", "a.zip", "--recall", *asked, *config, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines() == ["a.zip: 1 attempts, package EC25EFAR06A06M4G, recall"]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        (line,) = archive.read("attempts.jsonl").splitlines()
        manifest = json.loads(archive.read("manifest.json"))
    told = station("audit", "recall", "--json", *asked, *config, cwd=tmp_path).stdout
    assert json.loads(line)["attempt_id"] == json.loads(told)["attempt_id"]
    assert manifest["question"]["asked"] == {"package": "EC25EFAR06A06M4G", "recall": True}
    checked = station("audit", "check-bundle", "a.zip", cwd=tmp_path)
    assert "question: package EC25EFAR06A06M4G, recall" in checked.stdout


def test_a_recall_list_is_of_something(settings: Settings, tmp_path: Path) -> None:
    config = ("--config", settings.path)
    asked = ("--recall", "--slot", "A1")
    made = station("audit", "export", "--out", "a.zip", *asked, *config, cwd=tmp_path)
    assert made.returncode == 2
    assert "ask for something: --package, --firmware" in made.stderr
    assert not (tmp_path / "a.zip").exists()


def test_a_package_that_the_record_never_had_is_named(settings: Settings, tmp_path: Path) -> None:
    """Signed and short: nobody may take it for a proof that no unit has the package."""
    config = ("--config", settings.path)
    made = station("audit", "export", "--out", "a.zip", "--package", "R06", *config, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    first, second = made.stdout.splitlines()
    assert first == "a.zip: 0 attempts, package R06"
    assert second.startswith("no package on this record is called R06; there are: EC25EFAR06A06M4G")


def test_an_auditor_checks_it_without_anything_of_the_station(
    settings: Settings, tmp_path: Path
) -> None:
    audit_export.export(settings, Question(slot="A1"), tmp_path / "a.zip")
    public = load_key(settings.key).public
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "a.zip").rename(elsewhere / "a.zip")
    good = station("audit", "check-bundle", "a.zip", "--public-key", public, cwd=elsewhere)
    assert good.returncode == 0, good.stderr
    assert "2 attempts (0 open), all as they were signed" in good.stdout
    assert "question: slot A1" in good.stdout
    assert "each row of the record had been held against its chain" in good.stdout
    other = station("audit", "check-bundle", "a.zip", "--public-key", "ab" * 32, cwd=elsewhere)
    assert other.returncode == 1
    assert "S552 BAD BUNDLE" in other.stderr
    assert public in other.stderr


def test_what_was_not_written_so_is_not_signed(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By somebody who has the file and no key; whoever has the bundle only could not tell."""
    with opened(sqlite_path(settings.database) or Path()) as db:
        db.execute("UPDATE step SET bytes = bytes + 1 WHERE bytes IS NOT NULL")
    with pytest.raises(RecordChanged, match=r"link \d+: step .* it is not what was written"):
        audit_export.export(settings, Question(slot="A1"), tmp_path / "a.zip")
    assert list(tmp_path.glob("*.zip*")) == []
    assert "--quick leaves that out" in capsys.readouterr().err
    config = ("--config", settings.path)
    asked = ("--out", "a.zip", "--slot", "A1", "--quick")
    made = station("audit", "export", *asked, *config, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    checked = station("audit", "check-bundle", "a.zip", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "nobody had looked whether the rows were as they were written" in checked.stdout


def test_what_was_published_must_be_in_the_record(settings: Settings, tmp_path: Path) -> None:
    """Made anew as a whole, the chain fits the rows."""
    name, key = settings.station.name, load_key(settings.key)
    seen = settings.path.with_name("seen.jsonl")
    with settings.path.open("a") as file:
        file.write(f"\naudit: {{publish: {seen.name}}}\n")
    with pytest.raises(NoCheckpoint, match="No such file"):
        audit_export.export(load_settings(settings.path), Question(slot="A1"), tmp_path / "a.zip")
    other = Checkpoint(name, 2, "ab" * 32, 1, "rows", "").signed(key)
    publish(other, seen)
    with pytest.raises(RecordChanged, match="another history"):
        audit_export.export(load_settings(settings.path), Question(slot="A1"), tmp_path / "a.zip")
    assert list(tmp_path.glob("*.zip*")) == []


def test_whose_key_it_is_must_be_said(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit_export.export(settings, Question(slot="A1"), tmp_path / "a.zip")
    assert audit_export.check(tmp_path / "a.zip", ()) is Exit.GOOD
    assert "name the station's with --public-key" in capsys.readouterr().err
    with pytest.raises(UsageError, match="64 hex digits"):
        audit_export.check(tmp_path / "a.zip", ("abc",))


def test_without_a_key_there_is_no_bundle(settings: Settings, tmp_path: Path) -> None:
    settings.key.unlink()
    with pytest.raises(NoSigningKey):
        audit_export.export(settings, Question(slot="A1"), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        (
            "--since",
            "0001-01-01T00:00+14:00",
            "--since '0001-01-01T00:00+14:00' is before the year",
        ),
        ("--name", "x" * 5000, "--name has 5000 characters; 256 are the most"),
        ("--name", "a\udcff", "--name 'a\\udcff' is no UTF-8 text"),
    ],
)
def test_a_question_that_no_bundle_can_hold(
    settings: Settings, tmp_path: Path, option: str, value: str, why: str
) -> None:
    asked = ("--out", "a.zip", option, value, "--config", settings.path)
    done = station("audit", "export", *asked, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert not (tmp_path / "a.zip").exists()


def test_the_longest_question_is_answered(settings: Settings, tmp_path: Path) -> None:
    texts = ("name", "imei", "serial", "chip", "firmware", "package", "code", "slot", "operator")
    longest = Question(
        **dict.fromkeys((*texts, "lot"), "x" * MOST_CHARS), shift="a" * 36,
        outcome=Outcome.INTERRUPTED, since_utc_us=1, until_utc_us=2,
    )  # fmt: skip
    check(longest)
    audit_export.export(settings, longest, tmp_path / "a.zip")
    assert audit_export.check(tmp_path / "a.zip", ()) is Exit.GOOD


def test_a_path_that_is_too_long(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DiskTrouble, match="File name too long"):
        audit_export.export(settings, Question(slot="A1"), tmp_path / ("x" * 5000))


def test_an_empty_question_and_a_file_that_is_there(settings: Settings, tmp_path: Path) -> None:
    config = ("--config", settings.path)
    asked = station("audit", "export", "--out", "a.zip", *config, cwd=tmp_path)
    assert asked.returncode == 2
    assert "ask for something" in asked.stderr
    (tmp_path / "a.zip").write_text("mine")
    again = station("audit", "export", "--out", "a.zip", "--slot", "A1", *config, cwd=tmp_path)
    assert again.returncode == 2
    assert (tmp_path / "a.zip").read_text() == "mine"


def test_the_question_tells_years_as_they_are_typed() -> None:
    """The first one, too: the words are signed."""
    asked = span_of("0001-01-01", "0999-01-01")._asdict()
    assert audit_export.words_of(asked) == (
        "since 0001-01-01T00:00:00Z, until 0999-01-01T00:00:00Z"
    )
