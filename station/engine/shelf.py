"""Opened packages, shared by all slots."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from station.config import LoadedRecipe
from station.disk import STORE_S, Disk, from_store
from station.errors import (
    FileChanged,
    PackageDigestMismatch,
    PackageMissing,
    StationError,
    StationOverdue,
    StoreError,
)
from station.firmware.manifest import Manifest
from station.firmware.package_store import PackageStore
from station.firmware.stored import StoredPackage
from station.model import PackageRef
from station.patience import LAST_WORD_S
from station.plan import FlashPlan, plan_package

T = TypeVar("T")

PREFLIGHT_S = 600.0
"""The first unit of a recipe waits for its package to be hashed and copied; so does whoever comes
after a file was touched."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a recipe needs, checked: the opened package and the plan made from it."""

    package: StoredPackage
    plan: FlashPlan
    ref: PackageRef


@dataclass(slots=True)
class _Opened:
    """What one recipe came to, good or bad. One thread at a time works on it, and what it finds
    stays even if nobody waits for it any more."""

    store: PackageStore
    recipe: LoadedRecipe
    known: Prepared | StationError | None = None
    is_whole: bool = False
    """Verified, and not seen touched since."""
    disk: Disk = field(default_factory=Disk)

    async def ask(self, work: Callable[[], T], patience_s: float) -> T:
        """Raises StationOverdue."""
        name = f"the package of the recipe {self.recipe.recipe.name}"
        return await from_store(self.disk, name, work, patience_s)

    def look(self) -> Prepared | None:
        """The package and plan, if no file was touched. Blocks."""
        known = self.known
        self.is_whole = isinstance(known, Prepared) and not known.package.is_touched()
        return known if isinstance(known, Prepared) and self.is_whole else None

    def prepare(self) -> Prepared:
        """Whatever it takes. Blocks. Raises as `Shelf.prepare`; trouble with the stored files is
        not remembered."""
        if isinstance(self.known, StationError):
            raise self.known
        if self.known is None:
            try:
                self.known = prepare_blocking(self.store, self.recipe)
            except (FileChanged, StoreError):
                raise
            except StationError as error:
                self.known = error
                raise
        else:
            self.known.package.recheck()
        self.is_whole = True
        return self.known

    def close(self) -> None:
        if isinstance(self.known, Prepared):
            self.known.package.close()


@dataclass(slots=True)
class Shelf:
    """Adds a recipe's package to the store when it is first used and keeps it open.

    What a recipe came to, good or bad, holds until `forget_failures`, or for good; but each use
    looks at the stored files again, and trouble with them is never remembered. A store that does
    not answer holds up nobody for longer than is said here, and no other recipe at all.
    """

    store: PackageStore
    _opened: dict[str, _Opened] = field(default_factory=dict)

    async def prepare(self, recipe: LoadedRecipe) -> Prepared:
        """The package and plan of a recipe; the first slot pays, the others wait.

        Raises PackageError (missing, incomplete, hostile, other digest, refused plan, or a stored
        file that was changed since), DiskTrouble, StationOverdue.
        """
        opened = self._opened.setdefault(recipe.ref.sha256, _Opened(self.store, recipe))
        if opened.is_whole:
            whole = await opened.ask(opened.look, STORE_S)
            if whole is not None:
                return whole
        return await opened.ask(opened.prepare, PREFLIGHT_S)

    async def prepare_all(self, recipes: Iterable[LoadedRecipe]) -> None:
        """Within the time that one of them may take: people wait for it. Raises as `prepare`."""
        try:
            with trio.fail_after(PREFLIGHT_S + LAST_WORD_S):
                for recipe in recipes:
                    await self.prepare(recipe)
        except trio.TooSlowError:
            raise StationOverdue(
                f"the packages were not looked through within {PREFLIGHT_S:g} s"
            ) from None

    def forget_failures(self) -> None:
        """What was missing or damaged may have been mended since."""
        for opened in self._opened.values():
            if isinstance(opened.known, StationError):
                opened.known = None

    async def keep(self, recipes: Iterable[LoadedRecipe]) -> None:
        """Close what belongs to other recipes. Only while no attempt runs. What a thread still
        works on stays; to close may take long, too, and is not waited for then."""
        kept = {recipe.ref.sha256 for recipe in recipes}
        for sha256 in self._resting() - kept:
            opened = self._opened.pop(sha256)
            with suppress(StationOverdue):
                await opened.ask(opened.close, STORE_S)

    def close(self) -> None:
        """At the end of the process, which closes what a thread still works on."""
        for sha256 in self._resting():
            self._opened.pop(sha256).close()

    def _resting(self) -> set[str]:
        return {sha256 for sha256, opened in self._opened.items() if not opened.disk.is_busy}


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
