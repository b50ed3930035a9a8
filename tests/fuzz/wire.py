"""What a module says, to the parsers and host dialogues that hear it. Each function takes bytes,
raises what its parser may raise, and fails if what was accepted is not the same when written anew
or when it comes in other pieces."""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from station.errors import AtError, FirehoseError, StationError
from station.protocols import at_lines, diag, firehose_xml, hdlc, sahara
from station.protocols.at import COMMANDS, READS, AtChannel, ModuleIdentity, read_identity
from station.protocols.at_backup import BackupCount, back_up, check_offer, read_count
from station.protocols.dialogue import BytesSource, Dialogue
from station.protocols.firehose import Firehose, Geometry, Profile
from station.protocols.firehose_logs import find_storage_info
from tests.fuzz.drive import Played, cut

IMAGE = BytesSource("programmer.mbn", bytes(range(256)) * 32)
HELLO = sahara.Hello(2, 1, 0x400, 0)
P2K = Geometry(sector_size_bytes=2048, pages_per_block=64)
SECTORS = 3

DOCUMENT_END = b"</data>"
FRAME_END = b"\x7e"
REPLY_END = b"\r\nOK\r\n"


class Framer(Protocol):
    def feed(self, data: bytes) -> None: ...
    def next(self) -> object: ...


def taken(framer: Framer, reads: list[bytes], *, resumes: bool) -> list[object]:
    """Everything a framer gives for these reads; an error ends it, or counts as one message."""
    found: list[object] = []
    most = 2 * sum(map(len, reads)) + 1
    for read in reads:
        framer.feed(read)
        while True:
            try:
                message = framer.next()
            except StationError as error:
                found.append(type(error))
                assert len(found) <= most, "no end"
                if not resumes:
                    return found
                continue
            if message is None:
                break
            found.append(message)
    return found


def _in_any_pieces(make: Callable[[], Framer], data: bytes, *, resumes: bool) -> list[object]:
    whole = taken(make(), [data], resumes=resumes)
    assert taken(make(), cut(data), resumes=resumes) == whole
    assert len(whole) <= 2 * len(data) + 1
    return whole


# --- Sahara -----------------------------------------------------------------------------------


def sahara_packets(data: bytes) -> None:
    for packet in _in_any_pieces(sahara.Framer, data, resumes=False):
        if isinstance(packet, sahara.Packet):
            assert sahara.decode(sahara.encode(packet)) == packet
    packet = sahara.decode(data)
    again = sahara.encode(packet)
    no_reserved = 24 if isinstance(packet, sahara.Hello | sahara.HelloResponse) else None
    assert again[:no_reserved] == data[:no_reserved]


def sahara_greet(data: bytes) -> None:
    played = Played(data)
    played.run(sahara.greet(1))
    assert len(played.sent) <= 3


def sahara_load(data: bytes) -> None:
    played = Played(data)
    try:
        result = played.run(sahara.load_programmer(IMAGE, HELLO, 1))
        assert result.sent_bytes == sum(span.length_bytes for span in played.spans)
    finally:
        assert all(s.offset_bytes + s.length_bytes <= IMAGE.length_bytes for s in played.spans)


def sahara_chip(data: bytes) -> None:
    chip, _ = Played(data).run(sahara.read_chip_identity(HELLO, 1))
    for text in (chip.serial, chip.hw_id, chip.pk_hash):
        assert text is None or len(bytes.fromhex(text)) in (4, 8, 32, 48, 64)


# --- Firehose ---------------------------------------------------------------------------------


def firehose_document(data: bytes) -> None:
    element = firehose_xml.parse(data)
    attributes = dict(element.attributes)
    with suppress(FirehoseError):  # XML has more names and characters than a module takes
        composed = firehose_xml.compose(element.tag, attributes)
        assert firehose_xml.parse(composed) == element


def firehose_messages(data: bytes) -> None:
    for message in _in_any_pieces(firehose_xml.Framer, data, resumes=False):
        if isinstance(message, firehose_xml.Log):
            assert message.text.isprintable()
            assert len(message.text) <= firehose_xml.MODULE_DOCUMENT_BYTES


def firehose_report(data: bytes) -> None:
    info = find_storage_info(data.decode("latin-1"))
    assert info is None or info.total_sectors > 0


