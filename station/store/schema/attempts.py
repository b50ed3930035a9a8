"""What is flashed, which unit it was, and the attempts."""

import sqlalchemy as sa

from station.model import IdKind, Mode, Outcome, StepOutcome, VerifyKind
from station.store.schema.columns import (
    KEY,
    SHA256,
    Words,
    attempt_id,
    choice,
    sealed_by,
    seq,
    table,
    to,
    unit_columns,
)

# --- what is flashed --------------------------------------------------------------------------

recipe = table(
    "recipe",
    sa.Column("sha256", SHA256, primary_key=True),
    sa.Column("name", Words, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("text", Words, nullable=False),
    *sealed_by(),
)

plan = table(
    "plan",
    sa.Column("sha256", SHA256, primary_key=True),
    sa.Column("json", Words, nullable=False),
    *sealed_by(),
)

package = table(
    "package",
    sa.Column("sha256", SHA256, primary_key=True),
    sa.Column("name", Words, nullable=False),
    *sealed_by(),
)
"""`name` is the first one; the name at the time is `attempt_opened.package_name`."""

package_file = table(
    "package_file",
    sa.Column("package_sha256", SHA256, sa.ForeignKey("package.sha256"), primary_key=True),
    sa.Column("path", Words, primary_key=True),
    sa.Column("sha256", SHA256, nullable=False),
    sa.Column("length_bytes", sa.BigInteger, nullable=False),
    *sealed_by(),
)

# --- units ------------------------------------------------------------------------------------

unit = table("unit", sa.Column("id", KEY, primary_key=True), *sealed_by())

unit_identifier = table(
    "unit_identifier",
    sa.Column("id", KEY, primary_key=True),
    sa.Column("unit_id", KEY, sa.ForeignKey("unit.id"), nullable=False),
    sa.Column("kind", choice(IdKind, "kind", closed=False), nullable=False),
    sa.Column("value", Words, nullable=False),
    sa.Column("source", Words, nullable=False),
    attempt_id(primary_key=False, index=True),
    sa.Column("seen_utc_us", sa.BigInteger, nullable=False),
    seq(),
    sa.UniqueConstraint("unit_id", "kind", "value", "source"),
    sa.Index(None, "kind", "value"),
)
"""Every name a unit was ever seen under, and the attempt which saw it first from that source.
Two units under one name are kept: a clash is evidence."""

# --- attempts ---------------------------------------------------------------------------------

attempt_opened = table(
    "attempt_opened",
    sa.Column("id", KEY, primary_key=True),
    sa.Column("station", Words, nullable=False),
    sa.Column("site", Words, nullable=False),
    sa.Column("slot", Words, nullable=False),
    sa.Column("port_path", Words),
    sa.Column("operator", Words, nullable=False),
    sa.Column("software_version", Words, nullable=False),
    sa.Column("trigger", Words, nullable=False),
    sa.Column("started_utc_us", sa.BigInteger, nullable=False, index=True),
    *unit_columns(),
    sa.Column("firmware_before", Words, index=True),
    sa.Column("recipe_sha256", SHA256, sa.ForeignKey("recipe.sha256")),
    sa.Column("package_sha256", SHA256, sa.ForeignKey("package.sha256")),
    sa.Column("package_name", Words),
    sa.Column("plan_sha256", SHA256, sa.ForeignKey("plan.sha256")),
    seq(),
    to("boot_id", "station_boot.id", nullable=True),
    to("shift_id", "shift_started.id", nullable=True),
    to("campaign_id", "campaign.id", nullable=True),
    sa.Column("lot", Words),
    sa.Column("purpose", Words),
    sa.Index(None, "unit_id"),
    sa.Index(None, "slot"),
    sa.Index(None, "slot", "started_utc_us"),
    sa.Index(None, "operator", "started_utc_us"),
    sa.Index(
        "ix_attempt_opened_package",
        *("package_sha256", "package_name", "id", "station", "slot", "operator", "lot"),
    ),
)
"""`purpose`: empty for production, else why it does not count: `golden`."""
for _name in ("shift_id", "campaign_id", "lot"):
    sa.Index(
        f"ix_attempt_opened_{_name}",
        attempt_opened.c[_name],
        sqlite_where=sa.text(f"{_name} IS NOT NULL"),
        postgresql_where=sa.text(f"{_name} IS NOT NULL"),
    )

_GOOD = "outcome IN ('PASS', 'NO_CHANGE')"

attempt_closed = table(
    "attempt_closed",
    attempt_id(),
    sa.Column("outcome", choice(Outcome, "outcome", closed=True), nullable=False),
    sa.Column("failure_code", sa.String(8)),
    sa.Column("failure_headline", Words),
    sa.Column("failure_cause", Words),
    sa.Column("failure_remedy", Words),
    sa.Column("retryable", sa.Boolean),
    sa.Column("ended_utc_us", sa.BigInteger, nullable=False),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("verify", choice(VerifyKind, "verify", closed=False), nullable=False),
    *unit_columns(),
    sa.Column("firmware_after", Words, index=True),
    sa.Column("final_mode", choice(Mode, "final_mode", closed=False), nullable=False),
    seq(),
    sa.Index(None, "unit_id", "outcome"),
    sa.CheckConstraint(f"(failure_code IS NULL) = ({_GOOD})", name="failure_unless_good"),
    sa.CheckConstraint(
        "(failure_code IS NULL) = (failure_headline IS NULL)"
        " AND (failure_code IS NULL) = (failure_cause IS NULL)"
        " AND (failure_code IS NULL) = (failure_remedy IS NULL)"
        " AND (failure_code IS NULL) = (retryable IS NULL)",
        name="failure_whole",
    ),
)
sa.Index(
    "ix_attempt_closed_outcome_not_pass",
    attempt_closed.c.outcome,
    sqlite_where=sa.text("outcome <> 'PASS'"),
    postgresql_where=sa.text("outcome <> 'PASS'"),
)
sa.Index(
    "ix_attempt_closed_failure_code",
    attempt_closed.c.failure_code,
    sqlite_where=sa.text("failure_code IS NOT NULL"),
    postgresql_where=sa.text("failure_code IS NOT NULL"),
)

reading = table(
    "reading",
    attempt_id(),
    sa.Column("name", Words, primary_key=True),
    sa.Column("value", Words, nullable=False),
    seq(),
)
"""Facts read from the module by name, e.g. `firmware.after`; families add names, not columns."""

step = table(
    "step",
    attempt_id(),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("name", Words, nullable=False),
    sa.Column("outcome", choice(StepOutcome, "outcome", closed=True), nullable=False),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("detail", Words, nullable=False),
    seq(),
)

image_sent = table(
    "image_sent",
    attempt_id(),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("name", Words, nullable=False),
    sa.Column("sha256_sent", SHA256, nullable=False),
    sa.Column("length_bytes", sa.BigInteger, nullable=False),
    seq(),
)

evidence = table(
    "evidence",
    attempt_id(),
    sa.Column("kind", Words, primary_key=True),
    sa.Column("sha256", SHA256, nullable=False),
    sa.Column("length_bytes", sa.BigInteger, nullable=False),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False),
    seq(),
)
"""Files kept beside the database, by the digest of their bytes; `kind`: `transcript`, `efs2`."""

measurement = table(
    "measurement",
    attempt_id(),
    sa.Column("name", Words, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("unit", Words, nullable=False),
    sa.Column("lowest", sa.BigInteger),
    sa.Column("highest", sa.BigInteger),
    seq(),
)
"""What was measured of an attempt, as whole numbers of `unit`; the bounds it was held against, if
there are any."""
