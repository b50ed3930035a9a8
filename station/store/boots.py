"""Each start of an engine: with what it ran, and where it thought its slots were."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from station.store import schema
from station.store.batch import Batch
from station.store.reading import reading

_boot = schema.station_boot


@dataclass(frozen=True, slots=True)
class Boot:
    """`lock_sha256` is over the lines `name==version` of the libraries as they are installed, each
    with its line end, sorted; None where that cannot be known. `libusb` is None for simulated
    modules. `slot_map`: for each slot its `ports`, and `barred` where its place is in doubt."""

    boot_id: str
    station: str
    utc_us: int
    software_version: str
    lock_sha256: str | None
    python: str
    kernel: str
    libusb: str | None
    slot_map: Mapping[str, Mapping[str, str | Sequence[str]]]


def insert_boot(batch: Batch, boot: Boot) -> None:
    row = asdict(boot)
    row["id"] = row.pop("boot_id")
    row["slot_map"] = json.dumps(row["slot_map"], sort_keys=True)
    batch.insert(_boot, [row])


def find_boots(
    url: str,
    *,
    station: str | None = None,
    since_utc_us: int | None = None,
    until_utc_us: int | None = None,
) -> list[Boot]:
    """The starts that meet every condition, newest last; raises as `station.store.queries`."""
    query = sa.select(_boot).order_by(_boot.c.id)
    if station is not None:
        query = query.where(_boot.c.station == station)
    if since_utc_us is not None:
        query = query.where(_boot.c.utc_us >= since_utc_us)
    if until_utc_us is not None:
        query = query.where(_boot.c.utc_us < until_utc_us)
    with reading(url) as connection:
        return [_boot_of(row) for row in connection.execute(query).mappings()]


def _boot_of(row: Mapping[Any, Any]) -> Boot:
    known = {name: row[name] for name in Boot.__dataclass_fields__ if name in row}
    return Boot(boot_id=row["id"], **(known | {"slot_map": json.loads(row["slot_map"])}))
