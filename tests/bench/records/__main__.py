"""How the record answers when it is large.

    python -m tests.bench.records [--attempts 100000] [--images 4] [--keep DIR]
                                  [--minutes M] [--copy-to DIR] [--json]

Makes a record of so many attempts of a line of 32 slots (`line`), with the schema, the triggers and
the chain of a real one, and asks it what operators and auditors ask, by the functions behind the
commands. With `--keep` the file stays in DIR, and is asked again the next time; with
`--minutes` it is left unfinished after so many, and gone on with the next time. The copy of a
backup is made beside it, or in the folder of `--copy-to`.

wall       as it was; the goals are for this, at ten million attempts
own cpu    the CPU time of this process for it: what is left where nothing else runs, and the disk
           answers at once

history    all attempts of a unit by one of its names; 300 units, as `station audit find`
again      the same question once more: what was read lies in memory then
recall     units whose last good flash has the package; ever: those that ever had it
verdicts   32 attempts closed in the same instant by the real store: what that adds to a closing
verify     every row against the chain, by as many processes as it takes itself; the peak is that
           of the first and so many times the largest of the others
"""

import argparse
import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.records.figures import HEAD
from tests.bench.records.line import FILES, Line
from tests.bench.records.measure import measure


def main() -> None:
    options = argparse.ArgumentParser(description="How the record answers when it is large.")
    options.add_argument("--attempts", type=int, default=100_000)
    options.add_argument("--images", type=int, default=4, help=f"of each, up to {len(FILES)}")
    options.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that make rows"
    )
    options.add_argument("--keep", type=Path, metavar="DIR", help="where the file stays")
    options.add_argument("--minutes", type=float, default=math.inf, help="for making the file")
    options.add_argument("--copy-to", type=Path, metavar="DIR", help="of a backup")
    options.add_argument("--json", action="store_true", help="a line of JSON for each figure")
    wanted = options.parse_args()
    if wanted.attempts < 1 or not 1 <= wanted.images <= len(FILES) or wanted.processes < 1:
        options.error(f"at least one attempt and one process, 1 to {len(FILES)} images")
    line = Line(wanted.attempts, wanted.images)
    if not wanted.json:
        say(HEAD)
    with _folder(wanted.keep) as folder:
        within_s = wanted.minutes * 60
        for figure in measure(folder, line, wanted.processes, within_s, wanted.copy_to):
            say(json.dumps(figure.told()) if wanted.json else figure.row())


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def say(row: str) -> None:
    print(row, flush=True)  # noqa: T201 - a bench prints


if __name__ == "__main__":
    main()
