"""What people did to the line, and when the engine ran; insert-only.

Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "station_event"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("station", sa.Text, nullable=False),
        sa.Column("utc_us", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text),
        sa.Column("peer_uid", sa.BigInteger),
        sa.Column("peer_user", sa.Text),
        sa.Column("slot", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{TABLE}"),
        sqlite_with_rowid=False,
    )
    for columns in (["utc_us"], ["station", "kind", "utc_us"]):
        op.create_index(f"ix_{TABLE}_{'_'.join(columns)}", TABLE, columns)
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def downgrade() -> None:
    raise NotImplementedError("records are never taken back; restore the backup instead")


# --- insert-only, as in revision 0001 ---------------------------------------------------------


def _guard_sqlite() -> None:
    taken = f"EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)"  # noqa: S608 - a constant
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
