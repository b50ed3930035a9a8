"""The lines an engine understands: JSON, one object a line, UTF-8, at most 64 KiB.

    {"do": "retry", "id": "7", "slot": "A3", "by": "maria"}

`id` comes back in the answer; `by` is the person, if the caller knows one. The caller's user
comes from the socket itself. Hostile until proven: strict models, unknown keys refused, and
every complaint names its place.
"""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from station.errors import UsageError

MAX_COMMAND_BYTES = 64 << 10

_MAX_INT = 2**63 - 1

_PRUNED = ("older_than_days", "before_utc_us", "files", "bytes", "reason")

_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e]+$"
_SHA256 = r"^[0-9a-f]{64}$"
_NOT_LIKE = {
    _PRINTABLE: "has characters that cannot be shown",
    _SHA256: "must have 64 digits 0-9 a-f",
}

_FILLERS = "\u115f\u1160\u3164\uffa0"
"""Letters of Hangul that are drawn as nothing."""


def is_readable(reason: str) -> bool:
    """It has a letter or a digit: blanks, dots and what is not drawn tell nobody why."""
    return any(char.isalnum() and char not in _FILLERS for char in reason)


def _readable(reason: str) -> str:
    if not is_readable(reason):
        raise PydanticCustomError("unreadable", "has neither a letter nor a digit")
    return reason


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=_PRINTABLE),
]
SlotName = Annotated[str, StringConstraints(min_length=1, max_length=16)]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_PRINTABLE),
    AfterValidator(_readable),
]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, StringConstraints(max_length=64)] | None = None
    by: Name | None = None


class RecipeChoice(BaseModel):
    """A recipe as it was shown: the engine refuses if its file is another one by now."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    sha256: Annotated[str, StringConstraints(pattern=_SHA256)]


class Arm(_Command):
    """Flash what arrives from now on, by these recipes only.

    `operator`: a name, or the badge of somebody who is registered. `label`: the SKU that is printed
    on the modules, as in `station flash --sku`. `lot`: the customer's order that they are for.
    `expect`: slot names, a number of modules, "all", or "none"; left out: as in the settings.
    """

    do: Literal["arm"] = "arm"
    recipes: Annotated[tuple[RecipeChoice, ...], Field(min_length=1, max_length=64, strict=False)]
    operator: Name
    label: Name | None = None
    lot: Name | None = None
    target: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    expect: (
        Annotated[tuple[SlotName, ...], Field(max_length=256, strict=False)]
        | Annotated[int, Field(ge=1, le=256)]
        | Literal["all", "none"]
        | None
    ) = None


class Disarm(_Command):
    """Start nothing more; what runs is finished. A campaign is ended by its own command."""

    do: Literal["disarm"] = "disarm"


class Retry(_Command):
    """Give the module in a slot another attempt. `recipe` and `label` as in `station flash`."""

    do: Literal["retry"] = "retry"
    slot: SlotName
    recipe: Name | None = None
    label: Name | None = None


class Abort(_Command):
    """End a slot's attempt. One that writes is finished first unless `now`."""

    do: Literal["abort"] = "abort"
    slot: SlotName
    now: bool = False


class Hold(_Command):
    """Keep a slot out of the line."""

    do: Literal["hold"] = "hold"
    slot: SlotName
    reason: Reason


class Release(_Command):
    """What an engineer holds only an engineer releases, with a reason."""

    do: Literal["release"] = "release"
    slot: SlotName
    reason: Reason | None = None


class Lift(_Command):
    """An engineer lifts what the line stopped by itself: a slot that was taken out, or without a
    slot the line's stop and the alarm of a hub."""

    do: Literal["lift"] = "lift"
    by: Name
    reason: Reason
    slot: SlotName | None = None


class Quarantine(_Command):
    """A unit is not touched until it is released. `unit`: its IMEI, serial, chip serial or id."""

    do: Literal["quarantine"] = "quarantine"
    by: Name
    reason: Reason
    unit: Name


class ReleaseUnit(_Command):
    """An engineer has looked at the unit: it may be flashed, and its names clash no more."""

    do: Literal["release_unit"] = "release_unit"
    by: Name
    reason: Reason
    unit: Name


class ShiftStart(_Command):
    """Who works at the line from now on, by name or by badge; the shift before it ends."""

    do: Literal["shift_start"] = "shift_start"
    operator: Name | None = None
    badge: Name | None = None


