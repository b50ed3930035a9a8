"""Which names of a question a record never had."""

import pytest
import sqlalchemy as sa

from station.model import Outcome
from station.store import schema
from station.store.never_had import KINDS, NeverHad, like, never_had, there
from station.store.scope import LAST_SHIFT
from station.store.writer import Store
from tests.store.made import NEW, OLD, imei, line
from tests.store.samples import attempt, flashed, person, plan, written


@pytest.fixture
def line_1(url: str) -> str:
    with line(url) as made:
        made.tried(1, Outcome.PASS, package=OLD, slot="A1")
        made.tried(2, Outcome.FAIL, package=NEW, slot="A2")
    return url


@pytest.mark.parametrize("package", ["R05", "R06", OLD.sha256, "6" * 8])
def test_a_package_that_was_there(line_1: str, package: str) -> None:
    assert never_had(line_1, package=package) == []


@pytest.mark.parametrize("firmware", ["R05", "R0*", "*"])
def test_a_version_that_was_there(line_1: str, firmware: str) -> None:
    assert never_had(line_1, firmware=firmware) == []


def test_names_that_never_were(line_1: str) -> None:
    assert never_had(line_1, package="R0", firmware="X*", slot="a2")[::2] == [
        NeverHad("package", "R0", ("R05", "R06")),
        NeverHad("slot", "a2", ("A2", "A1")),
    ]
    assert never_had(line_1, slot="A2") == []


THERE = {
    "station": "line-1",
    "operator": "worker",
    "lot": "PO-1",
    "code": "p110",
    "shift": LAST_SHIFT,
    "name": imei(1),
    "imei": imei(1),
    "chip": "1F0A2B3C",
}


@pytest.fixture
def line_2(line_1: str) -> str:
    """With what else can be asked for: a lot that was armed only, a person that did nothing yet."""
    row = {"station": "line-1", "utc_us": 1, "operator": "jan"}

    async def work(store: Store) -> None:
        await store.add_operator(person("jan"))

    with line(line_1) as made:
        made.tried(3, Outcome.PASS, lot="PO-1")
        made.shift("worker")
        made.tried(4, Outcome.FAIL, code="D206")
        lots = [row | {"id": name, "name": name} for name in ("PO-1", "PO-2")]
        made.batch.insert(schema.lot, lots)
    written(line_1, work)
    flashed(line_1, attempt())
    return line_1


@pytest.mark.parametrize("asked", [THERE, {"operator": "jan", "lot": "PO-2"}, {"lot": None}])
def test_what_else_was_there(line_2: str, asked: dict[str, str | None]) -> None:
    assert never_had(line_2, **asked) == []


def test_what_else_never_was(line_2: str) -> None:
    assert never_had(line_2, **dict.fromkeys(THERE, "none"), serial=imei(1)) == [
        NeverHad("station", "none", ("line-1",)),
        NeverHad("operator", "none", ("worker", "jan")),
        NeverHad("lot", "none", ("PO-1", "PO-2")),
        NeverHad("code", "none", ("D206", "P110")),
        NeverHad("shift", "none", ()),
        NeverHad("name", "none", ()),
        NeverHad("imei", "none", ()),
        NeverHad("serial", imei(1), ()),
        NeverHad("chip", "none", ()),
    ]


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "firmware"])
def test_each_is_looked_for_by_an_index(url: str, kind: str) -> None:
    """A record may have ten million attempts, but few people, lots and packages."""
    steps = [step for question in there(kind, "none") for step in plan(url, question)]
    scanned = {step.split()[1] for step in steps if step.startswith("SCAN")}
    assert scanned <= {"operator", "lot", "package", "shift_started"}, steps


@pytest.mark.sqlite
def test_what_there_is_is_found_value_by_value(url: str) -> None:
    code = schema.attempt_closed.c.failure_code
    for column, within in (
        (schema.attempt_opened.c.slot, []),
        (schema.attempt_opened.c.operator, []),
        (schema.chain.c.station, []),
        (code, [code.is_not(None)]),
    ):
        for begin in ([], [column > "A"]):
            steps = plan(url, sa.select(sa.func.min(column)).where(*within, *begin))
            assert all("USING COVERING INDEX" in step or "PRIMARY KEY" in step for step in steps)


def test_a_record_without_any(url: str) -> None:
    assert never_had(url, package="R05", shift=LAST_SHIFT) == [
        NeverHad("package", "R05", ()),
        NeverHad("shift", LAST_SHIFT, ()),
    ]


def test_what_begins_so_comes_first() -> None:
    names = ["EC25EFAR06A06M4G_01.002", "EC25", "EC25EFAR06A08M4G_01.003", "RM500Q"]
    near = like("ec25efar06a08m4g", names)
    assert near[:2] == ("EC25EFAR06A08M4G_01.003", "EC25EFAR06A06M4G_01.002")
    assert near[-1] == "RM500Q"
