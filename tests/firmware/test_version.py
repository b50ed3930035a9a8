"""Builds taken apart and ordered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import VersionUnknown, WrongVariant
from station.firmware.version import FirmwareVersion, Order, compare, same_hardware

OPPOSITE = {
    Order.OLDER: Order.NEWER,
    Order.NEWER: Order.OLDER,
    Order.SAME: Order.SAME,
    Order.UNCLEAR: Order.UNCLEAR,
}

sub_builds = st.none() | st.lists(st.integers(0, 400), min_size=1, max_size=6).map(tuple)


@st.composite
def builds(draw: st.DrawFn, variant: str = "EC25EFA", memory: str = "M4G") -> str:
    release, application = draw(st.integers(0, 99)), draw(st.integers(0, 99))
    sub = draw(sub_builds)
    tail = "" if sub is None else "_" + ".".join(f"{part:02}" for part in sub)
    return f"{variant}R{release:02}A{application:02}{memory}{tail}"


def test_takes_apart_what_a_module_reports() -> None:
    version = FirmwareVersion.parse("EC25EFAR06A06M4G_01.002.01.002")
    assert version.text == "EC25EFAR06A06M4G_01.002.01.002"
    assert version.model == "EC25"
    assert version.variant == "EC25EFA"
    assert (version.release, version.application) == (6, 6)
    assert version.memory == "M4G"
    assert version.sub_build == (1, 2, 1, 2)
    assert version.hardware == "EC25EFA M4G"


@pytest.mark.parametrize(
    ("text", "variant", "release", "application", "memory", "sub_build"),
    [
        ("EC25EFAR06A06M4G", "EC25EFA", 6, 6, "M4G", None),
        ("RM520NGLAAR01A08M4G_01.204.01.204", "RM520NGLAA", 1, 8, "M4G", (1, 204, 1, 204)),
        ("EG18EAPAR01A12M4G_01.001.01.001", "EG18EAPA", 1, 12, "M4G", (1, 1, 1, 1)),
        ("EC200ACNLBR01A13M16", "EC200ACNLB", 1, 13, "M16", None),
        ("RG501QEUAAR12A11M4G", "RG501QEUAA", 12, 11, "M4G", None),
        ("BG95M3LAR02A04", "BG95M3LA", 2, 4, "", None),
    ],
)
def test_builds_of_several_families(
    text: str,
    variant: str,
    release: int,
    application: int,
    memory: str,
    sub_build: tuple[int, ...] | None,
) -> None:
    version = FirmwareVersion.parse(text)
    assert (version.variant, version.release, version.application) == (
        variant,
        release,
        application,
    )
    assert (version.memory, version.sub_build) == (memory, sub_build)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "EC25",
        "ec25efar06a06m4g",
        "EC25EFAR06A06M4G_",
        "EC25EFAR06A06M4G_01.",
        "EC25EFAR06A06M4G\n",
        "EC25EFAR\u0660\u0666A06M4G",
        "SIM7600M22_V2.0",
        "SWI9X30C_02.24.05.06",
        "E" * 10_000 + "R06A06M4G",
    ],
)
def test_anything_else_is_unknown(text: str) -> None:
    with pytest.raises(VersionUnknown):
        FirmwareVersion.parse(text)


@given(st.text() | builds().flatmap(lambda b: st.text(max_size=8).map(lambda t: b + t)))
def test_garbage_parses_or_is_unknown(text: str) -> None:
    try:
        said = FirmwareVersion.parse(text).text
    except VersionUnknown as error:
        said = error.cause
    assert said == text or "is not a Quectel build" in said


@given(builds())
def test_a_build_keeps_its_parts(text: str) -> None:
    version = FirmwareVersion.parse(text)
    assert version.hardware == "EC25EFA M4G"
    rebuilt = f"EC25EFAR{version.release:02}A{version.application:02}M4G"
    assert text.split("_")[0] == rebuilt


@pytest.mark.parametrize(
    ("version", "other", "order"),
    [
        ("EC25EFAR05A09M4G", "EC25EFAR06A01M4G", Order.OLDER),
        ("EC25EFAR06A10M4G", "EC25EFAR06A09M4G", Order.NEWER),
        ("EC25EFAR06A06M4G_01.002.01.002", "EC25EFAR06A06M4G_01.002.01.002", Order.SAME),
        ("EC25EFAR06A06M4G_01.009.01.009", "EC25EFAR06A06M4G_01.010.01.010", Order.OLDER),
        ("EC25EFAR06A06M4G_02.001.01.001", "EC25EFAR06A06M4G_01.010.01.010", Order.NEWER),
        ("EC25EFAR06A06M4G", "EC25EFAR06A06M4G", Order.SAME),
        # a sub-build on one side only, or one that goes on where the other ends
        ("EC25EFAR06A06M4G", "EC25EFAR06A06M4G_01.002.01.002", Order.UNCLEAR),
        ("EC25EFAR06A06M4G_01.002", "EC25EFAR06A06M4G_01.002.01.002", Order.UNCLEAR),
        # which does not matter when release or application differ
        ("EC25EFAR06A05M4G", "EC25EFAR06A06M4G_01.002.01.002", Order.OLDER),
    ],
)
def test_order_within_one_hardware(version: str, other: str, order: Order) -> None:
    a, b = FirmwareVersion.parse(version), FirmwareVersion.parse(other)
    assert compare(a, b) is order
    assert compare(b, a) is OPPOSITE[order]


@given(builds(), builds(), builds())
def test_order_is_consistent(a: str, b: str, c: str) -> None:
    first, second, third = (FirmwareVersion.parse(text) for text in (a, b, c))
    assert compare(first, first) is Order.SAME
    assert compare(second, first) is OPPOSITE[compare(first, second)]
    if compare(first, second) is compare(second, third) is Order.OLDER:
        assert compare(first, third) in (Order.OLDER, Order.UNCLEAR)
        releases = [(v.release, v.application) for v in (first, second, third)]
        assert releases == sorted(releases)


@given(
    builds(),
    builds(variant="EC25AFA") | builds(memory="M2G") | builds(memory=""),
)
def test_no_order_across_hardware(here: str, there: str) -> None:
    a, b = FirmwareVersion.parse(here), FirmwareVersion.parse(there)
    assert not same_hardware(a, b)
    with pytest.raises(WrongVariant, match=b.variant):
        compare(a, b)
