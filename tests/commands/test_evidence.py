"""`station evidence prune`: files go, rows stay, and both the record and `explain` say why."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from station.commands import evidence, people
from station.commands.evidence import DAY_US, prune
from station.commands.exits import Exit
from station.commands.explain import explain
from station.config import Settings, load_settings
from station.engine.lock import own
from station.errors import (
    DiskTrouble,
    EngineRunning,
    EvidenceDamaged,
    NotRegistered,
    UsageError,
)
from station.evidence.cabinet import Cabinet
from station.evidence.dump import Dump
from station.model import EvidenceRef, StationEvent
from station.store.database import sqlite_path
from station.store.events import find_events
from station.store.ids import new_id
from station.store.queries import find_attempts
from station.store.revision import create_if_missing
from tests.commands.test_cli import station
from tests.demo_line import demo_line
from tests.store.samples import NOON_US, attempt, flashed, verdict

OLD, NEW = "A1", "A2"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A record with an attempt in A1, and one in A2 thirty days later; it is that day now."""
    found = load_settings(demo_line(tmp_path / "line", [OLD, NEW]))
    create_if_missing(found.database)
    for slot, days in ((OLD, 0), (NEW, 30)):
        opened = attempt(
            station=found.station.name, slot=slot, started_utc_us=NOON_US + days * DAY_US
        )
        kept = Cabinet(found.evidence).put(transcript(opened.attempt_id))
        keep_since(found, kept, opened.started_utc_us)
        flashed(found.database, opened, verdict(opened, evidence=(kept,)))
    monkeypatch.setattr(evidence, "now_utc_us", lambda: NOON_US + 30 * DAY_US + 3_600_000_000)
    return found


def keep_since(settings: Settings, ref: EvidenceRef, utc_us: int) -> None:
    """As if the file had been put there then."""
    (file,) = (settings.evidence / ref.sha256[:2]).glob(f"{ref.sha256}.*")
    os.utime(file, ns=(utc_us * 1000, utc_us * 1000))


def transcript(attempt_id: str) -> bytes:
    head = {"format": "station-transcript/1", "attempt": attempt_id}
    return f'{json.dumps(head)}\n{{"t":0,"k":"step","text":"identify"}}\n'.encode()


def ref_of(settings: Settings, slot: str) -> EvidenceRef:
    (record,) = find_attempts(settings.database, slot=slot)
    assert record.closed is not None
    (ref,) = record.closed.evidence
    return ref


def is_kept(settings: Settings, slot: str) -> bool:
    return Cabinet(settings.evidence).kept_utc_us(ref_of(settings, slot)) is not None


def events(settings: Settings) -> list[StationEvent]:
    return find_events(settings.database, kind="evidence_pruned")


