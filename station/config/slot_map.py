"""The slots and the ports behind them: part of station.yaml, or a file of its own.

    hubs:
      A: {at: "pci-0000:00:14.0-usbv2-0:3", usb_id: "05e3:0608", ports: 4, serial: "0042"}
    slots:
      A1: {ports: ["pci-0000:00:14.0-usbv2-0:3.1", "pci-0000:00:14.0-usbv3-0:1.1"]}

`hubs` names the hubs that were there when the map was made, so that one that was moved or
swapped is told by name.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from station.config.strict import Strict, Text, read_model
from station.config.yaml_lines import Document, read_document, refuse
from station.errors import ConfigError
from station.model import Slot
from station.places import MAX_PORT, Location, Place, PortPath, parse_place

MAX_SLOTS = 256
MAX_HUBS = 128

USB3_SIDE = "-usb3"
"""Ends the name of the faster half of a hub, which the kernel has as a hub of its own."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}", re.ASCII)
_USB_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")


def is_name(text: str) -> bool:
    """Whether a slot or a hub may be called so."""
    return _NAME.fullmatch(text) is not None


def _slot_name(text: str) -> str:
    if not is_name(text):
        raise ValueError("a slot name has 1 to 16 letters, digits, - or _, such as A1")
    return text


def _hub_name(text: str) -> str:
    if not is_name(text):
        raise ValueError("a hub name has 1 to 16 letters, digits, - or _, such as A")
    return text


def _place(text: str) -> str:
    try:
        parse_place(text)
    except ConfigError as error:
        raise ValueError(error.cause) from error
    return text


def _location(text: str) -> str:
    try:
        Location.parse(text)
    except ConfigError as error:
        raise ValueError(error.cause) from error
    return text


def _usb_id(text: str) -> str:
    if _USB_ID.fullmatch(text) is None:
        raise ValueError('must be vendor and product in small hex digits, such as "05e3:0608"')
    return text


class SlotSection(Strict):
    """One place on the tray: its USB ports by any spelling (USB 2 and USB 3 companion)."""

    ports: Annotated[
        tuple[Annotated[str, AfterValidator(_place)], ...], Field(min_length=1, max_length=4)
    ]
    recipe: Text | None = None


class HubSection(Strict):
    """A hub as it was when the map was made; `serial` only if it has one."""

    at: Annotated[str, AfterValidator(_location)]
    usb_id: Annotated[str, AfterValidator(_usb_id)]
    ports: Annotated[int, Field(ge=1, le=MAX_PORT)]
    serial: Text | None = None


SlotSections = Annotated[
    dict[Annotated[str, AfterValidator(_slot_name)], SlotSection],
    Field(min_length=1, max_length=MAX_SLOTS),
]


class SlotMapFile(Strict):
    """A slot map as written."""

    slots: SlotSections
    hubs: Annotated[
        dict[Annotated[str, AfterValidator(_hub_name)], HubSection],
        Field(max_length=MAX_HUBS, default_factory=dict),
    ]


@dataclass(frozen=True, slots=True)
class HubMark:
    """How a hub is known again. A USB 3 hub is two: one for each speed, at two locations."""

    name: str
    location: Location
    usb_id: str
    ports: int
    serial: str | None = None

    @property
    def words(self) -> str:
        """For people: `hub A`, `the USB 3 side of hub A`."""
        whole = self.name.removesuffix(USB3_SIDE)
        return f"hub {whole}" if whole == self.name else f"the USB 3 side of hub {whole}"


@dataclass(frozen=True, slots=True)
class SlotMap:
    slots: tuple[Slot, ...]
    hubs: tuple[HubMark, ...] = ()


def load_slot_map(path: Path) -> SlotMap:
    """Read a slot map. Raises ConfigError with all its problems, a line each."""
    document = read_document(path)
    read = read_model(document, SlotMapFile)
    problems = shared_ports(document, read.slots)
    if problems:
        raise refuse(problems)
    hubs = tuple(
        HubMark(name, Location.parse(hub.at), hub.usb_id, hub.ports, hub.serial)
        for name, hub in read.hubs.items()
    )
    return SlotMap(slots_of(read.slots), hubs)


def slots_of(sections: Mapping[str, SlotSection]) -> tuple[Slot, ...]:
    """In file order. `Slot.ports` has what is known without looking at the USB tree."""
    return tuple(_slot(name, section) for name, section in sections.items())


def _slot(name: str, section: SlotSection) -> Slot:
    places = tuple(map(parse_place, section.ports))
    return Slot(
        name,
        frozenset(place for place in places if isinstance(place, PortPath)),
        section.recipe,
        frozenset(place for place in places if isinstance(place, Location)),
    )


def shared_ports(document: Document, sections: Mapping[str, SlotSection]) -> list[str]:
    """A USB port belongs to one slot, once, however it is spelled."""
    owner: dict[Place, str] = {}
    problems = []
    for name, section in sections.items():
        for number, text in enumerate(section.ports):
            place = parse_place(text)
            known = place in owner
            first = owner.setdefault(place, name)
            where = ("slots", name, "ports", number)
            if first != name:
                problems.append(document.problem(where, f"port {place} is in slot {first} too"))
            elif known:
                problems.append(document.problem(where, f"port {place} is listed twice"))
    return problems


def slot_map_text(slots: Iterable[Slot], hubs: Iterable[HubMark]) -> str:
    """A file that `load_slot_map` reads back as the same."""
    lines = ["# Made by `station slots learn`: it is written anew as a whole.", "", "slots:"]
    for slot in slots:
        places = [*sorted(map(str, slot.locations)), *map(str, sorted(slot.ports))]
        recipe = "" if slot.recipe is None else f", recipe: {_quoted(slot.recipe)}"
        lines.append(f"  {_quoted(slot.name)}: {{ports: {_quoted(places)}{recipe}}}")
    marks = list(hubs)
    lines += [""] if marks else []
    if any(hub.name.endswith(USB3_SIDE) for hub in marks):
        lines.append(f"# A USB 3 hub is two: A{USB3_SIDE} is the USB 3 side of hub A.")
    lines += ["hubs:"] if marks else []
    for hub in marks:
        serial = "" if hub.serial is None else f", serial: {_quoted(hub.serial)}"
        facts = f"usb_id: {_quoted(hub.usb_id)}, ports: {hub.ports}{serial}"
        lines.append(f"  {_quoted(hub.name)}: {{at: {_quoted(str(hub.location))}, {facts}}}")
    return "\n".join(lines) + "\n"


def _quoted(value: str | list[str]) -> str:
    """YAML takes JSON's quotes; names such as `1` or `no` stay text."""
    return json.dumps(value, ensure_ascii=False)
