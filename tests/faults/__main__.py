"""`python -m tests.faults`: the tables as they are, or a campaign of random rounds.

python -m tests.faults --table                     write the tables anew
python -m tests.faults --attempts 100000 --seed 7  a long run, a process for each processor; how far
                                                   it is, every 5,000 attempts
python -m tests.faults --attempts 60000 --seed 7 --after 7000481
                                                   go on behind the round that a run was ended at
python -m tests.faults --round 1234567             one round again, as a failing run names it
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.campaign import Totals
from tests.faults.pool import Play, players
from tests.faults.table import (
    NO_POWER,
    OF_FAULTS,
    STEPS_IN_TABLE,
    TABLE,
    Row,
    backup_for,
    by_name,
    mishaps,
    need_power,
    run_faults,
    run_table,
    text_of,
)
from tests.holding import Broken
from tests.memory import in_memory

SPREAD = 1_000_003
SAY_EVERY = 5_000
WAVE = 16
"""So many rounds are handed out before the attempts are counted, whatever the number of processes:
equal seeds are equal campaigns."""


def main() -> int:
    """0: all held; 1: something did not, and how to see it again."""
    asked = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    asked.add_argument("--attempts", type=int, default=2000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--after", type=int, metavar="ROUND")
    asked.add_argument("--round", type=int, dest="one")
    asked.add_argument("--table", action="store_true")
    asked.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = asked.parse_args()
    with in_memory() as folder:
        if options.table:
            write_tables(Path(folder))
            return 0
        with players(Path(folder), options.jobs) as play:
            if options.one is not None:
                return run(play, [options.one], 1)
            first = options.seed * SPREAD if options.after is None else options.after + 1
            return run(play, itertools.count(first), options.attempts)


def write_tables(folder: Path) -> None:
    of_faults: list[Row] = []
    for table, has_power in ((TABLE, True), (NO_POWER, False)):
        rows: list[Row] = []
        for step in STEPS_IN_TABLE:
            chosen = list(mishaps(step)) if has_power else need_power(step)
            place, backup = folder / f"{step}-{has_power}", backup_for(step)
            with closing(Bench(place, has_power=has_power, backup=backup)) as bench:
                rows += run_table(bench, chosen)
        table.write_text(text_of(rows))
        with closing(Bench(folder / f"faults-{has_power}", has_power=has_power)) as bench:
            of_faults += run_faults(bench)
    OF_FAULTS.write_text(text_of(by_name(of_faults)))


def run(play: Play, rounds: Iterable[int], attempts: int) -> int:
    """Rounds of one tray each until there were so many attempts, or no round is left."""
    left, totals, began_s = iter(rounds), Totals(), time.monotonic()
    told = 0
    while totals.attempts < attempts and (wave := list(itertools.islice(left, WAVE))):
        try:
            for played in play(wave):
                totals.add(played)
        except Broken as broken:
            say(f"BROKEN: {broken}")
            return 1
        if totals.attempts // SAY_EVERY > told:
            told = totals.attempts // SAY_EVERY
            say(f"{totals.attempts} attempts, {time.monotonic() - began_s:.0f} s, up to {wave[-1]}")
    say(f"{totals.attempts} attempts in {totals.rounds} trays, {totals.deaths} deaths of the")
    say(f"station, {time.monotonic() - began_s:.0f} s: all held")
    say(f"judged: {totals.judged} of {totals.attempts} attempts")
    say("outcomes: " + ", ".join(f"{k} {v}" for k, v in totals.outcomes.most_common()))
    say("codes: " + ", ".join(f"{k} {v}" for k, v in totals.codes.most_common()))
    say(f"held against the table: {totals.compared.total()} of {totals.attempts} attempts ("
        + ", ".join(f"{k} {v}" for k, v in totals.compared.most_common()) + ")")  # fmt: skip
    return 0


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a command's answer


if __name__ == "__main__":
    sys.exit(main())
