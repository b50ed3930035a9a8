"""ModemManager, which talks to every modem it finds unless udev tells it not to."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from station.commands.checks.finding import Finding, bad, cannot_tell, ok
from station.commands.checks.ground import Ground
from station.commands.checks.rights import RULES, installed_rules
from station.transport import sysfs
from station.transport.topology import UsbDevice

_PROGRAM = "usr/sbin/ModemManager"
_ANSWER_S = 5.0
_IGNORE = "E:ID_MM_DEVICE_IGNORE=1"
"""In udev's record of a device. Ref: ModemManager, udev tags in its reference manual."""

_MAX_RECORD_BYTES = 1 << 16


def modem_manager(ground: Ground) -> Iterator[Finding]:
    """Not running, or told by udev to leave the modules alone."""
    if not _runs(ground.root / "proc"):
        yield ok("ModemManager does not run", "process list")
        return
    name = f"ModemManager {_version(ground.root)}".strip()
    for module in ground.modules:
        yield _is_ignored(ground.root, module, name)
    if not ground.modules and installed_rules(ground.root) is not None:
        yield ok(f"{name} runs; the udev rule keeps it off modules", RULES)
    elif not ground.modules:
        yield bad(
            f"{name} runs and no udev rule keeps it off modules",
            "process list",
            why="it talks to a module, and keeps its ports, in the middle of a flash",
            remedy=f"Install the udev rule {RULES}, or: sudo systemctl disable --now ModemManager",
        )


def _is_ignored(root: Path, module: UsbDevice, name: str) -> Finding:
    where = f"module {module.usb_id} on {module.path}"
    number = sysfs.text(module.sysfs / "dev")
    if number is None:
        return cannot_tell(f"whether {name} leaves it alone", where, remedy="Run it once more.")
    try:
        with (root / f"run/udev/data/c{number}").open("rb") as file:
            lines = file.read(_MAX_RECORD_BYTES).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError):
        lines = []
    if _IGNORE in lines:
        return ok(f"{name} leaves it alone", where)
    return bad(
        f"{name} runs and is not told to leave it alone",
        where,
        why="it talks to the module, and keeps its ports, in the middle of a flash",
        remedy=f"Install the udev rule {RULES} and plug the module anew.",
    )


def _runs(proc: Path) -> bool:
    """The kernel cuts names after 15 letters."""
    return any(
        sysfs.text(proc / name / "comm") == "ModemManager"
        for name in sysfs.names(proc)
        if name.isdecimal()
    )


def _version(root: Path) -> str:
    program = root / _PROGRAM
    if not program.is_file():
        return ""
    try:
        said = subprocess.run(  # noqa: S603 - a fixed path, no argument from outside
            [program, "--version"], capture_output=True, timeout=_ANSWER_S, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    first = said.decode("utf-8", "replace").splitlines()[:1]
    return first[0].removeprefix("ModemManager").strip()[:20] if first else ""
