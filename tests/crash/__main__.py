"""`python -m tests.crash`: real engines are killed at random moments; what must hold, does.

python -m tests.crash --kills 300 --seed 7   a long run, a process for each processor
python -m tests.crash --round 7000021        one round again, as a failing run names it
"""

import argparse
import itertools
import os
import sys
import time
from collections import Counter
from pathlib import Path

from tests.crash.pool import played
from tests.crash.rounds import Totals
from tests.holding import Broken
from tests.memory import in_memory

SPREAD = 1_000_003


def main() -> int:
    """0: all held; 1: something did not, and how to see it again."""
    asked = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    asked.add_argument("--kills", type=int, default=40)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--round", type=int, dest="one")
    asked.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = asked.parse_args()
    seeds = [options.one] if options.one is not None else itertools.count(options.seed * SPREAD)
    totals, began_s = Totals(), time.monotonic()
    with in_memory() as folder:
        try:
            for one in played(Path(folder), seeds, options.kills, options.jobs):
                totals.add(one)
        except Broken as broken:
            say(f"BROKEN: {broken}")
            return 1
    say(f"{totals.kills.total()} kills in {totals.rounds} rounds, "
        f"{time.monotonic() - began_s:.0f} s: all held")  # fmt: skip
    say(f"killed in: {_told(totals.kills)}")
    say(f"attempts cut off in: {_told(totals.cut)}; certain and resumed: {totals.resumed}")
    say(f"verdicts in the end: {_told(totals.outcomes)}")
    return 0


def _told(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.most_common()) or "none"


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a command's answer


if __name__ == "__main__":
    sys.exit(main())
