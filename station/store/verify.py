"""Is the record what the station wrote? Every row against the chain, the chain against what was
signed. Reads only; the whole record in one moment, in memory that grows by a byte for each link.

The keys of attempts, units and events are in the order of time, so rows that were written together
lie close together: they are read side by side, a stretch of keys at a time, and a link is checked
when all its rows have come by.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import sqlalchemy as sa

from station.seal import chain
from station.seal.checkpoint import Checkpoint
from station.store import schema
from station.store.ahead import Ahead
from station.store.database import sqlite_path
from station.store.links import Link, Links
from station.store.raw_rows import Values, columns_of, read_any_text, rows_of
from station.store.reading import reading
from station.store.signing import checkpoints, restored_since
from station.store.untouched import changed_schema, damage_within

STRETCH = 2000
"""Attempts read at a time."""

MOST_FINDINGS = 1000
_SHOWN = 200

_BY_TIME = (
    (schema.unit, "id"),
    (schema.station_event, "id"),
    (schema.attempt_opened, "id"),
    (schema.unit_identifier, "attempt_id"),
    (schema.attempt_closed, "attempt_id"),
    (schema.reading, "attempt_id"),
    (schema.step, "attempt_id"),
    (schema.image_sent, "attempt_id"),
    (schema.measurement, "attempt_id"),
    (schema.evidence, "attempt_id"),
    (schema.clash, "id"),
    (schema.unit_event, "id"),
    (schema.slot_state, "id"),
    (schema.campaign, "id"),
    (schema.campaign_slot, "campaign_id"),
    (schema.campaign_event, "id"),
)
"""Tables whose rows have keys in the order of time, and that key; `attempt_opened` before its
parts."""

_FEW = (
    schema.recipe,
    schema.plan,
    schema.package,
    schema.package_file,
    schema.station_boot,
    schema.operator,
    schema.shift_started,
    schema.shift_ended,
    schema.lot,
    schema.checkpoint,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it was written. `seq` 0: it is in no link at all; `what` names the row, in
    printable ASCII."""

    station: str
    seq: int
    what: str
    why: str
    is_row: bool = True
    """Not the link as such."""


@dataclass(slots=True)
class Verified:
    """`findings`: the first ones by link. `heads`: station -> its last link and that one's hash.
    `signed`: station -> up to which link a trusted checkpoint reaches; `witnessed`: one of those
    that were kept elsewhere."""

    findings: list[Finding]
    rows: int = 0
    links: int = 0
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    signed: dict[str, int] = field(default_factory=dict)
    witnessed: dict[str, int] = field(default_factory=dict)

    @property
    def is_untouched(self) -> bool:
        return not self.findings


def verify(
    url: str,
    outside: Sequence[Checkpoint] = (),
    trusted: frozenset[str] = frozenset(),
) -> Verified:
    """`outside`: checkpoints that were kept elsewhere. `trusted`: public keys of the stations.
    Raises as `reading`."""
    with reading(url) as connection, Ahead(sqlite_path(url)) as ahead:
        read_any_text(connection)
        check = _Check(connection)
        check.look(ahead)
        check.signatures(outside, trusted)
        return check.told()


@dataclass(slots=True)
class _Pending:
    """A link whose rows are coming by: the digests of those that are its own, and the beginnings
    of those that did not come yet. `strange`: so many others said that they are its own."""

    left: list[bytes]
    digests: list[bytes] = field(default_factory=list)
    strange: int = 0


