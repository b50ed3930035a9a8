"""Model objects to rows and back; the only place that knows both."""

import json
from collections.abc import Mapping
from typing import Any

from station.model import (
    AttemptClosed,
    AttemptOpened,
    EvidenceRef,
    Failure,
    ImageSent,
    Measurement,
    StationEvent,
    StepRecord,
    Unit,
)
from station.seal.checkpoint import Checkpoint

Row = dict[str, Any]

Stored = Mapping[Any, Any]
"""A row as read; SQLAlchemy types its keys wider than str."""

_UNDER = ("boot_id", "shift_id", "campaign_id", "lot", "purpose")
_UNIT_FIELDS = ("imei", "serial", "model", "sku", "sku_source", "chip_serial", "functionality")


# --- to rows ----------------------------------------------------------------------------------


def opened_row(opened: AttemptOpened, unit_id: str | None) -> Row:
    return {
        "id": opened.attempt_id,
        "station": opened.station,
        "site": opened.site,
        "slot": opened.slot,
        "port_path": opened.port_path,
        "operator": opened.operator,
        "software_version": opened.software_version,
        "trigger": opened.trigger,
        "started_utc_us": opened.started_utc_us,
        **_unit_row(opened.unit, unit_id),
        "firmware_before": opened.unit.firmware,
        "recipe_sha256": opened.recipe and opened.recipe.sha256,
        "package_sha256": opened.package and opened.package.sha256,
        "package_name": opened.package and opened.package.name,
        "plan_sha256": opened.plan_sha256,
        **{name: getattr(opened, name) for name in _UNDER},
    }


def closed_row(closed: AttemptClosed, unit_id: str | None) -> Row:
    failure = closed.failure
    return {
        "attempt_id": closed.attempt_id,
        "outcome": closed.outcome,
        "failure_code": failure and failure.code,
        "failure_headline": failure and failure.headline,
        "failure_cause": failure and failure.cause,
        "failure_remedy": failure and failure.remedy,
        "retryable": failure and failure.retryable,
        "ended_utc_us": closed.ended_utc_us,
        "duration_us": closed.duration_us,
        "verify": closed.verify,
        **_unit_row(closed.unit, unit_id),
        "firmware_after": closed.firmware_after,
        "final_mode": closed.final_mode,
    }


def _unit_row(unit: Unit, unit_id: str | None) -> Row:
    return {"unit_id": unit_id, **{name: getattr(unit, name) for name in _UNIT_FIELDS}}


def step_row(attempt_id: str, step: StepRecord) -> Row:
    return {
        "attempt_id": attempt_id,
        "ordinal": step.ordinal,
        "name": step.name,
        "outcome": step.outcome,
        "duration_us": step.duration_us,
        "retries": step.retries,
        "bytes": step.bytes,
        "detail": json.dumps(dict(step.detail), sort_keys=True),
    }


def image_row(attempt_id: str, ordinal: int, image: ImageSent) -> Row:
    return {
        "attempt_id": attempt_id,
        "ordinal": ordinal,
        "name": image.name,
        "sha256_sent": image.sha256_sent,
        "length_bytes": image.length_bytes,
    }


def evidence_row(attempt_id: str, kept: EvidenceRef) -> Row:
    return {
        "attempt_id": attempt_id,
        "kind": kept.kind,
        "sha256": kept.sha256,
        "length_bytes": kept.length_bytes,
        "stored_bytes": kept.stored_bytes,
    }


def measurement_row(attempt_id: str, measured: Measurement) -> Row:
    return {
        "attempt_id": attempt_id,
        "name": measured.name,
        "value": measured.value,
        "unit": measured.unit,
        "lowest": measured.lowest,
        "highest": measured.highest,
    }


def reading_rows(attempt_id: str, readings: Mapping[str, str]) -> list[Row]:
    return [{"attempt_id": attempt_id, "name": n, "value": v} for n, v in readings.items()]


def event_row(event: StationEvent) -> Row:
    return {
        "id": event.event_id,
        "station": event.station,
        "utc_us": event.utc_us,
        "kind": event.kind,
        "actor": event.actor,
        "peer_uid": event.peer_uid,
        "peer_user": event.peer_user,
        "slot": event.slot,
        "detail": json.dumps(dict(event.detail), sort_keys=True),
        "role": event.role,
    }


