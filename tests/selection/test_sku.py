"""Where the SKU comes from, and when label and module disagree."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import LabelMismatch
from station.model import Unit
from station.selection import sku_of
from tests.selection.recipes import UNIT


def test_without_a_label_the_variant_is_the_sku() -> None:
    unit = sku_of(UNIT, None)
    assert (unit.sku, unit.sku_source) == ("EC25EFA", "firmware")
    assert replace(unit, sku=None, sku_source=None) == UNIT
    assert sku_of(UNIT, "  ") == unit


@pytest.mark.parametrize("firmware", [None, "", "SIM7600M22_V2.0"])
def test_without_both_nothing_changes(firmware: str | None) -> None:
    unit = replace(UNIT, firmware=firmware)
    assert sku_of(unit, None) == unit
    known = replace(unit, sku="EC25EFA", sku_source="record")
    assert sku_of(known, None) == known


@pytest.mark.parametrize(
    ("label", "firmware", "sku"),
    [
        ("EC25EFA", UNIT.firmware, "EC25EFA"),
        (" ec25-efa ", UNIT.firmware, "EC25-EFA"),
        ("EC25-EFA-512-STD", UNIT.firmware, "EC25-EFA-512-STD"),
        ("EC25EFAR06A06M4G", UNIT.firmware, "EC25EFAR06A06M4G"),
        ("EC25", UNIT.firmware, "EC25"),
        ("RM520N-GL", "RM520NGLAAR01A08M4G_01.204.01.204", "RM520N-GL"),
        ("ACME 4711", None, "ACME 4711"),
        ("ACME 4711", "cannot be parsed", "ACME 4711"),
    ],
)
def test_a_label_that_agrees_wins(label: str, firmware: str | None, sku: str) -> None:
    unit = sku_of(replace(UNIT, firmware=firmware), label)
    assert (unit.sku, unit.sku_source) == (sku, "operator")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("EC25-AFA", "the label says EC25-AFA, the module says it is EC25EFA"),
        ("EC25-EU", "the label says EC25-EU"),
        ("RM500Q-GL", "the label says RM500Q-GL"),
        ("ACME 4711", "the label says ACME 4711"),
        ("XEC25EFA", "the label says XEC25EFA"),
        ("EC2", "too short"),
        ("E-C-2-", "too short"),
        ("----", "too short"),
        ("EC25\x00EFA", "not a readable SKU"),
        ("EC25EFA" * 20, "not a readable SKU"),
    ],
)
def test_a_label_that_disagrees(label: str, said: str) -> None:
    with pytest.raises(LabelMismatch) as caught:
        sku_of(UNIT, label)
    assert said in caught.value.cause
    assert len(caught.value.cause) < 200


@given(st.text(max_size=80), st.none() | st.text(max_size=40) | st.just(UNIT.firmware))
def test_any_label_and_any_build(label: str, firmware: str | None) -> None:
    unit = Unit(firmware=firmware)
    try:
        found = sku_of(unit, label)
    except LabelMismatch:
        return
    assert found.sku_source in ("operator", "firmware", None)
    assert (found.sku is None) == (found.sku_source is None)
    if found.sku_source == "operator":
        assert found.sku == label.strip().upper()
