"""Is the record what the station wrote? Every row against the chain, the chain against what was
signed. Reads only; the whole record in one moment, in memory that does not grow with it.

The keys of attempts, units and events are in the order of time, so rows that were written together
lie close together: they are read side by side, a stretch of keys at a time, and a link is checked
when all its rows have come by.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from station.seal import chain
from station.seal.checkpoint import Checkpoint
from station.store import schema
from station.store.reading import reading
from station.store.signing import checkpoints
from station.store.untouched import changed_schema

STRETCH = 2000
"""Attempts read at a time."""

MOST_FINDINGS = 1000

_BY_TIME = (
    (schema.unit, "id"),
    (schema.station_event, "id"),
    (schema.attempt_opened, "id"),
    (schema.unit_identifier, "attempt_id"),
    (schema.attempt_closed, "attempt_id"),
    (schema.reading, "attempt_id"),
    (schema.step, "attempt_id"),
    (schema.image_sent, "attempt_id"),
    (schema.evidence, "attempt_id"),
)
"""Tables whose rows have keys in the order of time, and that key; `attempt_opened` before its
parts."""

_FEW = (schema.recipe, schema.plan, schema.package, schema.package_file, schema.checkpoint)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is not as it was written. `seq` 0: it is in no link at all; `what` names the row."""

    station: str
    seq: int
    what: str
    why: str


@dataclass(slots=True)
class Verified:
    """`findings`: the first ones by link. `heads`: station -> its last link and that one's hash.
    `signed`: station -> up to which link a trusted checkpoint reaches."""

    findings: list[Finding]
    rows: int = 0
    links: int = 0
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    signed: dict[str, int] = field(default_factory=dict)

    @property
    def is_untouched(self) -> bool:
        return not self.findings


def verify(
    url: str,
    outside: Sequence[Checkpoint] = (),
    trusted: frozenset[str] = frozenset(),
    looked: Callable[[int], None] = lambda _: None,
) -> Verified:
    """`outside`: checkpoints that were kept elsewhere. `trusted`: public keys of the stations.
    `looked` is told now and then how many rows were. Raises as `reading`."""
    with reading(url) as connection:
        check = _Check(connection, looked)
        check.look()
        check.signatures(outside, trusted)
        return check.told()


@dataclass(slots=True)
class _Pending:
    """A link whose rows are coming by: their digests and names."""

    wanted: int
    rows: list[tuple[bytes, str]] = field(default_factory=list)


