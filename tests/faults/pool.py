"""Rounds played in several processes, each with a bench of its own. Which one plays a round, and
what it has played before, changes nothing of it."""

import multiprocessing
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.campaign import ATTEMPTS, Totals, draw, play
from tests.holding import Broken

Play = Callable[[Iterable[int]], Iterator[Totals]]
"""The rounds of these seeds, what came of each in their order. Raises Broken."""

_bench: Bench
"""Of this process."""


@contextmanager
def players(folder: Path, jobs: int) -> Iterator[Play]:
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, fresh, _begin, (folder,)) as pool:
        try:
            yield partial(pool.map, _play)
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(folder: Path) -> None:
    global _bench
    _bench = Bench(Path(tempfile.mkdtemp(dir=folder)), attempts=ATTEMPTS)


def _play(number: int) -> Totals:
    """Raises Broken, with the command that shows it again."""
    totals, slots = Totals(), [slot.name for slot in _bench.settings.slots]
    try:
        play(_bench, draw(number, slots), totals)
    except Broken as broken:
        again = f"see it again: python -m tests.faults --round {number}"
        raise Broken(f"{broken}\n{again}") from None
    return totals
