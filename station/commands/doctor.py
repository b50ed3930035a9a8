"""`station doctor`: what would fail tomorrow, each with its remedy. Reads only."""

import json
import sys
from dataclasses import asdict
from itertools import chain

from rich.console import Console
from rich.text import Text

from station.commands.checks.clock import clock
from station.commands.checks.controllers import controllers
from station.commands.checks.disk import disks
from station.commands.checks.engine import engine
from station.commands.checks.finding import Finding, Grade, cannot_tell
from station.commands.checks.ground import Check, Ground
from station.commands.checks.machine import kernel, libusb, open_files, usb_memory
from station.commands.checks.modem_manager import modem_manager
from station.commands.checks.packages import packages, recipes
from station.commands.checks.record import record
from station.commands.checks.results import results
from station.commands.checks.rights import rights
from station.commands.checks.signature import signature
from station.commands.checks.sleep import sleep
from station.commands.checks.tray import bus_numbers, tray
from station.commands.checks.ttys import ttys
from station.commands.exits import Exit, leave, put
from station.config import Settings, load_families
from station.engine.feed import plain
from station.transport.topology import read_topology

CHECKS: tuple[Check, ...] = (
    *(rights, modem_manager, ttys, sleep),
    *(tray, bus_numbers, controllers, usb_memory),
    *(disks, clock, record, results, signature, packages, recipes),
    *(kernel, libusb, open_files, engine),
)

_GRADES = tuple(Grade)
_STYLES = {Grade.BAD: "bold red", Grade.WARN: "bold yellow", Grade.OK: "green"}
_MARGIN = max(len(grade.value) for grade in Grade) + 2


def doctor(settings: Settings, *, as_json: bool) -> Exit:
    """Look at everything and tell it, BAD first. Raises ConfigError for the settings' families."""
    ground = Ground(settings, load_families(settings.families), read_topology())
    findings = examine(ground)
    tell(findings, as_json=as_json)
    return Exit.VERDICT if any(f.grade is Grade.BAD for f in findings) else Exit.GOOD


def examine(ground: Ground, checks: tuple[Check, ...] = CHECKS) -> list[Finding]:
    """The findings of all checks, worst first, else in the order of the checks."""
    found = chain.from_iterable(_looked(check, ground) for check in checks)
    return sorted(found, key=lambda finding: _GRADES.index(finding.grade))


def _looked(check: Check, ground: Ground) -> list[Finding]:
    """One check; a bug in it must not hide what the others find."""
    found: list[Finding] = []
    try:
        found.extend(check(ground))
    except Exception as error:  # noqa: BLE001 - the boundary around each check
        words = f"the check broke: {type(error).__name__}: {error}"
        remedy = "Run it as root; if it stays, send this line to the developers."
        found.append(cannot_tell(words, check.__name__, remedy=remedy))
    return found


# --- telling ----------------------------------------------------------------------------------


def tell(findings: list[Finding], *, as_json: bool) -> None:
    """JSON lines, or lines for people; colours where a person looks."""
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for finding in findings:
        taken = put(_json(finding)) if as_json else put(_shown(console, finding))
        if not taken:
            leave(Exit.STATION)
    if not as_json:
        put(f"{_counted(findings)}\n")


def _json(finding: Finding) -> str:
    return json.dumps(asdict(finding) | {"grade": finding.grade.value}) + "\n"


def _shown(console: Console, finding: Finding) -> str:
    head = Text(finding.grade.value.ljust(_MARGIN), _STYLES.get(finding.grade, "bold"))
    head.append(f"{plain(finding.what)} ", "default")
    head.append(f"[{plain(finding.where)}]", "dim")
    with console.capture() as captured:
        console.print(head)
        for mark, words in (("", finding.why), ("-> ", finding.remedy)):
            if words:
                console.print(Text(f"{'':{_MARGIN}}{mark}{plain(words)}"))
    return captured.get()


def _counted(findings: list[Finding]) -> str:
    counts = ((grade, sum(f.grade is grade for f in findings)) for grade in Grade)
    return ", ".join(f"{count} {grade.value}" for grade, count in counts if count)
