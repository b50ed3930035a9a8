"""`station sim usbip` in a process of its own, driven through its control socket."""

import json
import re
import signal
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from station.commands import sim_usbip
from station.commands.sim_control import ask
from station.commands.sim_usbip import UsbipRequest, run_usbip, slots_section
from station.commands.sim_usbip_attach import run_attach
from station.errors import NeedsRoot, NoExporter, NoRehearsal, NoVhci, UsageError, VhciTaken
from station.file_lock import holding
from station.sim.vhci import Vhci
from tests.commands.running import process, said
from tests.commands.test_cli import station
from tests.sim.test_vhci import status, sysfs


def test_a_rehearsal_from_its_start_to_its_end(tmp_path: Path) -> None:
    control = tmp_path / "control"
    options = ("--listen", "127.0.0.1:0", "--control", control, "--modules", "2", "--size", "1")
    with process("sim", "usbip", *options, "--fault", "A2=arrives-in-edl") as rehearsal:
        heard = said(rehearsal, "rehearsing")
        assert "rehearsing with 2 modules" in heard
        assert re.search(r"A2: usbip --tcp-port [1-9]\d+ attach -r 127\.0\.0\.1 -b 1-2", heard)
        assert stat.S_IMODE(control.stat().st_mode) == 0o600
        devices = [slot["device"] for slot in ask(control, "status")["data"]]
        assert devices == ["2c7c:0125", "05c6:9008"]
        told = station("sim", "usbip", "unplug", "A1", "--control", control, cwd=tmp_path)
        assert (told.returncode, told.stdout) == (0, "")
        again = station("sim", "usbip", "unplug", "A1", "--control", control, cwd=tmp_path)
        assert again.returncode == 1
        assert "no module in slot A1" in again.stderr
        dumped = station(
            "sim", "usbip", "dump", "A2", tmp_path / "a2", "--control", control, cwd=tmp_path
        )
        assert json.loads(dumped.stdout)[0]["name"] == "SBL"
        assert (tmp_path / "a2" / "system.bin").read_bytes().startswith(b"SIM-FIRMWARE")
        second = station("sim", "usbip", *options, cwd=tmp_path)
        assert second.returncode == 2
        assert "runs at" in second.stderr
        rehearsal.send_signal(signal.SIGTERM)
        assert rehearsal.wait(20) == 0
    assert not control.exists()
    with pytest.raises(NoRehearsal, match="nobody answers"):
        ask(control, "status")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (UsbipRequest(modules=0, listen="x"), "--modules is 0"),
        (UsbipRequest(modules=33, listen="x"), "--modules is 33"),
        (UsbipRequest(size_mb=0, listen="x"), "--size is 0"),
        (UsbipRequest(listen="here:there"), "HOST:PORT"),
        (UsbipRequest(listen=":3240"), "HOST:PORT"),
    ],
)
def test_what_cannot_be(request_: UsbipRequest, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run_usbip(request_)


def test_attaching_asks_for_what_it_needs_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach = UsbipRequest(modules=3, attach=True, control=tmp_path / "control")
    with pytest.raises(NoVhci):
        run_usbip(attach, Vhci(tmp_path))
    sysfs(tmp_path, status(0, "4444"))
    with pytest.raises(VhciTaken, match="2 virtual ports for 3 modules"):
        run_usbip(attach, Vhci(tmp_path))
    monkeypatch.setattr("station.sim.vhci.os", SimpleNamespace(access=lambda *_: False, W_OK=2))
    with pytest.raises(NeedsRoot):
        run_usbip(attach, Vhci(tmp_path))
    assert not (tmp_path / "control").exists()


def test_attaching_from_elsewhere_asks_for_what_it_needs_before_it_begins(tmp_path: Path) -> None:
    vhci = Vhci(sysfs(tmp_path, status(0, "4444")))
    with pytest.raises(UsageError, match="the address 'there:port' is not of the form HOST:PORT"):
        run_attach("there:port", 2, vhci)
    with pytest.raises(UsageError, match="--modules is 33"):
        run_attach("there", 33, vhci)
    with pytest.raises(VhciTaken, match="2 virtual ports for 3 modules"):
        run_attach("there", 3, vhci)
    with pytest.RaisesGroup(pytest.RaisesExc(NoExporter, match="at 127.0.0.1:1")):
        run_attach("127.0.0.1:1", 2, vhci)


def test_the_slots_are_ready_for_the_settings(tmp_path: Path) -> None:
    pairs = Vhci(sysfs(tmp_path, status(0, "4444"))).pairs()
    assert slots_section(["A1", "A2"], pairs) == (
        'slots:\n  A1: {ports: ["3-1", "4-1"]}\n  A2: {ports: ["3-2", "4-2"]}'
    )


def test_a_package_for_qdl(tmp_path: Path) -> None:
    told = station(
        "sim", "package", tmp_path / "flat", "--size", "1", "--layout", "qdl", cwd=tmp_path
    )
    assert told.returncode == 0
    assert (tmp_path / "flat" / "sbl1.mbn").is_file()
    assert (
        station("sim", "package", tmp_path / "x", "--layout", "qfil", cwd=tmp_path).returncode == 2
    )


def test_of_two_that_begin_together_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has not made its socket yet."""

    async def begun(*_: object) -> None:
        raise AssertionError("began beside another one")

    monkeypatch.setattr(sim_usbip, "_run", begun)
    control = tmp_path / "control"
    request = UsbipRequest(modules=1, listen="127.0.0.1:0", control=control)
    with holding(tmp_path / "control.lock"), pytest.raises(UsageError, match="runs at"):
        run_usbip(request)
    with pytest.raises(AssertionError):
        run_usbip(request)
    assert not control.exists()
