"""A campaign's decisions as a plan that people and programs read, with when it might be done."""

from collections.abc import Sequence
from typing import Any

from station.config import LoadedPolicy, Policy, stops_utc_us
from station.store.campaigns import CampaignSlot, Decided


def plan_json(loaded: LoadedPolicy, slots: Sequence[CampaignSlot], now_us: int) -> dict[str, Any]:
    """`expected_end_utc_us` is None where the record cannot tell how long a module takes."""
    spent_us = expected_us(loaded.policy, slots)
    return {
        "campaign": loaded.policy.name,
        "policy_sha256": loaded.sha256,
        "slots": [_slot_json(slot) for slot in slots],
        "totals": totals(slots),
        "stops_utc_us": stops_utc_us(loaded.policy, now_us),
        "expected_end_utc_us": None if spent_us is None else now_us + spent_us,
    }


def totals(slots: Sequence[CampaignSlot]) -> dict[str, int]:
    """How many slots of each decision there are."""
    counted = {decided: sum(s.decided is decided for s in slots) for decided in Decided}
    return {decided.value: count for decided, count in counted.items() if count}


def expected_us(policy: Policy, slots: Sequence[CampaignSlot]) -> int | None:
    """How long it might take: each group as often as it fills the places, as long as its slowest
    recipe takes. None where a recipe has passed on no module yet."""
    work = sorted((s for s in slots if s.decided.is_work), key=lambda slot: slot.ordinal)
    flashed = [s for s in work if s.decided is not Decided.VERIFY]
    if any(slot.expected_us is None for slot in flashed):
        return None
    sizes, at_once = policy.groups, policy.limits.at_once
    spent_us, at, size = 0, 0, sizes.first
    while at < len(work):
        group = work[at : at + size]
        rounds = -(-len(group) // at_once)
        spent_us += rounds * max(slot.expected_us or 0 for slot in group)
        at, size = at + size, sizes.next
    return spent_us


def _slot_json(slot: CampaignSlot) -> dict[str, Any]:
    return {
        "slot": slot.slot,
        "decision": slot.decided.value,
        "reason": slot.reason,
        "imei": slot.unit.imei,
        "serial": slot.unit.serial,
        "from": slot.unit.firmware,
        "to": slot.target,
        "recipe": slot.recipe,
    }
