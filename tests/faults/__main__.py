"""`python -m tests.faults`: the table as it is, or a campaign of random rounds.

python -m tests.faults --table                     write the table anew
python -m tests.faults --attempts 100000 --seed 7  a long run
python -m tests.faults --round 1234567             one round again, as a failing run names it
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.campaign import Broken, Totals, draw, play
from tests.faults.table import TABLE, all_mishaps, run_table, text_of

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
SPREAD = 1_000_003


def main() -> int:
    """0: all held; 1: something did not, and how to see it again."""
    asked = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    asked.add_argument("--attempts", type=int, default=2000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--round", type=int, dest="one")
    asked.add_argument("--table", action="store_true")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        bench = Bench(Path(folder))
        if options.table:
            TABLE.write_text(text_of(run_table(bench, all_mishaps())))
            return 0
        return run(bench, options.attempts, options.seed, options.one)


def run(bench: Bench, attempts: int, seed: int, one: int | None) -> int:
    """So many attempts, in rounds of one tray each."""
    slots = [slot.name for slot in bench.settings.slots]
    totals, began = Totals(), time.monotonic()
    while totals.attempts < attempts:
        number = seed * SPREAD + totals.rounds if one is None else one
        try:
            play(bench, draw(number, slots), totals)
        except Broken as broken:
            say(f"BROKEN: {broken}\nsee it again: python -m tests.faults --round {number}")
            return 1
        if one is not None:
            break
    took_s = time.monotonic() - began
    say(f"{totals.attempts} attempts in {totals.rounds} trays, {totals.deaths} deaths of the")
    say(f"station, {took_s:.0f} s, seed {seed}: all held")
    say("outcomes: " + ", ".join(f"{k} {v}" for k, v in totals.outcomes.most_common()))
    say("codes: " + ", ".join(f"{k} {v}" for k, v in totals.codes.most_common()))
    return 0


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a command's answer


if __name__ == "__main__":
    sys.exit(main())
