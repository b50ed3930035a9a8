"""The slot map: a file of its own that station.yaml names."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.config import HubMark, load_settings, load_slot_map, slot_map_text
from station.errors import ConfigError
from station.model import Slot
from station.places import Location, PortPath

STATION = """\
station: {name: line-1, site: Main hall}
database: station.db
store: packages
recipes: recipes
slots: slots.yaml
"""

MAP = """\
slots:
  A1: {ports: ["pci-0000:00:14.0-usbv2-0:3.1", "pci-0000:00:14.0-usbv3-0:1.1"]}
  A2: {ports: ["/sys/bus/usb/devices/1-3.2"], recipe: ec25}
hubs:
  A: {at: "pci-0000:00:14.0-usbv2-0:3", usb_id: "05e3:0608", ports: 4, serial: "0042"}
  A-usb3: {at: "pci-0000:00:14.0-usbv3-0:1", usb_id: "05e3:0612", ports: 4}
"""


def at(text: str) -> Location:
    return Location.parse(f"pci-0000:00:14.0-{text}")


def write(folder: Path, slot_map: str = MAP, station: str = STATION) -> Path:
    (folder / "slots.yaml").write_text(slot_map, encoding="utf-8")
    (folder / "station.yaml").write_text(station, encoding="utf-8")
    return folder / "station.yaml"


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    folder = f"{path.parent}/"
    return [line.removeprefix(folder) for line in caught.value.cause.splitlines()]


def test_slots_in_another_file(tmp_path: Path) -> None:
    read = load_settings(write(tmp_path))
    assert read.slot_map == tmp_path / "slots.yaml"
    assert read.slots == (
        Slot("A1", frozenset(), None, frozenset({at("usbv2-0:3.1"), at("usbv3-0:1.1")})),
        Slot("A2", frozenset({PortPath(1, (3, 2))}), "ec25"),
    )
    assert read.hubs == (
        HubMark("A", at("usbv2-0:3"), "05e3:0608", 4, "0042"),
        HubMark("A-usb3", at("usbv3-0:1"), "05e3:0612", 4),
    )


def test_slots_in_the_settings_know_no_hubs(tmp_path: Path) -> None:
    inline = STATION.replace("slots.yaml", '{A1: {ports: ["pci-0000:00:14.0-usb-0:3.1"]}}')
    read = load_settings(write(tmp_path, station=inline))
    assert (read.slot_map, read.hubs) == (None, ())
    assert read.slots == (Slot("A1", frozenset(), None, frozenset({at("usb-0:3.1")})),)


def test_mistakes_are_told_with_the_file_that_they_are_in(tmp_path: Path) -> None:
    bad = (
        MAP.replace("usbv2-0:3.1", "usbv2-1:3.1")
        .replace('usb_id: "05e3:0612"', "usb_id: 05E3:0612")
        .replace("serial:", "serail:")
        .replace("/sys/bus/usb/devices/1-3.2", "usb2/1-3/1-3.2")
    )
    told = problems(write(tmp_path, bad))
    assert [line.partition(" ")[0] for line in told] == [f"slots.yaml:{n}:" for n in (2, 3, 5, 6)]
    assert "pci-0000:00:14.0-usbv2-0:1.4" in told[0]
    assert "contradicts itself: 1-3 is not below usb2" in told[1]
    assert "'hubs.A.serail': is not known here (nearest key: 'serial')" in told[2]
    assert "small hex digits" in told[3]


def test_a_port_has_one_slot_however_it_is_spelled(tmp_path: Path) -> None:
    twice = MAP.replace('"pci-0000:00:14.0-usbv2-0:3.1"', '"1-3.2", "usb1/1-3/1-3.2"')
    assert problems(write(tmp_path, twice)) == [
        "slots.yaml:2: key 'slots.A1.ports[1]': port 1-3.2 is listed twice",
        "slots.yaml:3: key 'slots.A2.ports[0]': port 1-3.2 is in slot A1 too",
    ]


def test_the_tray_is_checked_against_the_map(tmp_path: Path) -> None:
    station = STATION + "tray: {expect: [A1, A9]}\n"
    assert problems(write(tmp_path, station=station)) == [
        "station.yaml:6: key 'tray.expect[1]': there is no slot 'A9'"
    ]


@pytest.mark.parametrize("content", [None, "", "hubs: {}\n", "slots: other.yaml\n", "slots: {}\n"])
def test_a_map_that_is_none(tmp_path: Path, content: str | None) -> None:
    path = write(tmp_path, content or "")
    if content is None:
        (tmp_path / "slots.yaml").unlink()
    assert all(line.startswith("slots.yaml:") for line in problems(path))


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}", fullmatch=True).filter(str.isascii)
CHAINS = st.lists(st.integers(1, 255), min_size=1, max_size=6).map(tuple)
LOCATIONS = st.builds(
    Location,
    st.sampled_from(["pci-0000:00:14.0", "platform-vhci_hcd.0"]),
    st.sampled_from([None, 2, 3]),
    CHAINS,
)
TEXTS = st.text(min_size=1, max_size=20).filter(lambda t: t.isprintable() and t.strip() != "")
HUBS = st.builds(
    HubMark,
    NAMES,
    LOCATIONS,
    st.from_regex(r"[0-9a-f]{4}:[0-9a-f]{4}", fullmatch=True).filter(str.isascii),
    st.integers(1, 255),
    st.none() | TEXTS,
)


@settings(deadline=None)  # writes files
@given(
    st.lists(st.tuples(NAMES, LOCATIONS, st.none() | TEXTS), min_size=1, max_size=5).filter(
        lambda found: len({n for n, _, _ in found}) == len({p for _, p, _ in found}) == len(found)
    ),
    st.lists(HUBS, max_size=4, unique_by=lambda hub: hub.name),
)
def test_a_map_that_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[str, Location, str | None]],
    hubs: list[HubMark],
) -> None:
    slots = tuple(Slot(n, frozenset(), recipe, frozenset({p})) for n, p, recipe in found)
    path = tmp_path_factory.mktemp("map") / "slots.yaml"
    path.write_text(slot_map_text(slots, hubs), encoding="utf-8")
    read = load_slot_map(path)
    assert (read.slots, read.hubs) == (slots, tuple(hubs))