def checkpoint_row(made: Checkpoint) -> Row:
    return {
        "station": made.station,
        "chain_seq": made.seq,
        "chain_hash": made.hash,
        "utc_us": made.utc_us,
        "reason": made.reason,
        "public_key": made.public_key,
        "signature": made.signature,
    }


# --- from rows --------------------------------------------------------------------------------


def unit_of(row: Stored, firmware: str | None) -> Unit:
    return Unit(firmware=firmware, **{name: row[name] for name in _UNIT_FIELDS})


def opened_of(row: Stored, **parts: Any) -> AttemptOpened:  # noqa: ANN401 - the parts are checked by AttemptOpened's own names
    """`parts`: identifiers, recipe, package, plan_json, which live in tables of their own."""
    return AttemptOpened(
        attempt_id=row["id"],
        station=row["station"],
        site=row["site"],
        slot=row["slot"],
        port_path=row["port_path"],
        operator=row["operator"],
        software_version=row["software_version"],
        trigger=row["trigger"],
        started_utc_us=row["started_utc_us"],
        unit=unit_of(row, row["firmware_before"]),
        plan_sha256=row["plan_sha256"],
        **{name: row[name] for name in _UNDER},
        **parts,
    )


def closed_of(row: Stored, **parts: Any) -> AttemptClosed:  # noqa: ANN401 - the parts are checked by AttemptClosed's own names
    """The unit's firmware afterwards is `firmware_after`. `parts`: readings, evidence,
    measurements, which live in tables of their own."""
    return AttemptClosed(
        attempt_id=row["attempt_id"],
        outcome=row["outcome"],
        failure=_failure_of(row),
        ended_utc_us=row["ended_utc_us"],
        duration_us=row["duration_us"],
        verify=row["verify"],
        unit=unit_of(row, row["firmware_after"]),
        firmware_after=row["firmware_after"],
        final_mode=row["final_mode"],
        **parts,
    )


def _failure_of(row: Stored) -> Failure | None:
    if row["failure_code"] is None:
        return None
    return Failure(
        code=row["failure_code"],
        headline=row["failure_headline"],
        cause=row["failure_cause"],
        remedy=row["failure_remedy"],
        retryable=row["retryable"],
        outcome=row["outcome"],
    )


def step_of(row: Stored) -> StepRecord:
    return StepRecord(
        ordinal=row["ordinal"],
        name=row["name"],
        outcome=row["outcome"],
        duration_us=row["duration_us"],
        retries=row["retries"],
        bytes=row["bytes"],
        detail=json.loads(row["detail"]),
    )


def image_of(row: Stored) -> ImageSent:
    return ImageSent(row["name"], row["sha256_sent"], row["length_bytes"])


def evidence_of(row: Stored) -> EvidenceRef:
    return EvidenceRef(row["kind"], row["sha256"], row["length_bytes"], row["stored_bytes"])


def measurement_of(row: Stored) -> Measurement:
    return Measurement(row["name"], row["value"], row["unit"], row["lowest"], row["highest"])


def event_of(row: Stored) -> StationEvent:
    return StationEvent(
        event_id=row["id"],
        station=row["station"],
        utc_us=row["utc_us"],
        kind=row["kind"],
        actor=row["actor"],
        peer_uid=row["peer_uid"],
        peer_user=row["peer_user"],
        slot=row["slot"],
        detail=json.loads(row["detail"]),
        role=row["role"],
    )


def checkpoint_of(row: Stored) -> Checkpoint:
    """Whatever somebody has put there: values of other types make one that is not genuine."""
    seq, utc_us = row["chain_seq"], row["utc_us"]
    return Checkpoint(
        station=str(row["station"]),
        seq=seq if isinstance(seq, int) else 0,
        hash=str(row["chain_hash"]),
        utc_us=utc_us if isinstance(utc_us, int) else 0,
        reason=str(row["reason"]),
        public_key=str(row["public_key"]),
        signature=str(row["signature"]),
    )
