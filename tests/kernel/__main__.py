"""One command: boot, run, bring back output, logs and exit code."""

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.kernel.machine import REPOSITORY, Machine, Missing

PYTEST = (sys.executable, "-m", "tests.kernel.suite", "-q", "--color=no")
SLOW = ("-o", "faulthandler_timeout=200")
"""Everything takes ten times longer than outside."""

HERE = Path(__file__).parent
FIRST_GUEST = ("strangers", "tray", "usbip")
FIRST_GUEST_SHORT = (*FIRST_GUEST, "disturbed", "superspeed")
"""What takes half of the time; the suite runs in two guests side by side."""
SHORT = ("-m", "not long")


def main() -> int:
    """The exit code of what ran inside. 124: it took too long; 2: this machine lacks something."""
    asked = argparse.ArgumentParser(
        prog="python -m tests.kernel",
        description="Run the kernel suite, or a command, on a real kernel in a guest.",
    )
    asked.add_argument("--keep", type=Path, metavar="DIR", help="leave logs and results there")
    asked.add_argument("--limit", type=float, default=3000.0, help="seconds until it is ended")
    asked.add_argument("--processors", type=int, default=2, help="of the guest")
    asked.add_argument("--short", action="store_true", help="without what takes longest")
    asked.add_argument("--command", metavar="SHELL", help="run this instead of the suite")
    asked.add_argument(
        "tests", nargs=argparse.REMAINDER, help="arguments for pytest instead of the whole suite"
    )
    options = asked.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no guest outlives us
    compile_sources()
    with tempfile.TemporaryDirectory(prefix="station-kernel-") as scratch:
        share = (options.keep or Path(scratch)).absolute()
        if options.command is None and not options.tests:
            return _whole(share, options.limit, SHORT if options.short else ())
        command = options.command or shlex.join((*PYTEST, *SLOW, *options.tests))
        return _guest(Machine(share, processors=options.processors), command, options.limit)


def compile_sources() -> None:
    """Bytecode beside the sources, if it may be written there: a guest takes ten times longer."""
    folders = [str(REPOSITORY / name) for name in ("station", "tests")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], check=False)


def _guest(machine: Machine, command: str, limit_s: float) -> int:
    machine.share.mkdir(parents=True, exist_ok=True)
    try:
        there = f"cd {shlex.quote(str(REPOSITORY))} && {command}"
        return machine.run(there, limit_s=limit_s)
    except Missing as missing:
        print(f"tests.kernel: {missing}", file=sys.stderr)  # noqa: T201 - a command's answer
        return 2


def _whole(share: Path, limit_s: float, only: Sequence[str]) -> int:
    """Every file, in two guests; what each said is shown when it is done."""
    files = sorted(HERE.glob("test_*.py"))
    chosen = FIRST_GUEST_SHORT if only else FIRST_GUEST
    first = [file for file in files if file.stem.removeprefix("test_") in chosen]
    second = [file for file in files if file not in first]
    guests = [
        _begin(share / name, limit_s, half, only)
        for name, half in (("one", first), ("two", second))
    ]
    codes = []
    for guest in guests:
        said, _ = guest.communicate()
        print(said, flush=True)  # noqa: T201 - what the tests said
        codes.append(guest.returncode)
    return next((code for code in codes if code), 0)


def _begin(
    share: Path, limit_s: float, files: Sequence[Path], only: Sequence[str]
) -> "subprocess.Popen[str]":
    tests = [str(file.relative_to(REPOSITORY)) for file in files]
    options = ("--keep", str(share), "--limit", str(limit_s), "--processors", "1")
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kernel", *options, *tests, *only, "--durations=6"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


if __name__ == "__main__":
    sys.exit(main())
