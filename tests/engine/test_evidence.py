"""Each attempt keeps what was said; what goes wrong with that costs no verdict."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from station.disk import Disk
from station.engine import evidence
from station.engine.evidence import SETTLE_EVERY_S, THREADS, Evidence
from station.errors import EvidenceNotKept
from station.evidence.cabinet import Cabinet
from station.evidence.reading import Read, read_transcript
from station.model import AttemptRecord, EvidenceRef, Notice, Outcome
from station.store.writer import open_store
from tests.engine.test_trouble import dies_in
from tests.engine.tray import Line, by_slot, code_of, make_line, step_named
from tests.mock_time import time_passes
from tests.new_record import new_record
from tests.store.samples import attempt


def cabinet_of(line: Line) -> Cabinet:
    return Cabinet(line.settings().evidence)


def transcript_of(line: Line, record: AttemptRecord) -> Read:
    assert record.closed is not None
    (ref,) = record.closed.evidence
    return read_transcript(cabinet_of(line).read(ref))


def spools(line: Line) -> list[Path]:
    return list((line.settings().evidence / "open").glob("*"))


@pytest.mark.trio
async def test_a_pass_is_kept_from_the_first_look_to_the_verdict(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    record = by_slot(await line.flash())["A1"]
    (row,) = line.recorded(slot="A1")
    assert row.closed is not None
    assert row.closed.evidence == record.closed.evidence if record.closed else None
    transcript = transcript_of(line, record)
    assert transcript.header["attempt"] == record.opened.attempt_id
    entries = transcript.entries
    assert [e.t_us for e in entries] == sorted(e.t_us for e in entries)
    assert [e.text for e in entries if e.kind == "step"] == [step.name for step in record.steps]
    sent = [e.data for e in entries if e.kind == "send"]
    assert b"AT+CGSN\r" in sent
    assert bytes.fromhex("4b650100540f7e") in sent
    ports = [e.text.split(",")[0] for e in entries if e.kind == "port"]
    assert ports[0].startswith("2c7c:0125")
    assert "the slot is empty" in ports
    assert any(port.startswith("05c6:9008") for port in ports)
    assert entries[-1].text == "PASS"
    told = " ".join(e.text for e in entries if e.kind == "image")
    for image in record.images:
        (span,) = (e for e in entries if e.kind == "span" and e.fields["name"] == image.name)
        assert span.fields["bytes"] == image.length_bytes
        assert image.sha256_sent in told
    assert spools(line) == []


@pytest.mark.trio
@pytest.mark.parametrize(
    ("fault", "nudges"),
    [
        ("missed-hello", "no HELLO; answering it unasked"),
        (
            "silent-sahara",
            "no HELLO; answering it unasked; no answer to HELLO_RESP; trying Firehose",
        ),
    ],
)
async def test_what_a_module_was_nudged_by_is_on_record(
    tmp_path: Path, tray_clock: object, fault: str, nudges: str
) -> None:
    line = make_line(tmp_path, faults={"A1": fault})
    record = by_slot(await line.flash())["A1"]
    identify, load = (step_named(record, name) for name in ("identify", "load_programmer"))
    assert load.detail["nudges"] == nudges
    assert "nudges" not in identify.detail


@pytest.mark.trio
@pytest.mark.parametrize("fault", ["nak", "unplug", "silent-sahara", "no-return"])
async def test_a_failure_is_kept_with_its_last_words(
    tmp_path: Path, tray_clock: object, fault: str
) -> None:
    line = make_line(tmp_path, faults={"A1": fault})
    record = by_slot(await line.flash())["A1"]
    transcript = transcript_of(line, record)
    assert record.closed is not None
    assert record.closed.failure is not None
    assert transcript.entries[-1].kind == "verdict"
    assert transcript.entries[-1].text.startswith(f"FAIL {record.closed.failure.code}: ")


@pytest.mark.trio
async def test_an_empty_slot_keeps_that_it_was_empty(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    line.unplug("A1")
    record = by_slot(await line.flash())["A1"]
    assert transcript_of(line, record).entries[0].text == "the slot is empty"


async def failing_flash(line: Line) -> tuple[AttemptRecord, list[str]]:
    told: list[str] = []
    line.tell = lambda event: told.append(event.text) if isinstance(event, Notice) else None
    record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert record.closed.outcome is Outcome.PASS
    assert record.closed.evidence == ()
    (row,) = line.recorded(slot="A1")
    assert row.closed is not None
    assert (row.closed.outcome, row.closed.readings) == (Outcome.PASS, record.closed.readings)
    return record, [words for words in told if "evidence" in words]


@pytest.mark.trio
async def test_a_full_disk_costs_no_pass_and_is_told(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Cabinet, *_: object) -> EvidenceRef:
        raise EvidenceNotKept(f"{self.root}: No space left on device")

    monkeypatch.setattr(Cabinet, "put", full)
    monkeypatch.setattr(Cabinet, "spool", full)
    record, told = await failing_flash(make_line(tmp_path))
    assert record.closed is not None
    assert record.closed.readings["evidence"].endswith("No space left on device")
    assert told == [f"S520 evidence {record.closed.readings['evidence']}"]


@pytest.mark.trio
async def test_a_folder_that_is_none_costs_no_pass(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    line.settings().evidence.write_text("a file where the folder should be")
    _, told = await failing_flash(line)
    assert len(told) == 1


@pytest.mark.trio
async def test_a_mistake_of_ours_costs_no_pass(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cabinet, "put", lambda *_: 1 / 0)
    monkeypatch.setattr(Cabinet, "drop", lambda *_: 1 / 0)
    record, told = await failing_flash(make_line(tmp_path))
    assert "ZeroDivisionError" in told[0]
    assert record.closed is not None


@pytest.mark.trio
async def test_a_disk_that_hangs_costs_no_pass(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread is left behind; each use of the disk has a deadline, and the first ends it."""
    line = make_line(tmp_path)
    in_place, hung = trio.to_thread.run_sync, list[float]()

    async def run(call: Callable[..., object], *args: object, **how: Any) -> object:  # noqa: ANN401 - trio's own signature
        if getattr(call, "__module__", None) == evidence.__name__:
            assert how["abandon_on_cancel"]
            hung.append(trio.current_time())
            await trio.sleep_forever()
        return await in_place(call, *args, **how)

    monkeypatch.setattr(trio.to_thread, "run_sync", run)
    _, told = await failing_flash(line)
    assert "did not take it within 5 s" in told[0]
    assert len(hung) == 4  # the start's tidying, the first spool, the whole, its tidying


