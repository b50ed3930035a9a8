"""Recipe files: read, and held against each other and against the families."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from station.config.families import Families, load_families
from station.config.recipes import PROCEDURES, LoadedRecipe, QuectelEdlRecipe, Recipe
from station.config.strict import nearest, read_model
from station.config.yaml_lines import Document, parse_document, read_bytes, refuse
from station.errors import ConfigError
from station.model import RecipeRef

MAX_FILES = 1000


def load_recipe(path: Path, families: Families | None = None) -> LoadedRecipe:
    """Read one recipe file. `families`: those that come with the station if not given.

    Raises ConfigError with every problem of it.
    """
    return _load(path, families)[0]


def load_recipes(folder: Path, families: Families | None = None) -> tuple[LoadedRecipe, ...]:
    """Every `*.yaml` and `*.yml` of a folder, sorted by name; names are unique.

    Raises ConfigError with the problems of all files.
    """
    recipes, problems = _load_all(recipe_files(folder), families)
    if problems:
        raise refuse(problems)
    return tuple(sorted(recipes, key=lambda loaded: loaded.recipe.name))


def check_recipes(paths: Iterable[Path], families: Families | None = None) -> list[str]:
    """Every problem of these recipe files and folders, one sentence each; empty is good."""
    files: list[Path] = []
    problems: list[str] = []
    for path in paths:
        try:
            files += recipe_files(path) if path.is_dir() else [path]
        except ConfigError as error:
            problems.append(error.cause)
    return problems + _load_all(files, families, whole=False)[1]


def recipe_files(folder: Path, kind: str = "recipe") -> list[Path]:
    """The YAML files of a folder, sorted. Raises ConfigError if it cannot be listed; `kind` is what
    they are called then."""
    try:
        files = sorted(
            path
            for path in folder.iterdir()
            if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: the {kind} folder cannot be read: {error}") from error
    if len(files) > MAX_FILES:
        raise ConfigError(f"{folder}: holds more than {MAX_FILES} {kind} files")
    return files


def _load(path: Path, families: Families | None) -> tuple[LoadedRecipe, Document]:
    data = read_bytes(path)
    document = parse_document(path, data)
    recipe = read_model(document, _class_of(document))
    if problems := list(_family_problems(document, recipe, families)):
        raise refuse(problems)
    ref = RecipeRef(recipe.name, recipe.revision, hashlib.sha256(data).hexdigest(), document.text)
    return LoadedRecipe(recipe, ref, path), document


def _class_of(document: Document) -> type[Recipe]:
    """The recipe class its `procedure` names; the model itself complains if there is none."""
    value = document.value
    procedure = value.get("procedure") if isinstance(value, dict) else None
    if not isinstance(procedure, str):
        return QuectelEdlRecipe
    found = PROCEDURES.get(procedure)
    if found is None:
        known = ", ".join(PROCEDURES)
        what = f"{procedure[:64]!r} is not a procedure of this station (known: {known})"
        raise refuse([*document.problems, document.problem(("procedure",), what)])
    return found


def _family_problems(
    document: Document, recipe: Recipe, families: Families | None
) -> Iterator[str]:
    """The family must be known, and the module's own backup safe with it."""
    asks = "module" in recipe.backup
    if recipe.family is None:
        if asks:
            what = "asks for `module`, so the recipe needs the `family` of its modules"
            yield document.problem(("backup",), what)
        return
    known = (families or load_families()).file.families
    section = known.get(recipe.family)
    if section is None:
        close = nearest(recipe.family, known)
        what = f"there is no family {recipe.family[:64]!r} in families.yaml" + (
            f" (nearest: {close!r})" if close else ""
        )
        yield document.problem(("family",), what)
    elif asks and not section.module_backup:
        safe = ", ".join(name for name, one in known.items() if one.module_backup) or "none"
        what = f"{recipe.family} is not known to back itself up safely (`module`; known: {safe})"
        yield document.problem(("backup",), what)


def _load_all(
    files: Iterable[Path], families: Families | None, *, whole: bool = True
) -> tuple[list[LoadedRecipe], list[str]]:
    """Recipes and problems of these files. `whole`: a recipe they refer to must be among them."""
    read: list[tuple[LoadedRecipe, Document]] = []
    problems: list[str] = []
    for path in files:
        try:
            read.append(_load(path, families))
        except ConfigError as error:
            problems += error.cause.splitlines()
    problems += _repeated_names(read)
    if whole and not problems:
        problems += _unknown_run_before(read)
    return [loaded for loaded, _ in read], problems


def _repeated_names(read: list[tuple[LoadedRecipe, Document]]) -> list[str]:
    first: dict[str, Path] = {}
    problems = []
    for loaded, document in read:
        name = loaded.recipe.name
        if first.setdefault(name, loaded.path) != loaded.path:
            what = f"the recipe {name!r} is in {first[name]} too"
            problems.append(document.problem(("name",), what))
    return problems


def _unknown_run_before(read: list[tuple[LoadedRecipe, Document]]) -> list[str]:
    names = {loaded.recipe.name for loaded, _ in read}
    problems = []
    for loaded, document in read:
        before = loaded.recipe.run_before
        if before is not None and (before not in names or before == loaded.recipe.name):
            close = nearest(before, names - {loaded.recipe.name})
            what = f"there is no other recipe {before!r}" + (
                f" (nearest: {close!r})" if close else ""
            )
            problems.append(document.problem(("run_before",), what))
    return problems
