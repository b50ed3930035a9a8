"""Modules that run at SuperSpeed and are flashed at High Speed: two ports of one socket."""

from collections.abc import Iterator

import pytest

from station.sim.layouts import layout_of
from tests.kernel.judge import assert_flashed, assert_verdicts, drivers
from tests.kernel.kernel import read, until
from tests.kernel.rehearsal import Rehearsal, make_line, rehearsal

RM500Q = layout_of("rm500q")


@pytest.fixture(scope="module")
def tray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A1 as it runs, A2 in EDL."""
    options = ("--family", "rm500q", "--fault", "A2=arrives-in-edl")
    with rehearsal(tmp_path_factory.mktemp("tray"), 2, *options) as running:
        yield running


def test_descriptors_and_drivers(tray: Rehearsal) -> None:
    assert tray.shows("A1", "2c7c:0800")
    assert tray.shows("A2", "05c6:9008")
    normal, edl = tray.device("A1"), tray.device("A2")
    assert normal is not None
    assert edl is not None
    assert (normal.name, edl.name) == (tray.ports("A1")[1], tray.ports("A2")[0])
    assert (read(normal, "speed"), read(edl, "speed")) == ("5000", "480")
    assert (read(normal, "product"), read(normal, "serial")) == ("RM500Q-GL", None)
    assert str(read(edl, "product")).startswith("QUSB_BULK_CID:0410_SN:")
    assert until(lambda: drivers(tray, "A1") == ["option"] * 4 + ["qmi_wwan"])
    assert until(lambda: drivers(tray, "A2") == ["qcserial"])
    assert (edl / "descriptors").read_bytes()[18:] == bytes.fromhex(
        "090220000101008001 0904000002ffff1100 07058102000200 07050102000200"
    )


def test_they_pass_although_they_change_the_port(
    tray: Rehearsal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    line = make_line(tmp_path_factory.mktemp("line"), tray.slots)
    fresh = dict.fromkeys(("A1", "A2"), "read-zlp")
    tray.swap(fresh)
    records = line.flash_here(*fresh)
    assert_verdicts(records, dict.fromkeys(fresh))
    for slot in fresh:
        assert_flashed(tray, line, slot, layout=RM500Q)
        device = tray.device(slot)
        assert device is not None
        assert device.name == tray.ports(slot)[1]
