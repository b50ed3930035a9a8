"""What somebody with the file and an SQL prompt may do. The guards are put back, as he would."""

import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from station.seal import chain
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store import schema

KEYS = {table.name: [c.name for c in table.primary_key] for table in schema.metadata.sorted_tables}
ROWS = [name for name in KEYS if name not in ("chain", "checkpoint")]


@dataclass(frozen=True, slots=True)
class Edit:
    """`names`: a finding must have this, or one of these, in what it says. `first`: the very first;
    else something that came of the edit may be named before."""

    what: str
    names: str | tuple[str, ...]
    first: bool = False


Do = Callable[[sqlite3.Connection, random.Random], Edit | None]
Sign = Callable[[sqlite3.Connection, random.Random, PrivateKey], Edit | None]
"""`Do` of somebody who has the station's key."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Without the guards, which are as before when it ends."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            db.execute(f'DROP TRIGGER "{name}"')
        yield db
        there = {n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        for name, sql in guards:
            if name not in there:
                db.execute(sql)


def change_a_value(db: sqlite3.Connection, chance: random.Random) -> Edit | None:
    table, row = _some_row(db, chance, ROWS)
    column = chance.choice([c for c in row if c not in KEYS[table]])
    value: object = chance.choice(["x", 7, None, -1, "PASS", 3.5, b"x"])
    if isinstance(row[column], int) and chance.random() < 0.5:
        value = row[column] + chance.choice([-1, 1])
    if value == row[column]:
        return None
    if not _done(db, f'UPDATE {table} SET "{column}" = ? WHERE {_where(table)}', value, row):
        return None
    stays = column not in ("seq", "station")
    return Edit(f"{table}.{column} = {value!r}", _name(table, row), first=stays)


def change_a_key(db: sqlite3.Connection, chance: random.Random) -> Edit | None:
    table, row = _some_row(
        db, chance, ["step", "image_sent", "reading", "evidence", "unit_identifier"]
    )
    column = KEYS[table][-1]
    value = row[column] + 50 if isinstance(row[column], int) else f"{row[column]}x"
    if not _done(db, f'UPDATE {table} SET "{column}" = ? WHERE {_where(table)}', value, row):
        return None
    return Edit(f"{table} key {value!r}", _name(table, {**row, column: value}))


def delete_a_row(db: sqlite3.Connection, chance: random.Random) -> Edit:
    table, row = _some_row(db, chance, ROWS)
    _done(db, f"DELETE FROM {table} WHERE {_where(table)}", None, row)
    return Edit(f"delete {_name(table, row)}", f"link {row['seq']} ")


def add_a_row(db: sqlite3.Connection, chance: random.Random) -> Edit | None:
    table, row = _some_row(
        db, chance, ["step", "image_sent", "reading", "unit_identifier", "evidence"]
    )
    column = KEYS[table][-1]
    fresh = {**row, column: 77 if isinstance(row[column], int) else f"{row[column]}-added"}
    if table == "unit_identifier":
        fresh["value"] = f"{row['value']}1"
    fresh["seq"] = chance.choice([row["seq"], None, 10**6, row["seq"] + 1])
    marks = ", ".join("?" * len(fresh))
    db.execute(f"INSERT INTO {table} VALUES ({marks})", list(fresh.values()))
    return Edit(f"add {_name(table, fresh)} to {fresh['seq']}", _name(table, fresh), first=True)


def add_a_station(db: sqlite3.Connection, chance: random.Random) -> Edit:
    """An attempt that never was, in a chain that fits: no station of the record's own."""
    [ended] = db.execute("SELECT * FROM attempt_closed ORDER BY RANDOM() LIMIT 1").fetchall()
    key = [ended["attempt_id"]]
    [begun] = db.execute("SELECT * FROM attempt_opened WHERE id = ?", key).fetchall()
    name = f"{chance.randrange(16**8):08x}{begun['id'][8:]}"
    rows = {
        "attempt_opened": {**dict(begun), "id": name, "station": "line-9", "seq": 1},
        "attempt_closed": {**dict(ended), "attempt_id": name, "seq": 1},
    }
    for table, row in rows.items():
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO {table} VALUES ({marks})", list(row.values()))
    digests = [chain.row_digest(table, row) for table, row in rows.items()]
    link = ["line-9", 1, chain.shorts(digests), chain.link(chain.START, "line-9", 1, digests)]
    db.execute("INSERT INTO chain (station, seq, row_digests, hash) VALUES (?, ?, ?, ?)", link)
    return Edit(f"attempt {name} of a station that never was", "chain of line-9", first=True)


def swap_two_attempts(db: sqlite3.Connection, chance: random.Random) -> Edit | None:
    """Another order: each has the other's place in the chain."""
    table = chance.choice(["attempt_opened", "attempt_closed"])
    rows = [dict(row) for row in db.execute(f"SELECT * FROM {table}")]
    if len(rows) < 2:
        return None
    one, other = chance.sample(rows, 2)
    for row, seq in ((one, other["seq"]), (other, one["seq"])):
        _done(db, f"UPDATE {table} SET seq = ? WHERE {_where(table)}", seq, row)
    later = max(one, other, key=lambda row: int(row["seq"]))
    return Edit(f"{table}: order of two changed", _name(table, later))


