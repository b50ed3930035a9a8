"""Places in the USB tree: every spelling, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import ConfigError
from station.places import Location, PortPath, parse_place

CHAINS = st.lists(st.integers(1, 255), min_size=1, max_size=7).map(tuple)
PATHS = st.builds(PortPath, st.integers(1, 255), CHAINS)
CONTROLLERS = st.one_of(
    st.from_regex(r"pci-[0-9a-f]{4,5}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", fullmatch=True),
    st.from_regex(r"platform-[\w.-]{1,30}", fullmatch=True).filter(str.isascii),
    st.just("platform-fd500000.pcie-pci-0000:01:00.0"),
    st.just("platform-xhci-usb-hcd.1.auto"),
)
LOCATIONS = st.builds(Location, CONTROLLERS, st.sampled_from([None, 1, 2, 3]), CHAINS | st.just(()))

HUB_PORT = PortPath(1, (1, 3))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("1-1.3", HUB_PORT),
        ("1-1.3:1.0", HUB_PORT),
        ("usb1/1-1/1-1.3", HUB_PORT),
        ("usb1/1-1/1-1.3/1-1.3:1.4", HUB_PORT),
        ("1-1-port3", HUB_PORT),
        ("usb1/1-1/1-1:1.0/1-1-port3", HUB_PORT),
        ("/sys/bus/usb/devices/1-1.3", HUB_PORT),
        ("/sys/bus/usb/devices/1-1.3/", HUB_PORT),
        ("/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.3", HUB_PORT),
        ("/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.3", HUB_PORT),
        ("/sys/devices/platform/vhci_hcd.0/usb3/3-0:1.0/usb3-port2", PortPath(3, (2,))),
        ("usb12-port255", PortPath(12, (255,))),
        ("2-1.2.3.4.5.6.7", PortPath(2, (1, 2, 3, 4, 5, 6, 7))),
    ],
)
def test_every_spelling_of_a_path(text: str, path: PortPath) -> None:
    assert PortPath.parse(text) == parse_place(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "usb2/1-1/1-1.3",
        "usb1/1-2/1-1.3",
        "usb1/1-1.3/1-1",
        "1-1/1-1:1.0/1-2-port3",
        "/sys/devices/pci0000:00/0000:00:14.0/usb1/2-1",
    ],
)
def test_a_path_that_contradicts_itself(text: str) -> None:
    with pytest.raises(ConfigError, match=r"contradicts itself.*/sys/bus/usb/devices/1-1.4"):
        PortPath.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "1",
        "1-",
        "1-0",
        "0-1",
        "01-1",
        "1-1.",
        "1-1..3",
        "1-1.03",
        "1-1.3 ",
        "1-1.3\n",
        "1:1.3",
        "1-1.256",
        "256-1",
        "1-1.1.1.1.1.1.1.1",
        "1-1.1.1.1.1.1.1-port1",
        "usb1",
        "usb1/1-0:1.0",
        "/sys/bus/usb/devices/",
        "/sys/bus/usb/devices/usb1",
        "/dev/bus/usb/001/003",
        "elsewhere/1-1.3",
        "usb1//1-1",
        "\u0661-1",
        "1-1" + ".1" * 5000,
    ],
)
def test_what_is_no_path_is_told_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match=r"1-1\.4, usb1/1-1/1-1\.4") as caught:
        PortPath.parse(text)
    assert len(caught.value.cause) < 400


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("pci-0000:00:14.0-usbv2-0:1.3", Location("pci-0000:00:14.0", 2, (1, 3))),
        ("pci-0000:00:14.0-usb-0:1.3", Location("pci-0000:00:14.0", None, (1, 3))),
        ("pci-0000:00:14.0-usb-0:1.3:1.0", Location("pci-0000:00:14.0", None, (1, 3))),
        ("pci-0000:03:00.2-usbv3-0:4", Location("pci-0000:03:00.2", 3, (4,))),
        ("platform-vhci_hcd.0-usb-0:1", Location("platform-vhci_hcd.0", None, (1,))),
        ("platform-xhci-hcd.1.auto-usb-0:1", Location("platform-xhci-hcd.1.auto", None, (1,))),
    ],
)
def test_a_location_as_udev_spells_it(text: str, location: Location) -> None:
    assert Location.parse(text) == parse_place(text) == location


@pytest.mark.parametrize(
    "text",
    [
        "pci-0000:00:14.0",
        "pci-0000:00:14.0-usb-0:",
        "pci-0000:00:14.0-usb-1:1",
        "pci-0000:00:14.0-usbv-0:1",
        "pci-0000:00:14.0-usb-0:256",
        "pci-0000:00:14.0-usb-0:1.1.1.1.1.1.1.1",
        "-usb-0:1",
        "a b-usb-0:1",
        "pci-" + "0" * 3000 + "-usb-0:1",
    ],
)
def test_what_is_no_location_is_told_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match=r"pci-0000:00:14\.0-usbv2-0:1\.4"):
        Location.parse(text)


def test_a_root_hub_is_a_location_but_no_port() -> None:
    root = Location.parse("pci-0000:00:14.0-usbv2-0:0")
    assert root == Location("pci-0000:00:14.0", 2, ()) == root.port(1).hub == root.hub
    with pytest.raises(ConfigError, match="is a root hub"):
        parse_place(str(root))


def test_the_hub_of_a_port() -> None:
    assert PortPath.parse("1-1.3").hub == PortPath(1, (1,))
    assert PortPath.parse("1-1").hub is None


@given(PATHS)
def test_paths_round_trip(path: PortPath) -> None:
    assert PortPath.parse(str(path)) == parse_place(str(path)) == path


@given(PATHS)
def test_a_path_in_full_means_the_same(path: PortPath) -> None:
    steps = [str(PortPath(path.bus, path.chain[: n + 1])) for n in range(len(path.chain))]
    full = f"/sys/devices/pci0000:00/0000:00:14.0/usb{path.bus}/{'/'.join(steps)}"
    assert PortPath.parse(full) == path


@given(LOCATIONS)
def test_locations_round_trip(location: Location) -> None:
    assert Location.parse(str(location)) == location


@given(st.text(max_size=60) | st.from_regex(r"[\w/:.-]{0,30}-usb[\w/:.-]{0,30}"))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        place = parse_place(text)
    except ConfigError:
        return
    assert parse_place(str(place)) == place
