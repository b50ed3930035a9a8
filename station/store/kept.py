"""Which evidence the record names; see `station.store.queries` for what it raises."""

import sqlalchemy as sa

from station.model import EvidenceRef
from station.store import schema
from station.store.reading import reading
from station.store.rows import evidence_of

_evidence = schema.evidence
_opened = schema.attempt_opened
_closed = schema.attempt_closed


def evidence_before(url: str, station: str, before_utc_us: int) -> list[EvidenceRef]:
    """The files of the station's attempts that ended before this moment, oldest first."""
    query = (
        sa.select(_evidence)
        .join(_closed, _closed.c.attempt_id == _evidence.c.attempt_id)
        .join(_opened, _opened.c.id == _evidence.c.attempt_id)
        .where(_opened.c.station == station, _closed.c.ended_utc_us < before_utc_us)
        .order_by(_closed.c.ended_utc_us, _evidence.c.attempt_id)
    )
    with reading(url) as connection:
        return [evidence_of(row) for row in connection.execute(query).mappings()]
