"""Many attempts in a record, each told in a line: whose, what came of it, what else matters."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from station.model import AttemptOpened, Failure, Outcome, PackageRef, Unit
from station.store import schema
from station.store.batch import Batch, batch_of
from station.store.database import writer_engine
from station.store.ids import new_id
from station.store.inserts import insert_attempt, insert_verdict
from tests.store.samples import NOON_US, attempt, failed, verdict

OLD, NEW = PackageRef("R05", "55" * 32), PackageRef("R06", "66" * 32)
DAY_US = 86_400_000_000
MIDNIGHT_US = NOON_US - NOON_US % DAY_US


def imei(unit: int) -> str:
    return f"86426605000{unit:04}"


@dataclass
class Line:
    """Attempts go into the record in the order in which they are told."""

    batch: Batch

    def tried(
        self,
        unit: int | None,
        outcome: Outcome | None,
        *,
        code: str = "P110",
        firmware: str | None = None,
        **changes: Any,  # noqa: ANN401 - any field of AttemptOpened
    ) -> str:
        """The attempt's id. `unit` None: it named none; `outcome` None: it has no end; `code`: of
        the failure."""
        known = Unit() if unit is None else Unit(imei=imei(unit))
        opened = attempt(unit=known, identifiers=(), **{"package": NEW} | changes)
        insert_attempt(self.batch, opened)
        if outcome is not None:
            self._end(opened, outcome, code, firmware)
        return opened.attempt_id

    def _end(
        self, opened: AttemptOpened, outcome: Outcome, code: str, firmware: str | None
    ) -> None:
        package = opened.package.name if opened.package else None
        closed = verdict(opened, unit=opened.unit, firmware_after=firmware or package)
        if not outcome.is_good:
            failure = Failure(code, f"HEADLINE {code}", "cause", "remedy", True, outcome)
            closed = failed(opened, unit=opened.unit, failure=failure)
        insert_verdict(self.batch, replace(closed, outcome=outcome))

    def shift(self, operator: str, utc_us: int = NOON_US, station: str = "line-1") -> str:
        row = {"id": new_id(), "station": station, "utc_us": utc_us, "operator": operator}
        none = {"role": None, "peer_uid": None, "peer_user": None}
        self.batch.insert(schema.shift_started, [row | none])
        return str(row["id"])


@contextmanager
def line(url: str) -> Iterator[Line]:
    engine = writer_engine(url)
    try:
        with batch_of(engine) as batch:
            yield Line(batch)
    finally:
        engine.dispose()
