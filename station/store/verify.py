"""Is the record what the station wrote? Every row against the chain, the chain against what was
signed. Reads only, up to the links there are at one moment, in memory that grows by a byte for each
link in each process that looks.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import sqlalchemy as sa

from station.seal.checkpoint import Checkpoint
from station.store.far import Came, Far, counted, unheard
from station.store.findings import Finding, Findings
from station.store.links import Links
from station.store.raw_rows import read_any_text
from station.store.reading import reading
from station.store.share import WHOLE, Share
from station.store.shares import Looked, Part, ProcessLost, look, looked_at, processes_for
from station.store.signing import checkpoints, restored_since
from station.store.untouched import changed_schema, damage_outside, tables_as_made


@dataclass(slots=True)
class Verified:
    """`findings`: the first ones by link. `heads`: station -> its last link and that one's hash.
    `signatures`: how many there are, in the record and elsewhere. `signed`: station -> up to which
    link a trusted checkpoint reaches; `witnessed`: one of those that were kept elsewhere."""

    findings: list[Finding]
    rows: int = 0
    links: int = 0
    signatures: int = 0
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
    processes: int | None = None,
    came: Came = unheard,
) -> Verified:
    """`outside`: checkpoints that were kept elsewhere. `trusted`: public keys of the stations.
    `processes`: how many look at it, by default as many as it is worth. `came`: is told how far
    they have come. Raises as `reading`."""
    with reading(url) as connection:
        return verify_at(url, connection, outside, trusted, processes, came)


def verify_at(
    url: str,
    connection: sa.Connection,
    outside: Sequence[Checkpoint] = (),
    trusted: frozenset[str] = frozenset(),
    processes: int | None = None,
    came: Came = unheard,
) -> Verified:
    """The same of the moment that this connection sees, which reads any text from then on."""
    read_any_text(connection)
    check = _Check(url, connection)
    check.look(processes or processes_for(url), came)
    check.signatures(outside, trusted)
    return check.told()


class _Check:
    def __init__(self, url: str, connection: sa.Connection) -> None:
        self._url = url
        self._connection = connection
        self._findings = Findings()
        self._links = Links(connection)
        self._signed: dict[str, int] = {}
        self._witnessed: dict[str, int] = {}
        self._rows = self._signatures = 0

    def told(self) -> Verified:
        heads = {name: (head.links, head.hash.hex()) for name, head in self._links.heads.items()}
        links = sum(seq for seq, _ in heads.values())
        found = self._findings.in_order()
        return Verified(
            found, self._rows, links, self._signatures, heads, self._signed, self._witnessed
        )

    def look(self, processes: int, came: Came) -> None:
        damage = damage_outside(self._connection)
        for what, why in (*damage, *changed_schema(self._connection)):
            self._findings.add("", 0, what, why)
        for what in self._links.strange:
            self._findings.add("", 0, what, "it is the link of no station")
        for station, seq in self._links.gaps():
            self._findings.add_link(station, seq, "it is missing")
        tables = [] if damage else tables_as_made(self._connection)
        for looked in self._looked_at(tables, processes, came):
            self._rows += looked.rows
            self._findings.add_all(looked.findings)

    def _looked_at(self, tables: Sequence[str], processes: int, came: Came) -> list[Looked]:
        if processes > 1:
            shares = [Share(number, processes) for number in range(processes)]
            parts = [Part(self._url, self._links.heads, share, tables) for share in shares]
            with suppress(ProcessLost):
                return looked_at(parts, came)

        def rows(so_far: float) -> None:
            came(Far(so_far, 0, len(tables)))

        by_turns = counted(tables, came)
        return [look(self._url, self._connection, self._links, WHOLE, by_turns, rows)]

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
            self._findings.add(station, 1, f"the chain of {station}", why, is_row=False)

    def _hold(self, checkpoint: Checkpoint, what: str, trusted: frozenset[str]) -> bool:
        """Whether the record leads to it, and it is signed by a station that is trusted."""
        station, seq = checkpoint.station, checkpoint.seq
        self._signatures += 1
        if trusted and checkpoint.public_key not in trusted:
            self._findings.add(station, seq, what, "it was signed with a key that is not trusted")
            return False
        if not checkpoint.is_genuine():
            self._findings.add(station, seq, what, "its signature is not that of its key")
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
            self._findings.add(station, first, what, why)
        elif is_there:
            self._findings.add(
                station, seq, what, "the record has another history than the signed one"
            )
        else:
            head = self._links.heads.get(station)
            last = 0 if head is None else head.links
            self._findings.add(station, last + 1, what, f"the record ends at link {last}")