class _Check:
    def __init__(self, connection: sa.Connection, looked: Callable[[int], None]) -> None:
        self._connection = connection
        self._looked = looked
        self._findings: set[Finding] = set()
        self._links = _Links(connection)
        self._pending: dict[tuple[str, int], _Pending] = {}
        self._seen = {station: bytearray(1 + n) for station, (n, _) in self._links.heads.items()}
        self._signed: dict[str, int] = {}
        self._rows = 0

    def told(self) -> Verified:
        heads = {station: (seq, hash_.hex()) for station, (seq, hash_) in self._links.heads.items()}
        links = sum(seq for seq, _ in heads.values())
        return Verified(sorted(self._findings), self._rows, links, heads, self._signed)

    def _find(self, station: str, seq: int, what: str, why: str) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.add(Finding(station, seq, what, why))

    # --- rows and links -----------------------------------------------------------------------

    def look(self) -> None:
        for object_, why in changed_schema(self._connection):
            self._find("", 0, object_, why)
        for station, seq in self._links.gaps():
            self._find(station, seq, f"link {seq} of the chain", "it is missing")
        for table in _FEW:
            self._take(table, self._read(table, sa.true()), {})
        for stretch in _stretches(self._connection):
            self._look_at(stretch)
        for (station, seq), pending in self._pending.items():
            self._judge(station, seq, pending.rows)
        self._find_links_without_rows()

    def _look_at(self, stretch: "_Stretch") -> None:
        stations: dict[str, str] = {}
        for table, key in _BY_TIME:
            rows = self._read(table, stretch.holds(table.c[key]))
            if table is schema.attempt_opened:
                rows = list(rows)
                stations = {str(row["id"]): str(row["station"]) for row in rows}
            self._take(table, rows, stations)
        self._looked(self._rows)

    def _read(
        self, table: sa.Table, which: sa.ColumnElement[bool]
    ) -> Iterable[Mapping[str, object]]:
        """As the database holds them, whatever type the column has."""
        columns = [sa.type_coerce(column, sa.types.NullType()) for column in table.c]
        names = [column.name for column in table.c]
        for row in self._connection.execute(sa.select(*columns).where(which)):
            yield dict(zip(names, row, strict=True))

    def _take(
        self,
        table: sa.Table,
        rows: Iterable[Mapping[str, object]],
        stations: Mapping[str, str],
    ) -> None:
        name, key = table.name, [column.name for column in table.primary_key]
        names_station = "station" in table.c
        for row in rows:
            self._rows += 1
            what = f"{name} {' '.join(str(row[part]) for part in key)}"
            told = row["station"] if names_station else stations.get(str(row["attempt_id"]))
            seq = row["seq"]
            if not isinstance(told, str) or not isinstance(seq, int) or seq < 1:
                self._find(str(told or ""), 0, what, "it is in no link of the chain")
                continue
            try:
                digest = chain.row_digest(name, row)  # type: ignore[arg-type]  # it looks itself
            except TypeError as error:
                self._find(told, seq, what, str(error))
                continue
            self._add(told, seq, digest, what)

    def _add(self, station: str, seq: int, digest: bytes, what: str) -> None:
        pending = self._pending.get((station, seq))
        if pending is None:
            kept = self._links.get(station, seq)
            if kept is None:
                self._find(station, seq, what, f"there is no link {seq} in the chain")
                return
            pending = _Pending(len(kept.row_digests) // chain.SHORT_BYTES)
            self._pending[station, seq] = pending
        pending.rows.append((digest, what))
        if len(pending.rows) == pending.wanted:
            self._judge(station, seq, self._pending.pop((station, seq)).rows)

    def _judge(self, station: str, seq: int, rows: Sequence[tuple[bytes, str]]) -> None:
        """All rows of a link are known."""
        link, before = self._links.get(station, seq), self._links.before(station, seq)
        if link is None or before is None:
            return  # told as a gap
        seen = self._seen[station]
        if seq < len(seen):  # behind a gap, which is told
            if seen[seq]:
                self._find(station, seq, rows[-1][1], "it was added to its link later")
            seen[seq] = 1
        digests = [digest for digest, _ in rows]
        if chain.link(before, station, seq, digests) == link.hash:
            if chain.shorts(digests) != link.row_digests:
                self._find(station, seq, f"link {seq} of the chain", "its row_digests were changed")
            return
        left = chain.split(link.row_digests)
        strange = [what for digest, what in rows if not _taken(left, digest[: chain.SHORT_BYTES])]
        for what in strange:
            self._find(station, seq, what, "it is not what was written")
        if len(left) > len(strange):
            gone = len(left) - len(strange)
            self._find(station, seq, f"link {seq} of the chain", f"{gone} of its rows are missing")
        if not strange and not left:
            self._find(station, seq, f"link {seq} of the chain", "its hash is not that of its rows")

    def _find_links_without_rows(self) -> None:
        for station, seen in self._seen.items():
            at = seen.find(0, 1)
            while at != -1 and len(self._findings) < MOST_FINDINGS:
                if self._links.get(station, at) is not None:
                    self._find(station, at, f"link {at} of the chain", "its rows are missing")
                at = seen.find(0, at + 1)

    # --- what was signed ----------------------------------------------------------------------

    def signatures(self, outside: Sequence[Checkpoint], trusted: frozenset[str]) -> None:
        for checkpoint, place in (
            *((c, "the checkpoint in the record") for c in checkpoints(self._connection)),
            *((c, "the checkpoint kept elsewhere") for c in outside),
        ):
            self._hold(checkpoint, f"{place} of link {checkpoint.seq}", trusted)

    def _hold(self, checkpoint: Checkpoint, what: str, trusted: frozenset[str]) -> None:
        station, seq = checkpoint.station, checkpoint.seq
        if trusted and checkpoint.public_key not in trusted:
            self._find(station, seq, what, "it was signed with a key that is not trusted")
            return
        if not checkpoint.is_genuine():
            self._find(station, seq, what, "its signature is not that of its key")
            return
        link = self._links.get(station, seq)
        if link is None:
            last, _ = self._links.heads.get(station, (0, b""))
            self._find(station, last + 1, what, f"the record ends at link {last}")
        elif link.hash.hex() != checkpoint.hash:
            self._find(station, seq, what, "the record has another history than the signed one")
        elif trusted:
            self._signed[station] = max(seq, self._signed.get(station, 0))


def _taken(left: list[bytes], short: bytes) -> bool:
    if short in left:
        left.remove(short)
        return True
    return False


# --- stretches of keys ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Keys after `after` up to `until`; None: no end on that side."""

    after: str | None
    until: str | None

    def holds(self, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        ends = []
        if self.after is not None:
            ends.append(key > self.after)
        if self.until is not None:
            ends.append(key <= self.until)
        return sa.and_(sa.true(), *ends)


def _stretches(connection: sa.Connection) -> Iterator[_Stretch]:
    """All keys there can be, cut where so many attempts have come."""
    key = schema.attempt_opened.c.id
    after: str | None = None
    while True:
        query = sa.select(key).order_by(key).offset(STRETCH - 1).limit(1)
        until = connection.scalar(query if after is None else query.where(key > after))
        yield _Stretch(after, until)
        if until is None:
            return
        after = until


# --- links ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Link:
    row_digests: bytes
    hash: bytes


class _Links:
    """The chains, read in blocks as they are asked for."""

    BLOCK = 4096
    BLOCKS = 64

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._blocks: OrderedDict[tuple[str, int], dict[int, _Link]] = OrderedDict()
        self._counts: dict[str, int] = {}
        self.heads: dict[str, tuple[int, bytes]] = {}
        """Station -> how far its chain goes without a gap from 1 on, and the hash there."""
        table = schema.chain
        counted = sa.select(table.c.station, sa.func.count()).group_by(table.c.station)
        for station, count in connection.execute(counted).all():
            self._counts[station] = count
            self.heads[station] = (count, b"")
            link = self.get(station, count)
            self.heads[station] = (count, link.hash if link else b"")

    def get(self, station: str, seq: int) -> _Link | None:
        number = seq // self.BLOCK
        block = self._blocks.get((station, number))
        if block is None:
            block = self._blocks[station, number] = self._read(station, number)
            if len(self._blocks) > self.BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end((station, number))
        return block.get(seq)

    def before(self, station: str, seq: int) -> bytes | None:
        """The hash of the link before this one."""
        if seq == 1:
            return chain.START
        link = self.get(station, seq - 1)
        return None if link is None else link.hash

    def gaps(self) -> Iterator[tuple[str, int]]:
        """The first number that is missing of each chain that has a hole."""
        table = schema.chain
        for station, count in self._counts.items():
            mine = table.c.station == station
            if self._connection.scalar(sa.select(sa.func.max(table.c.seq)).where(mine)) != count:
                there = set(self._connection.scalars(sa.select(table.c.seq).where(mine)))
                yield station, next(n for n in range(1, count + 2) if n not in there)

    def _read(self, station: str, number: int) -> dict[int, _Link]:
        table = schema.chain
        rows = self._connection.execute(
            sa.select(table.c.seq, table.c.row_digests, table.c.hash).where(
                table.c.station == station,
                table.c.seq >= number * self.BLOCK,
                table.c.seq < (number + 1) * self.BLOCK,
            )
        )
        return {row.seq: _Link(_bytes(row.row_digests), _bytes(row.hash)) for row in rows}


def _bytes(value: object) -> bytes:
    """SQLite keeps what it is given; what is no bytes is no hash of anything."""
    return bytes(value) if isinstance(value, bytes | memoryview) else b""
