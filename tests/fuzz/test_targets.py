"""Every target over its corpus, and over sound messages that were damaged."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import CORPUS, all_seeds
from tests.fuzz.targets import TARGETS, Target

by_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


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


@by_target
def test_each_parser_accepts_something_of_its_corpus(target: Target) -> None:
    """Else its checks of what was accepted would never be made."""
    for parser in target.parsers:
        assert any(_accepts(parser.run, data) for data in target.seeds()), parser.run.__name__


def _accepts(run: object, data: bytes) -> bool:
    assert callable(run)
    try:
        run(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no acceptance
        return isinstance(error, AssertionError)
    return True


@by_target
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # checksums made right again
@given(data=st.data())
def test_damaged_messages_raise_nothing_but_what_is_allowed(
    target: Target, data: st.DataObject
) -> None:
    rngs = st.randoms(use_true_random=False)
    target.check(data.draw(rngs.map(target.damaged), label="damaged"))


@by_target
@settings(deadline=None, max_examples=40)
@given(garbage=st.binary(max_size=400))
def test_garbage_raises_nothing_but_what_is_allowed(target: Target, garbage: bytes) -> None:
    target.check(garbage)
