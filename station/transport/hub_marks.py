"""Are the hubs where the slot map says they are? Pure."""

from collections.abc import Mapping, Sequence

from station.config.slot_map import HubMark
from station.errors import (
    ControllerMissing,
    HubMissing,
    HubMoved,
    HubReplaced,
    HubsSwapped,
    PlaceDoubtful,
)
from station.places import Location
from station.transport.usb_tree import Hub, Topology


def hub_troubles(marks: Sequence[HubMark], topology: Topology) -> Mapping[str, PlaceDoubtful]:
    """What is wrong with which hub, by its name in the slot map.

    A hub is known again by its serial; one without is known by model and number of ports, so two
    of the same model that changed places look as if nothing had happened.
    """
    there = {mark.name: hub_at(mark, topology) for mark in marks}
    settled = {
        hub.name for mark in marks if (hub := there[mark.name]) is not None and is_it(mark, hub)
    }
    troubles: dict[str, PlaceDoubtful] = {}
    for mark in marks:
        hub = there[mark.name]
        if hub is None or hub.name not in settled:
            troubles[mark.name] = _trouble(mark, hub, marks, settled, topology)
    return troubles


def hub_at(mark: HubMark, topology: Topology) -> Hub | None:
    """The hub that is at the marked place now."""
    for location in mark.location.revisions:
        hub = topology.hub(location)
        if hub is not None:
            return hub
    return None


def is_it(mark: HubMark, hub: Hub) -> bool:
    """Could this be the hub that was marked? A mark without a serial takes any."""
    same = (hub.usb_id, hub.ports) == (mark.usb_id, mark.ports)
    return same and mark.serial in (None, hub.serial)


def controller_missing(wanted: str, location: Location, topology: Topology) -> ControllerMissing:
    """`wanted` begins the sentence: what cannot be found for that reason."""
    known = ", ".join(c.name for c in topology.controllers[:8]) or "none at all"
    return ControllerMissing(
        f"{wanted}; there is no controller {location.controller} (found: {known})"
    )


def _trouble(
    mark: HubMark,
    here: Hub | None,
    marks: Sequence[HubMark],
    settled: set[str],
    topology: Topology,
) -> PlaceDoubtful:
    expected = f"{mark.words} is expected at {mark.location}"
    if topology.controller(mark.location.controller) is None:
        return controller_missing(expected, mark.location, topology)
    free = (h for h in topology.hubs if not h.is_root and h != here and h.name not in settled)
    found = [hub for hub in free if is_it(mark, hub)]
    for other in marks:
        if here is not None and hub_at(other, topology) in found and is_it(other, here):
            return HubsSwapped(
                f"{mark.words} and {other.words} are swapped: {mark.words} is at "
                f"{other.location}, {other.words} at {mark.location}"
            )
    if len(found) == 1 or (found and mark.serial is not None):
        it = "it" if mark.serial is not None else "one like it"
        return HubMoved(f"{expected}; {it} is at {found[0].location} ({found[0].path})")
    if here is None:
        return HubMissing(f"{expected}; there is no hub")
    return HubReplaced(
        f"{expected}: {_model(mark.usb_id, mark.ports, mark.serial)}; there is another one: "
        f"{_model(here.usb_id, here.ports, here.serial)}"
    )


def _model(usb_id: str, ports: int, serial: str | None) -> str:
    named = "" if serial is None else f", serial {serial[:64]}"
    return f"{usb_id} with {ports} ports{named}"
