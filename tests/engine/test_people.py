"""Who may do what: before anybody is registered nobody is asked, from the first engineer on all."""

from pathlib import Path

import pytest

from station.engine.people import Asker, People, badge_sha256, judgement, people_of
from station.errors import (
    HeldByEngineer,
    LastEngineer,
    NameTaken,
    NotAllowed,
    NotRegistered,
    StationError,
    UsageError,
)
from station.live import SlotState
from station.model import EVIDENCE_PRUNED, Operator, Person, Role
from station.store.database import sqlite_url
from station.store.events import find_events
from station.store.writer import Store, open_store
from station.wire import (
    Abort,
    Disarm,
    Hold,
    Lift,
    OperatorAdd,
    OperatorRetire,
    Prune,
    Quarantine,
    Release,
    ReleaseUnit,
    Retry,
    ShiftEnd,
    Stop,
)
from tests.engine.line import PEER, Running, running
from tests.engine.tray import make_line
from tests.new_record import new_record

ASKER = Asker(1000, "line")
WHY = "starts today"


async def add(
    people: People,
    store: Store,
    name: str,
    role: str = "operator",
    *,
    badge: str | None = None,
    by: str | None = None,
) -> None:
    parts = {"name": name, "role": role, "badge": badge, "reason": WHY, "by": by}
    await people.change(OperatorAdd.model_validate(parts), store, ASKER, 1)


@pytest.mark.trio
async def test_names_are_checked_from_the_first_engineer_on(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "station.db")
    new_record(url)
    async with open_store(url) as store:
        people = await people_of(store, "line-1")
        assert people.worker("anybody") == Person("anybody")
        assert people.engineer(None, None) is None
        await add(people, store, "maria", badge="W-1")
        assert people.worker("anybody") == Person("anybody")
        assert people.worker("W-1") == Person("maria", Role.OPERATOR)
        await add(people, store, "eva", "engineer")
        await add(people, store, "otto", "auditor", by="Eva")
        for known in (people, await people_of(store, "line-1")):
            assert known.worker("MARIA") == Person("maria", Role.OPERATOR)
            assert known.worker("eva") == known.engineer("eva", WHY) == Person("eva", Role.ENGINEER)
            with pytest.raises(NotRegistered, match="anybody"):
                known.worker("anybody")
            with pytest.raises(NotAllowed, match="otto is an auditor"):
                known.worker("otto")
            with pytest.raises(NotAllowed, match="maria is an operator"):
                known.engineer("maria", WHY)
            with pytest.raises(NotAllowed, match="nobody is named"):
                known.engineer(None, WHY)
            for nothing in (" ", "...", "\u200b\u3164"):
                with pytest.raises(UsageError, match="reason"):
                    known.engineer("eva", nothing)
            with pytest.raises(NotRegistered):
                known.with_badge("W-2")
        (row,) = [one for one in await store.operators("line-1") if one.name == "maria"]
    assert row.badge_sha256 == badge_sha256("line-1", "W-1") != badge_sha256("line-2", "W-1")
    assert (row.peer_uid, row.peer_user, row.reason) == (1000, "line", WHY)


@pytest.mark.trio
async def test_who_joins_and_leaves(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "station.db")
    new_record(url)
    async with open_store(url) as store:
        people = await people_of(store, "line-1")
        await add(people, store, "eva", "engineer", badge="E-1")

        async def refused(error: type[StationError], name: str, **parts: str) -> None:
            with pytest.raises(error):
                await add(people, store, name, **{"by": "eva", **parts})

        await refused(NotRegistered, "maria", by="root")
        await refused(NameTaken, "EVA")
        await refused(NameTaken, "E-1")
        await refused(NameTaken, "maria", badge="E-1")
        await refused(NameTaken, "maria", badge="eva")
        await refused(NameTaken, "maria", badge="maria")
        await add(people, store, "maria", badge="W-1", by="E-1")

        async def retire(name: str) -> None:
            command = OperatorRetire(name=name, reason="left", by="eva")
            await people.change(command, store, ASKER, 2)

        with pytest.raises(LastEngineer):
            await retire("eva")
        with pytest.raises(NotRegistered):
            await retire("nobody")
        await retire("maria")
        with pytest.raises(NotRegistered):
            people.worker("W-1")
        await add(people, store, "jan", badge="W-1", by="eva")
        await retire("jan")
        await retire("eva")
        assert not people.is_checked
        assert [one.actor for one in await store.operators("line-1")][-1] == "eva"


