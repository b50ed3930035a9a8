"""An attempt as other programs get it: one JSON line, or one row of CSV. Pure.

The keys and their meaning are a contract: names stay, nothing is taken away.

    attempt_id, slot, port_path, outcome, failure{code,cause,remedy}|null,
    unit{imei,serial,model,sku,sku_source,chip_serial,fw_before,fw_after},
    recipe{name,revision,sha256}|null, package{name,sha256}|null,
    verify "readback"|"version"|"none", images[{name,sha256_sent,bytes}],
    started_utc RFC 3339, duration_s, steps[{name,outcome,duration_s,bytes}],
    evidence[{kind,sha256,bytes,stored_bytes}],
    follows: the attempt_id of the failed attempt that this one follows | null,
    measurements[{name,value,unit,lowest|null,highest|null}]: whole numbers of their unit,
    station, operator, lot|null, shift_id|null, campaign_id|null, boot_id|null,
    purpose: null for production, else why it does not count, e.g. "golden"

An attempt that is still open has `outcome` and `duration_s` null.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from station.model import AttemptRecord, EvidenceRef, StepRecord, Unit, VerifyKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def attempt_json(record: AttemptRecord) -> dict[str, object]:
    """The attempt with exactly the keys of the contract, in their order."""
    opened, closed = record.opened, record.closed
    failure = closed.failure if closed else None
    return {
        "attempt_id": opened.attempt_id,
        "slot": opened.slot,
        "port_path": opened.port_path,
        "outcome": closed.outcome.value if closed else None,
        "failure": failure
        and {"code": failure.code, "cause": failure.cause, "remedy": failure.remedy},
        "unit": _unit_json(record),
        "recipe": opened.recipe
        and {
            "name": opened.recipe.name,
            "revision": opened.recipe.revision,
            "sha256": opened.recipe.sha256,
        },
        "package": opened.package
        and {"name": opened.package.name, "sha256": opened.package.sha256},
        "verify": (closed.verify if closed else VerifyKind.NONE).value,
        "images": [
            {"name": image.name, "sha256_sent": image.sha256_sent, "bytes": image.length_bytes}
            for image in record.images
        ],
        "started_utc": rfc3339(opened.started_utc_us),
        "duration_s": _seconds(closed.duration_us) if closed else None,
        "steps": [_step_json(step) for step in record.steps],
        "evidence": [_evidence_json(kept) for kept in (closed.evidence if closed else ())],
        "follows": record.follows,
        "measurements": [asdict(one) for one in (closed.measurements if closed else ())],
        "station": opened.station,
        "operator": opened.operator,
        "lot": opened.lot,
        "shift_id": opened.shift_id,
        "campaign_id": opened.campaign_id,
        "boot_id": opened.boot_id,
        "purpose": opened.purpose,
    }


def attempt_line(record: AttemptRecord) -> str:
    """The attempt as one line of ASCII JSON, without the line end."""
    return json.dumps(attempt_json(record))


def _unit_json(record: AttemptRecord) -> dict[str, object]:
    """The unit the attempt began with; what was learned on the way fills its gaps."""
    before = record.opened.unit
    after = record.closed.unit if record.closed else Unit()
    return {
        "imei": before.imei or after.imei,
        "serial": before.serial or after.serial,
        "model": before.model or after.model,
        "sku": before.sku or after.sku,
        "sku_source": before.sku_source if before.sku else after.sku_source,
        "chip_serial": before.chip_serial or after.chip_serial,
        "fw_before": before.firmware,
        "fw_after": record.closed.firmware_after if record.closed else None,
    }


def _step_json(step: StepRecord) -> dict[str, object]:
    return {
        "name": step.name,
        "outcome": step.outcome.value,
        "duration_s": _seconds(step.duration_us),
        "bytes": step.bytes,
    }


def _evidence_json(kept: EvidenceRef) -> dict[str, object]:
    return {
        "kind": kept.kind,
        "sha256": kept.sha256,
        "bytes": kept.length_bytes,
        "stored_bytes": kept.stored_bytes,
    }


def _seconds(duration_us: int) -> float:
    return duration_us / 1_000_000


def rfc3339(utc_us: int) -> str:
    """2026-11-20T09:42:31.000000Z."""
    moment = _EPOCH + timedelta(microseconds=utc_us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


# --- CSV --------------------------------------------------------------------------------------

ATTEMPT_COLUMNS = (
    "attempt_id",
    "started_utc",
    "duration_s",
    "slot",
    "port_path",
    "outcome",
    "failure_code",
    "failure_cause",
    "failure_remedy",
    "imei",
    "serial",
    "model",
    "sku",
    "sku_source",
    "chip_serial",
    "fw_before",
    "fw_after",
    "recipe_name",
    "recipe_revision",
    "recipe_sha256",
    "package_name",
    "package_sha256",
    "verify",
    "follows",
    "station",
    "operator",
    "lot",
    "shift_id",
    "campaign_id",
    "boot_id",
    "purpose",
)


def attempt_row(record: AttemptRecord) -> list[str]:
    """The cells under `ATTEMPT_COLUMNS`; null is empty. Images and steps are in the JSON only."""
    flat: dict[str, object] = {}
    for key, value in attempt_json(record).items():
        if isinstance(value, dict):
            prefix = "" if key == "unit" else f"{key}_"
            flat |= {f"{prefix}{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return [cell(flat.get(column)) for column in ATTEMPT_COLUMNS]


def cell(value: object) -> str:
    """Text which a module had a hand in must not become a formula in a spreadsheet."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
