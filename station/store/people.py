"""Who is registered on a station, and as what; see `station.store.queries` for what is raised."""

import sqlalchemy as sa

from station.model import Operator, Role
from station.store import schema
from station.store.batch import Batch
from station.store.reading import reading
from station.store.rows import Row, Stored

_table = schema.operator


def operators(url: str, station: str) -> list[Operator]:
    """All who were ever registered, those who retired too, as the last row of each name has it and
    in the order of those rows: in which they were sealed, whatever the clock said."""
    query = sa.select(_table).where(_table.c.station == station).order_by(_table.c.seq)
    with reading(url) as connection:
        rows = connection.execute(query).mappings()
        last: dict[str, Operator] = {}
        for row in rows:
            last.pop(row["name"], None)
            last[row["name"]] = operator_of(row)
    return list(last.values())


def changes(url: str) -> list[tuple[Operator, Role | None]]:
    """Every row, station by station in the order in which they were sealed, with the role that who
    did it had then; None where the station did not know them, or nobody was named."""
    query = sa.select(_table).order_by(_table.c.station, _table.c.seq)
    with reading(url) as connection:
        found = [operator_of(row) for row in connection.execute(query).mappings()]
    roles: dict[tuple[str, str | None], Role] = {}
    told = []
    for one in found:
        told.append((one, roles.get((one.station, one.actor))))
        roles.pop((one.station, one.name), None)
        if one.is_active:
            roles[one.station, one.name] = one.role
    return told


def insert_operator(batch: Batch, operator: Operator) -> None:
    batch.insert(_table, [_row(operator)])


def _row(operator: Operator) -> Row:
    return {
        "id": operator.operator_id,
        "station": operator.station,
        "utc_us": operator.utc_us,
        "name": operator.name,
        "role": operator.role.value,
        "badge_sha256": operator.badge_sha256,
        "is_active": operator.is_active,
        "actor": operator.actor,
        "peer_uid": operator.peer_uid,
        "peer_user": operator.peer_user,
        "reason": operator.reason,
    }


def operator_of(row: Stored) -> Operator:
    """Raises ValueError for a role that nobody has."""
    return Operator(
        operator_id=row["id"],
        station=row["station"],
        utc_us=row["utc_us"],
        name=row["name"],
        role=Role(row["role"]),
        badge_sha256=row["badge_sha256"],
        is_active=bool(row["is_active"]),
        actor=row["actor"],
        peer_uid=row["peer_uid"],
        peer_user=row["peer_user"],
        reason=row["reason"],
    )
