"""Complaints of a model in the user's words, and the nearest key at any depth."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from station.config.strict import Strict, known_keys, nearest, read_model
from station.config.yaml_lines import parse_document
from station.errors import ConfigError


class Leaf(Strict):
    colour: str = "red"


class Tree(Strict):
    leaf: Leaf | None = None
    leaves: Annotated[tuple[Leaf, ...], Field(max_length=9)] = ()
    named: dict[str, Annotated[Leaf, Field()]] = Field(default_factory=dict)
    even: Annotated[int, Field(multiple_of=2)] = 0


def cause(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_model(parse_document(Path("t.yaml"), text.encode()), Tree)
    return caught.value.cause


def test_known_keys_at_any_depth() -> None:
    assert known_keys(Tree, ()) == ("leaf", "leaves", "named", "even")
    for where in (("leaf",), ("leaves", 3), ("named", "x")):
        assert known_keys(Tree, where) == ("colour",)
    for where in (("even",), ("leaf", "colour"), ("nothing",), ("named",), ("even", "x")):
        assert known_keys(Tree, where) == ()


def test_unknown_keys() -> None:
    assert cause("leaves: [{}, {color: a}]").endswith(
        "key 'leaves[1].color': is not known here (nearest key: 'colour')"
    )
    assert cause("zzz: 1").endswith("(known keys: leaf, leaves, named, even)")


def test_a_rule_without_words_of_its_own() -> None:
    assert cause("even: 3") == "t.yaml:1: key 'even': Input should be a multiple of 2"


def test_problems_of_the_text_and_of_the_model_together() -> None:
    assert (
        cause("even: 1\neven: 2\nzz: 1").splitlines()[0].startswith("t.yaml:2: key 'even': is in")
    )
    assert len(cause("even: 1\neven: 2\nzz: 1").splitlines()) == 3
    assert len(cause("even: 2\neven: 2").splitlines()) == 1


def test_nearest() -> None:
    assert nearest("revison", ["revision", "name"]) == "revision"
    assert nearest("x" * 10_000, ["revision"]) is None