def test_old_files_go_and_all_rows_stay(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    bytes_ = ref_of(settings, OLD).stored_bytes
    prune(settings, 29, dry_run=False)
    assert capsys.readouterr().out.startswith("deleted 1 file, 0.0 MB, of attempts that")
    assert (is_kept(settings, OLD), is_kept(settings, NEW)) == (False, True)
    (event,) = events(settings)
    assert event.station == settings.station.name
    assert event.actor
    assert event.actor == event.peer_user
    assert (event.detail["files"], event.detail["bytes"]) == (1, bytes_)
    assert event.detail["older_than_days"] == 29


def test_where_people_are_registered_an_engineer_deletes_with_a_reason(settings: Settings) -> None:
    people.change(settings, "operator_add", name="eva", role="engineer", reason="runs line 1")
    prune(settings, 29, dry_run=True)
    with pytest.raises(NotRegistered):
        prune(settings, 29, dry_run=False)
    with pytest.raises(UsageError, match="reason"):
        prune(settings, 29, dry_run=False, by="eva")
    with pytest.raises(UsageError, match=r"prune\.by"):
        prune(settings, 29, dry_run=False, by="", reason="the disk is full")
    assert is_kept(settings, OLD)
    assert events(settings) == []
    prune(settings, 29, dry_run=False, by="eva", reason="the disk is full")
    assert not is_kept(settings, OLD)
    (event,) = events(settings)
    assert (event.actor, event.role, event.detail["reason"]) == (
        "eva",
        "engineer",
        "the disk is full",
    )


def test_a_dry_run_deletes_nothing_and_says_what_would_be(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    prune(settings, 29, dry_run=True)
    assert capsys.readouterr().out.startswith("would delete 1 file,")
    assert is_kept(settings, OLD)
    assert events(settings) == []


def test_nothing_to_delete_is_no_event(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    prune(settings, 31, dry_run=False)
    assert "nothing is kept of attempts that ended before" in capsys.readouterr().out
    prune(settings, 29, dry_run=False)
    prune(settings, 29, dry_run=False)
    assert len(events(settings)) == 1


def test_a_file_that_a_younger_attempt_names_too_stays(settings: Settings) -> None:
    """EFS2 of one module, read out twice: equal bytes are one file."""
    dumps = [dump(settings) for _ in range(2)]
    assert dumps[0] == dumps[1]
    for days in (0, 30):
        opened = attempt(
            station=settings.station.name, slot="A3", started_utc_us=NOON_US + days * DAY_US
        )
        flashed(settings.database, opened, verdict(opened, evidence=(dumps[0],)))
    cabinet = Cabinet(settings.evidence)
    keep_since(settings, dumps[0], NOON_US + 30 * DAY_US)
    prune(settings, 29, dry_run=False)
    assert cabinet.kept_utc_us(dumps[0]) is not None
    keep_since(settings, dumps[0], NOON_US)
    prune(settings, 29, dry_run=False)
    assert cabinet.kept_utc_us(dumps[0]) is None


def dump(settings: Settings) -> EvidenceRef:
    reading = Dump(Cabinet(settings.evidence), new_id())
    reading.add(b"EFS2" * 1000)
    return reading.keep()


@pytest.mark.parametrize(
    "forged",
    [EvidenceRef("transcript", "../victim", 1, 1), EvidenceRef("elf", "a" * 64, 1, 1)],
    ids=["path", "kind"],
)
def test_a_name_that_is_none_touches_no_file(tmp_path: Path, forged: EvidenceRef) -> None:
    folder = tmp_path / "evidence" / "aa"
    folder.mkdir(parents=True)
    victim = tmp_path / "victim.jsonl.gz"
    victim.touch()
    (folder / f"{'a' * 64}.elf").touch()
    cabinet = Cabinet(tmp_path / "evidence")
    assert cabinet.kept_utc_us(forged) is None
    with pytest.raises(EvidenceDamaged):
        cabinet.remove(forged)
    assert victim.exists()


def test_nothing_goes_while_something_else_writes_that_cannot_be_asked(settings: Settings) -> None:
    with own(sqlite_path(settings.database), ()), pytest.raises(EngineRunning):
        prune(settings, 29, dry_run=False)
    assert is_kept(settings, OLD)
    assert events(settings) == []


def test_files_of_another_station_on_the_same_record_stay(settings: Settings) -> None:
    theirs = replace(settings, station=settings.station.model_copy(update={"name": "line-2"}))
    prune(theirs, 1, dry_run=False)
    assert is_kept(settings, OLD)


def test_an_attempt_whose_transcript_was_deleted_says_by_whom_and_when(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    prune(settings, 29, dry_run=False)
    capsys.readouterr()
    assert explain(settings, None, OLD, full=False, as_json=False) is Exit.GOOD
    text = capsys.readouterr().out
    who = events(settings)[0].actor
    assert f"no transcript: {who} deleted all older than 29 days at 2026-" in text
    assert "S521" not in text
    assert explain(settings, None, OLD, full=False, as_json=True) is Exit.GOOD
    told = json.loads(capsys.readouterr().out)
    assert (told["trouble"], told["pruned"]["by"]) == (None, who)


def test_a_younger_one_that_is_missing_is_still_missing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    prune(settings, 29, dry_run=False)
    Cabinet(settings.evidence).remove(ref_of(settings, NEW))
    assert explain(settings, None, NEW, full=False, as_json=False) is Exit.VERDICT
    assert "S521 EVIDENCE MISSING" in capsys.readouterr().out


def test_what_cannot_be_deleted_is_an_error_in_words(settings: Settings) -> None:
    ref = ref_of(settings, OLD)
    file = settings.evidence / ref.sha256[:2] / f"{ref.sha256}.jsonl.gz"
    file.unlink()
    file.mkdir()
    keep_since(settings, ref, NOON_US)
    with pytest.raises(DiskTrouble, match=ref.sha256):
        prune(settings, 29, dry_run=False)


def test_no_link_is_followed(tmp_path: Path) -> None:
    cabinet = Cabinet(tmp_path / "evidence")
    ref = cabinet.put(transcript(new_id()))
    folder = tmp_path / "evidence" / ref.sha256[:2]
    moved = folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(moved)
    assert cabinet.kept_utc_us(ref) is None
    with pytest.raises(DiskTrouble):
        cabinet.remove(ref)
    assert len(list(moved.iterdir())) == 1


@pytest.mark.parametrize("days", ["0", "-1", "x", "36501"])
def test_days_that_are_none_are_refused(settings: Settings, days: str) -> None:
    done = station(
        "evidence",
        "prune",
        "--older-than",
        days,
        "--config",
        settings.path,
        cwd=settings.path.parent,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert is_kept(settings, OLD)


def test_the_command(settings: Settings) -> None:
    done = station(
        *("evidence", "prune", "--older-than", "36500", "--dry-run"),
        *("--config", settings.path),
        cwd=settings.path.parent,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing is kept of attempts that ended before 19")
