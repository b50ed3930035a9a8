"""The tables, for SQLite and PostgreSQL alike. Built by `migrations/` and by nothing else.

    unit <-- unit_identifier --> attempt_opened --> recipe, plan, package <-- package_file
                    ^   ^   ^   ^   ^   ^     |
       attempt_closed step reading image_sent `---> station_boot, shift_started, campaign
                      measurement  evidence

    unit <-- clash, unit_event, campaign_slot        shift_started <-- shift_ended
    campaign <-- campaign_slot, campaign_event       operator   lot   slot_state
    station_event    chain    checkpoint

Every row is written once: triggers refuse UPDATE, DELETE and, on SQLite, any INSERT over an
existing key (`INSERT OR REPLACE` deletes without firing the delete trigger unless the
connection asks for it). All tables are WITHOUT ROWID, so there is no hidden key to replace by.
Times and durations are integers in microseconds, times in UTC. Enums are stored by value.
The view `attempt` joins the two halves of an attempt for people with an SQL prompt.

`seq` is the number of the link of its station's `chain` that seals a row (`station.store.batch`).
Rows that belong to no attempt name the station themselves: the one that wrote them.
"""

from station.store.schema.attempts import (
    attempt_closed,
    attempt_opened,
    evidence,
    image_sent,
    measurement,
    package,
    package_file,
    plan,
    reading,
    recipe,
    step,
    unit,
    unit_identifier,
)
from station.store.schema.columns import Words, metadata, words
from station.store.schema.line import (
    campaign,
    campaign_event,
    campaign_slot,
    chain,
    checkpoint,
    clash,
    lot,
    operator,
    shift_ended,
    shift_started,
    slot_state,
    station_boot,
    station_event,
    unit_event,
)

__all__ = [
    "Words",
    "attempt_closed",
    "attempt_opened",
    "campaign",
    "campaign_event",
    "campaign_slot",
    "chain",
    "checkpoint",
    "clash",
    "evidence",
    "image_sent",
    "lot",
    "measurement",
    "metadata",
    "operator",
    "package",
    "package_file",
    "plan",
    "reading",
    "recipe",
    "shift_ended",
    "shift_started",
    "slot_state",
    "station_boot",
    "station_event",
    "step",
    "unit",
    "unit_event",
    "unit_identifier",
    "words",
]
