"""What is known of units, who worked where, campaigns, events, and the chain over it all."""

import sqlalchemy as sa

from station.store.schema.columns import KEY, SHA256, Words, dated, peer, seq, table, to

# --- what is known against a unit -------------------------------------------------------------

clash = table(
    "clash",
    *dated(),
    to("attempt_id", "attempt_opened.id", index=True),
    sa.Column("kind", Words, nullable=False),
    sa.Column("value", Words, nullable=False),
    to("unit_id", "unit.id", nullable=True, index=True),
    to("other_unit_id", "unit.id", nullable=True, index=True),
    sa.Column("detail", Words, nullable=False),
    seq(),
)
"""A name that cannot be right, or that another unit goes by; `kind` as in `station.model`."""

unit_event = table(
    "unit_event",
    *dated(),
    to("unit_id", "unit.id", index=True),
    sa.Column("kind", Words, nullable=False),
    to("attempt_id", "attempt_opened.id", nullable=True),
    sa.Column("actor", Words),
    sa.Column("role", Words),
    *peer(),
    sa.Column("reason", Words, nullable=False),
    seq(),
)
"""What was decided about a unit: `quarantined`, `released`. The last one counts."""

# --- who and where ----------------------------------------------------------------------------

station_boot = table(
    "station_boot",
    *dated(),
    sa.Column("software_version", Words, nullable=False),
    sa.Column("lock_sha256", SHA256),
    sa.Column("python", Words, nullable=False),
    sa.Column("kernel", Words, nullable=False),
    sa.Column("libusb", Words),
    sa.Column("slot_map", Words, nullable=False),
    seq(),
    sa.Index(None, "station", "utc_us"),
)
"""Each start of an engine. `lock_sha256`: of the list of its libraries; `slot_map` is JSON."""

operator = table(
    "operator",
    *dated(),
    sa.Column("name", Words, nullable=False),
    sa.Column("role", Words, nullable=False),
    sa.Column("badge_sha256", SHA256),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("actor", Words),
    *peer(),
    sa.Column("reason", Words, nullable=False),
    seq(),
    sa.Index(None, "station", "name"),
)
"""Who may do what: the last row of a name counts."""

shift_started = table(
    "shift_started",
    *dated(),
    sa.Column("operator", Words, nullable=False),
    sa.Column("role", Words),
    *peer(),
    seq(),
    sa.Index(None, "station", "utc_us"),
)

shift_ended = table(
    "shift_ended",
    to("shift_id", "shift_started.id", primary_key=True),
    sa.Column("station", Words, nullable=False),
    sa.Column("utc_us", sa.BigInteger, nullable=False),
    sa.Column("reason", Words, nullable=False),
    seq(),
)

lot = table(
    "lot",
    *dated(),
    sa.Column("name", Words, nullable=False),
    sa.Column("operator", Words, nullable=False),
    seq(),
    sa.Index(None, "station", "name"),
)
"""What a customer ordered: written when it is armed for the first time."""

slot_state = table(
    "slot_state",
    *dated(),
    sa.Column("slot", Words, nullable=False),
    sa.Column("state", Words, nullable=False),
    seq(),
    sa.Index(None, "station", "slot", "utc_us"),
)
"""Each slot's states over time: a row where it changed."""

# --- campaigns --------------------------------------------------------------------------------

campaign = table(
    "campaign",
    *dated(),
    sa.Column("name", Words, nullable=False),
    sa.Column("policy_sha256", SHA256, nullable=False),
    sa.Column("policy", Words, nullable=False),
    sa.Column("actor", Words),
    *peer(),
    seq(),
    sa.Index(None, "station", "utc_us"),
)
"""`policy`: the text of its file."""

campaign_slot = table(
    "campaign_slot",
    to("campaign_id", "campaign.id", primary_key=True),
    sa.Column("slot", Words, primary_key=True),
    sa.Column("station", Words, nullable=False),
    sa.Column("utc_us", sa.BigInteger, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("decision", Words, nullable=False),
    sa.Column("reason", Words, nullable=False),
    to("unit_id", "unit.id", nullable=True),
    sa.Column("detail", Words, nullable=False),
    seq(),
)
"""What was decided about the module in each slot of the rack, before it was touched; `detail` is
JSON."""

campaign_event = table(
    "campaign_event",
    *dated(),
    to("campaign_id", "campaign.id", index=True),
    sa.Column("kind", Words, nullable=False),
    sa.Column("detail", Words, nullable=False),
    seq(),
)
"""`kind` as in `station.store.campaigns.CampaignEvent`; `detail` is JSON."""

# --- the line ---------------------------------------------------------------------------------

station_event = table(
    "station_event",
    sa.Column("id", KEY, primary_key=True),
    sa.Column("station", Words, nullable=False),
    sa.Column("utc_us", sa.BigInteger, nullable=False, index=True),
    sa.Column("kind", Words, nullable=False),
    sa.Column("actor", Words),
    sa.Column("peer_uid", sa.BigInteger),
    sa.Column("peer_user", Words),
    sa.Column("slot", Words),
    sa.Column("detail", Words, nullable=False),
    seq(),
    sa.Column("role", Words),
    sa.Index(None, "station", "kind", "utc_us"),
)
"""What people did to the line, and when the engine began and ended; `detail` is JSON."""

# --- tamper evidence --------------------------------------------------------------------------

chain = table(
    "chain",
    sa.Column("station", Words, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("row_digests", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""One link for each transaction that wrote rows; see `station.seal.chain`."""

checkpoint = table(
    "checkpoint",
    sa.Column("station", Words, primary_key=True),
    sa.Column("chain_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("chain_hash", sa.String(64), nullable=False),
    sa.Column("utc_us", sa.BigInteger, nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("public_key", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
    seq(),
)
"""What the station has signed: its chain up to that link. In hex digits."""