class ShiftEnd(_Command):
    """Nobody works at the line any more: it is disarmed, too, unless a campaign runs."""

    do: Literal["shift_end"] = "shift_end"


class OperatorAdd(_Command):
    """Register a person. `badge`: the code on it, of which a digest is kept."""

    do: Literal["operator_add"] = "operator_add"
    name: Name
    role: Literal["operator", "engineer", "auditor"]
    badge: Name | None = None
    reason: Reason


class OperatorRetire(_Command):
    """The person does not work here any more; name and badge may be given again."""

    do: Literal["operator_retire"] = "operator_retire"
    name: Name
    reason: Reason


class Prune(_Command):
    """Evidence is about to be deleted: `files` of attempts that ended before `before_utc_us`. Where
    people are registered an engineer has it deleted, with a reason."""

    do: Literal["prune"] = "prune"
    older_than_days: Annotated[int, Field(ge=1, le=1_000_000)]
    before_utc_us: Annotated[int, Field(ge=0, le=_MAX_INT)]
    files: Annotated[int, Field(ge=1, le=_MAX_INT)]
    bytes: Annotated[int, Field(ge=0, le=_MAX_INT)]
    reason: Reason | None = None

    def facts(self) -> dict[str, str | int]:
        """As they go on record."""
        found = {name: getattr(self, name) for name in _PRUNED}
        return {name: fact for name, fact in found.items() if fact is not None}


class Clear(_Command):
    """The slot is empty, says a person: a module that is not on USB cannot be seen to leave."""

    do: Literal["clear"] = "clear"
    slot: SlotName


class Stop(_Command):
    """End the engine: modules that are being written are finished first unless `now`."""

    do: Literal["stop"] = "stop"
    now: bool = False


class Recipes(_Command):
    """Answered with `recipes`: what could be armed now, read from the files."""

    do: Literal["recipes"] = "recipes"


class Status(_Command):
    """Answered with `line` and `slots`, once."""

    do: Literal["status"] = "status"


class Watch(_Command):
    """A snapshot, then every change."""

    do: Literal["watch"] = "watch"


class Follow(_Command):
    """The transcript of one slot, too; None for none."""

    do: Literal["follow"] = "follow"
    slot: SlotName | None = None


class Hands(_Command):
    """Simulated modules only: what an operator's hands would do.

    `tray`: take all out and put fresh ones in. `fault`: of the module that is plugged in.
    """

    do: Literal["hands"] = "hands"
    action: Literal["plug", "unplug", "tray"]
    slot: SlotName | None = None
    fault: Name | None = None


class CampaignPlan(_Command):
    """Answered with what a campaign would do now. The modules are asked, nothing is changed."""

    do: Literal["campaign_plan"] = "campaign_plan"
    name: Name


class CampaignRun(_Command):
    """Begin a campaign; answered with its `campaign_id` once all decisions are on record. Where
    people are registered an engineer begins it, with a reason, or the station's own timer.
    `policy_sha256`: as a plan showed it; the engine refuses if its file is another one by now."""

    do: Literal["campaign_run"] = "campaign_run"
    name: Name
    reason: Reason | None = None
    policy_sha256: Annotated[str, StringConstraints(pattern=_SHA256)] | None = None


class CampaignAbort(_Command):
    """End the campaign that runs: start nothing more, what is being written is finished."""

    do: Literal["campaign_abort"] = "campaign_abort"
    by: Name
    reason: Reason


Command = (
    Arm | Disarm | Retry | Abort | Hold | Release | Lift | Quarantine | ReleaseUnit | Clear | Stop
    | Recipes | Status | Watch | Follow | Hands | CampaignPlan | CampaignRun | CampaignAbort
    | ShiftStart | ShiftEnd | OperatorAdd | OperatorRetire | Prune
)  # fmt: skip

_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="do")])


def command_line(command: Command) -> bytes:
    """The command as one line of JSON with its line end."""
    return command.model_dump_json(exclude_none=True).encode() + b"\n"


def parse_command(line: bytes) -> Command:
    """Raises UsageError naming the place and what is wrong there."""
    try:
        return _COMMANDS.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part)[:64] for part in first["loc"]) or "the line"
        pattern = str(first.get("ctx", {}).get("pattern"))
        what = _NOT_LIKE.get(pattern, first["msg"][:200])
        raise UsageError(f"command: {place}: {what}") from None
