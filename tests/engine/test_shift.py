"""Whose shift it is: begun by a person or by arming, ended by a person or by the next one."""

from pathlib import Path

import pytest

from station.engine.shift import FORGOTTEN_US
from station.errors import DatabaseError, NoShift, NotRegistered, UsageError
from station.live import LineState, ShiftView
from station.live import SlotState as S
from station.model import Shift
from station.store.events import find_events
from station.store.writer import Store, now_utc_us
from station.wire import Disarm, OperatorAdd, ShiftEnd, ShiftStart
from tests.engine.line import PEER, Running, running
from tests.engine.tray import make_line
from tests.store.samples import rows

VERDICTS = (S.DONE, S.AWAY, S.PULLED)


def shift_of(run: Running) -> ShiftView:
    shift = run.line.feed.line.shift
    assert shift is not None
    return shift


def ends(run: Running) -> list[str]:
    sql = "SELECT reason FROM shift_ended ORDER BY seq"
    return [reason for (reason,) in rows(run.line.world.settings.database, sql)]


@pytest.mark.trio
async def test_arming_begins_a_shift_and_attempts_carry_it_with_the_lot(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        assert run.line.feed.line.shift is None
        await run.arm(lot="PO-77")
        first = run.line.shifts.now
        assert first is not None
        assert shift_of(run).operator == "maria"
        assert run.line.feed.line.lot == "PO-77"
        await run.arm(lot="PO-77")
        assert run.line.shifts.now == first
        run.plug("A1")
        await run.see("A1", *VERDICTS)
        assert ends(run) == []
        lots = rows(run.line.world.settings.database, "SELECT name, operator FROM lot")
        assert lots == [("PO-77", "maria")]
    (record,) = bench.recorded(slot="A1")
    opened = record.opened
    assert (opened.shift_id, opened.lot, opened.purpose) == (first.shift_id, "PO-77", None)


@pytest.mark.trio
async def test_a_shift_outlives_the_engine_and_ends_with_the_next(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.ask(ShiftStart(operator="maria"))
        first = run.line.shifts.now
    async with running(bench) as run:
        assert run.line.shifts.now == first
        assert shift_of(run).operator == "maria"
        await run.arm()
        assert run.line.shifts.now == first
        await run.ask(ShiftStart(operator="jan"))
        assert ends(run) == ["relieved"]
        assert run.line.state is LineState.ARMED
        assert run.line.feed.line.operator == run.line.floor.world.operator == "jan"
        under = run.line.floor.world.under
        assert run.line.shifts.now is not None
        assert under.shift_id == run.line.shifts.now.shift_id
        await run.arm(operator="maria")
        assert ends(run) == ["relieved", "relieved"]


@pytest.mark.trio
async def test_its_end_disarms_the_line_and_has_the_record_signed(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        with pytest.raises(NoShift):
            await run.ask(ShiftEnd())
        await run.arm()
        await run.ask(Disarm())
        assert shift_of(run).operator == "maria"
        await run.arm()
        await run.ask(ShiftEnd(by="maria"))
        assert run.line.state is LineState.DISARMED
        line = run.line.feed.line
        assert (line.shift, line.operator) == (None, None)
        assert run.line.health.signer._rung.is_set()
        assert ends(run) == ["ended"]
    async with running(bench) as run:
        assert run.line.shifts.now is None


@pytest.mark.trio
async def test_who_ended_it_is_on_record_whatever_the_line_did(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    url = bench.settings().database
    async with running(bench) as run:
        for name, badge in (("eva", "E-1"), ("jan", "W-2")):
            parts = {"name": name, "role": "engineer", "badge": badge, "reason": "r", "by": "eva"}
            await run.ask(OperatorAdd.model_validate(parts))
        for is_armed in (False, True):
            await run.ask(ShiftStart(operator="eva"))
            if is_armed:
                await run.arm(operator="eva")
            shift = run.line.shifts.now
            assert shift is not None
            await run.ask(ShiftEnd(by="W-2"))
            ended = find_events(url, kind="shift_end")[-1]
            assert (ended.actor, ended.role) == ("jan", "engineer")
            assert (ended.peer_uid, ended.peer_user) == (PEER.uid, PEER.user)
            assert ended.detail == {"operator": "eva", "shift_id": shift.shift_id}
            assert len(find_events(url, kind="disarmed")) == is_armed
    assert [one.actor for one in find_events(url, kind="shift_end")] == ["jan", "jan"]
    assert "W-2" not in str(find_events(url))


@pytest.mark.trio
async def test_one_that_nobody_ended_is_not_gone_on_with_the_next_day(
    tmp_path: Path, tray_clock: object
) -> None:
    bench, offset = make_line(tmp_path), [0]
    async with running(bench, clock=lambda: now_utc_us() + offset[0]) as run:
        await run.arm()
        first = run.line.shifts.now
        offset[0] = FORGOTTEN_US
        await run.arm()
        assert run.line.shifts.now != first
        assert ends(run) == ["relieved"]


@pytest.mark.trio
async def test_by_name_or_by_badge(tmp_path: Path, tray_clock: object) -> None:
    async with running(make_line(tmp_path)) as run:
        add = {"name": "eva", "role": "engineer", "badge": "E-1", "reason": "r"}
        await run.ask(OperatorAdd.model_validate(add))
        await run.ask(ShiftStart(badge="E-1"))
        assert shift_of(run) == ShiftView("eva", shift_of(run).since_utc_us, "engineer")
        for wrong in (ShiftStart(), ShiftStart(operator="eva", badge="E-1")):
            with pytest.raises(UsageError):
                await run.ask(wrong)
        for unknown in (ShiftStart(badge="E-2"), ShiftStart(operator="jan")):
            with pytest.raises(NotRegistered):
                await run.ask(unknown)
        assert shift_of(run).operator == "eva"


@pytest.mark.trio
async def test_what_is_not_on_record_has_neither_begun_nor_ended(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(make_line(tmp_path)) as run:

        async def broken(_store: Store, *_: object) -> Shift:
            raise DatabaseError("database is locked")

        await run.ask(ShiftStart(operator="jan"))
        monkeypatch.setattr(Store, "start_shift", broken)
        monkeypatch.setattr(Store, "end_shift", broken)
        monkeypatch.setattr(Store, "arm", broken)
        with pytest.raises(DatabaseError):
            await run.ask(ShiftEnd(by="jan"))
        assert shift_of(run).operator == "jan"
        with pytest.raises(DatabaseError):
            await run.ask(ShiftStart(operator="maria"))
        with pytest.raises(DatabaseError):
            await run.arm()
        assert shift_of(run).operator == "jan"
        assert run.line.state is LineState.DISARMED
