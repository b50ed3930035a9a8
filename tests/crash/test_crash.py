"""A short run of real engines and real kills; `python -m tests.crash --kills 300` is a long one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.crash.rounds import draw

ROOT = Path(__file__).parents[2]
ROUND = "19"
"""Two deaths: of a line, and of `flash --once`."""
LIMIT_S = 240.0


def test_engines_that_die_leave_a_record_that_holds() -> None:
    command = [sys.executable, "-m", "tests.crash", "--round", ROUND, "--jobs", "1"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            told, _ = run.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            raise
    assert run.returncode == 0, told
    assert "all held" in told
    assert not told.startswith("0 kills"), told


def test_equal_seeds_are_equal_rounds() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
