"""The files of a line that flashes simulated modules: settings, recipes, synthetic packages."""

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from station.errors import UsageError
from station.firmware.package_store import PackageStore
from station.firmware.version import FirmwareVersion
from station.sim.layouts import LAYOUTS, Layout
from station.sim.package import write_package

SIZE_MB = 6
"""Synthetic image bytes per module: about 20 s per tray with the modelled times."""

MARK = ".station-demo"
"""Lies in every folder a demo may write to."""


def write_demo_files(folder: Path, slot_names: list[str], size_mb: int = SIZE_MB) -> Path:
    """Write what is missing, a recipe and a package for each family; the path of the settings.

    Raises UsageError for a folder that is somebody else's or cannot be written; PackageError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise UsageError(f"{folder} is not empty and not the folder of a demo")
        (folder / MARK).touch()
        (folder / "recipes").mkdir(exist_ok=True)
        for layout in LAYOUTS.values():
            _write_recipe(folder, layout, size_mb)
        _write_campaign(folder / "campaigns")
        return write_demo_settings(folder, slot_names)
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: {error.strerror}") from error


def write_demo_settings(folder: Path, slot_names: list[str]) -> Path:
    """Only `station.yaml`, with these slots; its path. Raises OSError."""
    settings = {
        "station": {"name": "demo", "site": "desk"},
        "database": "station.sqlite",
        "store": "store",
        "recipes": "recipes",
        "line": {"breaker": None},  # a demo's faults are wanted
        "slots": {
            name: {"ports": [f"1-1.{number}", f"2-1.{number}"]}
            for number, name in enumerate(slot_names, start=1)
        },
    }
    return _write_yaml(folder / "station.yaml", settings)


def _write_recipe(folder: Path, layout: Layout, size_mb: int) -> None:
    package = _write_package(folder / "packages", layout, size_mb)
    variant = FirmwareVersion.parse(layout.newer_version).variant
    recipe = {
        "name": f"{layout.family}-demo",
        "revision": 1,
        "procedure": "quectel_edl",
        "match": {"sku": [f"{variant}*"]},
        "firmware": {
            "package": f"../packages/{package.name}",
            "sha256": PackageStore(folder / "store").add(package).sha256,
            "version": layout.newer_version,
        },
        "allow_from": [f"{variant}R*"],
    }
    _write_yaml(folder / "recipes" / f"{layout.family}-demo.yaml", recipe)


def _write_campaign(folder: Path) -> None:
    """A night to be tried; one that was edited is kept."""
    folder.mkdir(exist_ok=True)
    if not (folder / "nightly.yaml").exists():
        night = {
            "name": "nightly",
            "recipes": [f"{family}-demo" for family in LAYOUTS],
            "units": {"known": False},
            "groups": {"first": 2, "next": 8, "good_percent": 50},
            "stop_at": "05:30",
        }
        text = yaml.safe_dump(night, sort_keys=False).replace(" 05:30", ' "05:30"')
        (folder / "nightly.yaml").write_text(text, encoding="utf-8")


def _write_package(folder: Path, layout: Layout, size_mb: int) -> Path:
    """The newer release, whole or not at all."""
    version = layout.newer_version
    if not (folder / version).is_dir():
        folder.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=folder) as draft:
            written = write_package(
                Path(draft) / version, family=layout.family, version=version, size_mb=size_mb
            )
            written.rename(folder / version)
    return folder / version


def _write_yaml(path: Path, value: object) -> Path:
    path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return path
