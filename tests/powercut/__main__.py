"""`python -m tests.powercut`: cut the power of the station's machine, and hold what must hold.

python -m tests.powercut --cuts 20 --seed 7             a run
python -m tests.powercut --seed 7 --first 11 --cuts 2   some cuts of it, as a failing run names them
"""

import argparse
import signal
import sys
import time
from pathlib import Path

from tests.holding import Broken
from tests.kernel.__main__ import compile_sources
from tests.kernel.machine import Missing
from tests.memory import in_memory
from tests.powercut.bench import bench
from tests.powercut.campaign import Campaign, Cut, Totals


def main() -> int:
    """0: all held; 1: something did not, and how to see it again; 2: a tool is missing here."""
    asked = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    asked.add_argument("--cuts", type=int, default=5)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--modules", type=int, default=4, choices=range(1, 9), metavar="N")
    asked.add_argument("--first", type=int, default=0, help="number of the first cut")
    asked.add_argument("--keep", type=Path, metavar="DIR", help="leave disk and logs there")
    options = asked.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no guest outlives us
    compile_sources()
    with in_memory("station-powercut-") as scratch:
        folder = (options.keep or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            cuts = range(options.first, options.first + options.cuts)
            return run(folder, options.seed, options.modules, cuts)
        except Missing as missing:
            print(f"tests.powercut: {missing}", file=sys.stderr)  # noqa: T201 - a command's answer
            return 2


def run(folder: Path, seed: int, modules: int, numbers: range) -> int:
    with bench(folder, modules) as outside:
        campaign = Campaign(folder, outside, say)
        first, slots = numbers.start, outside.slots
        cuts = [Cut.draw(seed, number, slots, first=number == first) for number in numbers]
        for number, cut in zip((*numbers, numbers.stop), (*cuts, None), strict=True):
            try:
                campaign.boot(number, cut)
            except Broken as broken:
                say(f"BROKEN in boot {number}: {broken}")
                first = max(number - 2, first)
                again = f"--seed {seed} --modules {modules} --first {first}"
                again += f" --cuts {number - first + 1}"
                say(f"again: python -m tests.powercut {again}")
                return 1
        tell(campaign.totals)
    return 0


def tell(totals: Totals) -> None:
    seconds = time.monotonic() - totals.began_s
    each_s = seconds / max(1, totals.cuts)
    say(
        f"{totals.cuts} cuts, {totals.recoveries} amid a recovery, {totals.hubs} of the hubs, too;"
        f" {seconds:.0f} s, {each_s:.0f} s each: all held"
    )
    say(f"disk: {totals.unflushed} pieces were not flushed, {totals.lost} of them lost")
    say(
        f"verdicts told before a cut: {totals.told}; taken up again: {totals.resumed};"
        f" put back by hand: {totals.hands}"
    )
    say("cut in: " + ", ".join(f"{k} {v}" for k, v in totals.steps.most_common()))
    say("outcomes: " + ", ".join(f"{k} {v}" for k, v in totals.outcomes.most_common()))


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a command's answer


if __name__ == "__main__":
    sys.exit(main())
