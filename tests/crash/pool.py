"""Rounds played in several processes, each with a stock of files and a measured pace of its own."""

import itertools
import multiprocessing
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from tests.crash import engine
from tests.crash.bench import make_stock
from tests.crash.play import Pace, pace_of, play
from tests.crash.rounds import Totals, draw
from tests.holding import Broken
from tests.programs import template

_folder: Path
_stock: Path
_pace: Pace
"""Of this process."""


def played(folder: Path, seeds: Iterable[int], kills: int, jobs: int) -> Iterator[Totals]:
    """Rounds in the order of their seeds, until engines were killed so often or no seed is left.
    Raises Broken."""
    fresh = multiprocessing.get_context("spawn")
    left, under_way, done = iter(seeds), deque[tuple[int, Future[Totals]]](), 0
    with ProcessPoolExecutor(jobs, fresh, _begin, (folder,)) as pool:
        try:
            while True:
                wanted = kills - done - sum(planned for planned, _ in under_way)
                room = max(0, 2 * jobs - len(under_way)) if wanted > 0 else 0
                for seed in itertools.islice(left, room):
                    planned = sum(len(act.kills) for act in draw(seed).acts)
                    under_way.append((planned, pool.submit(_play, seed)))
                if not under_way:
                    return
                totals = under_way.popleft()[1].result()
                done += totals.kills.total()
                yield totals
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(folder: Path) -> None:
    global _folder, _stock, _pace
    template()
    template(engine.main)
    _folder = Path(tempfile.mkdtemp(dir=folder))
    _stock = make_stock(_folder / "stock")
    with tempfile.TemporaryDirectory(dir=_folder) as quiet:
        _pace = pace_of(Path(quiet), _stock)


def _play(seed: int) -> Totals:
    """Raises Broken, with the command that shows it again."""
    try:
        with tempfile.TemporaryDirectory(dir=_folder) as folder:
            return play(Path(folder), _stock, draw(seed), _pace)
    except Exception as error:
        again = f"see it again: python -m tests.crash --round {seed}"
        raise Broken(f"{error!r}\n{again}") from error
