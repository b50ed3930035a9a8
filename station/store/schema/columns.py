"""What the tables are made of: names of constraints, text that is safe, columns that many have."""

from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def words(text: str) -> str:
    """Text as every database takes it: NUL and lone surrogates become U+FFFD."""
    return (
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    )


class Words(TypeDecorator[str]):
    """Text that a module may have had a hand in; stored as `words` has it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else words(value)


def choice(enum: type[Enum], name: str, *, closed: bool) -> sa.Enum:
    """`closed`: the values are final and the database checks them; families add to the others."""
    return sa.Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=closed,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


KEY = sa.String(36)
SHA256 = sa.String(64)


def table(name: str, *parts: Any) -> sa.Table:  # noqa: ANN401 - columns and constraints share no public base
    return sa.Table(name, metadata, *parts, sqlite_with_rowid=False)


def attempt_id(*, primary_key: bool = True, index: bool = False) -> sa.Column[str]:
    return sa.Column(
        "attempt_id",
        KEY,
        sa.ForeignKey("attempt_opened.id"),
        primary_key=primary_key,
        nullable=False,
        index=index,
    )


def seq() -> sa.Column[int]:
    """Empty only until the transaction that brings the chain to an old record has filled it."""
    return sa.Column("seq", sa.BigInteger)


def sealed_by() -> list[sa.Column[Any]]:
    return [sa.Column("station", Words), seq()]


def dated() -> list[sa.Column[Any]]:
    """A row of a station, with a key of its own and its time."""
    return [
        sa.Column("id", KEY, primary_key=True),
        sa.Column("station", Words, nullable=False),
        sa.Column("utc_us", sa.BigInteger, nullable=False),
    ]


def peer() -> list[sa.Column[Any]]:
    """The user at the socket's other end, or of the command."""
    return [sa.Column("peer_uid", sa.BigInteger), sa.Column("peer_user", Words)]


def to(
    name: str, key: str, *, nullable: bool = False, index: bool = False, primary_key: bool = False
) -> sa.Column[str]:
    reference = sa.ForeignKey(key)
    return sa.Column(
        name, KEY, reference, nullable=nullable, index=index or None, primary_key=primary_key
    )


def unit_columns() -> list[sa.Column[Any]]:
    """What is known of the unit, the same before and after."""
    return [
        sa.Column("unit_id", KEY, sa.ForeignKey("unit.id")),
        *(
            sa.Column(name, Words)
            for name in ("imei", "serial", "model", "sku", "sku_source", "chip_serial")
        ),
        sa.Column("functionality", sa.Integer),
    ]
