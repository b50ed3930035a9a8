"""The plans of both synthetic families, as files: a change of the plan shows in the diff.

After a wanted change write them anew: `STATION_GOLDEN=write python -m pytest tests/plan`.
"""

import json
import os
from pathlib import Path

import pytest

from station.config import Match, QuectelEdlRecipe, QuectelFirmware
from station.errors import PlanRefused
from station.firmware.package_store import PackageStore
from station.plan import FlashPlan, check_plan, plan_package
from station.sim.package import family_names, layout_of, write_package

GOLDEN = Path(__file__).parent.parent / "golden"


def plan_of(folder: Path, store: Path, family: str) -> FlashPlan:
    packages = PackageStore(store)
    version = layout_of(family).newer_version
    recipe = QuectelEdlRecipe(
        name=family,
        revision=1,
        match=Match(sku=("*",)),
        procedure="quectel_edl",
        firmware=QuectelFirmware(package=str(folder), version=version),
    )
    with packages.open(packages.add(folder).sha256) as package:
        return plan_package(recipe, package)


@pytest.mark.parametrize("family", family_names())
def test_plan_of_a_synthetic_release(family: str, tmp_path: Path) -> None:
    version = layout_of(family).newer_version
    folder = write_package(tmp_path / version, family=family, version=version, size_mb=4)
    plan = plan_of(folder, tmp_path / "store", family)
    check_plan(plan)
    pretty = json.dumps(json.loads(plan.to_json()), indent=2, sort_keys=True) + "\n"
    _compare(GOLDEN / f"plan_{family}.txt", plan.describe())
    _compare(GOLDEN / f"plan_{family}.json", pretty)


def test_json_is_canonical(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "p", family="ec25", version="X_01.001.01.001", size_mb=1)
    text = plan_of(folder, tmp_path / "store", "ec25").to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    json.loads(text, parse_float=_no_floats)


def test_package_without_partition_table_is_refused(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "p", family="ec25", version="X_01.001.01.001", size_mb=1)
    firehose = folder / "update" / "firehose"
    table = firehose / "partition_complete_p2K_b128K.mbn"
    table.rename(firehose / "partition.mbn")
    for text_file in (folder / "md5.txt", firehose / "rawprogram_nand_p2K_b128K_update.xml"):
        text = text_file.read_bytes().replace(table.name.encode(), b"partition.mbn")
        text_file.write_bytes(text)
    listing = [
        line
        for line in (folder / "md5.txt").read_bytes().split(b"\r\n")
        if b"rawprogram_nand" not in line
    ]
    (folder / "md5.txt").write_bytes(b"\r\n".join(listing))
    with pytest.raises(PlanRefused, match="no partition table: calibration cannot be protected"):
        plan_of(folder, tmp_path / "store", "ec25")


def _no_floats(text: str) -> float:
    raise AssertionError(f"{text} is no whole number")


def _compare(golden: Path, text: str) -> None:
    if os.environ.get("STATION_GOLDEN") == "write":
        golden.write_text(text)
    assert golden.read_text() == text
