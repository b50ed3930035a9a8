"""What the simulated module remembers of its host: every OUT byte, and every breach of protocol."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

MAX_BREACHES = 1000


@dataclass(frozen=True, slots=True)
class Breach:
    """`where`: usb, at, diag, sahara, firehose, nand. `what`: the broken rule, in words."""

    where: str
    what: str


class Referee:
    """Writes breaches down and says whether the module may go on in spite of one."""

    def __init__(self, *, tolerant: bool) -> None:
        self.tolerant = tolerant
        self.breaches: list[Breach] = []

    def breach(self, where: str, what: str) -> bool:
        """Record it; True if the module goes on (tolerant), False if it refuses (strict)."""
        if len(self.breaches) < MAX_BREACHES:
            self.breaches.append(Breach(where, what))
        return self.tolerant


class Payload:
    """Raw bytes of one image: counted and hashed, kept only on demand."""

    def __init__(self, *, keep: bool) -> None:
        self.length_bytes = 0
        self.zero_packets = 0
        self.data: bytearray | None = bytearray() if keep else None
        self._hash: Any = sha256()  # hashlib names its hash type only privately

    def add(self, data: bytes) -> None:
        if not data:
            self.zero_packets += 1
        self.length_bytes += len(data)
        self._hash.update(data)
        if self.data is not None:
            self.data += data

    @property
    def sha256(self) -> str:
        return str(self._hash.hexdigest())


@dataclass(frozen=True, slots=True)
class OutEntry:
    """One OUT transfer, or all raw bytes of one image. `mode`: runtime, sahara, firehose,
    crashed."""

    mode: str
    interface: int
    data: bytes | Payload


@dataclass(slots=True)
class OutLog:
    """Everything a host sent to a module, in order."""

    keep_payload: bool = False
    entries: list[OutEntry] = field(default_factory=list)

    def note(self, mode: str, interface: int, data: bytes) -> None:
        self.entries.append(OutEntry(mode, interface, data))

    def note_raw(self, mode: str, interface: int, data: bytes) -> None:
        last = self.entries[-1] if self.entries else None
        if last is None or last.mode != mode or not isinstance(last.data, Payload):
            last = OutEntry(mode, interface, Payload(keep=self.keep_payload))
            self.entries.append(last)
        if isinstance(last.data, Payload):
            last.data.add(data)

    def sent(self, mode: str) -> list[bytes]:
        """The transfers of one mode without raw payload."""
        return [e.data for e in self.entries if e.mode == mode and isinstance(e.data, bytes)]

    def payloads(self, mode: str = "firehose") -> list[Payload]:
        return [e.data for e in self.entries if e.mode == mode and isinstance(e.data, Payload)]
