"""The walk through the tray: one look at the USB tree after another, until every slot has its
place. Knows neither terminal nor clock: each look takes the time and answers with what to say.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from station.places import Location, PortPath
from station.transport.topology import Hub, HubPort, Topology, UsbDevice

SETTLE_S = 1.0
"""A module counts when it has been the only new one, and stayed, for so long."""

SUPER_SPEED = 3
"""USB revision of the faster root hub of a controller."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something to tell; `kind` for programs, `words` for people."""

    kind: str
    words: str
    slot: str | None = None
    path: PortPath | None = None
    locations: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class Socket:
    """One place to plug into: its USB 2 port, or that and its USB 3 port.

    `hubs`: for each of its ports the hubs on the way there, the outermost first.
    """

    paths: tuple[PortPath, ...]
    locations: tuple[Location, ...]
    hubs: tuple[tuple[Hub, ...], ...]


class Unusable(Exception):
    """A port that no slot can have; the words say why."""


@dataclass(slots=True)
class Lesson:
    """`wanted`: the slots, in the order in which they are taught. `accepts`: is this a module?"""

    wanted: tuple[str, ...]
    accepts: Callable[[UsbDevice], bool]
    what_is: Callable[[UsbDevice], str]
    claim: Callable[[PortPath], None]
    """Raises Unusable for a port that an engine works with."""
    learned: dict[str, Socket] = field(default_factory=dict)
    _there: dict[PortPath, UsbDevice] | None = None
    _ignored: set[PortPath] = field(default_factory=set)
    """Ports whose device was told of, or was there before: nothing more until it leaves."""
    _candidate: UsbDevice | None = None
    _since_s: float = 0.0

    @property
    def current(self) -> str | None:
        """The slot to be taught next; None when all are."""
        return next((name for name in self.wanted if name not in self.learned), None)

    def due_s(self) -> float | None:
        """When to look again though nothing changes; None when only a change matters."""
        return None if self._candidate is None else self._since_s + SETTLE_S

    def look(self, topology: Topology, now_s: float) -> Iterator[Said]:
        """Take what the tree is now."""
        there = {device.path: device for device in topology.devices}
        if self._there is None:
            self._there = there
            yield from self._begin()
            return
        before, self._there = self._there, there
        self._ignored &= there.keys()
        yield from self._lost(there)
        came = [d for path, d in there.items() if _is_new(d, before.get(path))]
        yield from self._arrived([d for d in came if d.path not in self._ignored], topology, now_s)
        yield from self._settled(topology, now_s)

    def _begin(self) -> Iterator[Said]:
        for path, device in (self._there or {}).items():
            self._ignored.add(path)
            if not device.is_hub and self.accepts(device):
                words = f"{self.what_is(device)} on {path} was there before: not counted until it "
                yield Said("ignored", words + "is taken out", path=path)

    # --- candidates -------------------------------------------------------------------------

    def _lost(self, there: Mapping[PortPath, UsbDevice]) -> Iterator[Said]:
        candidate = self._candidate
        if candidate is not None and candidate.path not in there:
            self._candidate = None
            words = f"{candidate.usb_id} on {candidate.path} left within {SETTLE_S:g} s: once more"
            yield Said("left", words, self.current, candidate.path)

    def _arrived(self, came: list[UsbDevice], topology: Topology, now_s: float) -> Iterator[Said]:
        fresh = []
        for device in came:
            refusal = self._refusal(device, topology)
            if refusal is None:
                fresh.append(device)
            else:
                self._ignored.add(device.path)
                yield refusal
        rivals = [d for d in fresh if self._candidate is None or d.path != self._candidate.path]
        if self._candidate is not None and len(fresh) > len(rivals):
            yield Said(
                "unsteady",
                f"two devices came to {self._candidate.path} within {SETTLE_S:g} s: wait until "
                "it stays",
                self.current,
                self._candidate.path,
            )
        if not fresh:
            return
        if len(rivals) + (self._candidate is not None) > 1:
            yield self._too_many([*([self._candidate] if self._candidate else []), *rivals])
            return
        self._candidate, self._since_s = fresh[0], now_s

    def _too_many(self, devices: list[UsbDevice]) -> Said:
        self._candidate = None
        self._ignored.update(device.path for device in devices)
        places = " and ".join(str(device.path) for device in devices)
        words = f"modules at once on {places}: take them out, then plug in one at a time"
        return Said("too many", words, self.current)

    def _refusal(self, device: UsbDevice, topology: Topology) -> Said | None:
        """Why an arrival is not for the current slot; None if it may be."""
        path = device.path
        owner = next((n for n, socket in self.learned.items() if path in socket.paths), None)
        if owner is not None:
            return Said("known", f"{path}: that is {owner} already", owner, path)
        if device.is_hub:
            words = f"{device.usb_id} on {path} is a hub: plug a module into one of its ports"
            return Said("hub", words, self.current, path)
        if not self.accepts(device):
            words = f"{self.what_is(device)} on {path} is no module (--any takes it)"
            return Said("stranger", words, self.current, path)
        try:
            self.claim(path)
            socket_of(path, topology)
        except Unusable as why:
            return Said("unusable", f"{path}: {why}", self.current, path)
        return None

    def _settled(self, topology: Topology, now_s: float) -> Iterator[Said]:
        candidate, slot = self._candidate, self.current
        if candidate is None or slot is None or now_s < self._since_s + SETTLE_S:
            return
        self._candidate = None
        self._ignored.add(candidate.path)
        try:
            socket = socket_of(candidate.path, topology)
        except Unusable as why:
            yield Said("unusable", f"{candidate.path}: {why}", slot, candidate.path)
            return
        self.learned[slot] = socket
        places = " and ".join(map(str, socket.paths))
        words = f"{slot} is {places} ({', '.join(map(str, socket.locations))})"
        yield Said("learned", words, slot, candidate.path, socket.locations)
        if len(socket.paths) == 1 and candidate.knows_usb_3:
            words = (
                f"{slot}: {candidate.usb_id} knows USB 3, and the kernel knows no USB 3 port of "
                "this socket: it will work at USB 2 speed. If the socket is blue: connect its hub "
                f"by a USB 3 cable and learn {slot} again, or add the port that "
                "`station slots list` shows by hand"
            )
            yield Said("no usb 3", words, slot, candidate.path, socket.locations)


