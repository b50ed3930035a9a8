"""Campaigns: what a night does by itself with a rack of modules, as a file says.

A policy is data. It names recipes and narrows them: which units, in which order, how many, when to
stop. It can never allow what a recipe refuses.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from station.config.families import Families
from station.config.recipe_files import load_recipes, recipe_files
from station.config.recipes import Globs, RecipeName, Tac
from station.config.slot_map import MAX_SLOTS
from station.config.strict import Strict, nearest, read_model
from station.config.yaml_lines import Document, parse_document, read_bytes, refuse
from station.errors import ConfigError, UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
SHOWN = 8


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError("a campaign's name has 1 to 64 letters, digits, dots, - or _")
    return text


def _time(text: str) -> str:
    if _TIME.fullmatch(text) is None:
        raise ValueError('must be a time of day such as "05:30"')
    return text


Count = Annotated[int, Field(ge=1, le=MAX_SLOTS)]
Percent = Annotated[int, Field(ge=1, le=100)]


class Units(Strict):
    """Which modules of the rack it is for; what is left out narrows nothing.

    `known`: only units that had a PASS or NO_CHANGE on this record before. `allow_from`: globs over
    the version inside, on top of the recipe's own; one that is at its target is verified anyway.
    """

    known: bool = True
    tac: Annotated[tuple[Tac, ...], Field(max_length=1000)] = ()
    sku: Globs = ("*",)
    allow_from: Globs = ("*",)


class CampaignLimits(Strict):
    """`units`: so many are flashed or verified at most; `at_once`: so many at a time; `attempts`:
    a module whose failure may pass gets so many in total."""

    units: Count = MAX_SLOTS
    at_once: Count = 16
    attempts: Annotated[int, Field(ge=1, le=5)] = 2


class Groups(Strict):
    """A few first; the next group only when so many percent of the one before are good."""

    first: Count = 4
    next: Count = 16
    good_percent: Percent = 75


class CampaignBreaker(Strict):
    """The line's own circuit breaker with other limits for the time of the campaign.

    It stops when of the last `window` units, once there are `minimum`, fewer than `yield_percent`
    are good, or when `in_a_row` units fail one after the other, wherever they are. A slot in which
    `on_a_slot` attempts in a row fail is taken out of the line.
    """

    window: Annotated[int, Field(ge=1, le=1000)] = 20
    minimum: Annotated[int, Field(ge=1, le=1000)] = 10
    yield_percent: Percent = 80
    in_a_row: Annotated[int, Field(ge=2, le=MAX_SLOTS)] | None = 5
    on_a_slot: Annotated[int, Field(ge=1, le=5)] | None = 2

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.minimum > self.window:
            raise ValueError(f"minimum {self.minimum} is more than the window of {self.window}")
        return self


class Policy(Strict):
    """One campaign's file. `stop_at`: local time; nothing is started after it."""

    name: Annotated[str, AfterValidator(_name)]
    recipes: Annotated[tuple[RecipeName, ...], Field(min_length=1, max_length=64)]
    units: Units = Units()
    order: Literal["slot", "family"] = "slot"
    limits: CampaignLimits = CampaignLimits()
    groups: Groups = Groups()
    breaker: CampaignBreaker = CampaignBreaker()
    stop_at: Annotated[str, AfterValidator(_time)]
    resume: Literal["certain", "same_slot", "never"] = "certain"


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy and its identity for the record: digest and text of the file."""

    policy: Policy
    sha256: str
    text: str


def load_policy(folder: Path, name: str) -> LoadedPolicy:
    """The campaign of this name. Raises ConfigError with every problem of its file, UsageError for
    a name that none has."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{name[:64]!r} cannot be a campaign's name: letters, digits, . - _")
    known = {path.stem: path for path in recipe_files(folder, "campaign")}
    if name not in known:
        close = nearest(name, known)
        hint = f"nearest: {close!r}" if close else "there are: " + _some(list(known))
        raise UsageError(f"there is no campaign {name!r} in {folder} ({hint})")
    return parse_policy(known[name], read_bytes(known[name]))


def parse_policy(path: Path, data: bytes) -> LoadedPolicy:
    """The bytes of a campaign's file; `path` is what complaints name. Raises ConfigError."""
    return _parse(path, data)[0]


def _parse(path: Path, data: bytes) -> tuple[LoadedPolicy, Document]:
    document = parse_document(path, data)
    policy = read_model(document, Policy)
    problems = []
    if policy.name != path.stem:
        what = f"must be the file's name without its ending, {path.stem!r}"
        problems.append(document.problem(("name",), what))
    for place, recipe in enumerate(policy.recipes):
        if recipe in policy.recipes[:place]:
            what = f"the recipe {recipe!r} is listed twice"
            problems.append(document.problem(("recipes", place), what))
    if problems:
        raise refuse(problems)
    return LoadedPolicy(policy, hashlib.sha256(data).hexdigest(), document.text), document


def check_policies(folder: Path, recipes: Path, families: Families | None = None) -> list[str]:
    """Every problem of a folder's campaigns, and of the folder of recipes that they name; one
    sentence each, empty is good. Raises ConfigError if the campaigns cannot be listed."""
    problems: list[str] = []
    known: list[str] | None = None
    try:
        known = [loaded.recipe.name for loaded in load_recipes(recipes, families)]
    except ConfigError as error:
        problems += error.cause.splitlines()
    for path in recipe_files(folder, "campaign"):
        try:
            loaded, document = _parse(path, read_bytes(path))
        except ConfigError as error:
            problems += error.cause.splitlines()
        else:
            problems += [] if known is None else _unknown_recipes(loaded.policy, document, known)
    return problems


def _unknown_recipes(policy: Policy, document: Document, known: list[str]) -> Iterator[str]:
    for place, recipe in enumerate(policy.recipes):
        if recipe not in known:
            close = nearest(recipe, known)
            hint = f" (nearest: {close!r})" if close else ""
            yield document.problem(("recipes", place), f"there is no recipe {recipe!r}{hint}")


def stops_utc_us(policy: Policy, began_utc_us: int) -> int:
    """The first `stop_at` after a beginning, by the clock on the station's wall: microseconds, UTC.
    A day on which the clocks change is as long as it is; a time that comes twice on it stops what
    began between the two, and one that is left out is the earlier of its two readings."""
    began = datetime.fromtimestamp(began_utc_us / 1_000_000).astimezone()
    days = (began, began + timedelta(days=1))
    stops = (_on_day(day, policy.stop_at, fold) for day in days for fold in (0, 1))
    return round(min(stop for stop in stops if stop > began).timestamp() * 1_000_000)


def _on_day(day: datetime, clock: str, fold: int) -> datetime:
    at = time.fromisoformat(clock).replace(fold=fold)
    return datetime.combine(day.date(), at).astimezone()


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(sorted(names)[:SHOWN]) or "none") + more
