"""Every package of the store, hashed again; every recipe and the package it needs."""

from collections.abc import Iterator

from station.commands.checks.finding import Finding, bad, ok, warn
from station.commands.checks.ground import Ground
from station.config import LoadedRecipe, check_recipes, load_recipes
from station.errors import PackageMissing, StationError
from station.firmware.manifest import Manifest
from station.firmware.package_store import PackageStore

_ADD_AGAIN = "Put it in again from the release: `station package add RELEASE`."


def packages(ground: Ground) -> Iterator[Finding]:
    """All bytes of the store against the digests they were kept under."""
    store = PackageStore(ground.settings.store)
    try:
        manifests = store.list()
    except StationError as error:
        yield _broken(error, store)
        return
    if not manifests:
        yield warn(
            "no package in the store",
            store.root,
            why="the first module of a recipe waits until its package is copied and hashed",
            remedy="station package add RELEASE",
        )
    for manifest in manifests:
        yield _rehashed(store, manifest)


def _rehashed(store: PackageStore, manifest: Manifest) -> Finding:
    try:
        store.open(manifest.sha256).close()
    except StationError as error:
        return _broken(error, store, f"package {manifest.name}: ")
    megabytes = sum(file.length_bytes for file in manifest.files) >> 20
    words = f"package {manifest.name} is what it was: {len(manifest.files)} files, {megabytes} MB"
    return ok(words, manifest.sha256[:12])


def _broken(error: StationError, store: PackageStore, what: str = "") -> Finding:
    return bad(
        f"{what}{error.code} {error.headline}",
        store.root,
        why=error.cause,
        remedy=f"{_ADD_AGAIN} If it happens again, replace the disk.",
    )


def recipes(ground: Ground) -> Iterator[Finding]:
    """What `station recipe check` finds, and whether each recipe's package is at hand."""
    folder = ground.settings.recipes
    problems = check_recipes([folder], ground.families)
    for problem in problems:
        yield bad(
            problem,
            folder,
            why="the engine does not start",
            remedy="Mend the recipe: see the line.",
        )
    if problems:
        return
    try:
        loaded = load_recipes(folder, ground.families)
    except StationError as error:
        yield bad(error.headline, folder, why=error.cause, remedy=error.remedy)
        return
    if not loaded:
        yield bad(
            "no recipe",
            folder,
            why="no module can be flashed",
            remedy="Write one; examples are in config/recipes.",
        )
    store = PackageStore(ground.settings.store)
    for recipe in loaded:
        yield _package_of(recipe, store)


def _package_of(recipe: LoadedRecipe, store: PackageStore) -> Finding:
    """Only looked for: the engine would copy it into the store."""
    firmware = recipe.recipe.firmware
    name = f"recipe {recipe.recipe.name}"
    try:
        manifest = store.find(firmware.sha256 or firmware.package)
    except PackageMissing as error:
        if recipe.package_path.exists():
            return ok(f"{name}: its package is not in the store yet", recipe.package_path)
        return bad(
            f"{name}: {error.headline}",
            recipe.path,
            why=error.cause,
            remedy="station package add RELEASE",
        )
    except StationError as error:
        return bad(f"{name}: {error.headline}", recipe.path, why=error.cause, remedy=error.remedy)
    return ok(f"{name}: its package is in the store", manifest.name)
