"""What auditors ask of the whole record, each to the end: how many rows came."""

from collections.abc import Callable, Iterator

import sqlalchemy as sa

from station.store.clashes import find_clashes
from station.store.counts import counts_since
from station.store.reading import reading
from tests.bench.records.line import DAY_US, PACKAGES, STATION, Line

_GOOD = "outcome IN ('PASS', 'NO_CHANGE')"

_EVER = f"""
SELECT c.unit_id, c.imei, c.serial, c.chip_serial, c.attempt_id, c.ended_utc_us, o.slot
FROM attempt_opened AS o JOIN attempt_closed AS c ON c.attempt_id = o.id
WHERE o.package_sha256 = :package AND c.{_GOOD}
"""

_RECALL = f"""{_EVER} AND NOT EXISTS (
    SELECT 1 FROM attempt_closed AS later
    WHERE later.unit_id = c.unit_id AND later.{_GOOD} AND later.attempt_id > c.attempt_id
)"""

_PARETO = """
SELECT c.failure_code, c.outcome, count(*), count(DISTINCT c.unit_id)
FROM attempt_opened AS o JOIN attempt_closed AS c ON c.attempt_id = o.id
WHERE c.failure_code IS NOT NULL AND o.started_utc_us >= :since
GROUP BY c.failure_code, c.outcome ORDER BY count(*) DESC
"""


def asks(url: str, line: Line) -> Iterator[tuple[str, float, Callable[[], int]]]:
    """What, within how many seconds, and the question."""
    last_day_us = line.tray_us(line.trays) - DAY_US
    package = PACKAGES[3].sha256

    def count(sql: str, **values: str | int) -> int:
        with reading(url) as connection:
            return sum(1 for _ in connection.execute(sa.text(sql), values))

    def yield_of_a_day() -> int:
        return counts_since(url, STATION, last_day_us).good

    yield "recall list", 10, lambda: count(_RECALL, package=package)
    yield "ever flashed", 10, lambda: count(_EVER, package=package)
    yield "yield of a day", 1, yield_of_a_day
    yield "codes of a day", 1, lambda: count(_PARETO, since=last_day_us)
    yield "codes of all", 10, lambda: count(_PARETO, since=0)
    yield "clashes", 1, lambda: len(find_clashes(url))
