"""Firehose program and read: the raw data between the two ACKs."""

import hashlib
from collections.abc import Generator

import pytest

from station.errors import (
    Bug,
    DataRefused,
    Disconnected,
    FirehoseError,
    FirehoseSilent,
    Nak,
    StationError,
    Timeout,
    UsbBroken,
    UsbStall,
)
from station.protocols.dialogue import (
    BytesSource,
    Intent,
    Notice,
    Progress,
    Receive,
    Send,
    SendSpan,
)
from station.protocols.firehose import Firehose, Geometry, Profile, ProgramResult
from station.protocols.firehose_transfer import READ_BYTES, SPAN_BYTES
from tests.protocols.firehose_words import (
    ACK,
    ACK_RAW,
    CUTS,
    HEAD,
    NAK_RETRY,
    NOP,
    P2K,
    cut,
    log,
)
from tests.protocols.script import SILENCE, Host, Module, Step, run

IMAGE = bytes(range(256)) * 20  # 5120 bytes: two and a half sectors


def program_document(num_sectors: int) -> Host:
    return Host(
        HEAD + b'<data><program PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" '
        b'filename="sbl1.mbn" label="sbl" num_partition_sectors="%d" '
        b'physical_partition_number="0" start_sector="640" /></data>' % num_sectors
    )


def program(
    image: bytes, num_sectors: int, firehose: Firehose | None = None
) -> Generator[Intent, bytes | None, ProgramResult]:
    session = firehose or Firehose(Profile())
    source = BytesSource("update/sbl1.mbn", image)
    return session.program(source, 640, num_sectors, P2K, label="sbl", filename="sbl1.mbn")


@pytest.mark.parametrize("size", CUTS)
def test_program(size: int) -> None:
    before = log(b"INFO: Calling handler for program") + log(
        b"INFO: NAND was previously open, returning existing handle 0."
    )
    shown: list[Notice | Progress] = []
    result = run(
        program(IMAGE, 3),
        program_document(3),
        *cut(before + ACK_RAW, size),
        Host(IMAGE + bytes(1024), zlp=True),
        *cut(log(b"INFO: skipping bad block") + ACK, size),
        shown=shown,
    )
    assert result == ProgramResult(5120, hashlib.sha256(IMAGE).hexdigest())
    assert Progress(6144, 6144) in shown
    assert Notice("module: INFO: skipping bad block") in shown


def test_without_a_label_there_is_none_and_the_source_gives_the_name() -> None:
    document = HEAD + (
        b'<data><program PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" filename="a.mbn" '
        b'num_partition_sectors="1" physical_partition_number="0" start_sector="0" /></data>'
    )
    dialogue = Firehose(Profile()).program(BytesSource("a.mbn", b"x"), 0, 1, P2K)
    run(dialogue, Host(document), Module(ACK_RAW), Host(b"x" + bytes(2047)), Module(ACK))


def test_spans_are_a_mebibyte_of_whole_payloads() -> None:
    image = b"\xa5" * (2 * SPAN_BYTES + 100)
    firehose = Firehose(Profile(payload_bytes=3 * 512, zlp=False))
    dialogue = program(image, 1025, firehose)
    spans, progress = [], []
    answers = iter([ACK_RAW, ACK])
    result = None
    try:
        intent = next(dialogue)
        while True:
            match intent:
                case SendSpan():
                    spans.append(intent)
                    assert intent.sent is not None
                    intent.sent(image[intent.offset_bytes :][: intent.length_bytes])
                    intent = dialogue.send(None)
                case Receive() if intent.timeout_s == 0:
                    intent = dialogue.throw(SILENCE)
                case Receive():
                    intent = dialogue.send(next(answers))
                case Progress():
                    progress.append(intent.done_bytes)
                    intent = dialogue.send(None)
                case Send() | Notice():
                    intent = dialogue.send(None)
    except StopIteration as end:
        result = end.value
    whole = SPAN_BYTES // 1536 * 1536
    total = 1025 * 2048
    assert [(s.offset_bytes, s.length_bytes, s.chunk_bytes, s.zlp) for s in spans] == [
        (0, whole, 1536, False),
        (whole, whole, 1536, False),
        (2 * whole, total - 2 * whole, 1536, False),
    ]
    assert progress == [whole, 2 * whole, total]
    assert result == ProgramResult(len(image), hashlib.sha256(image).hexdigest())


