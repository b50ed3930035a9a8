"""Which ports the slots mean on this machine now, and which slots cannot be trusted. Pure.

Bus numbers follow the order in which controllers are found; what was learnt names the controller.
A slot whose controller, hub or port is not as it was is disabled, by name; the others work.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from station.config.slot_map import HubMark
from station.errors import (
    HubMissing,
    PlaceDoubtful,
    PortMissing,
    PortShared,
    PortsUnpaired,
)
from station.model import PortPath, Slot
from station.places import Location
from station.transport.hub_marks import controller_missing, hub_troubles
from station.transport.usb_tree import Topology


@dataclass(frozen=True, slots=True)
class Located:
    """`slots` in their order, by ports only; those that are disabled have none and say why.

    `hubs` has what is wrong with which hub, by its name in the slot map.
    """

    slots: tuple[Slot, ...]
    hubs: dict[str, PlaceDoubtful]

    @property
    def mismatches(self) -> dict[str, PlaceDoubtful]:
        """Why slots are disabled, by slot."""
        return {s.name: s.barred for s in self.slots if isinstance(s.barred, PlaceDoubtful)}


def locate(slots: Sequence[Slot], hubs: Sequence[HubMark], topology: Topology) -> Located:
    """Find the slots' ports. Without a USB tree, slots by port path are taken as they are."""
    troubles = dict(hub_troubles(hubs, topology))
    marked = [(mark.location, troubles[mark.name]) for mark in hubs if mark.name in troubles]
    marked.sort(key=lambda pair: len(pair[0].chain))  # the outermost hub explains the others
    found = [_locate(slot, marked, topology) for slot in slots]
    owners: dict[PortPath, list[str]] = {}
    for slot in found:
        for path in slot.ports:
            owners.setdefault(path, []).append(slot.name)
    return Located(tuple(_alone(slot, owners) for slot in found), troubles)


def _locate(
    slot: Slot, marked: Sequence[tuple[Location, PlaceDoubtful]], topology: Topology
) -> Slot:
    try:
        ports = set(slot.ports)
        for location in sorted(slot.locations, key=str):
            _refuse_below(location, marked)
            ports.update(_paths(location, topology))
        for path in sorted(ports):
            known = topology.location_of(path)
            if known is not None:
                _refuse_below(known, marked)
        _check_pairs(ports, topology)
    except PlaceDoubtful as doubt:
        return _barred(slot, doubt)
    return replace(slot, ports=frozenset(ports), locations=frozenset())


def _refuse_below(location: Location, marked: Sequence[tuple[Location, PlaceDoubtful]]) -> None:
    for hub, trouble in marked:
        if location.is_below(hub):
            raise type(trouble)(trouble.cause)


def _paths(location: Location, topology: Topology) -> tuple[PortPath, ...]:
    """Raises PlaceDoubtful for a port that is not there, naming what is not."""
    paths = topology.paths_of(location)
    if paths:
        return paths
    if topology.controller(location.controller) is None:
        raise controller_missing(f"port {location} is not there", location, topology)
    hub = next((h for place in location.hub.revisions if (h := topology.hub(place))), None)
    if hub is None:
        raise HubMissing(f"port {location} is not there: no hub at {location.hub}")
    raise PortMissing(f"port {location} is not there: hub {hub.name} has {hub.ports} ports")


def _check_pairs(paths: set[PortPath], topology: Topology) -> None:
    """Ports of both speeds must be one socket, as far as the kernel knows."""
    ports = [port for path in sorted(paths) if (port := topology.port(path)) is not None]
    for port in ports:
        others = [o.path for o in ports if o.location.revision != port.location.revision]
        peer = port.peer or port.claimed_peer
        if peer is not None and others and (port.peer is None or peer not in others):
            raise PortsUnpaired(
                f"{port.path} and {others[0]} are not one socket: the kernel says that "
                f"{port.path} belongs to {peer}"
                + ("" if port.peer else ", which does not say the same")
            )


def _alone(slot: Slot, owners: dict[PortPath, list[str]]) -> Slot:
    for path in sorted(slot.ports):
        if len(owners[path]) > 1:
            return _barred(slot, PortShared(f"port {path} is in slots {', '.join(owners[path])}"))
    return slot


def _barred(slot: Slot, doubt: PlaceDoubtful) -> Slot:
    return replace(slot, ports=frozenset(), locations=frozenset(), barred=doubt)
