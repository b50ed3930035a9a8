"""Every target over its corpus, and over sound messages that were damaged."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import CORPUS, all_seeds
from tests.fuzz.targets import TARGETS, Parser, Target

by_target = pytest.mark.parametrize("target", TARGETS, ids=repr)
by_parser = pytest.mark.parametrize(
    ("target", "parser"), [(t, parser) for t in TARGETS for parser in t.parsers], ids=repr
)


def test_every_corpus_belongs_to_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == {target.name for target in TARGETS}


@by_target
def test_the_seeds_in_the_corpus_are_those_composed(target: Target) -> None:
    for name, data in all_seeds()[target.name].items():
        assert (target.corpus / name).read_bytes() == data, f"run tests.fuzz.seeds: {name}"


@by_target
def test_the_corpus_raises_nothing_but_what_is_allowed(target: Target) -> None:
    for data in target.seeds():
        target.check(data)


@by_parser
def test_each_parser_accepts_something_of_its_corpus(target: Target, parser: Parser) -> None:
    """Else its checks of what was accepted would never be made."""
    assert any(map(parser.accepts, target.seeds()))


@by_parser
def test_some_of_what_is_damaged_is_accepted(target: Target, parser: Parser) -> None:
    """It gets beyond the first check of each parser."""
    rng = Random(1)
    assert sum(parser.accepts(target.damaged(rng, parser)) for _ in range(100)) >= 10


@by_parser
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # checksums made right again
@given(data=st.data())
def test_damaged_messages_raise_nothing_but_what_is_allowed(
    target: Target, parser: Parser, data: st.DataObject
) -> None:
    rngs = st.randoms(use_true_random=False)
    damaged = rngs.map(lambda rng: target.damaged(rng, parser))
    target.check(data.draw(damaged, label="damaged"))


@by_target
@settings(deadline=None, max_examples=40)
@given(garbage=st.binary(max_size=400))
def test_garbage_raises_nothing_but_what_is_allowed(target: Target, garbage: bytes) -> None:
    target.check(garbage)
