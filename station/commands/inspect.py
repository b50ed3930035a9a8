"""Commands with a short answer: plan, recipe, package."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from station.commands.exits import Exit, leave, say, show
from station.config import Families, LoadedRecipe, Settings, load_families, load_recipes
from station.config import check_recipes as lint_recipes
from station.engine.shelf import prepare_blocking
from station.errors import StationError
from station.firmware.manifest import Manifest
from station.firmware.package import check
from station.firmware.package_store import PackageStore
from station.model import Unit, imei_is_valid
from station.selection import decide, explain_match, recipe_named, sku_of


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes to stdout, and the exit code."""

    text: str
    code: Exit = Exit.GOOD


def tell(answer: Answer) -> None:
    """Onto stdout; ends the program unless it is good."""
    show(answer.text)
    if answer.code is not Exit.GOOD:
        leave(answer.code)


def plan(settings: Settings, recipe_name: str, *, as_json: bool) -> Answer:
    """The plan of a recipe, made from its package. Raises RecipeError, PackageError."""
    recipe = recipe_named(_recipes(settings), recipe_name)
    prepared = prepare_blocking(PackageStore(settings.store), recipe)
    with closing(prepared.package):
        return Answer(prepared.plan.to_json() if as_json else prepared.plan.describe())


def recipe_check(paths: list[Path], families: Families | None = None) -> Answer:
    """Every problem of every recipe file, in words."""
    problems = lint_recipes(paths, families)
    if problems:
        return Answer("\n".join(problems), Exit.VERDICT)
    return Answer("no problems found")


def recipes_check(settings: Settings) -> Answer:
    """The same for the recipes of the line; whose package is nowhere is told on stderr."""
    answer = recipe_check([settings.recipes], load_families(settings.families))
    if answer.code is Exit.GOOD:
        for recipe in _recipes(settings):
            _note_missing_package(PackageStore(settings.store), recipe)
    return answer


def _note_missing_package(store: PackageStore, loaded: LoadedRecipe) -> None:
    firmware = loaded.recipe.firmware
    try:
        if not loaded.package_path.exists():
            store.find(firmware.sha256 or firmware.package)
    except (StationError, OSError) as error:
        _note(f"{loaded.path}: {error}; put it there with `station package add RELEASE`")


def recipe_match(settings: Settings, unit: Unit, label: str | None) -> Answer:
    """Which recipe a unit of this identity would get, and why not the others."""
    recipes = _recipes(settings)
    lines: list[str] = []
    if unit.imei is not None and not imei_is_valid(unit.imei):
        return Answer(f"BLOCKED: {unit.imei!r} is not an IMEI", Exit.VERDICT)
    try:
        unit = sku_of(unit, label)
    except StationError as error:
        return Answer(f"BLOCKED {error.code}: {error.cause}", Exit.VERDICT)
    matching: list[str] = []
    for recipe, matched, reasons in explain_match(recipes, unit):
        lines.append(f"{'+' if matched else '-'} {recipe}: {'; '.join(reasons)}")
        if matched:
            matching.append(recipe)
    if len(matching) != 1:
        lines.append(f"BLOCKED: {len(matching)} recipes match, exactly one must")
        return Answer("\n".join(lines), Exit.VERDICT)
    if unit.imei is None or unit.firmware is None:
        lines.append("with --imei and --firmware: whether it would be flashed")
        return Answer("\n".join(lines))
    try:
        decision = decide(recipe_named(recipes, matching[0]), unit)
        lines.append(f"{matching[0]}: {decision.value}")
    except StationError as error:
        lines.append(f"BLOCKED {error.code}: {error.cause}")
        return Answer("\n".join(lines), Exit.VERDICT)
    return Answer("\n".join(lines))


def _recipes(settings: Settings) -> tuple[LoadedRecipe, ...]:
    return load_recipes(settings.recipes, load_families(settings.families))


def package_add(settings: Settings, path: Path) -> Answer:
    manifest = PackageStore(settings.store).add(path, _note)
    return Answer(_package_line(manifest))


def package_check(path: Path) -> Answer:
    """Check a package without storing it; extra files are told on stderr."""
    report = check(path)
    for warning in report.warnings:
        _note(warning)
    return Answer(_package_line(report.manifest))


def package_list(settings: Settings) -> Answer:
    return Answer("\n".join(map(_package_line, PackageStore(settings.store).list())))


def _note(text: str) -> None:
    say(f"note: {text}")


def _package_line(manifest: Manifest) -> str:
    size = sum(file.length_bytes for file in manifest.files)
    return f"{manifest.sha256}  {size:>12}  {len(manifest.files):>4} files  {manifest.name}"
