"""Exactly one recipe, or the reason why not."""

from dataclasses import replace

import pytest

from station.errors import AmbiguousRecipe, NoRecipe, UsageError
from station.selection import Explanation, explain_match, match_recipe, recipe_named, sku_of
from tests.selection.recipes import UNIT, recipe

EFA = recipe("ec25-efa")
AFA = recipe("ec25-afa", sku=("EC25AFA*", "EC25-AFA*"))
OUR_TAC = recipe("our-tac", sku=("*",), tac=("86343605",))
OTHER_TAC = recipe("other-tac", sku=("*",), tac=("35000000", "35000001"))

MODULE = sku_of(UNIT, None)


def test_the_one_that_fits() -> None:
    assert match_recipe((AFA, EFA), MODULE) is EFA
    assert match_recipe((AFA, OTHER_TAC, OUR_TAC), MODULE) is OUR_TAC
    assert match_recipe((AFA, EFA), sku_of(replace(UNIT, firmware=None), "ec25-afa")) is AFA


def test_patterns_mind_capitals_and_the_whole_sku() -> None:
    exact = recipe("exact", sku=("EC25E?A",))
    assert match_recipe((exact,), MODULE) is exact
    for sku in ("EC25EFAX", "XEC25EFA", "ec25efa"):
        with pytest.raises(NoRecipe):
            match_recipe((exact,), replace(MODULE, sku=sku))


def test_none_fits_and_why() -> None:
    with pytest.raises(NoRecipe) as caught:
        match_recipe((AFA, OTHER_TAC), MODULE)
    assert caught.value.cause == (
        "no recipe matches SKU EC25EFA, TAC 86343605: "
        "ec25-afa: SKU EC25EFA matches none of EC25AFA*, EC25-AFA*; any TAC | "
        "other-tac: SKU EC25EFA matches *; TAC 86343605 is not listed"
    )


def test_no_recipes_at_all() -> None:
    with pytest.raises(NoRecipe, match="there are no recipes"):
        match_recipe((), MODULE)


def test_an_unknown_unit_matches_nothing() -> None:
    nobody = replace(UNIT, imei=None, firmware=None)
    with pytest.raises(NoRecipe, match="SKU unknown, TAC unknown"):
        match_recipe((EFA, OUR_TAC), nobody)
    # not even a recipe for every SKU: it must be known
    with pytest.raises(NoRecipe, match="the SKU is not known"):
        match_recipe((recipe("any", sku=("*",)),), nobody)


def test_many_refusals_are_cut() -> None:
    many = tuple(recipe(f"r{i}", sku=("X",)) for i in range(50))
    with pytest.raises(NoRecipe, match=r"and 42 more$"):
        match_recipe(many, MODULE)


def test_two_fit() -> None:
    with pytest.raises(AmbiguousRecipe, match=r"SKU EC25EFA, TAC 86343605: ec25-efa, our-tac$"):
        match_recipe((EFA, AFA, OUR_TAC), MODULE)


def test_a_named_recipe_must_fit_too() -> None:
    assert match_recipe((EFA, OUR_TAC), MODULE, only="our-tac") is OUR_TAC
    with pytest.raises(NoRecipe, match="ec25-afa: SKU EC25EFA matches none"):
        match_recipe((EFA, AFA), MODULE, only="ec25-afa")


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"no recipe 'ec25-ef' \(nearest: 'ec25-efa'\)"):
        match_recipe((EFA, AFA), MODULE, only="ec25-ef")
    with pytest.raises(UsageError, match=r"no recipe 'zzz'$"):
        recipe_named((EFA,), "zzz")
    assert recipe_named((EFA, AFA), "ec25-afa") is AFA


def test_explained() -> None:
    assert explain_match((EFA, OTHER_TAC), MODULE) == [
        Explanation("ec25-efa", True, ("SKU EC25EFA matches EC25EFA*", "any TAC")),
        Explanation("other-tac", False, ("SKU EC25EFA matches *", "TAC 86343605 is not listed")),
    ]
    (why,) = explain_match((OUR_TAC,), replace(MODULE, imei=None))
    assert why.reasons[1].startswith("the IMEI is not known")
