"""Firehose, host side: the dialogues that erase, write and read the flash of a module in EDL.

    greet -> configure -> storage_info -> erase* -> program* -> read* -> power

    program    host   <program num_partition_sectors="N" .../>
               module <log .../>*  <response value="ACK" rawmode="true"/>
               host   exactly N sectors in chunks of the payload size, ZLP after a full packet
               module <log .../>*  <response value="ACK" rawmode="false"/>     (or NAK, any time)
    read       the same with the data coming from the module

Ref: linux-msm/qdl firehose.c; fwupd fu-qc-firehose-impl.c; QFirehose firehose_protocol.c;
qualcomm/qdlrs.

Quirks seen: the 9x07 programmer announces its functions in one line and wants a zero-length
packet after each full chunk; the final ACK of a program may take minutes (qdl#182); after a
power command the module may leave before it answers; the start-up banner is gone when the
programmer was running already.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from station.errors import (
    Bug,
    DataRefused,
    Disconnected,
    FirehoseError,
    FirehoseSilent,
    Nak,
    Timeout,
    UsbBroken,
    UsbStall,
)
from station.protocols.dialogue import Dialogue, Notice, Source, nudge
from station.protocols.firehose_configure import Configured, Profile, negotiate
from station.protocols.firehose_logs import Banner, StorageInfo, find_storage_info
from station.protocols.firehose_talk import LAST_WORDS_S, MESSAGES_PER_COMMAND, Talk
from station.protocols.firehose_transfer import ProgramResult, send_image, take_data
from station.protocols.firehose_xml import Response, compose, wrap

__all__ = ["Configured", "Firehose", "Geometry", "Profile", "ProgramResult", "StorageInfo"]

_SECTOR_MAX = (1 << 32) - 1
_NOPS = 3
"""So often a programmer that was running already is asked for an ACK."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """NAND: a sector is a page."""

    sector_size_bytes: int
    pages_per_block: int


class Firehose:
    """A session with a running programmer. Every method but the properties is a dialogue.

    `leftover`: bytes that came in behind the last Sahara packet. Any dialogue may raise
    FirehoseError (unintelligible), FirehoseSilent, Nak (refused, with the module's last log
    lines), WrongProgrammer, Bug (a call that breaks the rules), and what the driver throws.
    """

    def __init__(self, profile: Profile, leftover: bytes = b"") -> None:
        self.profile = profile
        self.payload_bytes = profile.payload_bytes
        self.functions: frozenset[str] = frozenset()
        self._talk = Talk(leftover, zlp=profile.zlp)

    @property
    def recent_logs(self) -> tuple[str, ...]:
        return tuple(self._talk.recent)

    # --- the session --------------------------------------------------------------------------

    def greet(self, timeout_s: float = 3.0, quiet_s: float = 1.0) -> Dialogue[None]:
        """Take the start-up lines and learn the programmer's functions.

        Ends with the list of functions, after `quiet_s` of silence behind any line, or without
        any line after `timeout_s`: a programmer that was running already says nothing.
        """
        banner, wait_s = Banner(), timeout_s
        for _ in range(MESSAGES_PER_COMMAND):
            try:
                message = yield from self._talk.next(wait_s)
            except Timeout:
                break
            if isinstance(message, Response):
                yield Notice("the programmer was running already")
                break
            banner.read(message.text)
            if banner.complete:
                break
            wait_s = quiet_s
        else:
            raise FirehoseError(f"a start-up banner of more than {MESSAGES_PER_COMMAND} lines")
        self.functions = banner.functions

    def rejoin(self, timeout_s: float = 1.0) -> Dialogue[None]:
        """Take over a programmer that was running already, in whatever a host that is gone has
        left it: what it still says is heard out, and a command it waits to be given data for is
        ended by another one, which it refuses. Raises FirehoseError, FirehoseSilent."""
        with suppress(FirehoseError):
            yield from self.greet(timeout_s)
        for asked in range(1, _NOPS + 1):
            yield from self._talk.hear_out(LAST_WORDS_S)
            try:
                return (yield from self.nop(timeout_s))
            except (Nak, FirehoseError, FirehoseSilent) as error:
                if asked == _NOPS:
                    raise
                yield from nudge(f"nop again, in the middle of something: {error.cause}")

    def configure(self, timeout_s: float = 5.0) -> Dialogue[Configured]:
        """Open the flash memory and agree on the payload size, in either direction."""
        configured = yield from negotiate(self._talk, self.profile, timeout_s)
        self.payload_bytes = configured.payload_bytes
        return configured

    def storage_info(self, timeout_s: float = 5.0) -> Dialogue[StorageInfo | None]:
        """The flash memory as the programmer sees it; None where it cannot tell."""
        if self.functions and "getstorageinfo" not in self.functions:
            return None
        yield from self._talk.command(
            "getstorageinfo", compose("getstorageinfo", {"physical_partition_number": 0})
        )
        try:
            response = yield from self._talk.answer("getstorageinfo", timeout_s)
        except FirehoseSilent:
            if any("unrecogni" in text.lower() for text in self._talk.said):
                return None
            raise
        if not response.ack:
            yield Notice("the programmer cannot tell its storage")
            return None
        found = self._storage_said()
        if found is None:
            yield from self._talk.pending(LAST_WORDS_S)
            found = self._storage_said()
        return found

    def nop(self, timeout_s: float = 5.0) -> Dialogue[None]:
        """Ask for nothing but an ACK."""
        yield from self._talk.command("nop", compose("nop", {}))
        yield from self._talk.ack("nop", timeout_s)

    def forward(self, line: bytes, timeout_s: float = 60.0) -> Dialogue[None]:
        """Send a vendor line of the package byte for byte."""
        yield from self._talk.command("the vendor line", wrap(line))
        yield from self._talk.ack("the vendor line", timeout_s)

    def power(
        self, value: str = "reset", delay_s: int = 1, timeout_s: float = 5.0
    ) -> Dialogue[None]:
        """Reset (`reset`, `reset_to_edl`) or switch off (`off`); an ACK is success, and so is a
        module that is gone, even before it took the command: the port tells what became of it."""
        if value not in ("reset", "off", "reset_to_edl") or not 0 <= delay_s <= 60:
            raise Bug(f"no power command {value!r} after {delay_s} s exists")
        what = f"power {value}"
        document = compose("power", {"value": value, "DelayInSeconds": delay_s})
        try:
            yield from self._talk.command(what, document)
            yield from self._talk.ack(what, timeout_s)
        except (Disconnected, UsbBroken, UsbStall):
            yield Notice(f"the module left the bus at {what}")

    # --- the flash memory ---------------------------------------------------------------------

    def erase(
        self, start_sector: int, num_sectors: int, geometry: Geometry, timeout_s: float = 30.0
    ) -> Dialogue[None]:
        """Erase whole blocks."""
        what = f"erase of {num_sectors} sectors at {start_sector}"
        document = compose("erase", _region(what, start_sector, num_sectors, geometry))
        yield from self._talk.command(what, document)
        yield from self._talk.ack(what, timeout_s)

    def program(
        self,
        source: Source,
        start_sector: int,
        num_sectors: int,
        geometry: Geometry,
        *,
        label: str = "",
        filename: str = "",
        ack_timeout_s: float = 10.0,
        chunk_timeout_s: float = 15.0,
        final_timeout_s: float = 120.0,
    ) -> Dialogue[ProgramResult]:
        """Write an image, its last sector filled up with zeros. Raises Nak if the module refuses
        before it had any data, then DataRefused, as soon as it does."""
        what = f"program {filename or source.name} at sector {start_sector}"
        names = {"filename": filename or source.name} | ({"label": label} if label else {})
        region = _region(what, start_sector, num_sectors, geometry, names)
        total_bytes = num_sectors * geometry.sector_size_bytes
        if total_bytes < source.length_bytes:
            raise Bug(f"{what}: {source.length_bytes} bytes do not fit {num_sectors} sectors")
        yield from self._talk.command(what, compose("program", region))
        yield from self._talk.ack(what, ack_timeout_s, raw=True)
        try:
            result = yield from send_image(
                self._talk,
                what,
                source,
                total_bytes,
                payload_bytes=self.payload_bytes,
                zlp=self.profile.zlp,
                timeout_s=chunk_timeout_s,
            )
            yield from self._talk.ack(what, final_timeout_s)
        except Nak as error:
            raise DataRefused(error.cause) from error
        return result

    def read(
        self,
        start_sector: int,
        num_sectors: int,
        geometry: Geometry,
        sink: Callable[[bytes], object],
        timeout_s: float = 30.0,
    ) -> Dialogue[int]:
        """Give `sink` exactly these sectors, in order; returns the number of bytes."""
        what = f"read of {num_sectors} sectors at {start_sector}"
        document = compose("read", _region(what, start_sector, num_sectors, geometry))
        total_bytes = num_sectors * geometry.sector_size_bytes
        yield from self._talk.command(what, document)
        yield from self._talk.ack(what, timeout_s, raw=True)
        yield from take_data(self._talk, what, total_bytes, sink, timeout_s)
        yield from self._talk.ack(what, timeout_s)
        return total_bytes

    # --- parts --------------------------------------------------------------------------------

    def _storage_said(self) -> StorageInfo | None:
        found = (find_storage_info(text) for text in self._talk.said)
        return next((info for info in found if info is not None), None)


def _region(
    what: str,
    start_sector: int,
    num_sectors: int,
    geometry: Geometry,
    names: Mapping[str, str] | None = None,
) -> dict[str, str | int]:
    """The attributes of a region, in the order of a rawprogram file.

    Raises Bug for a region that is empty or unbounded: modules take that for the whole memory.
    """
    if start_sector < 0 or num_sectors < 1 or start_sector + num_sectors > _SECTOR_MAX:
        raise Bug(f"{what}: no such sectors")
    if geometry.sector_size_bytes < 1 or geometry.pages_per_block < 1:
        raise Bug(f"{what}: no such geometry")
    return {
        "PAGES_PER_BLOCK": geometry.pages_per_block,
        "SECTOR_SIZE_IN_BYTES": geometry.sector_size_bytes,
        **(names or {}),
        "num_partition_sectors": num_sectors,
        "physical_partition_number": 0,
        "start_sector": start_sector,
    }
