"""R3xx: settings, commands, recipes, and the rules that refuse a unit."""

from station.errors.base import Blame, StationError


class RecipeError(StationError):
    """Settings and recipes, and units that no rule lets through."""

    blame = Blame.REFUSAL


class ConfigError(RecipeError):
    code = "R301"
    headline = "BAD CONFIG"
    remedy = "Correct what the cause names, a path or a line of a file, then run the command again."
    blame = Blame.STATION


class UsageError(RecipeError):
    code = "R309"
    headline = "BAD COMMAND"
    remedy = "Correct the command; `--help` behind it explains what it takes."
    blame = Blame.STATION


class NoRecipe(RecipeError):
    code = "R302"
    headline = "NO RECIPE"
    remedy = "Take the module out, or let the line engineer add a recipe for it."


class AmbiguousRecipe(RecipeError):
    code = "R303"
    headline = "TWO RECIPES"
    remedy = "Let the line engineer narrow the recipes: more than one matches this module."


class LabelMismatch(RecipeError):
    code = "R304"
    headline = "WRONG LABEL"
    remedy = "Check the label: it names another variant than the module itself reports."


class WrongVariant(RecipeError):
    code = "R305"
    headline = "WRONG VARIANT"
    remedy = "Do not flash: the package is for another hardware variant. Choose the right recipe."


class FromVersionRefused(RecipeError):
    code = "R306"
    headline = "OTHER START"
    remedy = "Run the recipe named in the cause first; this one does not start from that version."


class DowngradeRefused(RecipeError):
    code = "R307"
    headline = "NEWER INSIDE"
    remedy = "Leave it as it is, or let the line engineer allow the downgrade in the recipe."


class VersionUnknown(RecipeError):
    code = "R308"
    headline = "VERSION?"
    remedy = "Put the module aside for the line engineer: its version cannot be compared."


class GoldenFirst(RecipeError):
    """Also the alarm of a line that waits for it."""

    code = "R310"
    headline = "GOLDEN UNIT FIRST"
    remedy = (
        "Put a golden unit into a slot. Once it has passed, the modules that wait are flashed; "
        "nothing was written to them."
    )