class _Check:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._findings: set[Finding] = set()
        self._links = Links(connection)
        self._pending: dict[tuple[str, int], _Pending] = {}
        self._seen = {station: bytearray(1 + n) for station, (n, _) in self._links.heads.items()}
        self._signed: dict[str, int] = {}
        self._witnessed: dict[str, int] = {}
        self._rows = self._seen_links = 0

    def told(self) -> Verified:
        heads = {station: (seq, hash_.hex()) for station, (seq, hash_) in self._links.heads.items()}
        links = sum(seq for seq, _ in heads.values())
        found = sorted(self._findings, key=lambda f: (f.station, f.seq, not f.is_row, f.what))
        return Verified(found, self._rows, links, heads, self._signed, self._witnessed)

    def _find(self, station: str, seq: int, what: str, why: str, *, is_row: bool = True) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.add(Finding(_printable(station), seq, _printable(what), why, is_row))

    def _find_link(self, station: str, seq: int, why: str) -> None:
        self._find(station, seq, f"link {seq} of the chain", why, is_row=False)

    # --- rows and links -----------------------------------------------------------------------

    def look(self, ahead: Ahead) -> None:
        for what, why in (*damage_within(self._connection), *changed_schema(self._connection)):
            self._find("", 0, what, why)
        for what in self._links.strange:
            self._find("", 0, what, "it is the link of no station")
        for station, seq in self._links.gaps():
            self._find_link(station, seq, "it is missing")
        for table in _FEW:
            self._take(table, rows_of(self._connection, table, sa.true()), {})
        all_links = max(1, sum(count for count, _ in self._links.heads.values()))
        for stretch in _stretches(self._connection):
            ahead.at(self._seen_links / all_links)
            self._look_at(stretch)
        for (station, seq), pending in self._pending.items():
            missing = len(pending.left) - pending.strange  # a changed row leaves its own behind
            if missing > 0:
                self._find_link(station, seq, f"{missing} of its rows are missing")
            self._see(station, seq)
        self._find_links_without_rows()

    def _look_at(self, stretch: "_Stretch") -> None:
        stations: dict[object, object] = {}
        for table, key in _BY_TIME:
            rows: Iterable[Values] = rows_of(self._connection, table, stretch.holds(table.c[key]))
            if table is schema.attempt_opened:
                rows, columns = list(rows), columns_of(table)
                of = itemgetter(columns.index("id"), columns.index("station"))
                stations = dict(map(of, rows))
            self._take(table, rows, stations)

    def _take(
        self, table: sa.Table, rows: Iterable[Values], stations: Mapping[object, object]
    ) -> None:
        """`stations`: attempt -> whose it is, for tables that do not say."""
        columns = columns_of(table)
        names_station = "station" in columns
        whose = columns.index("station" if names_station else "attempt_id")
        which = columns.index("seq")
        form = chain.form(table.name, columns)
        for row in rows:
            self._rows += 1
            station, seq = row[whose], row[which]
            if not names_station:
                station = stations.get(station)
            if not isinstance(station, str) or not isinstance(seq, int) or seq < 1:
                what = _what(table, row)
                self._find(str(station or ""), 0, what, "it is in no link of the chain")
            elif why := self._why_not(station, seq, form, row):
                self._find(station, seq, _what(table, row), why)

    def _why_not(self, station: str, seq: int, form: chain.Form, row: Values) -> str | None:
        """Put the row to its link; or what speaks against that."""
        try:
            digest = form.digest(row)
        except TypeError as error:
            return str(error)
        link = self._links.get(station, seq)
        if link is None:
            return f"there is no link {seq} in the chain"
        if self._is_seen(station, seq):
            return "it was added to its link later"
        pending = self._pending.get((station, seq))
        short = digest[: chain.SHORT_BYTES]
        if pending is None:
            if link.row_digests == short:  # of one row, as most are
                self._judge(station, seq, link, (digest,))
                return None
            pending = self._pending[station, seq] = _Pending(chain.split(link.row_digests))
        if short not in pending.left:
            pending.strange += 1
            return "it is not what was written"
        pending.left.remove(short)
        pending.digests.append(digest)
        if not pending.left:
            self._judge(station, seq, link, pending.digests)
            del self._pending[station, seq]
        return None

    def _judge(self, station: str, seq: int, link: Link, digests: Sequence[bytes]) -> None:
        """All rows of a link are known, by the beginnings of their digests."""
        self._see(station, seq)
        before = self._links.before(station, seq)
        if before is not None and chain.link(before, station, seq, digests) != link.hash:
            self._find_link(station, seq, "its hash is not that of its rows")

    def _see(self, station: str, seq: int) -> None:
        if seq < len(self._seen[station]):  # behind a gap, which is told
            self._seen[station][seq] = 1
            self._seen_links += 1

    def _is_seen(self, station: str, seq: int) -> bool:
        return seq < len(self._seen[station]) and bool(self._seen[station][seq])

    def _find_links_without_rows(self) -> None:
        for station, seen in self._seen.items():
            at = seen.find(0, 1)
            while at != -1 and len(self._findings) < MOST_FINDINGS:
                if self._links.get(station, at) is not None:
                    self._find_link(station, at, "its rows are missing")
                at = seen.find(0, at + 1)

    # --- what was signed ----------------------------------------------------------------------

    def signatures(self, outside: Sequence[Checkpoint], trusted: frozenset[str]) -> None:
        for checkpoint in checkpoints(self._connection):
            what = f"the checkpoint in the record of link {checkpoint.seq}"
            self._hold(checkpoint, what, trusted)
        for checkpoint in outside:
            what = f"the checkpoint kept elsewhere of link {checkpoint.seq}"
            if self._hold(checkpoint, what, trusted):
                self._witnessed[checkpoint.station] = max(
                    checkpoint.seq, self._witnessed.get(checkpoint.station, 0)
                )
        self._find_stations_that_nobody_signed()

    def _find_stations_that_nobody_signed(self) -> None:
        """Anybody can add a chain of his own to a record that others sign."""
        for station in self._links.heads.keys() - self._signed.keys() if self._signed else ():
            why = "no trusted key has signed any of it, as it has of other stations"
            self._find(station, 1, f"the chain of {station}", why, is_row=False)

    def _hold(self, checkpoint: Checkpoint, what: str, trusted: frozenset[str]) -> bool:
        """Whether the record leads to it, and it is signed by a station that is trusted."""
        station, seq = checkpoint.station, checkpoint.seq
        if trusted and checkpoint.public_key not in trusted:
            self._find(station, seq, what, "it was signed with a key that is not trusted")
            return False
        if not checkpoint.is_genuine():
            self._find(station, seq, what, "its signature is not that of its key")
            return False
        link = self._links.get(station, seq)
        if link is None or link.hash.hex() != checkpoint.hash:
            self._find_lost(checkpoint, what, trusted, is_there=link is not None)
            return False
        if trusted:
            self._signed[station] = max(seq, self._signed.get(station, 0))
        return bool(trusted)

    def _find_lost(
        self, checkpoint: Checkpoint, what: str, trusted: frozenset[str], *, is_there: bool
    ) -> None:
        """The record is not the one that was signed; or it was replaced since, and says so."""
        station, seq = checkpoint.station, checkpoint.seq
        restored = restored_since(self._connection, checkpoint)
        if restored is not None and (not trusted or restored.public_key in trusted):
            first = restored.seq  # the link of the row that says so
            why = f"lost: a backup that ends before link {first} was restored after it was signed"
            self._find(station, first, what, why)
        elif is_there:
            self._find(station, seq, what, "the record has another history than the signed one")
        else:
            last, _ = self._links.heads.get(station, (0, b""))
            self._find(station, last + 1, what, f"the record ends at link {last}")


