"""Is each row what its link has sealed, and does each link follow from the one before?

The keys of attempts, units and events are in the order of time, so rows that were written together
lie close together: they are read side by side, a stretch of keys at a time, and a link is checked
when all its rows have come by.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter

import sqlalchemy as sa

from station.seal import chain
from station.store import schema
from station.store.findings import MOST_FINDINGS, Findings
from station.store.links import Link, Links
from station.store.raw_rows import Values, columns_of, rows_of
from station.store.share import WHOLE, Share
from station.store.stretches import Stretch, stretches

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


@dataclass(slots=True)
class _Pending:
    """A link whose rows are coming by: the digests of those that are its own, and the beginnings
    of those that did not come yet. `strange`: so many others said that they are its own."""

    left: list[bytes]
    digests: list[bytes] = field(default_factory=list)
    strange: int = 0


class RowCheck:
    """`rows`: how many were looked at."""

    def __init__(
        self,
        connection: sa.Connection,
        links: Links,
        findings: Findings,
        share: Share = WHOLE,
    ) -> None:
        self.rows = 0
        self._connection = connection
        self._links = links
        self._findings = findings
        self._share = share
        self._pending: dict[tuple[str, int], _Pending] = {}
        self._seen = {station: bytearray(1 + head.links) for station, head in links.heads.items()}
        self._seen_links = 0

    def look(self, came: Callable[[float], None]) -> None:
        """`came`: is told the share of its links that have come by, 0 to 1, before each stretch."""
        for table in _FEW:
            self._take(table, sa.true(), {})
        counts = [head.links for head in self._links.heads.values()]
        all_links = max(1, sum(map(self._share.how_many, counts)))
        for stretch in stretches(self._connection):
            came(self._seen_links / all_links)
            self._look_at(stretch)
        for (station, seq), pending in self._pending.items():
            missing = len(pending.left) - pending.strange  # a changed row leaves its own behind
            if missing > 0:
                self._findings.add_link(station, seq, f"{missing} of its rows are missing")
            self._see(station, seq)
        self._find_links_without_rows()

    def _look_at(self, stretch: Stretch) -> None:
        stations = self._stations_in(stretch)
        for table, key in _BY_TIME:
            self._take(table, stretch.holds(table.c[key]), stations)

    def _stations_in(self, stretch: Stretch) -> dict[object, object]:
        attempt = schema.attempt_opened
        by_key = attempt.c.id >= ""  # all are; an index may leave some out
        own = sa.and_(stretch.holds(attempt.c.id), by_key)
        rows = rows_of(self._connection, attempt, own, ("id", "station"))
        return dict(map(itemgetter(0, 1), rows))

    def _take(
        self,
        table: sa.Table,
        which: sa.ColumnElement[bool],
        stations: Mapping[object, object],
    ) -> None:
        """`stations`: attempt -> whose it is, for tables that do not say."""
        columns = columns_of(table)
        names_station = "station" in columns
        whose = columns.index("station" if names_station else "attempt_id")
        of_link = columns.index("seq")
        form = chain.form(table.name, columns)
        own = sa.and_(which, self._share.rows(table.c.seq))
        for row in rows_of(self._connection, table, own):
            self.rows += 1
            station, seq = row[whose], row[of_link]
            if not names_station:
                station = stations.get(station)
            if not isinstance(station, str) or not isinstance(seq, int) or seq < 1:
                what = _what(table, row)
                self._findings.add(str(station or ""), 0, what, "it is in no link of the chain")
            elif why := self._why_not(station, seq, form, row):
                self._findings.add(station, seq, _what(table, row), why)

    def _why_not(self, station: str, seq: int, form: chain.Form, row: Values) -> str | None:
        """Put the row to its link; or what speaks against that."""
        try:
            digest = form.digest(row)
        except TypeError as error:
            return str(error)
        link = self._links.get(station, seq)
        if link is None or seq > self._links.heads[station].last:
            if self._links.came_later(station, seq):
                self.rows -= 1
                return None
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
            self._findings.add_link(station, seq, "its hash is not that of its rows")

    def _see(self, station: str, seq: int) -> None:
        if seq < len(self._seen[station]):  # behind a gap, which is told
            self._seen[station][seq] = 1
            self._seen_links += 1

    def _is_seen(self, station: str, seq: int) -> bool:
        return seq < len(self._seen[station]) and bool(self._seen[station][seq])

    def _find_links_without_rows(self) -> None:
        for station, seen in self._seen.items():
            for seq in islice(self._not_seen(station, seen), MOST_FINDINGS):
                self._findings.add_link(station, seq, "its rows are missing")

    def _not_seen(self, station: str, seen: bytearray) -> Iterator[int]:
        for own in self._share.links(self._links.heads[station].links):
            at = seen.find(0, own.start, own.stop)
            while at != -1:
                if self._links.get(station, at) is not None:
                    yield at
                at = seen.find(0, at + 1, own.stop)


def _what(table: sa.Table, row: Values) -> str:
    told = dict(zip(columns_of(table), row, strict=True))
    key = " ".join(str(told[part.name])[:_SHOWN] for part in table.primary_key)
    return f"{table.name} {key}"
