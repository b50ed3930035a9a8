"""`python -m tests.tamper`: edits of real database files are found and named, and nothing else is.

python -m tests.tamper --edits 200 --untouched 200 --seed 1
"""

import argparse
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from station.store.database import sqlite_url
from station.store.findings import Finding
from station.store.verify import verify
from tests.holding import Broken, hold
from tests.memory import in_memory
from tests.store.samples import a_key
from tests.tamper.edits import Edit, edits, opened
from tests.tamper.records import make_record, older

EDITS_EACH = 10
"""Of copies of one record."""


def main() -> int:
    """0: all held; 1: something did not, and how to see it again."""
    asked = argparse.ArgumentParser(prog="python -m tests.tamper", description=__doc__)
    asked.add_argument("--edits", type=int, default=200)
    asked.add_argument("--untouched", type=int, default=200)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    began_s, kinds, seed = time.monotonic(), Counter[str](), options.seed * 1_000_003
    try:
        for number in range(options.untouched):
            with in_memory() as folder:
                leave_alone(Path(folder), seed + number)
        for number in range(-(-options.edits // EDITS_EACH)):
            with in_memory() as folder:
                kinds += edit_copies(Path(folder), seed + number)
    except Broken as broken:
        say(f"BROKEN: {broken}")
        return 1
    say(
        f"{kinds.total()} edits, all found and named; {options.untouched} records untouched, no "
        f"false alarm; {time.monotonic() - began_s:.0f} s"
    )
    say(", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    return 0


def leave_alone(folder: Path, seed: int) -> None:
    """Raises Broken if something is found in a record that nobody touched."""
    chance, key, path = random.Random(seed), a_key(), folder / "untouched.sqlite"
    signed = make_record(path, chance, key)
    found = verify(sqlite_url(path), signed, frozenset({key.public}))
    hold(found.is_untouched, f"seed {seed}: a false alarm: {found.findings}")
    hold(found.signed == {"line-1": signed[-1].seq}, f"seed {seed}: signed {found.signed}")


def edit_copies(folder: Path, seed: int) -> Counter[str]:
    """What was done to copies of one record. Raises Broken if an edit is not found, or not
    named."""
    chance, key, path = random.Random(seed), a_key(), folder / "record.sqlite"
    signed = make_record(path, chance, key)
    kinds: Counter[str] = Counter()
    while kinds.total() < EDITS_EACH - 1:
        copy = folder / "edited.sqlite"
        shutil.copy(path, copy)
        do = chance.choice(edits(key))
        with opened(copy) as db:
            edit = do(db, chance)
        if edit is not None:
            kinds[do.__name__] += 1
            found = verify(sqlite_url(copy), signed, frozenset({key.public}))
            _judge(edit, found.findings, seed)
    found = verify(sqlite_url(older(path)), signed, frozenset({key.public}))
    _judge(Edit("an older copy", "checkpoint kept elsewhere"), found.findings, seed)
    kinds["an_older_copy"] += 1
    return kinds


def _judge(edit: Edit, found: Sequence[Finding], seed: int) -> None:
    hold(found, f"seed {seed}: {edit.what}: not found")
    named = found[:1] if edit.first else found
    wanted = (edit.names,) if isinstance(edit.names, str) else edit.names
    is_named = any(names in f"{f.what} {f.why} " for f in named for names in wanted)
    hold(is_named, f"seed {seed}: {edit.what}: {edit.names} is not named, but {found[:3]}")


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a command's answer


if __name__ == "__main__":
    sys.exit(main())