def _is_new(device: UsbDevice, before: UsbDevice | None) -> bool:
    """Another enumeration than the one before; the kernel counts them."""
    return before is None or (before.devnum, before.usb_id) != (device.devnum, device.usb_id)


def socket_of(path: PortPath, topology: Topology) -> Socket:
    """The port and its companion at the other speed, as both say of each other.

    Raises Unusable where the kernel does not tell, or the two contradict each other.
    """
    port = topology.port(path)
    if port is None:
        raise Unusable("the kernel shows no such port; plug it in once more")
    if port.claimed_peer is not None and port.peer is None:
        raise Unusable(
            f"the kernel says that its companion is {port.claimed_peer}, and that one does not "
            "agree; use another port or another hub"
        )
    ports = [port, *_companion(port, topology)]
    ports.sort(key=lambda p: p.location.revision or 0)
    if all(p.location.revision == SUPER_SPEED for p in ports):
        raise Unusable(
            "its USB 2 side is not known, where the module will be in EDL; use another port"
        )
    return Socket(
        tuple(p.path for p in ports),
        tuple(p.location for p in ports),
        tuple(_hubs_above(p.path, topology) for p in ports),
    )


def _companion(port: HubPort, topology: Topology) -> Iterator[HubPort]:
    peer = None if port.peer is None else topology.port(port.peer)
    if peer is not None:
        yield peer


def _hubs_above(path: PortPath, topology: Topology) -> tuple[Hub, ...]:
    """Without the root hub."""
    hub = None if path.hub is None else topology.hub(path.hub)
    return () if path.hub is None or hub is None else (*_hubs_above(path.hub, topology), hub)
