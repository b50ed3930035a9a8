"""Each start of an engine is on record, with what it runs and where its slots are."""

import hashlib
from importlib import metadata
from pathlib import Path

import pytest

from station import __version__
from station.engine.boot import libraries, lock_sha256, slot_map
from station.errors import HubMoved
from station.model import PortPath, Slot
from station.store.boots import find_boots
from station.transport.libusb import LibusbBackend
from tests.engine.tray import make_line
from tests.fakes.pyusb_backend import FakePyusb


@pytest.mark.trio
async def test_a_tray_names_the_start_it_was_flashed_under(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, slots=2)
    await line.flash()
    await line.flash()
    first, second = find_boots(line.settings().database)
    assert (first.station, first.software_version) == (line.settings().station.name, __version__)
    assert (first.lock_sha256, first.libusb) == (lock_sha256(), None)
    assert first.slot_map == slot_map(line.settings().slots)
    under = [record.opened.boot_id for record in line.recorded()]
    assert sorted(map(str, under)) == sorted(2 * [first.boot_id] + 2 * [second.boot_id])


def test_the_lock_is_of_what_is_installed() -> None:
    found = libraries()
    assert found["trio"] == metadata.version("trio")
    assert "outcome" in found, "what trio needs is needed, too"
    assert "pytest" not in found, "tools for tests are not"
    lines = "".join(sorted(f"{name}=={version}\n" for name, version in found.items()))
    assert lock_sha256() == hashlib.sha256(lines.encode()).hexdigest()


def test_a_slot_in_doubt_is_on_the_map_with_its_reason() -> None:
    here = Slot("A1", frozenset({PortPath.parse("1-1.2"), PortPath.parse("2-1.2")}))
    lost = Slot("A2", frozenset(), barred=HubMoved("the hub is elsewhere"))
    assert slot_map([here, lost]) == {
        "A1": {"ports": ["1-1.2", "2-1.2"]},
        "A2": {"ports": [], "barred": f"{HubMoved.code} the hub is elsewhere"},
    }


def test_libusb_tells_its_version_and_another_backend_none() -> None:
    assert str(LibusbBackend().library).startswith("1.0.")
    assert LibusbBackend(FakePyusb(())).library is None
