"""What will be done to a module, as a value: made from recipe and package, checked, printed.

Pure: no disk, no wire. One class per kind of plan. `FlashPlan` is for modules with raw NAND and
Firehose; a procedure that sends whole files (Sierra's CWE) gets a class of its own beside it.
What all plans share is what the rest of the station asks of one: `procedure`, `version`,
`total_bytes`, `sha256`, `to_json()`, `describe()`.
"""

from station.plan.against_module import check_geometry, check_partition_table
from station.plan.flash_plan import (
    Erase,
    FlashPlan,
    Geometry,
    Operation,
    Program,
    Region,
    VendorLine,
)
from station.plan.make import make_plan, plan_package
from station.plan.rules import check_plan

__all__ = [
    "Erase",
    "FlashPlan",
    "Geometry",
    "Operation",
    "Program",
    "Region",
    "VendorLine",
    "check_geometry",
    "check_partition_table",
    "check_plan",
    "make_plan",
    "plan_package",
]
