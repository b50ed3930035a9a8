"""Opened packages, shared by all slots."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import trio

from station.config import LoadedRecipe
from station.errors import (
    FileChanged,
    PackageDigestMismatch,
    PackageMissing,
    StationError,
    StoreError,
)
from station.firmware.manifest import Manifest
from station.firmware.package_store import PackageStore
from station.firmware.stored import StoredPackage
from station.model import PackageRef
from station.plan import FlashPlan, plan_package

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a recipe needs, checked: the opened package and the plan made from it."""

    package: StoredPackage
    plan: FlashPlan
    ref: PackageRef


@dataclass(slots=True)
class Shelf:
    """Adds a recipe's package to the store when it is first used and keeps it open.

    What a recipe came to, good or bad, holds until `forget_failures`, or for good; but each use
    looks at the stored files again, and trouble with them is never remembered.
    """

    store: PackageStore
    _prepared: dict[str, Prepared | StationError] = field(default_factory=dict)
    _lock: trio.Lock = field(default_factory=trio.Lock)
    _hashing: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(2))

    async def prepare(self, recipe: LoadedRecipe) -> Prepared:
        """The package and plan of a recipe; the first slot pays, the others wait.

        Raises PackageError (missing, incomplete, hostile, other digest, refused plan, or a stored
        file that was changed since), DiskTrouble.
        """
        async with self._lock:
            known = self._prepared.get(recipe.ref.sha256)
            if known is None:
                known = await self._in_thread(partial(_try_blocking, self.store, recipe))
                if not isinstance(known, FileChanged | StoreError):
                    self._prepared[recipe.ref.sha256] = known
            elif isinstance(known, Prepared):
                await self._in_thread(known.package.recheck)
        if isinstance(known, StationError):
            raise known
        return known

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._hashing)

    def forget_failures(self) -> None:
        """What was missing or damaged may have been mended since."""
        self._prepared = {
            sha256: prepared
            for sha256, prepared in self._prepared.items()
            if isinstance(prepared, Prepared)
        }

    def keep(self, recipes: Iterable[LoadedRecipe]) -> None:
        """Close what belongs to other recipes. Only while no attempt runs."""
        kept = {recipe.ref.sha256 for recipe in recipes}
        for sha256, prepared in list(self._prepared.items()):
            if sha256 not in kept and isinstance(prepared, Prepared):
                prepared.package.close()
                del self._prepared[sha256]

    def close(self) -> None:
        for prepared in self._prepared.values():
            if isinstance(prepared, Prepared):
                prepared.package.close()
        self._prepared.clear()


def _try_blocking(store: PackageStore, recipe: LoadedRecipe) -> Prepared | StationError:
    try:
        return prepare_blocking(store, recipe)
    except StationError as error:
        return error


def prepare_blocking(store: PackageStore, recipe: LoadedRecipe) -> Prepared:
    """Package into the store, opened and verified there; plan made and checked."""
    manifest = _manifest(store, recipe)
    wanted = recipe.recipe.firmware.sha256
    if wanted is not None and manifest.sha256 != wanted:
        raise PackageDigestMismatch(
            f"{recipe.package_path} has the digest {manifest.sha256}, "
            f"recipe {recipe.recipe.name} wants {wanted}"
        )
    package = store.open(manifest.sha256)
    try:
        plan = plan_package(recipe.recipe, package)
    except BaseException:
        package.close()
        raise
    return Prepared(package, plan, PackageRef(manifest.name, manifest.sha256, manifest.files))


def _manifest(store: PackageStore, recipe: LoadedRecipe) -> Manifest:
    """By its digest if the store has it, else from where the recipe says, else by its name."""
    firmware = recipe.recipe.firmware
    if firmware.sha256 is not None:
        with suppress(PackageMissing):
            return store.find(firmware.sha256)
    if recipe.package_path.exists():
        return store.add(recipe.package_path)
    return store.find(firmware.package)