@pytest.mark.trio
async def test_a_disk_that_hangs_keeps_no_thread_from_anybody_else(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many attempts it lasts; trio's own threads are everybody's, and 40."""
    back, held, begun = threading.Event(), list[str](), threading.Semaphore(0)

    def hang(_: Cabinet, attempt_id: str, data: bytes) -> None:
        held.append(attempt_id)
        begun.release()
        back.wait(60)

    monkeypatch.setattr(Cabinet, "spool", hang)
    disk = Disk(THREADS)
    try:
        for number in range(45):
            attempt = Evidence(Cabinet(tmp_path), disk, f"{number}", {})
            await time_passes(SETTLE_EVERY_S)
            await attempt.settle()
        assert all(begun.acquire(timeout=10) for _ in range(THREADS))
        assert sorted(held) == ["0", "1", "2", "3"]
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
    finally:
        back.set()


@pytest.mark.trio
async def test_what_a_dead_engine_heard_is_kept_with_interrupted(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path)
    await dies_in(line, "verify", monkeypatch)
    assert len(spools(line)) == 1
    await line.flash("A2")
    (row,) = line.recorded(slot="A1")
    assert code_of(row) == "X903"
    transcript = transcript_of(line, row)
    assert transcript.header["attempt"] == row.opened.attempt_id
    steps = [entry.text for entry in transcript.entries if entry.kind == "step"]
    assert steps[:5] == ["identify", "select", "preflight", "enter_edl", "load_programmer"]
    assert "erase" in steps
    assert spools(line) == []


@pytest.mark.trio
async def test_a_start_does_not_wait_for_a_folder_that_hangs(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for once, and what was not read stays where it is."""
    line = make_line(tmp_path)
    settings, cabinet = line.settings(), cabinet_of(line)
    new_record(settings.database)
    in_place, hung = trio.to_thread.run_sync, list[str]()

    async def run(call: Callable[..., object], *args: object, **how: Any) -> object:  # noqa: ANN401 - trio's own signature
        if how.get("abandon_on_cancel"):
            hung.append(repr(call))
            await how["limiter"].acquire_on_behalf_of(object())
            await trio.sleep_forever()
        return await in_place(call, *args, **how)

    async with open_store(settings.database) as store:
        left = [attempt(station=settings.station.name, slot=slot) for slot in ("A1", "A2", "A3")]
        for opened in left:
            await store.open_attempt(opened)
            cabinet.spool(opened.attempt_id, b"{}\n")
        began_s = trio.current_time()
        with monkeypatch.context() as patched:
            patched.setattr(trio.to_thread, "run_sync", run)
            await evidence.close_interrupted(store, settings)
    assert trio.current_time() - began_s == pytest.approx(evidence.PATIENCE_S)
    assert len(hung) == 1
    assert "adopt" in hung[0]
    assert len(spools(line)) == 3
    whys = []
    for slot in ("A1", "A2", "A3"):
        (row,) = line.recorded(slot=slot)
        assert code_of(row) == "X903"
        assert row.closed is not None
        whys.append(row.closed.readings["evidence"])
    late = "the disk did not take it within 5 s"
    assert whys == [
        f"not stored: {late}",
        *[f"not stored: not looked for; of another attempt: {late}"] * 2,
    ]


@pytest.mark.trio
async def test_what_was_heard_stays_where_it_is_until_it_can_be_kept(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for the first of two; each is told for itself."""
    line, puts, put = make_line(tmp_path), list[bytes](), Cabinet.put
    settings, cabinet = line.settings(), cabinet_of(line)
    new_record(settings.database)

    def full_at_first(self: Cabinet, data: bytes) -> EvidenceRef:
        puts.append(data)
        if len(puts) == 1:
            raise EvidenceNotKept(f"{self.root}: No space left on device")
        return put(self, data)

    monkeypatch.setattr(Cabinet, "put", full_at_first)
    async with open_store(settings.database) as store:
        for slot in ("A1", "A2"):
            opened = attempt(station=settings.station.name, slot=slot)
            await store.open_attempt(opened)
            cabinet.spool(opened.attempt_id, b"{}\n")
        await evidence.close_interrupted(store, settings)
        await evidence.close_interrupted(store, settings)
    (first,), (second,) = line.recorded(slot="A1"), line.recorded(slot="A2")
    assert first.closed is not None
    assert second.closed is not None
    assert first.closed.evidence == ()
    assert first.closed.readings["evidence"].endswith("No space left on device")
    assert [kept.length_bytes for kept in second.closed.evidence] == [3]
    assert second.closed.readings == {}
    assert [spool.stem for spool in spools(line)] == [first.opened.attempt_id]


@pytest.mark.trio
async def test_what_an_attempt_spooled_outlives_a_transcript_that_cannot_be_kept(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Cabinet, _: bytes) -> EvidenceRef:
        raise EvidenceNotKept(f"{self.root}: No space left on device")

    monkeypatch.setattr(Cabinet, "put", full)
    line = make_line(tmp_path)
    record, _ = await failing_flash(line)
    assert cabinet_of(line).spooled(record.opened.attempt_id) != b""


@pytest.mark.trio
async def test_an_interrupted_attempt_without_a_spool_is_closed_all_the_same(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path)
    await dies_in(line, "program", monkeypatch)
    for spool in spools(line):
        spool.unlink()
        os.mkfifo(spool)
    await line.flash("A2")
    (row,) = line.recorded(slot="A1")
    assert code_of(row) == "X903"
    assert row.closed is not None
    assert row.closed.evidence == ()
