"""A recipe's package: from the store, from where it lies, by its name, or refused."""

import shutil
from pathlib import Path

import pytest
import yaml

from station.config import load_recipe
from station.engine.shelf import Prepared, Shelf, prepare_blocking
from station.errors import PackageDigestMismatch, PackageMissing, PlanRefused
from station.firmware.manifest import Manifest
from station.firmware.package_store import PackageStore
from tests.engine.tray import make_line


def prepare(folder: Path, **firmware: str | None) -> Prepared:
    """What the demo's recipe gets, with some of its firmware keys changed (None: left out)."""
    make_line(folder)
    path = folder / "recipes" / "ec25-demo.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["firmware"] |= firmware
    recipe["firmware"] = {k: v for k, v in recipe["firmware"].items() if v is not None}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return prepare_blocking(PackageStore(folder / "store"), load_recipe(path))


def package_of(folder: Path) -> Manifest:
    """The EC25 package in the store."""
    (found,) = [m for m in PackageStore(folder / "store").list() if m.name.startswith("EC25")]
    return found


def test_a_pinned_package_needs_only_the_store(tmp_path: Path) -> None:
    make_line(tmp_path)
    shutil.rmtree(tmp_path / "packages")
    recipe = load_recipe(tmp_path / "recipes" / "ec25-demo.yaml")
    prepared = prepare_blocking(PackageStore(tmp_path / "store"), recipe)
    assert prepared.ref.sha256 == recipe.recipe.firmware.sha256
    prepared.package.close()


def test_without_a_digest_the_path_is_taken_and_stored(tmp_path: Path) -> None:
    make_line(tmp_path)
    shutil.rmtree(tmp_path / "store")
    prepared = prepare(tmp_path, sha256=None)
    prepared.package.close()
    stored = package_of(tmp_path)
    assert stored.sha256 == prepared.ref.sha256


def test_a_name_finds_the_package_in_the_store(tmp_path: Path) -> None:
    make_line(tmp_path)
    stored = package_of(tmp_path)
    prepared = prepare(tmp_path, sha256=None, package=stored.name)
    prepared.package.close()
    assert prepared.ref.sha256 == stored.sha256


def test_other_bytes_than_the_recipe_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageDigestMismatch, match="ec25-demo wants 00000000"):
        prepare(tmp_path, sha256="0" * 64)


def test_a_package_that_is_nowhere_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PackageMissing, match="nowhere"):
        prepare(tmp_path, sha256=None, package="nowhere")


def test_a_package_without_partition_table_is_closed_and_refused(tmp_path: Path) -> None:
    make_line(tmp_path)
    (package,) = (tmp_path / "packages").glob("EC25*")
    for table in package.rglob("partition_complete*"):
        table.unlink()
    for text in (package / "md5.txt", *package.rglob("rawprogram*")):
        kept = [ln for ln in text.read_text().splitlines() if "partition_complete" not in ln]
        text.write_text("\r\n".join(kept) + "\r\n")
    # The rawprogram changed, so its line must go too: an unlisted file is only a warning.
    md5 = package / "md5.txt"
    kept = [line for line in md5.read_text().splitlines() if "rawprogram" not in line]
    md5.write_text("\r\n".join(kept) + "\r\n")
    with pytest.raises(PlanRefused, match="calibration cannot be protected"):
        prepare_again(tmp_path, package)


def prepare_again(folder: Path, package: Path) -> None:
    path = folder / "recipes" / "ec25-demo.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    del recipe["firmware"]["sha256"]
    recipe["firmware"]["package"] = str(package)
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    prepare_blocking(PackageStore(folder / "store"), load_recipe(path))


@pytest.mark.trio
async def test_slots_share_one_opened_package(tmp_path: Path) -> None:
    make_line(tmp_path)
    shelf = Shelf(PackageStore(tmp_path / "store"))
    recipe = load_recipe(tmp_path / "recipes" / "ec25-demo.yaml")
    first, second = await shelf.prepare(recipe), await shelf.prepare(recipe)
    assert first is second
    shelf.close()
