"""The services: what systemd thinks of them, and the promises they must not lose."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from station.config import load_policy
from tests.deploy import DEPLOY

UNITS = (
    "station.service",
    "station-kiosk.service",
    "station-console.service",
    "station-campaign.service",
)

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def settings_of(unit: str) -> dict[str, list[str]]:
    """The unit's assignments; a key may come more than once."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / unit).read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@needs_systemd
@pytest.mark.parametrize(
    ("unit", "tenths"),
    # The screen on a graphics card is not as closed as the engine: it needs a login session, its
    # sockets in /run/user, and whatever devices its card has.
    [
        ("station.service", 15),
        ("station-kiosk.service", 20),
        ("station-console.service", 20),
        ("station-campaign.service", 15),
    ],
)
def test_little_is_open_to_it(unit: str, tenths: int) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    result = subprocess.run(
        [*command, f"--threshold={tenths}", str(DEPLOY / unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout[-200:] + result.stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_every_line(unit: str, tmp_path: Path) -> None:
    """Programs that are not on this machine are replaced by one that is."""
    text = (DEPLOY / unit).read_text()
    for program in ("/opt/station/bin/station", "/usr/bin/cage", "/usr/bin/setterm"):
        text = text.replace(f"={program}", "=/bin/true").replace(f"=-{program}", "=-/bin/true")
    (tmp_path / unit).write_text(text)
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    complaints = [line for line in result.stderr.splitlines() if str(tmp_path) in line]
    assert complaints == []
    assert result.returncode == 0, result.stderr


def test_a_stop_lets_modules_be_finished() -> None:
    unit = settings_of("station.service")
    assert unit["KillMode"] == ["mixed"]
    assert unit["TimeoutStopSec"] == ["20min"]
    assert unit["TimeoutAbortSec"] == ["10"], "else a dead engine would hold the line 20 minutes"
    assert "ExecStop" not in unit


def test_the_engine_reaches_usb_and_the_kernel_events() -> None:
    unit = settings_of("station.service")
    assert unit["DeviceAllow"] == ["char-usb_device rw"]
    assert "AF_NETLINK" in unit["RestrictAddressFamilies"][0].split()
    for hides_it in ("PrivateDevices", "PrivateNetwork", "PrivateUsers"):
        assert hides_it not in unit


def test_the_kiosk_keeps_what_a_graphical_session_needs() -> None:
    unit = settings_of("station-kiosk.service")
    assert unit["ReadWritePaths"] == ["-/run/user"]
    assert unit["PrivateTmp"] == ["yes"], "a strict system has no other /tmp to write to"
    assert unit["SystemCallErrorNumber"] == ["EPERM"]
    for takes_run_user_or_devices in (
        "ProtectHome",
        "PrivateDevices",
        "ProtectClock",
        "DeviceAllow",
    ):
        assert takes_run_user_or_devices not in unit


def test_the_console_has_its_terminal_and_the_screen_is_drawn_on_it() -> None:
    unit = settings_of("station-console.service")
    assert unit["DeviceAllow"] == [f"{unit['TTYPath'][0]} rw"], "ProtectClock allows no other"
    assert {*unit["StandardInput"], *unit["StandardOutput"], *unit["StandardError"]} == {"tty"}


@pytest.mark.parametrize("unit", UNITS)
def test_services_name_what_is_installed(unit: str) -> None:
    command = settings_of(unit)["ExecStart"][0]
    assert "/opt/station/bin/station " in command
    assert "--config /etc/station/station.yaml" in command
    assert settings_of(unit)["User"] == [
        "station" if unit in ("station.service", "station-campaign.service") else "station-screen"
    ]


def test_the_night_begins_once_and_not_in_the_morning(tmp_path: Path) -> None:
    unit, timer = settings_of("station-campaign.service"), settings_of("station-campaign.timer")
    assert unit["Type"] == ["oneshot"]
    assert "Restart" not in unit
    assert "WantedBy" not in unit, "the timer is enabled, not the service"
    assert timer["Persistent"] == ["false"]
    for name in ("station-campaign.service", "station-campaign.timer"):
        text = (DEPLOY / name).read_text().replace("=/opt/station/bin/station", "=/bin/true")
        (tmp_path / name).write_text(text)
    if shutil.which("systemd-analyze") is None:
        return
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "station-campaign.timer")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert [line for line in result.stderr.splitlines() if str(tmp_path) in line] == []
    assert result.returncode == 0, result.stderr


def test_the_campaign_it_names_is_installed() -> None:
    (command,) = settings_of("station-campaign.service")["ExecStart"]
    name = command.split("campaign run ")[1].split()[0]
    folder = DEPLOY.parent / "config" / "campaigns"
    assert load_policy(folder, name).policy.name == name
    assert f"campaigns/{name}.yaml" in (DEPLOY / "install.sh").read_text()


_CALLBACKS = """
import ctypes, sys
prctl = ctypes.CDLL(None).prctl
if prctl(65, 1, 0, 0, 0) != 0:  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
    sys.exit(77)
kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
callbacks = [kind(lambda a, b: a[0] - b[0]) for _ in range(1000)]
numbers = (ctypes.c_int * 3)(3, 1, 2)
ctypes.CDLL(None).qsort(numbers, 3, 4, callbacks[-1])
from station.transport.libusb import LibusbBackend
LibusbBackend()
print(list(numbers))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a promise of the Linux kernel")
def test_callbacks_from_libusb_work_without_writable_code() -> None:
    """MemoryDenyWriteExecute, as newer systemd asks the kernel for it."""
    result = subprocess.run(
        [sys.executable, "-c", _CALLBACKS],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if result.returncode == 77:
        pytest.skip("this kernel cannot refuse writable code (before 6.3)")
    assert result.stdout.strip() == "[1, 2, 3]", result.stderr
