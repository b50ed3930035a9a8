"""Damages to a tree of values, as JSON and YAML write it: what comes of it is well-formed again and
says something else."""

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import yaml

from tests.fuzz.mutate import Damage, Words

Load = Callable[[bytes], Any]
"""Whatever it raises, it is no such text then."""
Dump = Callable[[Any], bytes]

_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1 << 31, 1 << 63, 10**400, 0.5, 1e308, "", " ", "0", "no", "A1",
    "x" * 300, "a\nb", "\0", "\x1b[2J", "\u202e", "\ud800", "é", [], {}, [[]], {"": 0},
)  # fmt: skip

Holder = Any
"""A dict or a list."""
Place = tuple[Holder, Any]


def by_tree(load: Load, dump: Dump) -> tuple[Damage, ...]:
    def damaging(change: Callable[[Random, list[Place]], None]) -> Damage:
        def damage(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
            try:
                tree = [load(data)]
                change(rng, list(_places(tree)))
                return dump(*tree)
            except Exception:  # noqa: BLE001 - a text that is none, a value that none can hold
                return data

        return damage

    return tuple(map(damaging, _CHANGES))


def json_trees() -> tuple[Damage, ...]:
    return by_tree(json.loads, lambda tree: json.dumps(tree).encode())


def json_lines() -> tuple[Damage, ...]:
    """One value to a line."""
    return by_tree(load_lines, dump_lines)


def yaml_trees() -> tuple[Damage, ...]:
    return by_tree(yaml.safe_load, _yaml)


def load_lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def dump_lines(values: list[Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


class _Dumper(yaml.SafeDumper):
    """Quotes all text: what is taken for a number differs from reader to reader."""


_Dumper.add_representer(str, lambda d, text: d.represent_scalar("tag:yaml.org,2002:str", text, '"'))


def _yaml(tree: Any) -> bytes:  # noqa: ANN401 - any value
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text.encode(errors="replace")


# --- changes ----------------------------------------------------------------------------------


def _places(holder: Holder) -> Iterator[Place]:
    for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])


def _nudge(rng: Random, places: list[Place]) -> None:
    """A value, to one that is like it."""
    leaves = [(h, key) for h, key in places if not isinstance(h[key], dict | list)]
    if leaves:
        holder, key = rng.choice(leaves)
        holder[key] = _like(rng, holder[key])


def _like(rng: Random, value: Any) -> Any:  # noqa: ANN401 - any value
    match value:
        case bool():
            return not value
        case int() | float():
            return rng.choice((value + 1, value - 1, value * 2, value // 2, -value))
        case str():
            at = rng.randint(0, len(value))
            return value[:at] + rng.choice(("", "0", "a", "-", ".", value[:1])) + value[at + 1 :]
        case _:
            return value


def _odd(rng: Random, places: list[Place]) -> None:
    holder, key = rng.choice(places)
    holder[key] = copy.deepcopy(rng.choice(_ODD))


def _drop(rng: Random, places: list[Place]) -> None:
    holder, key = rng.choice(places[1:] or places)
    del holder[key]


def _double(rng: Random, places: list[Place]) -> None:
    """An entry of a list once more, a key under another name."""
    holder, key = rng.choice(places[1:] or places)
    value = copy.deepcopy(holder[key])
    if isinstance(holder, list):
        holder.insert(key, value)
    else:
        holder[f"{key}{rng.choice('x2_')}"] = value


def _exchange(rng: Random, places: list[Place]) -> None:
    """Two values that have their places, at best alike ones, from each other."""
    holder, key = rng.choice(places)
    alike = [(h, k) for h, k in places if type(h[k]) is type(holder[key])]
    theirs, their_key = rng.choice(alike)
    mine, other = copy.deepcopy(holder[key]), copy.deepcopy(theirs[their_key])
    theirs[their_key] = mine
    holder[key] = other


_CHANGES = (_nudge, _nudge, _nudge, _exchange, _exchange, _drop, _drop, _double, _odd)
"""Most leave it something that may be accepted."""
