"""What `station explain` tells, compared with files: `STATION_GOLDEN=write` writes them anew."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from station.commands.attempt_story import Story
from station.commands.exits import Exit
from station.commands.explain import explain, find, read_story
from station.errors import EvidenceNotKept, Interrupted, UsageError
from station.evidence.cabinet import Cabinet
from station.model import AttemptRecord, EvidenceRef, Failure, Mode, StepStarted
from station.sim.mishap import Mishap, What
from tests.commands.running import process, said
from tests.commands.test_cli import station
from tests.engine.tray import Line, in_order, make_line

GOLDEN = Path(__file__).parent.parent / "golden"


def record_of(line: Line, slot: str = "A1") -> AttemptRecord:
    return find(line.settings().database, None, slot)


def kept(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*.gz")}


def compare(name: str, text: str, record: AttemptRecord) -> None:
    """All but what is new each time: the id, the moment, the digest of a file that names both."""
    text = text.replace(record.opened.attempt_id, "ATTEMPT")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "MOMENT", text)
    assert record.closed is not None
    text = text.replace(record.closed.evidence[0].sha256, "DIGEST")
    text = re.sub(r"software \d+\.\d+\.\d+", "software VERSION", text)
    text = re.sub(r"\d+ bytes; --full", "BYTES; --full", text)
    path = GOLDEN / f"explain_{name}.txt"
    if os.environ.get("STATION_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs"


@pytest.mark.trio
@pytest.mark.parametrize(
    ("name", "fault"),
    [("pass", "none"), ("nak", "nak"), ("wrong_programmer", "wrong-programmer")],
)
async def test_golden_story(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch, name: str, fault: str
) -> None:
    in_order(monkeypatch)
    line = make_line(tmp_path, faults={} if fault == "none" else {"A1": fault})
    await line.flash()
    record = record_of(line)
    story = read_story(line.settings(), record)
    compare(name, story.text(full=False), record)


@pytest.mark.trio
async def test_backups_are_told_in_words(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    line.edit_recipe(family="ec25", backup=["module", "dump"])
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, nak_program=2)
    await line.flash()
    record = record_of(line)
    story = read_story(line.settings(), record)
    assert record.closed is not None
    dump = next(kept for kept in record.closed.evidence if kept.kind == "efs2")
    length = "17825792 bytes"
    assert "The module had backed itself up: it counted its backups from 1 to 2." in story.why()
    assert f"Its EFS2 was kept as it was before the first erase: {length}." in story.why()
    text = story.text(full=False)
    assert "backups after: 2; backups before: 1; restores: 0" in text
    assert f"efs2 {dump.sha256}\n  {length}, {dump.stored_bytes} packed; nothing to write" in text


@pytest.mark.trio
async def test_a_backup_that_failed_is_all_that_was_written(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    line.edit_recipe(family="ec25", backup=["module"])
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, counts_backups=False)
    await line.flash()
    why = read_story(line.settings(), record_of(line)).why()
    assert why[0].startswith("D220 NO BACKUP: the module said OK, but its count of backups was 1")
    assert "was not changed, but for the module's own backup, in this attempt" in " ".join(why)
    assert not any("backed itself up:" in words for words in why)


@pytest.mark.trio
async def test_of_what_was_cut_short_nobody_knows_whether_an_erase_had_begun(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "wrong-programmer"})
    await line.flash()
    record = record_of(line)
    assert record.closed is not None
    failure = Failure.of(Interrupted("the station stopped before this attempt ended"))
    closed = replace(
        record.closed, outcome=failure.outcome, failure=failure, final_mode=Mode.UNKNOWN
    )
    why = Story(replace(record, closed=closed), None, None).why()
    assert "Whether the flash memory was changed in this attempt is not on record." in why
    assert not any("was not changed" in words for words in why)


@pytest.mark.trio
async def test_the_failure_that_counts_is_the_one_that_was_not_got_over(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "nak"})
    line.befall("A1", Mishap(What.MUTE, "configure"))
    await line.flash()
    story = read_story(line.settings(), record_of(line))
    text = story.text(full=False)
    assert "Last exchanges before program failed" in text
    assert "Recovery" in text
    assert any("HANDLE_PROGRAM_FAILURE" in shown.words for shown in story.last_exchanges())


@pytest.mark.trio
async def test_full_has_every_message_and_json_the_same(
    tmp_path: Path, tray_clock: object, capsys: pytest.CaptureFixture[str]
) -> None:
    line = make_line(tmp_path, faults={"A1": "nak"})
    await line.flash()
    settings, record = line.settings(), record_of(line)
    attempt_id = record.opened.attempt_id
    assert explain(settings, attempt_id, None, full=True, as_json=False) is Exit.GOOD
    text = capsys.readouterr().out
    assert explain(settings, None, "A1", full=True, as_json=True) is Exit.GOOD
    told = json.loads(capsys.readouterr().out)
    assert told["attempt"]["attempt_id"] == attempt_id
    assert told["trouble"] is None
    assert told["why"][0].startswith("P112 ")
    assert "Firehose NAK" in [line["words"] for line in told["last"]]
    assert len(told["transcript"]) > 100
    for message in told["transcript"]:
        assert message["words"] in text
    assert explain(settings, None, "A1", full=False, as_json=True) is Exit.GOOD
    assert "transcript" not in json.loads(capsys.readouterr().out)


@pytest.mark.trio
async def test_rows_are_explained_where_the_transcript_is_not_to_be_had(
    tmp_path: Path,
    tray_clock: object,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = make_line(tmp_path)
    await line.flash()
    settings, record = line.settings(), record_of(line)
    assert record.closed is not None
    (ref,) = record.closed.evidence
    file = settings.evidence / ref.sha256[:2] / f"{ref.sha256}.jsonl.gz"
    file.chmod(0o640)
    file.write_bytes(file.read_bytes()[:-1])
    assert explain(settings, None, "A1", full=True, as_json=False) is Exit.VERDICT
    text = capsys.readouterr().out
    assert f"S522 EVIDENCE DAMAGED: {file}" in text
    assert "read back from the flash memory" in text
    file.unlink()
    assert explain(settings, None, "A1", full=False, as_json=True) is Exit.VERDICT
    assert json.loads(capsys.readouterr().out)["trouble"]["code"] == "S521"


@pytest.mark.trio
async def test_an_attempt_without_evidence_says_why(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Cabinet, *_: object) -> EvidenceRef:
        raise EvidenceNotKept("No space left on device")

    monkeypatch.setattr(Cabinet, "put", full)
    line = make_line(tmp_path)
    await line.flash()
    story = read_story(line.settings(), record_of(line))
    assert "no transcript: not stored: No space left on device" in story.text(full=True)
    assert "lines of it lie there still" in story.text(full=True)
    assert "Firehose program" in story.text(full=True)
    bare = replace(story.record, closed=None)
    assert "There is no verdict" in Story(bare, None, None).text(full=False)


@pytest.mark.trio
async def test_an_attempt_under_way_is_explained_as_far_as_it_was_spooled(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    told: list[str] = []

    def look(event: object) -> None:
        if isinstance(event, StepStarted) and event.step == "verify":
            told.append(read_story(line.settings(), record_of(line)).text(full=False))

    line.tell = look
    await line.flash()
    (text,) = told
    assert "still open" in text
    assert "Firehose program" in text
    assert "the attempt is still running" in text


@pytest.mark.trio
async def test_an_attempt_is_found_by_how_its_id_begins(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path, slots=2)
    await line.flash()
    database = line.settings().database
    one, two = record_of(line, "A1"), record_of(line, "A2")
    for asked in (one.opened.attempt_id, one.opened.attempt_id.upper(), one.opened.attempt_id[:35]):
        if not two.opened.attempt_id.startswith(asked):
            assert find(database, asked, None).opened == one.opened
    with pytest.raises(UsageError, match="more than one") as caught:
        find(database, one.opened.attempt_id[:6], None)
    assert f"{one.opened.attempt_id} (A1)" in caught.value.cause
    for attempt, slot, words in (
        (None, None, "name one attempt"),
        (one.opened.attempt_id, "A1", "name one attempt"),
        ("01a2", None, "at least 6"),
        ("%%%%%%", None, "at least 6"),
        ("ffffffff", None, "no attempt's id"),
        (None, "", "--slot is empty"),
        (None, " ", "--slot is empty"),
        (None, "B7", "no attempt in slot B7"),
    ):
        with pytest.raises(UsageError, match=words):
            find(database, attempt, slot)


@pytest.mark.trio
async def test_the_command_reads_only(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path, faults={"A1": "nak"})
    await line.flash()
    before = kept(tmp_path)
    done = station("explain", "--slot", "A1", "--config", line.config, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "What to do: " in done.stdout
    assert kept(tmp_path) == before
    nobody = station("explain", "ffffffff", "--config", line.config, cwd=tmp_path)
    assert nobody.returncode == 2


def test_what_a_killed_engine_heard_is_explained_after_the_next_start(tmp_path: Path) -> None:
    """kill -9 while a module is read back: the record has INTERRUPTED, the file what was said."""
    tray = ("demo", "--slots", "1", "--once", "--seed", "7", "--data", tmp_path)
    with process(*tray) as started:
        said(started, "A1: verify")
        started.kill()
        started.wait()
    assert station(*tray, "--speed", "8", cwd=tmp_path).returncode == 0
    config = tmp_path / "station.yaml"
    found = station("audit", "find", "--slot", "A1", "--json", "--config", config, cwd=tmp_path)
    first, second = map(json.loads, found.stdout.splitlines())
    assert (first["outcome"], second["outcome"]) == ("INTERRUPTED", "PASS")
    done = station("explain", first["attempt_id"], "--json", "--config", config, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["why"][0].startswith("X903 ")
    assert any("Firehose program" in line["words"] for line in told["last"]), told["last"]
    assert list((tmp_path / "evidence" / "open").iterdir()) == []
