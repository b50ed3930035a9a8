"""The recall list is answered by an index that holds all it shows of an opened attempt.

Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    opened = "attempt_opened"
    op.drop_index("ix_attempt_opened_package_sha256_package_name", opened)
    op.create_index(
        "ix_attempt_opened_package",
        opened,
        ["package_sha256", "package_name", "id", "station", "slot", "operator", "lot"],
    )


def downgrade() -> None:
    raise NotImplementedError("records are never taken back; restore the backup instead")
