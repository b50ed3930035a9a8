"""What is kept of a conversation, and what it may cost."""

import hashlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from station.errors import Timeout
from station.evidence.reading import read_transcript
from station.evidence.transcript import HEAD_BYTES, TAIL_BYTES, Transcript
from station.protocols.dialogue import BytesSource, SendSpan


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def entries(transcript: Transcript) -> list[dict[str, Any]]:
    return [json.loads(line) for line in transcript.whole().splitlines()[1:]]


def test_messages_are_literal_with_their_times() -> None:
    clock = Clock()
    transcript = Transcript({"attempt": "a"}, clock)
    transcript.said("step", "identify")
    clock.now += 1.5
    transcript.sent(b"AT+CGSN\r")
    clock.now += 0.000_001
    transcript.received(b"\x01\x00\xff")
    transcript.trouble(Timeout("nothing came"))
    assert json.loads(transcript.whole().splitlines()[0]) == {
        "format": "station-transcript/1",
        "attempt": "a",
    }
    assert entries(transcript) == [
        {"t": 0, "k": "step", "text": "identify"},
        {"t": 1_500_000, "k": "send", "text": "AT+CGSN\r"},
        {"t": 1_500_001, "k": "receive", "hex": "0100ff"},
        {"t": 1_500_001, "k": "trouble", "text": "Timeout: nothing came"},
    ]


def test_payload_is_one_entry_and_never_copied() -> None:
    clock = Clock()
    transcript = Transcript({}, clock)
    image = BytesSource("boot.mbn", b"secret" * 1000)
    for offset in (0, 3000):
        began, clock.now = clock.now, clock.now + 1
        transcript.spanned(SendSpan(image, offset, 3000, 1000), 3000, 3, began)
    data = bytes(range(256)) * 32
    transcript.received(data)
    transcript.received(data)
    span, read = entries(transcript)
    assert span == {
        "t": 0,
        "k": "span",
        "name": "boot.mbn",
        "of_sha256": hashlib.sha256(image.data).hexdigest(),
        "at": 0,
        "bytes": 6000,
        "chunks": 6,
        "us": 2_000_000,
    }
    assert (read["k"], read["bytes"], read["chunks"]) == ("data", 16384, 2)
    assert read["sha256"] == hashlib.sha256(data + data).hexdigest()
    assert b"secret" not in transcript.whole()


def test_what_a_module_holds_is_payload_however_short_and_the_document_after_it_is_not() -> None:
    transcript = Transcript({}, Clock())
    for data in (b"calibration", b"tail" + b'<?xml version="1.0" ?><data></data>', b""):
        transcript.received(data, is_payload=True)
    read, document = entries(transcript)
    assert (read["k"], read["bytes"], read["chunks"]) == ("data", 15, 2)
    assert read["sha256"] == hashlib.sha256(b"calibrationtail").hexdigest()
    assert (document["k"], document["text"]) == ("receive", '<?xml version="1.0" ?><data></data>')


def test_a_span_that_was_cut_short_does_not_run_into_the_next() -> None:
    transcript = Transcript({}, Clock())
    image = BytesSource("boot.mbn", bytes(9000))
    transcript.spanned(SendSpan(image, 0, 3000, 1000), 1000, 1, 100.0)
    transcript.spanned(SendSpan(image, 3000, 3000, 1000), 3000, 3, 100.0)
    assert [(e["at"], e["bytes"]) for e in entries(transcript)] == [(0, 1000), (3000, 3000)]


def test_a_flood_keeps_its_beginning_and_its_end() -> None:
    """Twenty megabytes of log lines; what is left out is counted and has a digest."""
    transcript = Transcript({"attempt": "a"}, Clock())
    lines = [f"{number:07d}" + "x" * 4000 for number in range(5000)]
    for line in lines:
        transcript.received(line.encode())
    whole = transcript.whole()
    assert len(whole) <= HEAD_BYTES + TAIL_BYTES + 1000
    kept = read_transcript(whole).entries
    (cut,) = (place for place, entry in enumerate(kept) if entry.kind == "left_out")
    left_out = kept[cut].fields
    assert left_out["entries"] == len(lines) - (len(kept) - 1)
    assert [e.text for e in kept[:cut]] == lines[:cut]
    assert [e.text for e in kept[cut + 1 :]] == lines[-(len(kept) - cut - 1) :]
    gone = lines[cut : cut + int(left_out["entries"])]
    encoded = [b'{"t":0,"k":"receive","text":"%s"}\n' % line.encode() for line in gone]
    assert left_out["sha256"] == hashlib.sha256(b"".join(encoded)).hexdigest()


def test_a_flood_fills_neither_memory_nor_spool() -> None:
    transcript = Transcript({}, Clock())
    spooled = 0
    for _ in range(1000):
        transcript.received(b"\xff" * 4096)
        spooled += len(transcript.take())
    assert HEAD_BYTES - 10_000 < spooled <= HEAD_BYTES


def test_what_is_taken_for_the_spool_is_taken_once_and_is_readable() -> None:
    transcript = Transcript({"attempt": "a"}, Clock())
    transcript.sent(b"AT\r")
    first = transcript.take()
    assert transcript.take() == b""
    transcript.received(b"OK\r\n")
    assert first + transcript.take() == transcript.whole()
    assert [e.data for e in read_transcript(first).entries] == [b"AT\r"]


def test_long_text_is_cut() -> None:
    transcript = Transcript({}, Clock())
    transcript.said("notice", "é" * 10_000)
    assert entries(transcript)[0]["text"].endswith("… (8000 more characters)")


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=20))
def test_every_message_is_read_back_as_it_was(messages: list[tuple[bool, bytes]]) -> None:
    transcript = Transcript({"attempt": "a"}, Clock())
    for is_sent, data in messages:
        (transcript.sent if is_sent else transcript.received)(data)
    read = read_transcript(transcript.whole()).entries
    assert [(entry.kind == "send", entry.data) for entry in read] == messages
