"""Files kept for an attempt, by digest: its transcript; insert-only.

Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLE = "evidence"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("attempt_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("length_bytes", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", "kind", name=f"pk_{TABLE}"),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt_opened.id"], name=f"fk_{TABLE}_attempt_id"
        ),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def downgrade() -> None:
    raise NotImplementedError("records are never taken back; restore the backup instead")


# --- insert-only, as in revision 0001 ---------------------------------------------------------


def _guard_sqlite() -> None:
    key = "attempt_id = NEW.attempt_id AND kind = NEW.kind"
    taken = f"EXISTS (SELECT 1 FROM {TABLE} WHERE {key})"  # noqa: S608 - constants
    for name, event in (
        ("no_update", f"UPDATE ON {TABLE}"),
        ("no_delete", f"DELETE ON {TABLE}"),
        ("no_replace", f"INSERT ON {TABLE} WHEN {taken}"),
    ):
        op.execute(
            f"CREATE TRIGGER {TABLE}_{name} BEFORE {event} "
            f"BEGIN SELECT RAISE(ABORT, '{TABLE} is insert-only'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        f"CREATE TRIGGER {TABLE}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
