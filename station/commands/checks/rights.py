"""The station's rights to USB devices: the udev rule, and what it did for the modules present."""

from collections.abc import Iterator
from pathlib import Path

import station
from station.commands.checks.finding import Finding, bad, cannot_tell, ok, warn
from station.commands.checks.ground import Ground
from station.commands.checks.person import owner_of
from station.transport.topology import UsbDevice

RULES = "60-station.rules"
_FOLDERS = ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
"""Where udev looks, the first one wins. Ref: udev(7)."""

_PACKAGE = Path(station.__file__).parent
_SHIPPED = (_PACKAGE / "_deploy" / RULES, _PACKAGE.parent / "deploy" / RULES)

_MAX_BYTES = 1 << 16
_RELOAD = "sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=usb --action=add"


def rights(ground: Ground) -> Iterator[Finding]:
    """The rule file as shipped (additions are the owner's own), and each module's device node."""
    yield from _rule_file(ground)
    for module in ground.modules:
        yield _node(ground, module)


def node_of(module: UsbDevice) -> str:
    """The device node that libusb opens, without the leading slash."""
    return f"dev/bus/usb/{module.path.bus:03d}/{module.devnum:03d}"


def _rule_file(ground: Ground) -> Iterator[Finding]:
    source = next((place for place in _SHIPPED if place.is_file()), None)
    installed = installed_rules(ground.root)
    copy = f"sudo cp {source or RULES} /etc/udev/rules.d/ && {_RELOAD}"
    if installed is None:
        yield bad(
            f"the udev rule {RULES} is not installed",
            f"/{_FOLDERS[0]}",
            why="modules cannot be opened, and ModemManager talks to them in mid-flash",
            remedy=copy,
        )
        return
    try:
        missing = _rules(source) - _rules(installed) if source else set()
    except OSError as error:
        yield cannot_tell(f"the udev rule ({error.strerror})", installed, remedy="Run it as root.")
        return
    if missing:
        yield warn(
            f"the udev rule lacks {len(missing)} of the shipped lines: {min(missing)[:80]}",
            installed,
            why="rights or quirks of this version are not given",
            remedy=copy,
        )
    else:
        yield ok("the udev rule is installed as shipped", installed)


def installed_rules(root: Path) -> Path | None:
    return next((path for f in _FOLDERS if (path := root / f / RULES).is_file()), None)


def _rules(path: Path | None) -> set[str]:
    """The lines that say something, in any order. Raises OSError."""
    if path is None:
        return set()
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode("utf-8", "replace")
    lines = (line.strip() for line in text.splitlines())
    return {line for line in lines if line and not line.startswith("#")}


def _node(ground: Ground, module: UsbDevice) -> Finding:
    node = ground.root / node_of(module)
    name = f"module {module.usb_id} on {module.path}"
    try:
        usable = ground.keeper.may_use(node)
        owner = owner_of(node)
    except OSError as error:
        return cannot_tell(f"{name}: {error.strerror}", node, remedy="Run it once more.")
    if usable:
        return ok(f"{name}: {ground.keeper.name} may use it", node)
    return bad(
        f"{name}: {ground.keeper.name} may not use it",
        f"{node} ({owner})",
        why="U105 NO ACCESS on every module",
        remedy=f"Install the udev rule {RULES}, then: {_RELOAD}",
    )