@pytest.mark.parametrize(
    ("answer", "error"),
    [(ACK, FirehoseError), (log(b"ERROR: unaligned") + NAK_RETRY, Nak), (b"", FirehoseSilent)],
)
def test_no_data_before_the_raw_ack(answer: bytes, error: type[StationError]) -> None:
    ends: list[Step] = [] if error is FirehoseError else [SILENCE]
    with pytest.raises(error, match=r"program sbl1\.mbn at sector 640") as raised:
        run(program(IMAGE, 3), program_document(3), Module(answer), *ends)
    assert type(raised.value) is error, "no data were sent that could have been lost"


def test_a_nak_between_spans_stops_the_data() -> None:
    image = b"\x5a" * (2 * SPAN_BYTES)
    with pytest.raises(DataRefused) as refused:
        run(
            program(image, 1024),
            program_document(1024),
            Module(ACK_RAW),
            Host(image[:SPAN_BYTES]),
            Module(log(b"ERROR: HANDLE_PROGRAM_FAILURE 12") + NAK_RETRY),
            Module(log(b"ERROR: no good block left")),
            SILENCE,
        )
    assert refused.value.cause == (
        "the module refused program sbl1.mbn at sector 640; it said: "
        "ERROR: HANDLE_PROGRAM_FAILURE 12 | ERROR: no good block left"
    )


def test_logs_between_spans_do_not_stop_the_data() -> None:
    image = b"\x5a" * (SPAN_BYTES + 2048)
    result = run(
        program(image, 513),
        program_document(513),
        Module(ACK_RAW),
        Host(image[:SPAN_BYTES]),
        Module(log(b"INFO: skipping bad block")),
        Host(image[SPAN_BYTES:]),
        Module(ACK),
    )
    assert result.length_bytes == len(image)


def test_an_ack_in_the_midst_of_the_data_is_an_error() -> None:
    image = b"\x5a" * (2 * SPAN_BYTES)
    with pytest.raises(FirehoseError, match="before it had all the data"):
        run(
            program(image, 1024),
            program_document(1024),
            Module(ACK_RAW),
            Host(image[:SPAN_BYTES]),
            Module(ACK),
        )


@pytest.mark.parametrize(
    "trouble", [Timeout("chunk not taken"), UsbStall("EPIPE"), UsbBroken("EOVERFLOW")]
)
def test_a_write_that_fails_is_explained_by_a_nak(trouble: StationError) -> None:
    with pytest.raises(DataRefused, match="ERROR: write failed"):
        run(
            program(IMAGE, 3),
            program_document(3),
            Module(ACK_RAW),
            trouble,
            Module(log(b"ERROR: write failed")),
            Module(NAK_RETRY),
            SILENCE,
            SILENCE,
        )


@pytest.mark.parametrize(
    "trouble", [Timeout("chunk not taken"), UsbStall("EPIPE"), UsbBroken("EOVERFLOW")]
)
def test_a_write_that_fails_in_silence_is_what_it_is(trouble: StationError) -> None:
    with pytest.raises(type(trouble)) as raised:
        run(program(IMAGE, 3), program_document(3), Module(ACK_RAW), trouble, SILENCE)
    assert raised.value is trouble


@pytest.mark.parametrize("after", [UsbStall("EPIPE"), Disconnected("gone")])
def test_what_follows_a_write_that_fails_does_not_hide_it(after: StationError) -> None:
    trouble = UsbBroken("EOVERFLOW")
    with pytest.raises(UsbBroken) as raised:
        run(program(IMAGE, 3), program_document(3), Module(ACK_RAW), trouble, after)
    assert raised.value is trouble


def test_a_module_that_leaves_in_the_midst() -> None:
    with pytest.raises(Disconnected):
        run(program(IMAGE, 3), program_document(3), Module(ACK_RAW), Disconnected("gone"))


@pytest.mark.parametrize(
    ("ends", "error", "why"),
    [
        ((Module(NAK_RETRY), SILENCE), DataRefused, "refused program"),
        ((SILENCE,), FirehoseSilent, "120 s"),
        ((Module(ACK_RAW),), FirehoseError, "opened raw mode"),
    ],
)
def test_the_final_ack(ends: tuple[Step, ...], error: type[StationError], why: str) -> None:
    with pytest.raises(error, match=why):
        run(
            program(IMAGE, 3),
            program_document(3),
            Module(ACK_RAW),
            Host(IMAGE + bytes(1024)),
            *ends,
        )


def test_an_image_must_fit_its_sectors() -> None:
    with pytest.raises(Bug, match="5120 bytes do not fit 2 sectors"):
        run(program(IMAGE, 2))