async def register(run: Running) -> None:
    for name, role in (("eva", "engineer"), ("maria", "operator"), ("otto", "auditor")):
        parts = {"name": name, "role": role, "reason": WHY, "by": "eva", "badge": f"B-{name}"}
        await run.ask(OperatorAdd.model_validate(parts))


@pytest.mark.trio
async def test_on_the_line_each_does_what_their_role_may(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    async with running(bench) as run:
        await register(run)
        for who, error in (("jan", NotRegistered), ("otto", NotAllowed), ("B-otto", NotAllowed)):
            with pytest.raises(error):
                await run.arm(operator=who)
        await run.arm(operator="B-maria")
        assert run.line.feed.line.operator == "maria"
        await run.ask(Disarm(by="maria"))
        await run.ask(Hold(slot="A1", reason="bent pin", by="eva"))
        await run.ask(Hold(slot="A2", reason="dust", by="maria"))
        with pytest.raises(NotAllowed):
            await run.ask(Release(slot="A1", by="maria", reason="it is well"))
        with pytest.raises(NotAllowed):
            await run.ask(Release(slot="A1"))
        with pytest.raises(UsageError, match="reason"):
            await run.ask(Release(slot="A1", by="eva"))
        await run.ask(Release(slot="A2", by="maria"))
        await run.ask(Release(slot="A1", by="eva", reason="straightened"))
        await run.ask(Hold(slot="A1", reason="bent again", by="eva"))
        with pytest.raises(NotAllowed):
            await run.ask(Lift(by="maria", reason="mended"))
        url = run.line.world.settings.database
    told = [(event.kind, event.actor, event.role) for event in find_events(url)]
    assert told[:3] == [
        ("armed", "maria", "operator"),
        ("disarmed", "maria", "operator"),
        ("hold", "eva", "engineer"),
    ]
    assert told[-2:] == [("release", "eva", "engineer"), ("hold", "eva", "engineer")]
    async with running(bench) as run:
        assert run["A1"].failure is not None
        assert run["A1"].failure.code == HeldByEngineer.code
        with pytest.raises(NotAllowed):
            await run.ask(Release(slot="A1", by="maria", reason="it is well"))


STRANGERS: dict[str | None, type[StationError]] = {
    "otto": NotAllowed,
    "B-otto": NotAllowed,
    "left": NotRegistered,
    "B-left": NotRegistered,
    "nobody-at-all": NotRegistered,
    None: NotAllowed,
}


async def register_and_retire(run: Running) -> None:
    await register(run)
    await run.ask(OperatorAdd(name="left", role="operator", badge="B-left", reason=WHY, by="eva"))
    await run.ask(OperatorRetire(name="left", reason="moved", by="eva"))


@pytest.mark.trio
async def test_what_starts_something_wants_somebody_who_works_here(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path, slots=2)
    url = bench.settings().database
    async with running(bench) as run:
        await register_and_retire(run)
        await run.arm(operator="maria")
        run.plug("A1")
        await run.see("A1", SlotState.DONE)
        await run.ask(Hold(slot="A2", reason="dust"))
        before = find_events(url)
        for who, error in STRANGERS.items():
            for asked in (Retry(slot="A1", by=who), Release(slot="A2", by=who), ShiftEnd(by=who)):
                with pytest.raises(error):
                    await run.ask(asked)
        assert find_events(url) == before
        assert (run["A1"].state, run["A2"].state) == (SlotState.DONE, SlotState.HELD)
        await run.ask(Retry(slot="A1", by="B-maria"))
        await run.see("A1", SlotState.DONE)
        await run.ask(Release(slot="A2", by="maria"))
        await run.ask(ShiftEnd(by="eva"))
    told = [(event.kind, event.actor, event.role) for event in find_events(url)[len(before) :]]
    assert told == [
        ("retry", "maria", "operator"),
        ("release", "maria", "operator"),
        ("shift_end", "eva", "engineer"),
        ("disarmed", "eva", "engineer"),
    ]


@pytest.mark.trio
async def test_what_only_stops_is_open_to_anybody_and_no_badge_is_written_down(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    url = bench.settings().database
    async with running(bench) as run:
        await register_and_retire(run)
        for who in (*STRANGERS, PEER.user):
            await run.arm(operator="eva")
            run.plug("A1")
            await run.see("A1", SlotState.IDENTIFYING)
            await run.ask(Abort(slot="A1", by=who))
            await run.see("A1", SlotState.DONE)
            await run.ask(Hold(slot="A1", reason="smoke", by=who))
            await run.ask(Disarm(by=who))
            await run.ask(Release(slot="A1", by="eva", reason="aired"))
            run.unplug("A1")
            await run.see("A1", SlotState.EMPTY)
        await run.ask(Stop(by="B-left"))
        logged = [line.text for line in run.line.feed._log.lines]
        unknown = f"unknown {badge_sha256(run.line.people.station, 'nobody-at-all')[:12]}"
    people = [
        ("otto", "auditor"),
        ("otto", "auditor"),
        ("left", None),
        ("left", None),
        (unknown, None),
        (None, None),
        ("maria", "operator"),
    ]
    for kind in ("abort", "hold", "disarmed"):
        assert [(one.actor, one.role) for one in find_events(url, kind=kind)] == people
    assert [one.actor for one in find_events(url, kind="stop")] == ["left"]
    for word in ("B-left", "B-otto", "nobody-at-all"):
        assert word not in str(find_events(url))
        assert word not in str(logged)


@pytest.mark.trio
async def test_the_badge_of_somebody_who_left_says_their_name_until_it_is_given_again(
    tmp_path: Path,
) -> None:
    url = sqlite_url(tmp_path / "station.db")
    new_record(url)
    async with open_store(url) as store:
        people = await people_of(store, "line-1")
        await add(people, store, "eva", "engineer", badge="E-1")
        await add(people, store, "maria", badge="W-1", by="eva")
        await people.change(OperatorRetire(name="maria", reason="left", by="eva"), store, ASKER, 2)
        for known in (people, await people_of(store, "line-1")):
            assert known.named("W-1") == known.on_record("Maria", "line") == Person("maria")
            with pytest.raises(NotRegistered, match="called maria"):
                known.worker("W-1")
            with pytest.raises(NotRegistered):
                known.with_badge("W-1")
        await add(people, store, "jan", badge="W-1", by="eva")
        for known in (people, await people_of(store, "line-1")):
            assert known.worker("W-1") == Person("jan", Role.OPERATOR)
            assert known.on_record("line", "line") == Person("line")
            assert known.on_record("W-2", "line") == Person(
                f"unknown {badge_sha256('line-1', 'W-2')[:12]}"
            )


def test_while_nobody_is_checked_a_word_is_a_name() -> None:
    assert People("line-1").on_record("the night watch", "line") == Person("the night watch")


@pytest.mark.trio
async def test_what_a_command_deletes_the_engine_puts_on_record(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    async with running(bench) as run:
        await run.ask(Prune(by="root", older_than_days=90, before_utc_us=5, files=2, bytes=4096))
        (event,) = find_events(run.line.world.settings.database)
    assert (event.kind, event.actor, event.peer_user) == (EVIDENCE_PRUNED, "root", "maria")
    assert event.detail == {
        "older_than_days": 90,
        "before_utc_us": 5,
        "files": 2,
        "bytes": 4096,
    }


@pytest.mark.trio
async def test_evidence_is_deleted_by_an_engineer_with_a_reason(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_line(tmp_path)
    prune = Prune(older_than_days=90, before_utc_us=5, files=2, bytes=4096)
    async with running(bench) as run:
        await register(run)
        for who, why, error in (
            (None, WHY, NotAllowed),
            ("maria", WHY, NotAllowed),
            ("root", WHY, NotRegistered),
            ("eva", None, UsageError),
        ):
            with pytest.raises(error):
                await run.ask(prune.model_copy(update={"by": who, "reason": why}))
        url = run.line.world.settings.database
        assert find_events(url) == []
        await run.ask(prune.model_copy(update={"by": "B-eva", "reason": "the disk is full"}))
        (event,) = find_events(url)
    assert (event.actor, event.role) == ("eva", "engineer")
    assert event.detail["reason"] == "the disk is full"


def test_whoever_works_here_puts_a_unit_aside_and_an_engineer_lets_it_out() -> None:
    people = People("line-1")
    aside = Quarantine(unit="1f0a2b3c", by="maria", reason="two labels")
    out = ReleaseUnit(unit="1f0a2b3c", by="maria", reason="a repair")
    assert judgement(people, out, ASKER, 1).actor == "maria"
    for name, role in (("eva", Role.ENGINEER), ("maria", Role.OPERATOR)):
        people.note(Operator("id", "line-1", 1, name, role, None, True, None, None, None, WHY))
    said = judgement(people, aside, ASKER, 1)
    assert (said.kind, said.actor, said.role, said.peer_uid) == (
        "quarantined",
        "maria",
        "operator",
        1000,
    )
    with pytest.raises(NotAllowed):
        judgement(people, out, ASKER, 1)
    said = judgement(people, out.model_copy(update={"by": "Eva"}), ASKER, 1)
    assert (said.kind, said.actor, said.role) == ("released", "eva", "engineer")
