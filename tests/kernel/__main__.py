"""One command: boot, run, bring back output, logs and exit code."""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from tests.kernel.machine import REPOSITORY, Machine, Missing

PYTEST = (sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider")
SLOW = ("-o", "faulthandler_timeout=200")
"""Everything takes ten times longer than outside."""


def main() -> int:
    """The exit code of what ran inside. 124: it took too long; 2: this machine lacks something."""
    asked = argparse.ArgumentParser(
        prog="python -m tests.kernel",
        description="Run the kernel suite, or a command, on a real kernel in a guest.",
    )
    asked.add_argument("--keep", type=Path, metavar="DIR", help="leave logs and results there")
    asked.add_argument("--limit", type=float, default=480.0, help="seconds until it is ended")
    asked.add_argument("--command", metavar="SHELL", help="run this instead of the suite")
    asked.add_argument(
        "tests", nargs=argparse.REMAINDER, help="arguments for pytest instead of the whole suite"
    )
    options = asked.parse_args()
    command = options.command
    if command is None:
        command = shlex.join((*PYTEST, *SLOW, *(options.tests or ["tests/kernel"])))
    with tempfile.TemporaryDirectory(prefix="station-kernel-") as scratch:
        share = options.keep or Path(scratch)
        share.mkdir(parents=True, exist_ok=True)
        try:
            return Machine(share.absolute()).run(
                f"cd {shlex.quote(str(REPOSITORY))} && {command}", limit_s=options.limit
            )
        except Missing as missing:
            print(f"tests.kernel: {missing}", file=sys.stderr)  # noqa: T201 - a command's answer
            return 2


if __name__ == "__main__":
    sys.exit(main())
