"""F4xx: firmware packages and the plans made from them."""

from station.errors.base import Blame, StationError


class PackageError(StationError):
    """The package on disk, or the plan made from it."""

    blame = Blame.REFUSAL


class PackageMissing(PackageError):
    code = "F401"
    headline = "NO PACKAGE"
    remedy = (
        "Check the path or name in the cause; `station package add` puts a package into the store."
    )


class PackageIncomplete(PackageError):
    code = "F402"
    headline = "BAD PACKAGE"
    remedy = "Fetch the package again from its source: the files named are missing or damaged."


class PackageHostile(PackageError):
    code = "F403"
    headline = "BAD PACKAGE"
    remedy = "Do not use this package: ask its source for a clean copy."


class FactoryPackage(PackageError):
    code = "F404"
    headline = "FACTORY FILES"
    remedy = "Use the update package: a factory package overwrites the calibration."


class RawprogramInvalid(PackageError):
    code = "F405"
    headline = "BAD PACKAGE"
    remedy = "Fetch the package again, or give it to the line engineer: its plan file is wrong."


class PlanRefused(PackageError):
    code = "F406"
    headline = "UNSAFE PLAN"
    remedy = "Do not use this package: its plan breaks a rule that protects the module."


class VendorLineRefused(PackageError):
    code = "F407"
    headline = "VENDOR LINE"
    remedy = "Let the line engineer read the line and set allow_vendor_lines in the recipe."


class PackageDigestMismatch(PackageError):
    code = "F408"
    headline = "OTHER PACKAGE"
    remedy = "Check package and sha256 in the recipe: the bytes are not those it names."


class NoReadback(PackageError):
    code = "F410"
    headline = "NO READ-BACK"
    remedy = "Let the line engineer set `verify: version`, or use a programmer that can read."


class FileChanged(PackageError):
    code = "F409"
    headline = "FILE CHANGED"
    remedy = "Check the disk, then add the package again with `station package add`."
    blame = Blame.STATION
