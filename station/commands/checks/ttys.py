"""Programs that hold a tty of a module: a terminal, a modem daemon, a script left running."""

import os
from collections.abc import Iterator

from station.commands.checks.finding import Finding, bad, cannot_tell, ok
from station.commands.checks.ground import Ground
from station.transport.tty_holders import TtyHolders


def ttys(ground: Ground) -> Iterator[Finding]:
    """Each tty held, and by whom. Only root sees everybody's open files."""
    root = ground.root
    paths = {module.path for module in ground.modules}
    if not paths:
        return
    holders = TtyHolders(root / "sys", root / "proc", root / "dev").holders()
    for holder in holders:
        if holder.path in paths:
            who = "the program" if holder.pid is None else f"it: kill {holder.pid}"
            yield bad(
                str(holder),
                f"module on {holder.path}, interface {holder.interface}",
                why="U104 USB BUSY: the station does not take a port away from a program",
                remedy=f"Stop {who}" + (" (`sudo station doctor` names it)" * (not holder.pid)),
            )
    if any(holder.path in paths for holder in holders):
        return
    if os.access(root / "proc/1/fd", os.R_OK):
        yield ok("no program holds a tty of a module", "open files")
    else:
        words = "whether a program of another user holds a tty of a module"
        yield cannot_tell(words, "open files", remedy="sudo station doctor")
