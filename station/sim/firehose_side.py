"""The programmer's side of Firehose on a NAND module: strict about order, counts and packets.

A command is a document, sent when the answer to the one before was read; `program` opens a raw
phase that takes exactly the announced sectors, only after the host has read the ACK, in transfers
of the negotiated size but for the last. Every transfer that fills its last packet is followed by
a zero-length packet if the host said ZlpAwareHost="1"; no other packet may be empty.

A transfer of exactly the length that is due is data, whatever it looks like: an image may hold
`<?xml` at any place. A transfer of another length is wrong in any case: a whole document is a
command amid data, all else a chunk of the wrong size. After a NAK nothing is due any more, but
chunks under way are thrown away by the same rule.

Ref: QFirehose firehose_protocol.c; linux-msm/qdl firehose.c; recorded logs of 9x07 and SDX55.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from station.errors import FirehoseError
from station.protocols.firehose_xml import Element, compose_log
from station.sim.firehose_answers import INTERFACE, Answers
from station.sim.firehose_words import is_document, number, read_command
from station.sim.flash_work import Extent, FlashWork, Upload
from station.sim.port import Leave, Reaction, Say, Stream, Taken
from station.sim.referee import Referee
from station.sim.timing import Timing

PACKET_BYTES = 512
NAND_PAYLOAD_BYTES = 8192
_STEP_OF = {
    b"configure": "configure",
    b"getstorageinfo": "configure",
    b"erase": "erase",
    b"program": "program",
    b"read": "verify",
    b"power": "reset",
}
_START = re.compile(rb'start_sector="(\d{1,9})"')
_HELLO_RESP = bytes.fromhex("0200000030000000")


@dataclass(frozen=True, slots=True)
class Programmer:
    """What this programmer is like. Images are counted from 1; one that is sent again keeps its
    number, since it is its place in the flash that is no good."""

    banner: tuple[str, ...]
    target: str
    nak_program: int | None = None
    nak_early_program: int | None = None
    unplug_after_bytes: int | None = None
    zlp_after_read: bool = False
    refuses_reads: bool = False
    payload_bytes: int = NAND_PAYLOAD_BYTES
    """The largest it takes."""


class FirehoseSide:
    """`leaving` is reset, reset_to_edl or off once a power command was obeyed."""

    def __init__(
        self, programmer: Programmer, work: FlashWork, referee: Referee, timing: Timing
    ) -> None:
        self._programmer = programmer
        self._work = work
        self._referee = referee
        self._timing = timing
        self._answers = Answers(timing)
        self._payload_bytes: int | None = None
        self._zlp_aware = False
        self._zlp_due = False
        self._held: tuple[Reaction, ...] = ()
        self._upload: Upload | None = None
        self._drain_bytes = 0
        self._raw_bytes = 0
        self._images: dict[int, int] = {}
        """The number of each by its first page."""
        self._image = 0
        """The number of the one under way, or of the last."""
        self.leaving: str | None = None
        self.delay_s = 0
        self.vendor_lines: list[bytes] = []

    @property
    def has_begun(self) -> bool:
        """Whether it was told to program anything."""
        return self._image > 0

    def takes_raw(self, data: bytes) -> bool:
        """Whether this transfer counts as image data, wanted or to be thrown away."""
        if self._upload is None and not self._drain_bytes:
            return False
        if len(data) == self._due_bytes():
            return True
        if self._upload is not None:
            return not is_document(data)
        return not data.startswith((b"<?xml", _HELLO_RESP))

    def step(self, data: bytes) -> str:
        """The step of a flash that this transfer belongs to, by the station's name for it."""
        if self.takes_raw(data) or not data:
            return "program" if self.has_begun else "configure"
        wanted = next((tag for tag in _STEP_OF if b"<" + tag in data), b"")
        if wanted == b"read" and not self.has_begun:
            start = _START.search(data)
            is_kept = start is not None and self._work.is_kept(int(start[1]))
            return "dump" if is_kept else "partition_table"
        if wanted == b"power" and not (self._work.has_erased or self.has_begun):
            return "give_back"
        return _STEP_OF.get(wanted, "load_programmer")

    def banner(self) -> tuple[Say, ...]:
        return tuple(
            Say(INTERFACE, compose_log(f"INFO: {line}"), self._timing.banner_s)
            for line in self._programmer.banner
        )

    def receive(self, data: bytes) -> Taken:
        if not data:
            return self._zero_packet()
        missing, self._zlp_due = self._zlp_due, self._wants_zlp(data)
        if missing and not self._breach("data instead of a zero-length packet"):
            return self._refuse("ERROR: data received instead of ZLP")
        taken = self._raw(data) if self.takes_raw(data) else self._document(data)
        self._zlp_due = self._wants_zlp(data)
        return self._hold(taken) if self._zlp_due and not self._referee.tolerant else taken

    # --- zero-length packets ------------------------------------------------------------------

    def _wants_zlp(self, data: bytes) -> bool:
        return self._zlp_aware and len(data) % PACKET_BYTES == 0

    def _hold(self, taken: Taken) -> Taken:
        """The answer waits for the zero-length packet that ends the transfer."""
        if any(isinstance(reaction, Leave) for reaction in taken.reactions):
            return taken
        self._held = taken.reactions
        return Taken(taken.busy_s)

    def _zero_packet(self) -> Taken:
        if not self._zlp_due:
            self._breach("zero-length packet that nothing called for")
        self._zlp_due = False
        held, self._held = self._held, ()
        return Taken(reactions=held)

    # --- raw data -----------------------------------------------------------------------------

    def _due_bytes(self) -> int:
        """The length the next transfer of image data must have."""
        left_bytes = self._upload.left_bytes if self._upload is not None else self._drain_bytes
        return min(left_bytes, self._payload_bytes or 0)

    def _raw(self, data: bytes) -> Taken:
        if self._upload is None:
            return self._drain(data)
        broken = self._upload.broken_rule(len(data), self._payload_bytes or 0)
        if broken and not self._breach(broken):
            return self._refuse(f"ERROR: {broken}")
        data = data[: self._upload.left_bytes]
        self._raw_bytes += len(data)
        limit = self._programmer.unplug_after_bytes
        if limit is not None and self._raw_bytes >= limit:
            return Taken(reactions=(Leave(None),))
        return self._store(self._upload, data)

    def _store(self, upload: Upload, data: bytes) -> Taken:
        busy_s = len(data) / self._timing.program_bytes_per_s
        try:
            self._work.write(upload, data)
        except FirehoseError as error:
            return self._refuse(f"ERROR: {error}", busy_s)
        if self._image == self._programmer.nak_early_program:
            return self._refuse("ERROR: write failed, HANDLE_PROGRAM_FAILURE 7", busy_s)
        if upload.left_bytes:
            return Taken(busy_s)
        self._upload = None
        if self._image == self._programmer.nak_program:
            return self._answers.nak("ERROR: HANDLE_PROGRAM_FAILURE 23, line 1204", busy_s=busy_s)
        log = f"INFO: Finished programming start sector {upload.start_page}"
        return self._answers.ack(log, busy_s=busy_s)

    def _drain(self, data: bytes) -> Taken:
        """What the host had under way when it was refused is thrown away."""
        if len(data) != self._due_bytes():
            self._breach(f"{len(data)} bytes of no chunk behind a NAK")
        self._drain_bytes = max(0, self._drain_bytes - len(data))
        return Taken()

    # --- commands -----------------------------------------------------------------------------

    def _document(self, data: bytes) -> Taken:
        self._drain_bytes = 0
        if data.startswith(_HELLO_RESP):  # a host asking who is there; not a breach
            return self._answers.nak("ERROR: XML not formed correctly: expected <?xml")
        try:
            element, line = read_command(data)
        except FirehoseError as error:
            self._breach(str(error))
            return self._answers.nak(f"ERROR: {error}")
        too_early = self._too_early(element.tag)
        if too_early and not self._breach(too_early):
            return self._refuse(f"ERROR: {too_early}")
        self._upload = None
        self._answers.begin(element.tag)
        try:
            return self._obey(element, line)
        except FirehoseError as error:
            return self._answers.nak(f"ERROR: {error}")

    def _too_early(self, tag: str) -> str | None:
        """The rule broken by a command that comes before the one before it has ended."""
        if (upload := self._upload) is not None:
            return f"{tag} while {upload.left_bytes} bytes of {upload.pages} sectors are missing"
        if (before := self._answers.unread) is not None:
            return f"{tag} before the answer to {before} was read"
        return None

    def _obey(self, element: Element, line: bytes) -> Taken:
        attributes = element.attributes
        match element.tag:
            case "configure":
                return self._configure(attributes)
            case "nop":
                return self._answers.ack()
            case "power":
                return self._power(attributes)
            case "getstorageinfo" | "erase" | "program" | "read" if self._payload_bytes is None:
                if not self._breach(f"{element.tag} before configure"):
                    raise FirehoseError(f"{element.tag} before configure")
                self._payload_bytes = self._programmer.payload_bytes
                return self._obey(element, line)
            case "getstorageinfo":
                self._work.check_partition(attributes)
                return self._answers.ack(f"INFO: {self._work.storage_info()}")
            case "erase" if "vendor" in attributes:
                self.vendor_lines.append(line)
                blocks = self._work.vendor_erase(tuple(attributes), attributes)
                return self._answers.ack("INFO: vendor erase", busy_s=self._erase_s(blocks))
            case "erase":
                return self._erase(attributes)
            case "program":
                return self._program(attributes)
            case "read":
                return self._read(attributes)
            case tag:
                return self._answers.ack(f"INFO: Ignoring unrecognized tag '{tag}'")

    def _configure(self, attributes: Mapping[str, str]) -> Taken:
        memory = attributes.get("MemoryName", "")
        if memory.lower() != "nand":
            raise FirehoseError(f"MemoryName {memory} is not what this programmer is made for")
        wanted = number(attributes, "MaxPayloadSizeToTargetInBytes")
        facts: dict[str, str | int] = {
            "MemoryName": "nand",
            "MinVersionSupported": 1,
            "Version": 1,
            "MaxPayloadSizeToTargetInBytes": min(wanted, self._programmer.payload_bytes),
            "MaxPayloadSizeToTargetInBytesSupported": self._programmer.payload_bytes,
            "MaxPayloadSizeFromTargetInBytes": NAND_PAYLOAD_BYTES,
            "MaxXMLSizeInBytes": 4096,
            "TargetName": self._programmer.target,
        }
        if wanted > self._programmer.payload_bytes:
            return self._answers.nak("WARN: Host's payload to target size is too large", facts)
        if wanted == 0:
            raise FirehoseError("MaxPayloadSizeToTargetInBytes is 0")
        self._payload_bytes = wanted
        self._zlp_aware = attributes.get("ZlpAwareHost", "0") == "1"
        return Taken(reactions=(self._answers.response(ack=True, facts=facts),))

    def _erase(self, attributes: Mapping[str, str]) -> Taken:
        if not {"start_sector", "num_partition_sectors"} <= attributes.keys():
            what = "erase without start and length would erase calibration too"
            if not self._breach(what):
                raise FirehoseError(what)
            attributes = {**attributes, **self._work.everything()}
        extent = self._work.erase_extent(attributes)
        busy_s = self._erase_s(self._work.erase(extent))
        return self._answers.ack(
            f"INFO: Erasing start sector {extent.start_page}, num sectors 0", busy_s=busy_s
        )

    def _erase_s(self, blocks: int) -> float:
        scan_s = self._timing.bad_block_scan_s if self._work.scans_bad_blocks() else 0.0
        return scan_s + blocks * self._timing.erase_block_s

    def _program(self, attributes: Mapping[str, str]) -> Taken:
        extent = self._work.extent(attributes)
        self._image = self._images.setdefault(extent.start_page, len(self._images) + 1)
        upload = self._upload = self._work.begin(extent, self._image)
        logs = self._answers.log("INFO: Calling handler for program")
        begun = self._answers.response(ack=True, raw=True, on_read=upload.announce)
        return Taken(reactions=(*logs, begun))

    def _read(self, attributes: Mapping[str, str]) -> Taken:
        extent: Extent = self._work.extent(attributes)
        if self._programmer.refuses_reads or not self._work.may_read(extent):
            return self._answers.nak("ERROR: Failed to read, HANDLE_READ_FAILURE 3")
        after_s = self._timing.firehose_reply_s
        pieces = self._work.read(extent, ends_empty=self._programmer.zlp_after_read)
        stream = Stream(INTERFACE, pieces, self._timing.read_bytes_per_s, after_s)
        logs = self._answers.log("INFO: Calling handler for read")
        begun, ended = (self._answers.response(ack=True, raw=raw) for raw in (True, False))
        return Taken(reactions=(*logs, begun, stream, ended))

    def _power(self, attributes: Mapping[str, str]) -> Taken:
        value = attributes.get("value", "")
        if value not in ("reset", "reset_to_edl", "off"):
            raise FirehoseError(f"power value {value!r}")
        self.delay_s = number(attributes, "DelayInSeconds") if "DelayInSeconds" in attributes else 0
        if self.delay_s > 60:
            raise FirehoseError(f"DelayInSeconds {self.delay_s} is too long")
        self.leaving = value
        logs = self._answers.log(
            "INFO: Will issue reset/power off 100 useconds, if this hangs check if watchdog is on",
            "INFO: bsp_target_reset() 1",
        )
        return Taken(reactions=(self._answers.response(ack=True), *logs))

    # --- refusing -----------------------------------------------------------------------------

    def _breach(self, what: str) -> bool:
        return self._referee.breach("firehose", what)

    def _refuse(self, text: str, busy_s: float = 0.0) -> Taken:
        """Give up a command: NAK; raw data still under way is drained."""
        if self._upload is not None:
            self._drain_bytes = self._upload.left_bytes
            self._upload = None
        self._held = ()
        return self._answers.nak(text, busy_s=busy_s)