def change_a_link(db: sqlite3.Connection, chance: random.Random) -> Edit:
    seq = _some_link(db, chance)
    column = chance.choice(["hash", "row_digests"])
    db.execute(f"UPDATE chain SET {column} = ? WHERE seq = ?", [chance.randbytes(32), seq])
    what = f"chain.{column} of {seq}"
    if column == "hash":
        return Edit(what, f"link {seq} ")
    rows = [f"{_name(table, row)} it is not what was" for table, row in _rows_of(db, seq)]
    return Edit(what, (f"link {seq} ", *rows), first=True)


def delete_a_link(db: sqlite3.Connection, chance: random.Random) -> Edit:
    seq = _some_link(db, chance)
    db.execute("DELETE FROM chain WHERE seq = ?", [seq])
    return Edit(f"delete link {seq}", f"link {seq} ")


def change_a_checkpoint(db: sqlite3.Connection, chance: random.Random) -> Edit:
    [row] = db.execute("SELECT * FROM checkpoint ORDER BY RANDOM() LIMIT 1").fetchall()
    column = chance.choice(["chain_hash", "utc_us", "reason", "public_key", "signature"])
    key = [row["station"], row["chain_seq"]]
    db.execute(f"UPDATE checkpoint SET {column} = '00' WHERE station = ? AND chain_seq = ?", key)
    return Edit(f"checkpoint.{column}", "checkpoint")


def cut_the_end(db: sqlite3.Connection, chance: random.Random) -> Edit:
    """Everything behind one link, as if it had never been."""
    last = int(db.execute("SELECT max(seq) FROM chain").fetchone()[0])
    seq = chance.randint(0, last - 2)
    for table in KEYS:
        db.execute(f"DELETE FROM {table} WHERE seq > ?", [seq])
    return Edit(f"everything behind link {seq} is gone", "checkpoint kept elsewhere")


def hash_it_again(db: sqlite3.Connection, chance: random.Random) -> Edit | None:
    """A changed value and a chain that fits it, made with our own code, and signed anew."""
    forged = _forged(db, chance, PrivateKey(Ed25519PrivateKey.generate()))
    if forged is None:
        return None
    return Edit(f"{forged}, signed by another", "with a key that is not trusted")


def sign_it_again(db: sqlite3.Connection, chance: random.Random, key: PrivateKey) -> Edit | None:
    """The same by whoever has disk, software and key: within the record nothing is wrong."""
    forged = _forged(db, chance, key)
    if forged is None:
        return None
    last = db.execute("SELECT max(chain_seq) FROM checkpoint").fetchone()[0]
    what = f"the checkpoint kept elsewhere of link {last} "
    why = "the record has another history than the signed one"
    return Edit(f"{forged}, signed by the station", what + why)


def forge_without_key(db: sqlite3.Connection, after: int) -> None:
    """Every verdict behind this link is PASS, nothing behind it is signed, and the chain fits."""
    what = "outcome = 'PASS', retryable = NULL, " + ", ".join(
        f"failure_{part} = NULL" for part in ("code", "headline", "cause", "remedy")
    )
    db.execute(f"UPDATE attempt_closed SET {what} WHERE seq > ?", [after])
    for (seq,) in db.execute("SELECT seq FROM checkpoint WHERE seq > ?", [after]).fetchall():
        db.execute("DELETE FROM checkpoint WHERE seq = ?", [seq])
        [step] = db.execute("SELECT * FROM step ORDER BY seq LIMIT 1").fetchall()
        row = {**dict(step), "ordinal": 1000 + seq, "seq": seq}  # no link is empty
        db.execute(f"INSERT INTO step VALUES ({', '.join('?' * len(row))})", list(row.values()))
    previous = chain.START
    for (seq,) in db.execute("SELECT seq FROM chain ORDER BY seq").fetchall():
        digests = [chain.row_digest(table, row) for table, row in _rows_of(db, seq)]
        previous = chain.link(previous, "line-1", seq, digests)
        what = "UPDATE chain SET row_digests = ?, hash = ? WHERE seq = ?"
        db.execute(what, [chain.shorts(digests), previous, seq])


def replace_a_view(db: sqlite3.Connection, chance: random.Random) -> Edit:
    db.execute("DROP VIEW attempt")
    db.execute("CREATE VIEW attempt AS SELECT id, 'PASS' AS outcome FROM attempt_opened")
    return Edit("another view", "view attempt")


def leave_out_of_an_index(db: sqlite3.Connection, chance: random.Random) -> Edit | None:
    """Made anew without what a row has there; its words are as before."""
    made = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    name, table, sql = chance.choice(db.execute(made).fetchall())
    (column,) = db.execute("SELECT name FROM pragma_index_info(?)", [name]).fetchone()
    _, where, condition = sql.partition(" WHERE ")
    value = f'SELECT quote("{column}") FROM {table}{where}{condition} '
    values = [row[0] for row in db.execute(value)]
    if not values:
        return None
    joint = " AND " if where else " WHERE "
    _say_of(db, name, f'{sql}{joint}"{column}" IS NOT {chance.choice(values)}')
    db.execute(f"REINDEX {name}")
    _say_of(db, name, sql)
    return Edit("index: a value left out", f"index {name}", first=True)


