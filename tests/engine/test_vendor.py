"""A vendor's own line in the package: refused, or sent exactly as it stands there."""

import hashlib
from pathlib import Path

import pytest

from station.model import Outcome
from tests.engine.tray import Line, by_slot, code_of, make_line, no_breaches

LINE = (
    b'<erase vendor="quectel" a_rawdata_start_sector="12544" b_rawdata_num_sector="640" '
    b'c_project_name="EC25"  d_project_type="Standard" />'
)


def line_with_vendor_package(folder: Path, *, allowed: bool) -> Line:
    line = make_line(folder)
    (package,) = (folder / "packages").glob("EC25*")
    (plan,) = package.rglob("rawprogram*")
    old = plan.read_bytes()
    new = old.replace(b"</data>", b"  " + LINE + b"\n</data>")
    assert new != old
    plan.write_bytes(new)
    sums = package / "md5.txt"
    before, after = (
        hashlib.md5(data, usedforsecurity=False).hexdigest().upper().encode() for data in (old, new)
    )
    sums.write_bytes(sums.read_bytes().replace(before, after))
    line.edit_recipe(
        allow_vendor_lines=allowed,
        firmware={"package": f"../packages/{package.name}", "version": package.name},
    )
    return line


@pytest.mark.trio
async def test_a_vendor_line_is_refused_unless_the_recipe_allows_it(
    tmp_path: Path, tray_clock: object
) -> None:
    line = line_with_vendor_package(tmp_path, allowed=False)
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "F407"
    assert record.closed is not None
    assert record.closed.outcome is Outcome.BLOCKED


@pytest.mark.trio
async def test_an_allowed_vendor_line_arrives_byte_for_byte(
    tmp_path: Path, tray_clock: object
) -> None:
    line = line_with_vendor_package(tmp_path, allowed=True)
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None, record.closed
    sent = b"".join(line.tray.modules["A1"].out_log.sent("firehose"))
    assert sent.count(LINE) == 1
