"""A programmer behind a port, its flash at hand, and literal documents to send to it."""

import re

from station.model import PortPath
from station.sim.firehose_side import FirehoseSide, Programmer
from station.sim.flash_work import Extent, FlashWork
from station.sim.nand import Geometry, Nand, PageStore
from station.sim.port import Face, Reaction, SimPort, Taken
from station.sim.referee import Referee
from station.sim.timing import Timing

GEOMETRY = Geometry(page_bytes=2048, pages_per_block=64, blocks=16)
HEAD = b'<?xml version="1.0" encoding="UTF-8" ?><data>'
CONFIGURE = (
    HEAD + b'<configure MemoryName="nand" Verbose="0" AlwaysValidate="0" '
    b'MaxDigestTableSizeInBytes="2048" MaxPayloadSizeToTargetInBytes="8192" '
    b'ZlpAwareHost="1" SkipStorageInit="0" /></data>'
)
PLACE = b'PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" physical_partition_number="0" '


def document(element: bytes) -> bytes:
    return HEAD + element + b"</data>"


def place(tag: bytes, start: int, count: int) -> bytes:
    where = b'num_partition_sectors="%d" start_sector="%d"' % (count, start)
    return document(b"<" + tag + b" " + PLACE + where + b" />")


class Rig:
    """A programmer behind a port, already greeted; `flash` is its NAND."""

    def __init__(
        self,
        programmer: Programmer | None = None,
        *,
        tolerant: bool = False,
        bad_blocks: tuple[int, ...] = (),
        raw_reads: bool = False,
        spoils: int | None = None,
        keeps: tuple[Extent, ...] = (),
    ) -> None:
        self.flash = Nand(GEOMETRY, PageStore(2048), bad_blocks)
        self.referee = Referee(tolerant=tolerant)
        work = FlashWork(
            self.flash, GEOMETRY, keeps, self.referee, raw_reads=raw_reads, spoils_program=spoils
        )
        self.side = FirehoseSide(
            programmer or Programmer(("one line",), "MDM9607"), work, self.referee, Timing()
        )
        self.port = SimPort(PortPath.parse("1-1"))
        self.port.plug(self, 0.0)
        self.now_s = 0.0

    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        return Face(0x05C6, 0x9008, ()), ()

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        raise AssertionError(f"it never comes back, not as {face}")

    def bus_reset(self) -> tuple[Reaction, ...]:
        return ()

    def receive(self, interface: int, data: bytes) -> Taken:
        assert interface == 0
        return self.side.receive(data)

    def control(self, request_type: int, request: int, value: int, index: int) -> None:
        raise AssertionError(f"{request_type} {request} {value} {index}")

    def send(self, data: bytes) -> None:
        self.now_s = self.port.ready_s(self.now_s)
        self.port.write(1, 0, data, self.now_s)

    def read(self) -> bytes | None:
        answer = self.port.read(1, 0, 16384, self.now_s)
        if isinstance(answer, float):
            self.now_s = answer
            answer = self.port.read(1, 0, 16384, answer)
        return answer if isinstance(answer, bytes) else None

    def answers(self) -> list[bytes]:
        found = []
        while (data := self.read()) is not None:
            found.append(data)
        return found

    def ask(self, data: bytes) -> str:
        """`ACK`, `NAK`, `ACK raw` and what the logs say."""
        self.send(data)
        return summary(self.answers())

    def begin(self, start: int, count: int, configure: bytes = CONFIGURE) -> None:
        """Configured, the region erased, `program` acknowledged."""
        assert self.ask(configure) == "ACK"
        assert self.ask(place(b"erase", start // 64 * 64, -(-count // 64) * 64)) == "ACK"
        assert self.ask(place(b"program", start, count)) == "ACK raw"

    @property
    def breaches(self) -> list[str]:
        return [breach.what for breach in self.referee.breaches]


def summary(answers: list[bytes]) -> str:
    for answer in reversed(answers):
        if match := re.search(rb'<response value="(ACK|NAK)" rawmode="(true|false)"', answer):
            return match[1].decode() + (" raw" if match[2] == b"true" else "")
    return ""


def logs(answers: list[bytes]) -> str:
    return "\n".join(a.decode() for a in answers if b"<log" in a)
