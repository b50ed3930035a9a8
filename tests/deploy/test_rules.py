"""The USB rights and the table of USB ids say the same."""

import pytest

from station.config import load_families
from tests.deploy import DEPLOY
from tests.deploy.udev import Device, Rule, apply, parse

TEXT = (DEPLOY / "60-station.rules").read_text()
RULES = parse(TEXT)
FILE = load_families().file
OURS = sorted(
    {usb_id for family in FILE.families.values() for usb_id in family.usb}
    | {i for d in FILE.devices if d.mode in {"edl", "crashed", "dload"} for i in d.usb}
)
STRANGERS = sorted(
    usb_id.replace("*", "0")
    for section in FILE.devices
    if section.mode in {"foreign", "unknown"}
    for usb_id in section.usb
    if not usb_id.startswith("2c7c:")
)


def plugged(
    usb_id: str,
    *,
    rules: tuple[Rule, ...] = RULES,
    action: str = "add",
    devtype: str = "usb_device",
    id_path: str = "pci-0000:00:14.0-usb-0:1.1",
    device_class: str = "00",
) -> Device:
    vendor, product = usb_id.split(":")
    attributes = {
        "idVendor": vendor,
        "idProduct": product,
        "bDeviceClass": device_class,
        "power/control": "auto",
    }
    return apply(rules, Device(attributes, action, devtype, id_path))


@pytest.mark.parametrize("usb_id", OURS)
def test_what_the_station_handles_is_given_to_its_group_and_kept_awake(usb_id: str) -> None:
    device = plugged(usb_id)
    assert (device.mode, device.group) == ("0660", "station")
    assert device.environment["ID_MM_DEVICE_IGNORE"] == "1"
    assert device.attributes["power/control"] == "on"


@pytest.mark.parametrize("usb_id", [*STRANGERS, "05c6:9009", "1d6b:0002", "046d:c31c"])
def test_other_devices_are_left_alone(usb_id: str) -> None:
    device = plugged(usb_id)
    assert (device.mode, device.group, device.environment) == (None, None, {})
    assert device.attributes["power/control"] == "auto"


@pytest.mark.parametrize("action", ["change", "bind", "move"])
def test_a_later_event_keeps_rights_and_silence(action: str) -> None:
    device = plugged("2c7c:0125", action=action)
    assert device.group == "station"
    assert device.environment["ID_MM_DEVICE_IGNORE"] == "1"
    assert device.attributes["power/control"] == "auto", "an engineer's later choice stands"


def test_interfaces_and_leaving_devices_are_not_touched() -> None:
    assert plugged("2c7c:0125", devtype="usb_interface").group is None
    assert plugged("2c7c:0125", action="remove").group is None


def test_every_hub_stays_awake_and_belongs_to_nobody_new() -> None:
    hub = plugged("0bda:5411", device_class="09")
    assert hub.attributes["power/control"] == "on"
    assert hub.group is None


def test_the_lines_for_the_ports_of_the_tray_work_when_they_are_wanted() -> None:
    rules = parse(TEXT.replace("\n#IMPORT", "\nIMPORT").replace("\n#ENV", "\nENV"))
    assert len(rules) == len(RULES) + 2
    on_tray = plugged("2c7c:0125", rules=rules, id_path="pci-0000:00:14.0-usb-0:1.3")
    elsewhere = plugged("2c7c:0125", rules=rules, id_path="pci-0000:00:14.0-usb-0:7")
    assert (on_tray.group, elsewhere.group) == ("station", None)


def test_the_group_is_one_that_is_made() -> None:
    users = (DEPLOY / "station.sysusers.conf").read_text().splitlines()
    made = {line.split()[1] for line in users if line.startswith("u ")}
    assert {term.value for rule in RULES for term in rule if term.key == "GROUP"} <= made


@pytest.mark.parametrize(
    "line",
    [
        'ATTR{idVendor}="2c7c" GOTO=="x"',
        'MODE=="0660"',
        'ACTION="add"',
        'ATTR=="x"',
        'OWNED="station"',
        'GOTO="nowhere"',
        'ATTR{idVendor}=="2c7c",',
    ],
)
def test_a_mistake_in_a_rule_would_be_seen(line: str) -> None:
    with pytest.raises(ValueError, match=r"line 1|nowhere"):
        parse(line)
