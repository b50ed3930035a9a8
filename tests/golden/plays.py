"""The host dialogues that a session plays, one after the other, and what came of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from station.protocols import diag, sahara
from station.protocols.at import AtChannel, read_identity
from station.protocols.dialogue import BytesSource, Dialogue
from station.protocols.firehose import Firehose, Geometry, Profile
from station.protocols.sahara import Greeting


@dataclass(slots=True)
class Host:
    """What the host knows so far; `came` is what a session's `ends` is compared with."""

    image: BytesSource
    geometry: Geometry
    profile: Profile
    greeting: Greeting | None = None
    leftover: bytes = b""
    came: dict[str, Any] = field(default_factory=dict)
    _firehose: Firehose | None = None

    @property
    def firehose(self) -> Firehose:
        if self._firehose is None:
            self._firehose = Firehose(self.profile, self.leftover)
        return self._firehose


def play(host: Host, plays: list[list[Any]]) -> Dialogue[None]:
    """Each play is a name and its arguments."""
    for name, *words in plays:
        yield from _PLAYS[name](host, *words)


def _greet(host: Host) -> Dialogue[None]:
    host.greeting = yield from sahara.greet(1.0)
    host.came["greeting"] = type(host.greeting).__name__
    if isinstance(host.greeting, sahara.ProgrammerRunning):
        host.leftover = host.greeting.leftover


def _chip(host: Host) -> Dialogue[None]:
    assert isinstance(host.greeting, sahara.Hello)
    chip, host.greeting = yield from sahara.read_chip_identity(host.greeting, 1.0)
    host.came |= {"serial": chip.serial, "hw_id": chip.hw_id, "pk_hash": chip.pk_hash}


def _load(host: Host) -> Dialogue[None]:
    assert host.greeting is not None
    loaded = yield from sahara.load_programmer(host.image, host.greeting, 5.0)
    host.leftover = loaded.leftover
    host.came |= {"requests": loaded.requests, "sent_bytes": loaded.sent_bytes}


def _banner(host: Host) -> Dialogue[None]:
    yield from host.firehose.greet(3.0, 1.0)
    host.came["functions"] = len(host.firehose.functions)


def _configure(host: Host) -> Dialogue[None]:
    host.came["payload_bytes"] = (yield from host.firehose.configure()).payload_bytes


def _storage(host: Host) -> Dialogue[None]:
    info = yield from host.firehose.storage_info()
    host.came["total_sectors"] = None if info is None else info.total_sectors


def _erase(host: Host, start_sector: int, num_sectors: int) -> Dialogue[None]:
    yield from host.firehose.erase(start_sector, num_sectors, host.geometry)


def _program(host: Host, start_sector: int, num_sectors: int) -> Dialogue[None]:
    written = yield from host.firehose.program(host.image, start_sector, num_sectors, host.geometry)
    host.came["written_bytes"] = written.length_bytes


def _read(host: Host, start_sector: int, num_sectors: int) -> Dialogue[None]:
    taken = bytearray()
    yield from host.firehose.read(start_sector, num_sectors, host.geometry, taken.extend)
    assert taken == host.image.data[: len(taken)]
    host.came["read_bytes"] = len(taken)


def _power(host: Host, value: str, delay_s: int) -> Dialogue[None]:
    yield from host.firehose.power(value, delay_s)


def _diag_version(host: Host) -> Dialogue[None]:
    host.came["version"] = yield from diag.query_version(1.0)


def _diag_switch(host: Host) -> Dialogue[None]:
    host.came["echoed"] = yield from diag.switch_to_edl(10.0)


def _identity(host: Host) -> Dialogue[None]:
    identity = yield from read_identity(AtChannel(), 1.0)
    host.came |= {name: getattr(identity, name) for name in identity.__slots__}


_PLAYS: dict[str, Callable[..., Dialogue[None]]] = {
    "greet": _greet,
    "chip": _chip,
    "load": _load,
    "banner": _banner,
    "configure": _configure,
    "storage": _storage,
    "erase": _erase,
    "program": _program,
    "read": _read,
    "power": _power,
    "diag_version": _diag_version,
    "diag_switch": _diag_switch,
    "identity": _identity,
}
