"""Flash, look, leave alone, or refuse; and which refusal comes first."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.config import LoadedRecipe
from station.errors import (
    ArrivedInTestMode,
    DefaultImei,
    DeviceError,
    DowngradeRefused,
    ForeignTac,
    FromVersionRefused,
    IdentityUnreadable,
    ImeiInvalid,
    RecipeError,
    StationError,
    VersionUnknown,
    WrongVariant,
)
from station.model import Failure, Outcome, Unit
from station.selection import Decision, check_tac, check_unit, check_variant, decide
from tests.selection.recipes import UNIT, VERSION, recipe

OLDER = UNIT
SAME = replace(UNIT, firmware=VERSION)
NEWER = replace(UNIT, firmware="EC25EFAR06A06M4G_01.003.01.003")
UNCLEAR = replace(UNIT, firmware="EC25EFAR06A06M4G")


def test_older_is_flashed() -> None:
    assert decide(recipe(), OLDER) is Decision.FLASH


@pytest.mark.parametrize(
    ("policy", "decision"),
    [
        ("verify", Decision.VERIFY_ONLY),
        ("reflash", Decision.FLASH),
        ("skip", Decision.SKIP),
    ],
)
def test_the_same_version(policy: str, decision: Decision) -> None:
    assert decide(recipe(same_version=policy), SAME) is decision


def test_newer_is_refused_unless_allowed() -> None:
    with pytest.raises(DowngradeRefused, match=r"01\.003\.01\.003, newer than .*01\.002"):
        decide(recipe(), NEWER)
    assert decide(recipe(downgrade="allow"), NEWER) is Decision.FLASH


def test_what_cannot_be_ordered_might_be_a_downgrade() -> None:
    with pytest.raises(VersionUnknown, match="nobody can tell which is newer"):
        decide(recipe(), UNCLEAR)
    assert decide(recipe(downgrade="allow"), UNCLEAR) is Decision.FLASH


def test_the_start_version() -> None:
    strict = recipe(allow_from=("EC25EFAR06A*", "EC25EFAR05A04*"))
    with pytest.raises(FromVersionRefused) as caught:
        decide(strict, OLDER)
    assert caught.value.cause == (
        "recipe ec25 does not start from EC25EFAR05A03M4G_01.001.01.001 "
        "(it starts from EC25EFAR06A*, EC25EFAR05A04*)"
    )
    with pytest.raises(FromVersionRefused, match=r"; run recipe ec25-base first$"):
        decide(recipe(allow_from=("X",), run_before="ec25-base"), OLDER)
    assert decide(recipe(allow_from=("X", "EC25EFAR05A0[1-3]*")), OLDER) is Decision.FLASH


@pytest.mark.parametrize(
    "firmware",
    [
        "EC25AFAR05A03M4G_01.001.01.001",
        "EC25EFAR05A03M2G_01.001.01.001",
        "EC25EFAR05A03_01.001.01.001",
        "RM500QGLAAR11A06M4G",
    ],
)
def test_another_hardware_is_never_flashed(firmware: str) -> None:
    loose = recipe(sku=("*",), downgrade="allow", same_version="reflash")
    with pytest.raises(WrongVariant, match="recipe ec25 is for EC25EFA M4G"):
        decide(loose, replace(UNIT, firmware=firmware))
    with pytest.raises(WrongVariant):
        check_variant(loose, replace(UNIT, firmware=firmware))


@pytest.mark.parametrize(
    ("unit", "error"),
    [
        (replace(UNIT, imei=None), IdentityUnreadable),
        (replace(UNIT, imei="863436050940777"), ImeiInvalid),
        (replace(UNIT, imei="86343605094077"), ImeiInvalid),
        (replace(UNIT, imei="0" * 15), DefaultImei),
        (replace(UNIT, imei="004999010640000"), DefaultImei),
        (replace(UNIT, functionality=5), ArrivedInTestMode),
    ],
)
def test_identity_first(unit: Unit, error: type[StationError]) -> None:
    with pytest.raises(error):
        check_unit(unit)
    with pytest.raises(error):
        decide(recipe(version="EC25AFAR06A06M4G"), unit)


def test_a_tac_is_foreign_where_each_recipe_for_the_sku_lists_others() -> None:
    unit = replace(UNIT, sku="EC25EFA")
    other = recipe("other", tac=("11111111",))
    for known in (
        [],
        [recipe()],
        [other, recipe()],
        [other, recipe("own", tac=(str(unit.tac),))],
        [recipe("rm500q", sku=("RM500Q*",), tac=("11111111",))],
    ):
        check_tac(known, unit)
    with pytest.raises(ForeignTac, match="TAC 86343605 is none"):
        check_tac([other, recipe("rm500q", sku=("RM500Q*",))], unit)
    with pytest.raises(ForeignTac):
        check_tac([other], replace(unit, imei=None))


def test_identity_that_is_enough() -> None:
    for functionality in (0, 1, 4):
        check_unit(Unit(imei="863436050940776", functionality=functionality))


def test_a_radio_state_that_is_not_told_is_not_a_good_one() -> None:
    with pytest.raises(IdentityUnreadable, match="CFUN"):
        check_unit(Unit(imei="863436050940776"))


@pytest.mark.parametrize(
    ("firmware", "error"),
    [(None, IdentityUnreadable), ("", IdentityUnreadable), ("EC25", VersionUnknown)],
)
def test_a_version_that_says_nothing(firmware: str | None, error: type[StationError]) -> None:
    with pytest.raises(error):
        decide(recipe(), replace(UNIT, firmware=firmware))


ORDER_OF_GUARDS = [
    (recipe(version="EC25AFAR06A06M4G"), replace(NEWER, functionality=5), ArrivedInTestMode),
    (recipe(version="EC25AFAR06A06M4G", allow_from=("X",)), NEWER, WrongVariant),
    (recipe(allow_from=("X",)), NEWER, FromVersionRefused),
    (recipe(), NEWER, DowngradeRefused),
]


@pytest.mark.parametrize(("loaded", "unit", "error"), ORDER_OF_GUARDS)
def test_the_deepest_reason_comes_first(
    loaded: LoadedRecipe, unit: Unit, error: type[StationError]
) -> None:
    with pytest.raises(error):
        decide(loaded, unit)


def test_the_same_version_is_good_wherever_the_recipe_starts() -> None:
    assert decide(recipe(allow_from=("X",)), SAME) is Decision.VERIFY_ONLY


@given(
    st.none() | st.text(max_size=20) | st.just(UNIT.imei),
    st.none() | st.text(max_size=40) | st.sampled_from([VERSION, UNIT.firmware, NEWER.firmware]),
    st.none() | st.integers(0, 9),
)
def test_any_unit_gets_a_decision_or_is_blocked(
    imei: str | None, firmware: str | None, functionality: int | None
) -> None:
    unit = Unit(imei=imei, firmware=firmware, functionality=functionality)
    outcome = None
    try:
        decide(recipe(), unit)
    except (DeviceError, RecipeError) as error:
        outcome = Failure.of(error).outcome
    healthy = (
        imei == UNIT.imei
        and functionality not in (None, 5)
        and firmware in (VERSION, UNIT.firmware)
    )
    assert outcome is (None if healthy else Outcome.BLOCKED)