def loosen_a_guard(db: sqlite3.Connection, chance: random.Random) -> Edit:
    table = chance.choice(ROWS)
    name = f"{table}_no_update"
    db.execute(f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} BEGIN SELECT 1; END")
    return Edit(f"{name} does nothing", f"trigger {name}")


def loosen_a_column(db: sqlite3.Connection, chance: random.Random) -> Edit | None:
    """A no-break space looks like a space, and for SQLite is a letter of the column's type."""
    table = chance.choice(ROWS)
    (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [table]).fetchone()
    other = sql.replace("TEXT NOT NULL", "TEXT\u00a0NOT\u00a0NULL")
    if other == sql:
        return None
    _say_of(db, table, other)
    return Edit(f"{table}: columns may be NULL", f"table {table}", first=True)


EDITS: tuple[Do, ...] = (
    *(change_a_value,) * 6,
    change_a_key,
    *(delete_a_row,) * 3,
    *(add_a_row,) * 2,
    add_a_station,
    swap_two_attempts,
    change_a_link,
    delete_a_link,
    change_a_checkpoint,
    cut_the_end,
    *(hash_it_again,) * 2,
    replace_a_view,
    *(leave_out_of_an_index,) * 2,
    loosen_a_guard,
    loosen_a_column,
)


def edits(key: PrivateKey) -> tuple[Do, ...]:
    """What may be done, `key` the station's."""
    return *EDITS, *(_with(sign_it_again, key),) * 2


# --- how --------------------------------------------------------------------------------------


def _some_row(
    db: sqlite3.Connection, chance: random.Random, tables: list[str]
) -> tuple[str, dict[str, Any]]:
    while True:
        table = chance.choice(tables)
        rows = db.execute(f"SELECT * FROM {table}").fetchall()
        if rows:
            return table, dict(chance.choice(rows))


def _some_link(db: sqlite3.Connection, chance: random.Random) -> int:
    return int(chance.choice(db.execute("SELECT seq FROM chain").fetchall())[0])


def _rows_of(db: sqlite3.Connection, seq: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a link."""
    for table in KEYS:
        if table != "chain":
            for row in db.execute(f"SELECT * FROM {table} WHERE seq = ?", [seq]):
                yield table, dict(row)


def _where(table: str) -> str:
    return " AND ".join(f'"{column}" = ?' for column in KEYS[table])


def _name(table: str, row: Mapping[str, Any]) -> str:
    return f"{table} {' '.join(str(row[column]) for column in KEYS[table])}"


def _done(db: sqlite3.Connection, sql: str, value: object, row: Mapping[str, Any]) -> bool:
    """False where the database's own checks refuse it."""
    table = sql.split()[2 if sql.startswith("DELETE") else 1]
    key = [row[column] for column in KEYS[table]]
    try:
        db.execute(sql, key if sql.startswith("DELETE") else [value, *key])
    except sqlite3.IntegrityError:
        return False
    return True


def _say_of(db: sqlite3.Connection, name: str, sql: str) -> None:
    """Other words for an index or a table, and what is in it stays."""
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [sql, name])
    db.execute("PRAGMA writable_schema = RESET")


def _with(sign: Sign, key: PrivateKey) -> Do:
    @wraps(sign)
    def do(db: sqlite3.Connection, chance: random.Random) -> Edit | None:
        return sign(db, chance, key)

    return do


def _forged(db: sqlite3.Connection, chance: random.Random, key: PrivateKey) -> str | None:
    """What was changed, where a chain can fit it."""
    edit = change_a_value(db, chance)
    if edit is None or edit.what.split()[0].endswith((".seq", ".station")):
        return None  # no chain fits a row that is in none
    try:
        _forge(db, key)
    except TypeError:
        return None  # what no row holds has no digest
    return f"{edit.what}, and a chain that fits"


def _forge(db: sqlite3.Connection, key: PrivateKey) -> None:
    """The whole chain anew, and the checkpoints signed with this key."""
    signed = {row["chain_seq"]: dict(row) for row in db.execute("SELECT * FROM checkpoint")}
    previous = chain.START
    for (seq,) in db.execute("SELECT seq FROM chain ORDER BY seq").fetchall():
        digests = [chain.row_digest(table, row) for table, row in _rows_of(db, seq)]
        previous = chain.link(previous, "line-1", seq, digests)
        what = [chain.shorts(digests), previous, seq]
        db.execute("UPDATE chain SET row_digests = ?, hash = ? WHERE seq = ?", what)
        if old := signed.get(seq):
            made = Checkpoint(
                "line-1", seq, previous.hex(), old["utc_us"], old["reason"], ""
            ).signed(key)
            db.execute(
                "UPDATE checkpoint SET chain_hash = ?, public_key = ?, signature = ?"
                " WHERE chain_seq = ?",
                [made.hash, made.public_key, made.signature, seq],
            )
