"""Packages and recipes."""

from pathlib import Path

from station.commands.checks.finding import Grade
from station.commands.checks.packages import packages, recipes
from tests.commands.checks.conftest import Machine, found, only, wrong


def an_object(machine: Machine) -> Path:
    return next((machine.config.parent / "store/objects").glob("*/*"))


def test_all_is_as_it_was(machine: Machine) -> None:
    assert [finding.grade for finding in found(packages, machine)] == [Grade.OK] * 2
    assert [finding.grade for finding in found(recipes, machine)] == [Grade.OK] * 2


def test_one_bit_in_one_file(machine: Machine) -> None:
    damaged = max((machine.config.parent / "store/objects").glob("*/*"), key=_size)
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.chmod(0o644)
    damaged.write_bytes(data)
    findings = wrong(packages, machine)
    assert findings
    assert all("FILE CHANGED" in f.what or "CHANGED" in f.what for f in findings)
    assert damaged.name in findings[0].why


def _size(path: Path) -> int:
    return path.stat().st_size


def test_a_manifest_that_is_none(machine: Machine) -> None:
    manifest = next((machine.config.parent / "store/packages").glob("*.json"))
    manifest.chmod(0o644)
    manifest.write_text("{}")
    assert only(packages, machine).grade is Grade.BAD


def test_an_empty_store_and_a_package_beside_the_recipe(machine: Machine) -> None:
    (machine.config.parent / "store").rename(machine.root / "old")
    assert only(packages, machine).grade is Grade.WARN
    assert [f.what.endswith("not in the store yet") for f in found(recipes, machine)] == [True] * 2


def test_a_package_that_is_nowhere(machine: Machine) -> None:
    (machine.config.parent / "store").rename(machine.root / "old")
    (machine.config.parent / "packages").rename(machine.root / "gone")
    assert [f.grade for f in wrong(recipes, machine)] == [Grade.BAD] * 2
    assert not (machine.config.parent / "store").exists()


def test_a_recipe_with_a_mistake(machine: Machine) -> None:
    recipe = next((machine.config.parent / "recipes").glob("ec25*"))
    recipe.write_text(recipe.read_text().replace("revision: 1", "revison: 1"))
    findings = wrong(recipes, machine)
    assert any("revison" in finding.what for finding in findings)


def test_no_recipe(machine: Machine) -> None:
    for recipe in (machine.config.parent / "recipes").iterdir():
        recipe.unlink()
    assert only(recipes, machine).what == "no recipe"
