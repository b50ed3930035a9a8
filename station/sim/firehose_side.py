"""The programmer's side of Firehose on a NAND module: strict about order, counts and packets.

A command is a document; `program` opens a raw phase that takes exactly the announced sectors,
only after the host has read the ACK, in transfers no larger than negotiated, each one that fills
its last packet followed by a zero-length packet if the host said ZlpAwareHost="1".

Ref: QFirehose firehose_protocol.c; linux-msm/qdl firehose.c; recorded logs of 9x07 and SDX55.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from station.errors import FirehoseError
from station.protocols.firehose_xml import Element, compose_log, compose_response
from station.sim.firehose_words import number, read_command
from station.sim.flash_work import Extent, FlashWork, Upload
from station.sim.port import Leave, Reaction, Say, Stream, Taken
from station.sim.referee import Referee
from station.sim.timing import Timing

INTERFACE = 0
PACKET_BYTES = 512
SUPPORTED_PAYLOAD_BYTES = 8192
_HELLO_RESP = bytes.fromhex("0200000030000000")


@dataclass(frozen=True, slots=True)
class Programmer:
    """What this programmer is like. Programs are counted from 1."""

    banner: tuple[str, ...]
    target: str
    nak_program: int | None = None
    nak_early_program: int | None = None
    unplug_after_bytes: int | None = None
    zlp_after_read: bool = False


class FirehoseSide:
    """`leaving` is reset, reset_to_edl or off once a power command was obeyed."""

    def __init__(
        self, programmer: Programmer, work: FlashWork, referee: Referee, timing: Timing
    ) -> None:
        self._programmer = programmer
        self._work = work
        self._referee = referee
        self._timing = timing
        self._payload_bytes: int | None = None
        self._zlp_aware = False
        self._zlp_due = False
        self._held: tuple[Reaction, ...] = ()
        self._upload: Upload | None = None
        self._drain_bytes = 0
        self._programs = 0
        self._raw_bytes = 0
        self.leaving: str | None = None
        self.delay_s = 0
        self.vendor_lines: list[bytes] = []

    def takes_raw(self, data: bytes) -> bool:
        """Whether this transfer counts as image data: a document ends what is being drained."""
        draining = self._drain_bytes > 0 and not data.startswith(b"<?xml")
        return self._upload is not None or draining

    @property
    def programs_begun(self) -> int:
        return self._programs

    def banner(self) -> tuple[Say, ...]:
        return tuple(
            Say(INTERFACE, compose_log(f"INFO: {line}"), self._timing.banner_s)
            for line in self._programmer.banner
        )

    def receive(self, data: bytes) -> Taken:
        if not data:
            return self._zero_packet()
        if self._zlp_due:
            self._zlp_due = False
            if not self._referee.breach("firehose", "data instead of a zero-length packet"):
                return self._refuse("ERROR: data received instead of ZLP")
        taken = self._raw(data) if self.takes_raw(data) else self._document(data)
        self._zlp_due = self._zlp_aware and len(data) % PACKET_BYTES == 0
        return self._hold(taken) if self._zlp_due and not self._referee.tolerant else taken

    # --- zero-length packets ------------------------------------------------------------------

    def _hold(self, taken: Taken) -> Taken:
        """The answer waits for the zero-length packet that ends the transfer."""
        if any(isinstance(reaction, Leave) for reaction in taken.reactions):
            return taken
        self._held = taken.reactions
        return Taken(taken.busy_s)

    def _zero_packet(self) -> Taken:
        if not self._zlp_due and self._payload_bytes is not None and not self._drain_bytes:
            self._referee.breach("firehose", "zero-length packet that nothing called for")
        self._zlp_due = False
        held, self._held = self._held, ()
        return Taken(reactions=held)

    # --- raw data -----------------------------------------------------------------------------

    def _raw(self, data: bytes) -> Taken:
        if self._upload is None:
            return self._drain(data)
        broken = self._broken_rule(self._upload, data)
        if broken and not self._referee.breach("firehose", broken):
            return self._refuse(f"ERROR: {broken}")
        data = data[: self._upload.left_bytes]
        self._raw_bytes += len(data)
        limit = self._programmer.unplug_after_bytes
        if limit is not None and self._raw_bytes >= limit:
            return Taken(reactions=(Leave(None),))
        return self._store(self._upload, data)

    def _broken_rule(self, upload: Upload, data: bytes) -> str | None:
        if not upload.announced:
            return "raw data before the ACK was read"
        if len(data) > (self._payload_bytes or 0):
            return f"raw transfer of {len(data)} bytes, negotiated are {self._payload_bytes}"
        if len(data) > upload.left_bytes:
            return f"{len(data) - upload.left_bytes} bytes more than announced"
        return None

    def _store(self, upload: Upload, data: bytes) -> Taken:
        busy_s = len(data) / self._timing.program_bytes_per_s
        try:
            self._work.write(upload, data)
        except FirehoseError as error:
            return replace(self._refuse(f"ERROR: {error}"), busy_s=busy_s)
        if self._programs == self._programmer.nak_early_program:
            return replace(
                self._refuse("ERROR: write failed, HANDLE_PROGRAM_FAILURE 7"), busy_s=busy_s
            )
        if upload.left_bytes:
            return Taken(busy_s)
        self._upload = None
        if self._programs == self._programmer.nak_program:
            return replace(self._nak("ERROR: HANDLE_PROGRAM_FAILURE 23, line 1204"), busy_s=busy_s)
        log = f"INFO: Finished programming start sector {upload.start_page}"
        return Taken(busy_s, (*self._log(log), self._response(ack=True)))

    def _drain(self, data: bytes) -> Taken:
        """What the host had under way when it was refused is thrown away."""
        self._drain_bytes = max(0, self._drain_bytes - len(data))
        return Taken()

    # --- commands -----------------------------------------------------------------------------

    def _document(self, data: bytes) -> Taken:
        self._drain_bytes = 0
        if data.startswith(_HELLO_RESP):  # a host asking who is there; not a breach
            return self._nak("ERROR: XML not formed correctly: expected <?xml, got HELLO_RESP")
        try:
            element, line = read_command(data)
        except FirehoseError as error:
            self._referee.breach("firehose", str(error))
            return self._nak(f"ERROR: {_ascii(str(error))}")
        try:
            return self._obey(element, line)
        except FirehoseError as error:
            return self._nak(f"ERROR: {_ascii(str(error))}")

    def _obey(self, element: Element, line: bytes) -> Taken:
        attributes = element.attributes
        match element.tag:
            case "configure":
                return self._configure(attributes)
            case "nop":
                return self._ack()
            case "power":
                return self._power(attributes)
            case "getstorageinfo" | "erase" | "program" | "read" if self._payload_bytes is None:
                if not self._referee.breach("firehose", f"{element.tag} before configure"):
                    raise FirehoseError(f"{element.tag} before configure")
                self._payload_bytes = SUPPORTED_PAYLOAD_BYTES
                return self._obey(element, line)
            case "getstorageinfo":
                return self._ack(f"INFO: {self._work.storage_info()}")
            case "erase" if "vendor" in attributes:
                self.vendor_lines.append(line)
                blocks = self._work.vendor_erase(tuple(attributes), attributes)
                return self._ack("INFO: vendor erase", busy_s=self._erase_s(blocks))
            case "erase":
                return self._erase(attributes)
            case "program":
                return self._program(attributes)
            case "read":
                return self._read(attributes)
            case tag:
                return self._ack(f"INFO: Ignoring unrecognized tag '{tag}'")

    def _configure(self, attributes: Mapping[str, str]) -> Taken:
        memory = attributes.get("MemoryName", "")
        if memory.lower() != "nand":
            raise FirehoseError(f"MemoryName {memory} is not what this programmer is made for")
        wanted = number(attributes, "MaxPayloadSizeToTargetInBytes")
        facts: dict[str, str | int] = {
            "MemoryName": "nand",
            "MinVersionSupported": 1,
            "Version": 1,
            "MaxPayloadSizeToTargetInBytes": min(wanted, SUPPORTED_PAYLOAD_BYTES),
            "MaxPayloadSizeToTargetInBytesSupported": SUPPORTED_PAYLOAD_BYTES,
            "MaxPayloadSizeFromTargetInBytes": SUPPORTED_PAYLOAD_BYTES,
            "MaxXMLSizeInBytes": 4096,
            "TargetName": self._programmer.target,
        }
        if wanted > SUPPORTED_PAYLOAD_BYTES:
            return self._nak("WARN: Host's payload to target size is too large", facts)
        if wanted == 0:
            raise FirehoseError("MaxPayloadSizeToTargetInBytes is 0")
        self._payload_bytes = wanted
        self._zlp_aware = attributes.get("ZlpAwareHost", "0") == "1"
        return Taken(reactions=(self._response(ack=True, facts=facts),))

    def _erase(self, attributes: Mapping[str, str]) -> Taken:
        if not {"start_sector", "num_partition_sectors"} <= attributes.keys():
            what = "erase without start and length would erase calibration too"
            if not self._referee.breach("firehose", what):
                raise FirehoseError(what)
            attributes = {**attributes, **self._work.everything()}
        extent = self._work.erase_extent(attributes)
        busy_s = self._erase_s(self._work.erase(extent))
        return self._ack(
            f"INFO: Erasing start sector {extent.start_page}, num sectors 0", busy_s=busy_s
        )

    def _erase_s(self, blocks: int) -> float:
        scan_s = self._timing.bad_block_scan_s if self._work.scans_bad_blocks() else 0.0
        return scan_s + blocks * self._timing.erase_block_s

    def _program(self, attributes: Mapping[str, str]) -> Taken:
        self._programs += 1
        upload = self._upload = self._work.begin(self._work.extent(attributes), self._programs)

        def announced() -> None:
            upload.announced = True

        logs = self._log("INFO: Calling handler for program")
        return Taken(reactions=(*logs, self._response(ack=True, raw=True, on_read=announced)))

    def _read(self, attributes: Mapping[str, str]) -> Taken:
        extent: Extent = self._work.extent(attributes)
        after_s = self._timing.firehose_reply_s
        pieces = self._work.read(extent, ends_empty=self._programmer.zlp_after_read)
        stream = Stream(INTERFACE, pieces, self._timing.read_bytes_per_s, after_s)
        logs = self._log("INFO: Calling handler for read")
        return Taken(
            reactions=(*logs, self._response(ack=True, raw=True), stream, self._response(ack=True))
        )

    def _power(self, attributes: Mapping[str, str]) -> Taken:
        value = attributes.get("value", "")
        if value not in ("reset", "reset_to_edl", "off"):
            raise FirehoseError(f"power value {value!r}")
        self.delay_s = number(attributes, "DelayInSeconds") if "DelayInSeconds" in attributes else 0
        if self.delay_s > 60:
            raise FirehoseError(f"DelayInSeconds {self.delay_s} is too long")
        self.leaving = value
        logs = self._log(
            "INFO: Will issue reset/power off 100 useconds, if this hangs check if watchdog is on",
            "INFO: bsp_target_reset() 1",
        )
        return Taken(reactions=(self._response(ack=True), *logs))

    # --- answers ------------------------------------------------------------------------------

    def _refuse(self, text: str) -> Taken:
        """Give up a command: NAK; raw data still under way is drained."""
        if self._upload is not None:
            self._drain_bytes = self._upload.left_bytes
            self._upload = None
        self._held = ()
        return self._nak(text)

    def _ack(self, *logs: str, busy_s: float = 0.0) -> Taken:
        return Taken(busy_s, (*self._log(*logs), self._response(ack=True)))

    def _nak(self, log: str, facts: Mapping[str, str | int] | None = None) -> Taken:
        return Taken(reactions=(*self._log(log), self._response(ack=False, facts=facts)))

    def _log(self, *texts: str) -> tuple[Say, ...]:
        after_s = self._timing.firehose_reply_s
        return tuple(Say(INTERFACE, compose_log(text), after_s) for text in texts)

    def _response(
        self,
        *,
        ack: bool,
        raw: bool = False,
        facts: Mapping[str, str | int] | None = None,
        on_read: Callable[[], None] | None = None,
    ) -> Say:
        document = compose_response(ack, raw, facts)
        return Say(INTERFACE, document, self._timing.firehose_reply_s, on_read)


def _ascii(text: str) -> str:
    """A programmer's log holds nothing but printable ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)[:400]
