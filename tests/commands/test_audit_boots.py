"""`station audit boots`, on known data, in processes of its own."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from station.config import load_settings
from station.store.boots import Boot
from station.store.revision import create_if_missing
from station.store.writer import Store
from tests.commands.test_audit_ask import ask, lines
from tests.demo_line import demo_line
from tests.store.samples import NOON_US, written

REAL = Boot(
    boot_id="b1",
    station="line-1",
    utc_us=NOON_US,
    software_version="0.9.1",
    lock_sha256="0a1b2c3d" * 8,
    python="3.11.7",
    kernel="6.1.0-13-amd64",
    libusb="1.0.26.11724",
    slot_map={
        "A1": {"ports": ["1-1.2", "2-1.2"]},
        "A2": {"ports": [], "barred": "U120 the hub is elsewhere"},
    },
)
DEMO = replace(
    REAL, boot_id="b2", station="line-2", utc_us=NOON_US + 1, lock_sha256=None, libusb=None
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = demo_line(tmp_path_factory.mktemp("line"), ["A1"])
    url = load_settings(path).database
    create_if_missing(url)

    async def work(store: Store) -> None:
        await store.add_boot(REAL)
        await store.add_boot(DEMO)

    written(url, work)
    return path


def test_lines_oldest_first_with_every_key(config: Path) -> None:
    first, second = lines(config, "boots")
    assert first == {
        "boot_id": "b1",
        "station": "line-1",
        "utc": "2026-09-21T14:13:20.123456Z",
        "software_version": "0.9.1",
        "lock_sha256": "0a1b2c3d" * 8,
        "python": "3.11.7",
        "kernel": "6.1.0-13-amd64",
        "libusb": "1.0.26.11724",
        "slot_map": REAL.slot_map,
    }
    assert (second["boot_id"], second["libusb"], second["lock_sha256"]) == ("b2", None, None)


def test_for_people_and_for_spreadsheets(config: Path) -> None:
    table = ask(config, "boots", "--station", "line-1")
    for words in ("6.1.0-13-amd64", "1.0.26.11724", "0a1b2c3d", "A1 1-1.2 2-1.2", "b1"):
        assert words in table
    assert "A2 U120 the hub is elsewhere" in table
    assert "line-2" not in table
    first, second = csv.DictReader(io.StringIO(ask(config, "boots", "--csv")))
    assert list(first) == list(lines(config, "boots")[0])
    assert json.loads(first["slot_map"]) == REAL.slot_map
    assert second["libusb"] == ""


def test_conditions(config: Path) -> None:
    assert lines(config, "boots", "--since", "2026-09-21T14:13:21") == []
    assert lines(config, "boots", "--until", "2026-09-21T14:13:20") == []
    assert len(lines(config, "boots", "--until", "2026-09-21T14:13:21")) == 2
