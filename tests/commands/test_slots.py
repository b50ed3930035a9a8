"""`station slots list`, and the slots' places at the start of an engine."""

import json
from pathlib import Path
from typing import Any

import pytest

from station.commands.slots import list_slots, located
from station.config import load_settings
from station.errors import ConfigError
from tests.fakes.sysfs import SysfsTree

STATION = """\
station: {name: line-1, site: Main hall}
database: station.db
store: packages
recipes: recipes
slots: slots.yaml
"""

CARD = "pci-0000:00:14.0"

MAP = f"""\
slots:
  A1: {{ports: ["{CARD}-usb-0:1.1"]}}
  A2: {{ports: ["{CARD}-usb-0:1.2"]}}
  A3: {{ports: ["9-1"]}}
  B1: {{ports: ["{CARD}-usb-0:4.1"]}}
hubs:
  A: {{at: "{CARD}-usbv2-0:1", usb_id: "05e3:0608", ports: 4, serial: "0042"}}
  B: {{at: "{CARD}-usbv2-0:4", usb_id: "05e3:0608", ports: 4, serial: "0043"}}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STATION_CONFIG", raising=False)
    (tmp_path / "slots.yaml").write_text(MAP, encoding="utf-8")
    path = tmp_path / "station.yaml"
    path.write_text(STATION, encoding="utf-8")
    return path


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A USB 3 hub with a module at USB 2, a module at full speed and a mouse on it."""
    tree = SysfsTree(tmp_path / "sys")
    home = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    (home / "vendor").write_text("0x8086\n")
    tree.root_hub(home, 1, 4)
    tree.root_hub(home, 2, 4, version="3.00", speed="5000")
    tree.peer("usb1", 1, "usb2", 1)
    tree.hub("1-1", 4, serial="0042")
    tree.hub("2-1", 4, usb_id="05e3:0612", serial="\x1b[31mred", speed="5000")
    for number in range(1, 5):
        tree.peer("1-1", number, "2-1", number)
    tree.device("1-1.1", "2c7c:0800", drivers=("option", "option", None), version="2.10")
    tree.device("1-1.2", "2c7c:0125", drivers=("qcserial",), speed="12")
    tree.device("1-1.3", "046d:c077", drivers=("usbhid",), endpoints=1, speed="1.5")
    (tree.port("1-1", 4) / "over_current_count").write_text("3\n")
    return tree.root


def test_the_tree_with_its_slots(
    config: Path, sysfs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list_slots(config, as_json=False, sysfs=sysfs)
    shown = capsys.readouterr().out.splitlines()
    assert shown[:12] == [
        f"{CARD} (xhci_hcd): 5 of 64 (assumed) devices, 16 of 96 (assumed) endpoints",
        "  usb1: USB 2, 4 ports",
        "    1-1 = 2-1  -  hub A 05e3:0608, 4 ports, serial 0042 480 Mbit/s",
        "      1-1.1 = 2-1.1  A1  2c7c:0800 480 Mbit/s option x2, 1 without"
        "  USB 2 WHERE USB 3 IS POSSIBLE",
        "      1-1.2 = 2-1.2  A2  2c7c:0125 12 Mbit/s qcserial  FULL SPEED",
        "      1-1.3 = 2-1.3  -  046d:c077 1.5 Mbit/s usbhid  LOW SPEED  UNKNOWN PORT",
        "      1-1.4 = 2-1.4  -  empty  OVER-CURRENT X3",
        "    1-2  -  empty",
        "    1-3  -  empty",
        "    1-4  -  empty",
        "  usb2: USB 3, 4 ports",
        "    2-1 = 1-1  -  hub 05e3:0612, 4 ports, serial ?[31mred 5000 Mbit/s",
    ]
    assert shown[12] == "      2-1.1 = 1-1.1  A1  empty"
    assert shown[-2].startswith("disabled: B1: U122 HUB MISSING: hub B is expected at")
    assert shown[-1] == "not in the tree: A3: 9-1"
    assert all(line.isprintable() for line in shown)


def test_the_tree_as_json(config: Path, sysfs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    list_slots(config, as_json=True, sysfs=sysfs)
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    [controller] = told["controllers"]
    assert controller["name"] == CARD
    assert controller["devices"] == {"used": 5, "most": 64, "assumed": True}
    ports = {port["path"]: port for port in controller["ports"]}
    assert len(ports) == 16
    assert ports["1-1.1"] == {
        "path": "1-1.1",
        "location": f"{CARD}-usbv2-0:1.1",
        "hub": "1-1",
        "peer": "2-1.1",
        "slot": "A1",
        "state": "not attached",
        "device": {
            "usb_id": "2c7c:0800",
            "speed_mbps": 480.0,
            "version": "2.10",
            "hub_ports": 0,
            "serial": None,
            "drivers": ["option", "option", None],
            "endpoints": 7,
        },
        "flags": ["usb 2 where usb 3 is possible"],
    }
    assert ports["1-4"]["device"] is None
    assert [(d["slot"], d["code"]) for d in told["disabled"]] == [("B1", "U122")]
    assert told["absent"] == [{"slot": "A3", "ports": ["9-1"]}]


def test_without_settings_there_is_the_tree_alone(
    sysfs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("STATION_CONFIG", raising=False)
    monkeypatch.setattr("station.config.settings.DEFAULT_PLACES", (tmp_path / "none.yaml",))
    list_slots(None, as_json=False, sysfs=sysfs)
    said = capsys.readouterr()
    assert "slots are not shown" in said.err
    assert "1-1.3 = 2-1.3  -  046d:c077 1.5 Mbit/s usbhid  LOW SPEED\n" in said.out
    assert "UNKNOWN" not in said.out
    with pytest.raises(ConfigError):
        list_slots(tmp_path / "none.yaml", as_json=False, sysfs=sysfs)


def test_a_machine_without_usb(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list_slots(config, as_json=False, sysfs=tmp_path / "nothing")
    assert capsys.readouterr().out.startswith("no USB controller is here\ndisabled: A1: U124 ")


def test_an_engine_starts_with_the_ports_of_this_boot(
    config: Path, sysfs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = located(load_settings(config), sysfs)
    ports = {slot.name: sorted(map(str, slot.ports)) for slot in settings.slots}
    assert ports == {"A1": ["1-1.1", "2-1.1"], "A2": ["1-1.2", "2-1.2"], "A3": ["9-1"], "B1": []}
    said = capsys.readouterr().err
    assert "slot B1 is disabled: U122 HUB MISSING: hub B is expected at" in said
    assert "A1" not in said
