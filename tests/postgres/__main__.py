"""`python -m tests.postgres`: schema, migrations and store tests on a PostgreSQL of its own.

Ends with 1 where that is not installed: what was not tested does not pass. Further arguments are
pytest's.
"""

import os
import subprocess
import sys
import time
from importlib.util import find_spec

from tests.postgres.cluster import NoPostgres, cluster
from tests.postgres.databases import VARIABLE


def main() -> int:
    began_s = time.monotonic()
    if find_spec("psycopg") is None:
        say("the driver is missing: pip install -c deploy/constraints.txt -e '.[dev,postgres]'")
        return 1
    try:
        with cluster() as url:
            asked = ["-m", "pytest", "-q", "-m", "not sqlite", "tests/store", "tests/postgres"]
            done = subprocess.run(  # its own limit: each test has one
                [sys.executable, *asked, *sys.argv[1:]],
                env=os.environ | {VARIABLE: url},
                check=False,
            )
    except NoPostgres as error:
        say(str(error))
        return 1
    say(f"{time.monotonic() - began_s:.0f} s")
    return done.returncode


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a command's answer


if __name__ == "__main__":
    sys.exit(main())