def test_bytes_that_nobody_accounted_for_are_not_recorded() -> None:
    dialogue = program(IMAGE, 3)
    answers: list[bytes] = [ACK_RAW]

    def drive() -> None:
        intent = next(dialogue)
        while True:
            if isinstance(intent, Receive):
                has = intent.timeout_s > 0
                intent = dialogue.send(answers.pop()) if has else dialogue.throw(SILENCE)
            else:
                intent = dialogue.send(None)

    with pytest.raises(Bug, match="0 of 5120 bytes"):
        drive()


# --- read -------------------------------------------------------------------------------------

DATA = b"<?xml version=</data>\0" * 372 + b"last...."  # 8192 bytes that look like documents
READ = Host(
    HEAD + b'<data><read PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" '
    b'num_partition_sectors="4" physical_partition_number="0" start_sector="640" /></data>'
)


def read(*steps: Step, shown: list[Notice | Progress] | None = None) -> bytes:
    got = bytearray()
    count = run(Firehose(Profile()).read(640, 4, P2K, got.extend), READ, *steps, shown=shown)
    assert count == len(got)
    return bytes(got)


@pytest.mark.parametrize("size", [7, 47, 512, 8192])
def test_read_in_any_cut(size: int) -> None:
    shown: list[Notice | Progress] = []
    steps = [*cut(log(b"INFO: reading") + ACK_RAW, size), *cut(DATA, size), *cut(ACK, size)]
    assert read(*steps, shown=shown) == DATA
    assert shown == [Notice("module: INFO: reading"), Progress(8192, 8192)]


def test_read_with_everything_glued() -> None:
    assert len(DATA) == 8192
    assert read(Module(ACK_RAW + DATA + log(b"INFO: done") + ACK)) == DATA
    assert read(Module(ACK_RAW + DATA[:100]), Module(DATA[100:] + ACK[:60]), Module(ACK[60:])) == (
        DATA
    )


def test_zero_length_packets_are_nothing() -> None:
    empty = Module(b"")
    half = len(DATA) // 2
    steps = (Module(ACK_RAW), empty, Module(DATA[:half]), empty, Module(DATA[half:]), empty)
    assert read(*steps, Module(ACK)) == DATA
    with pytest.raises(FirehoseError, match="16 empty packets"):
        read(Module(ACK_RAW), *[empty] * 16)


def test_reads_are_whole_packets_and_bounded() -> None:
    sectors = 3 * READ_BYTES // 2048 + 1
    dialogue = Firehose(Profile()).read(0, sectors, Geometry(2048, 64), len)
    asked: list[int] = []
    answers = iter([ACK_RAW])
    intent = next(dialogue)
    while len(asked) < 4:
        match intent:
            case Receive() if intent.timeout_s == 0:
                intent = dialogue.throw(SILENCE)
            case Receive():
                document = next(answers, None)
                if document is None:
                    asked.append(intent.max_bytes)
                intent = dialogue.send(document or bytes(intent.max_bytes))
            case _:
                intent = dialogue.send(None)
    assert asked == [READ_BYTES, READ_BYTES, READ_BYTES, 2048]


def test_a_read_refused_at_once() -> None:
    with pytest.raises(Nak, match="refused read of 4 sectors at 640; it said: ERROR: no"):
        read(Module(log(b"ERROR: no") + NAK_RETRY), SILENCE)


def test_a_read_that_ends_with_a_nak_in_its_data() -> None:
    with pytest.raises(Nak, match="ERROR: uncorrectable page"):
        read(
            Module(ACK_RAW),
            Module(bytes(2048)),
            Module(log(b"ERROR: uncorrectable page") + NAK_RETRY),
            SILENCE,
            SILENCE,
        )


@pytest.mark.parametrize("part", [b"", bytes(2048), DATA[:2000]])
def test_a_read_that_falls_silent(part: bytes) -> None:
    why = f"silent after {len(part)} of 8192 bytes of read of 4 sectors at 640"
    with pytest.raises(FirehoseSilent, match=why):
        read(Module(ACK_RAW), Module(part), SILENCE)


def test_too_much_data_is_an_error() -> None:
    with pytest.raises(FirehoseError, match="no document"):
        read(Module(ACK_RAW + DATA + b"\x55" * 5000))


def test_a_read_that_is_refused_after_the_data() -> None:
    with pytest.raises(Nak):
        read(Module(ACK_RAW + DATA + NAK_RETRY), SILENCE)


def test_the_session_goes_on_after_a_read() -> None:
    firehose = Firehose(Profile())
    run(
        firehose.read(640, 4, P2K, len),
        READ,
        Module(ACK_RAW + DATA + ACK + log(b"INFO: late")),
    )
    run(firehose.nop(), Host(NOP), Module(ACK))
    assert firehose.recent_logs == ("INFO: late",)