def firehose_configure(data: bytes) -> None:
    firehose = Firehose(Profile())
    configured = Played(data).run(firehose.configure(), DOCUMENT_END)
    assert 0 < configured.payload_bytes <= Profile().payload_cap_bytes
    assert configured.payload_bytes % 512 == 0


def firehose_storage(data: bytes) -> None:
    info = Played(data).run(Firehose(Profile()).storage_info(), DOCUMENT_END)
    assert info is None or info.total_sectors > 0


def firehose_program(data: bytes) -> None:
    source = BytesSource("image.mbn", IMAGE.data[:5000])
    played = Played(data)
    result = played.run(Firehose(Profile()).program(source, 640, SECTORS, P2K), DOCUMENT_END)
    assert result.length_bytes == source.length_bytes
    assert sum(span.length_bytes for span in played.spans) == SECTORS * P2K.sector_size_bytes


def firehose_read(data: bytes) -> None:
    taken = bytearray()
    Played(data).run(Firehose(Profile()).read(0, SECTORS, P2K, taken.extend), DOCUMENT_END)
    assert len(taken) == SECTORS * P2K.sector_size_bytes
    assert bytes(taken) in data


def firehose_session(data: bytes) -> None:
    firehose = Firehose(Profile())
    Played(data).run(_session(firehose), DOCUMENT_END)
    assert all(text.isprintable() for text in firehose.recent_logs)


def _session(firehose: Firehose) -> Dialogue[None]:
    yield from firehose.greet()
    yield from firehose.configure()
    yield from firehose.erase(0, 640, P2K)
    yield from firehose.power()


# --- DIAG -------------------------------------------------------------------------------------


def diag_frames(data: bytes) -> None:
    if len(data) > hdlc.MAX_FRAME_BYTES:  # where a frame is given up depends on the reads
        taken(hdlc.Framer(), cut(data), resumes=True)
        return
    for payload in _in_any_pieces(hdlc.Framer, data, resumes=True):
        if isinstance(payload, bytes):
            assert hdlc.decode(hdlc.encode(payload)[:-1]) == payload


def diag_frame(data: bytes) -> None:
    """One frame without its flag."""
    payload = hdlc.decode(data)
    assert hdlc.decode(hdlc.encode(payload)[:-1]) == payload


def diag_version(data: bytes) -> None:
    version = Played(data).run(diag.query_version(1), FRAME_END)
    assert version is None or (version.isascii() and version.isprintable())


def diag_switch(data: bytes) -> None:
    played = Played(data)
    played.run(diag.switch_to_edl(6), FRAME_END)
    assert set(played.sent) == {diag.EDL_SWITCH}


# --- AT ---------------------------------------------------------------------------------------


def at_text(data: bytes) -> None:
    if len(data) > at_lines.MAX_LINE_BYTES:  # where a line is given up depends on the reads
        lines = taken(at_lines.Lines(), cut(data), resumes=True)
    else:
        lines = _in_any_pieces(at_lines.Lines, data, resumes=True)
    for line in lines:
        assert line is AtError or (isinstance(line, str) and line.strip(" \t\0") == line)


def at_identity(data: bytes) -> None:
    played = Played(data)
    channel = AtChannel()
    try:
        identity: ModuleIdentity = played.run(read_identity(channel, 1), REPLY_END)
    finally:
        assert {line[:-1].decode() for line in played.sent} <= set(READS)
        assert len(channel.urcs) <= 64
    for text in (identity.firmware, identity.imei, identity.serial, identity.model):
        assert text is None or (0 < len(text) <= 64 and text.isprintable())


def at_backup(data: bytes) -> None:
    played = Played(data)
    try:
        count = played.run(_backed_up(AtChannel()), REPLY_END)
    finally:
        assert {line[:-1].decode() for line in played.sent} <= set(COMMANDS)
    assert min(count.backups, count.restores) >= 0
    assert max(count.backups, count.restores) < 1_000_000_000


def _backed_up(channel: AtChannel) -> Dialogue[BackupCount]:
    yield from check_offer(channel, 1)
    count = yield from read_count(channel, 1)
    yield from back_up(channel, 1)
    return count
