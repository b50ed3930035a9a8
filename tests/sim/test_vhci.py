"""The kernel's virtual ports, read from a folder that looks like sysfs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import NeedsRoot, NoVhci, VhciTaken
from station.model import PortPath
from station.sim.usbip_wire import Speed
from station.sim.vhci import Vhci, parse_status

HEAD = "hub port sta spd dev      sockfd local_busid\n"


def status(first: int, states: str, per_hub: int = 2) -> str:
    """A controller's table; `states` has a digit for each port."""
    lines = [
        f"{'hs' if place < per_hub else 'ss'}  {first + place:04} 00{state} "
        + ("000 00000000 000000 0-0" if state != "6" else "003 00010001 000003 1-1")
        for place, state in enumerate(states)
    ]
    return HEAD + "\n".join(lines) + "\n"


def sysfs(folder: Path, *tables: str) -> Path:
    first = folder / "vhci_hcd.0"
    for number, table in enumerate(tables):
        own = folder / f"vhci_hcd.{number}"
        for bus, speed in ((3 + 2 * number, "480"), (4 + 2 * number, "5000")):
            hub = own / f"usb{bus}"
            hub.mkdir(parents=True)
            (hub / "speed").write_text(f"{speed}\n")
            (hub / "busnum").write_text(f"{bus}\n")
        (own / "usbip_debug").write_text("")
        (first / (f"status.{number}" if number else "status")).write_text(table)
    (first / "attach").write_text("")
    return folder


def test_ports_are_paired_by_place_on_all_controllers(tmp_path: Path) -> None:
    vhci = Vhci(sysfs(tmp_path, status(0, "4444"), status(4, "4444")))
    assert [
        (pair.high.number, str(pair.high.path), pair.super.number, str(pair.super.path))
        for pair in vhci.pairs()
    ] == [(0, "3-1", 2, "4-1"), (1, "3-2", 3, "4-2"), (4, "5-1", 6, "6-1"), (5, "5-2", 7, "6-2")]
    pair = vhci.pairs()[1]
    assert pair.side(Speed.HIGH) == pair.high
    assert pair.side(Speed.SUPER) == pair.super


def test_a_port_is_free_when_the_kernel_has_seen_the_device_go(tmp_path: Path) -> None:
    vhci = Vhci(sysfs(tmp_path, status(0, "4674")))
    (taken, broken), (free, going) = [
        (pair.high, pair.super) if place else (pair.super, pair.high)
        for place, pair in enumerate(vhci.pairs())
    ]
    assert [vhci.is_free(port) for port in (taken, broken)] == [False, True]
    assert not vhci.is_free(free)
    (tmp_path / "vhci_hcd.0" / "usb4" / "4-2").mkdir()
    assert not vhci.is_free(going)


def test_what_is_written_to_attach(tmp_path: Path) -> None:
    vhci = Vhci(sysfs(tmp_path, status(0, "4444")))
    vhci.attach(vhci.pairs()[1].super, 9, 0x00010002, Speed.SUPER)
    assert (tmp_path / "vhci_hcd.0" / "attach").read_text() == "3 9 65538 5"
    assert vhci.pairs()[1].super.path == PortPath.parse("4-2")


def test_without_the_kernel_module_the_remedy_is_to_load_it(tmp_path: Path) -> None:
    with pytest.raises(NoVhci, match="status cannot be read"):
        Vhci(tmp_path).pairs()
    assert "modprobe vhci_hcd" in NoVhci.remedy


@pytest.mark.parametrize(
    "table",
    [
        "",
        "hub\n",
        HEAD + "hs  0000 004\n",
        HEAD + "xx  0000 004 000 00000000 000000 0-0\n",
        HEAD + "hs  0000 004 000 00000000 000000 0-0\n",
        HEAD + "hs  0000 004 000 00000000 000000 0-0\n" * 300,
    ],
)
def test_a_strange_table_is_refused(tmp_path: Path, table: str) -> None:
    with pytest.raises(NoVhci, match="virtual"):
        Vhci(sysfs(tmp_path, table)).pairs()


def test_strange_root_hubs_are_refused(tmp_path: Path) -> None:
    sysfs(tmp_path, status(0, "4444"))
    (tmp_path / "vhci_hcd.0" / "usb4" / "speed").write_text("fast\n")
    with pytest.raises(NoVhci, match="usb4"):
        Vhci(tmp_path).pairs()
    (tmp_path / "vhci_hcd.0" / "usb4" / "speed").write_text("480\n")
    with pytest.raises(NoVhci, match="two root hubs"):
        Vhci(tmp_path).pairs()


@given(st.text(max_size=300))
def test_any_table_is_read_or_refused(text: str) -> None:
    try:
        parse_status(HEAD + text)
    except NoVhci:
        pass
    else:
        assert all(line.startswith(("hs", "ss")) for line in text.splitlines())


def test_a_refusal_of_the_kernel_has_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vhci = Vhci(sysfs(tmp_path, status(0, "4444")))
    port = vhci.pairs()[0].high
    for number, expected in ((16, VhciTaken), (13, NeedsRoot), (22, NoVhci), (2, NoVhci)):

        def write(_file: int, _data: bytes, number: int = number) -> int:
            raise OSError(number, "no")

        monkeypatch.setattr("station.sim.vhci.os.write", write)
        with pytest.raises(expected):
            vhci.attach(port, 9, 1, Speed.HIGH)
