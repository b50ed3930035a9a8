"""Making the record, and each question in turn."""

import multiprocessing
import os
import random
import resource
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from station.store.copying import copied
from station.store.database import sqlite_url
from station.store.queries import find_attempts
from station.store.shares import processes_for
from station.store.verify import verify
from tests.bench.records.asks import asks
from tests.bench.records.closing import closings
from tests.bench.records.figures import Figure, Spent, percentiles, timed
from tests.bench.records.line import Line
from tests.bench.records.load import load

UNITS = 300
HISTORY_MS = 20
VERIFY_ROWS_S = 50_000


def measure(
    folder: Path, line: Line, processes: int, within_s: float, copy_to: Path | None
) -> Iterator[Figure]:
    """Nothing is asked of a record that is not whole within that time."""
    path = folder / f"{line.attempts}-{line.images}.sqlite"
    yield Figure("attempts", line.attempts, "")
    load_avg = os.getloadavg()[0]
    yield Figure("others at work", load_avg, "", note=f"processes on {os.cpu_count()} cores")
    if not path.exists():
        yield from made(path, line, processes, within_s)
    if not path.exists():
        return
    yield Figure("file", path.stat().st_size / 1e6, "MB")
    yield Figure("file, an attempt", path.stat().st_size / line.attempts, "B")
    url = sqlite_url(path)
    yield from histories(url, line)
    for what, goal_s, ask in asks(url, line):
        for asked in (what, f"{what}, again"):
            found, spent = timed(ask)
            yield Figure(asked, spent.wall_s, "s", goal_s, spent.cpu_s, note=f"{found} rows")
    yield from closings(url, line)
    yield from verified(url)
    yield from backed_up(path, copy_to)


def made(path: Path, line: Line, processes: int, within_s: float) -> Iterator[Figure]:
    """The file has its name once it is whole."""
    draft = path.with_suffix(".part")
    loaded, spent = timed(lambda: load(draft, line, processes, within_s))
    if loaded.is_whole:
        draft.rename(path)
    yield Figure("rows", loaded.rows, "", note="" if loaded.is_whole else "and more to come")
    yield Figure("made", loaded.rows / spent.wall_s, "rows/s")


def histories(url: str, line: Line) -> Iterator[Figure]:
    """A new connection each, as a command has it."""
    drawn = random.Random(1)
    numbers = [drawn.randrange(line.attempts) for _ in range(UNITS)]
    for kind in ("imei", "serial", "chip_serial"):
        spent: list[Spent] = []
        for number in numbers:
            name = {kind.partition("_")[0]: getattr(line.module(number), kind)}
            found, one = timed(partial(find_attempts, url, **name))
            assert line.attempt_id(number) in {record.opened.attempt_id for record in found}
            spent.append(one)
        yield from percentiles(f"history by {kind}", spent, HISTORY_MS)


def verified(url: str) -> Iterator[Figure]:
    """`own cpu`: of all its processes, as if one did all."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        rows, wall_s, cpu_s, peak_mb = alone.submit(_verified, url).result()
    yield Figure("verify", rows / wall_s, "rows/s", VERIFY_ROWS_S, rows / cpu_s, is_rate=True)
    yield Figure("verify, processes", processes_for(url), "")
    yield Figure("verify, peak memory", peak_mb, "MB")


def _verified(url: str) -> tuple[int, float, float, float]:
    told, spent = timed(lambda: verify(url))
    assert told.is_untouched, told.findings
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = spent.cpu_s + others.ru_utime + others.ru_stime
    largest_mb = others.ru_maxrss / 1024
    return told.rows, spent.wall_s, cpu_s, _peak_mb() + processes_for(url) * largest_mb


def _peak_mb() -> float:
    """Of this program. getrusage's is of the process, which was a copy of its parent first."""
    status = Path("/proc/self/status").read_text()
    found = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024


def backed_up(path: Path, copy_to: Path | None) -> Iterator[Figure]:
    """`station db backup` but for `verify` of the copy, which is as above. Beside the record, where
    there is room, or in the folder `copy_to`, whose disk may need less room than the file."""
    if copy_to is None and shutil.disk_usage(path.parent).free < 2 * path.stat().st_size:
        yield Figure("no room for a backup", path.stat().st_size / 1e6, "MB")
        return
    _, spent = timed(lambda: _copied(path, copy_to or path.parent))
    yield Figure("online backup", spent.wall_s, "s", cpu=spent.cpu_s)


def _copied(path: Path, folder: Path) -> None:
    with copied(path, folder, f"{path.name}.copy", in_full=False):
        pass  # it is on the disk, and gone again