def _what(table: sa.Table, row: Values) -> str:
    told = dict(zip(columns_of(table), row, strict=True))
    key = " ".join(str(told[part.name])[:_SHOWN] for part in table.primary_key)
    return f"{table.name} {key}"


def _printable(text: str) -> str:
    """A row's key may be anything; whoever reads this sits at a terminal."""
    return ascii(text)[1:-1][:_SHOWN]


# --- stretches of keys ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Keys after `after` up to `until`; None: no end on that side."""

    after: str | None
    until: str | None

    def holds(self, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        ends = []
        if self.after is not None:
            ends.append(key > _asked(self.after))
        if self.until is not None:
            ends.append(key <= _asked(self.until))
        return sa.and_(sa.true(), *ends)


def _asked(key: object) -> sa.ColumnElement[str]:
    """A key that is no UTF-8 is asked for by its bytes."""
    if not isinstance(key, str) or schema.words(key) == key:
        return sa.literal(key)
    return sa.cast(sa.literal(key.encode("utf-8", "surrogateescape")), sa.Text)


def _stretches(connection: sa.Connection) -> Iterator[_Stretch]:
    """All keys there can be, cut where so many attempts have come."""
    key = schema.attempt_opened.c.id
    after: str | None = None
    while True:
        query = sa.select(key).order_by(key).offset(STRETCH - 1).limit(1)
        until = connection.scalar(query if after is None else query.where(key > _asked(after)))
        yield _Stretch(after, until)
        if until is None:
            return
        after = until
