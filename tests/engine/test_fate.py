"""Which failures are a hub's, a slot's, the line's."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.engine.fate import (
    DARK_S,
    FRESH_S,
    TOGETHER_S,
    Breaker,
    HubFailure,
    HubWatch,
    Streak,
    counts_against,
)
from station.errors import UsageError
from station.model import Outcome, PortPath, Unit

TRAY = {
    **{f"A{n}": (f"1-1.{n}", f"2-1.{n}") for n in range(1, 5)},
    **{f"B{n}": (f"1-2.{n}", f"2-2.{n}") for n in range(1, 5)},
}
CASCADE = {
    "A1": ("1-1.1", "2-1.1"),
    **{f"A{n}": (f"1-1.4.{n}", f"2-1.4.{n}") for n in range(2, 5)},
    **{f"B{n}": (f"1-2.{n}", f"2-2.{n}") for n in range(1, 5)},
}
"""Two hubs in one case, as in many with seven ports, and one alone."""

ON_THEIR_OWN = {f"A{n}": (f"1-1.{n}.1", f"2-1.{n}.1") for n in range(1, 5)}
"""Each module on a hub of its own, those on one."""


def watch(tray: Mapping[str, tuple[str, ...]] = TRAY, losses: int = 3) -> HubWatch:
    return HubWatch(
        {slot: tuple(map(PortPath.parse, ports)) for slot, ports in tray.items()}, losses
    )


def cut_off(hubs: HubWatch, *slots: str, at_s: float, present: str = "") -> None:
    """These leave in the middle of their attempts; `present` are those who are still there."""
    hubs.look(present.split(), dict.fromkeys(slots, True), at_s)


def units(number: int) -> list[Unit]:
    return [Unit(imei=f"{index:015}") for index in range(number)]


# --- hubs -------------------------------------------------------------------------------------


def test_three_of_a_hub_at_once_are_the_hubs_failure() -> None:
    hubs = watch()
    cut_off(hubs, "A2", "A1", "A4", at_s=10.0, present="A3 B1 B2")
    failure = hubs.failure_of("A1", 0.0, 10.5)
    assert failure is not None
    assert failure.cause == "the hub at 1-1 failed: A1, A2, A4 were lost at once"
    assert hubs.failure_of("A4", 0.0, 10.5) is failure
    assert hubs.failure_of("A3", 0.0, 10.5) is None
    assert hubs.failure_of("B1", 0.0, 10.5) is None


def test_two_hands_are_no_hub() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", at_s=10.0, present="A3 A4")
    assert hubs.failure_of("A1", 0.0, 10.5) is None


def test_all_of_a_hub_with_fewer_modules_are_enough() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", at_s=10.0, present="B1 B2 B3")
    assert hubs.failure_of("A1", 0.0, 10.5) is not None


def test_one_alone_was_pulled_out() -> None:
    hubs = watch()
    cut_off(hubs, "A1", at_s=10.0)
    assert hubs.failure_of("A1", 0.0, 10.5) is None


def test_modules_that_stood_by_help_to_tell_and_are_not_named() -> None:
    hubs = watch()
    hubs.look([], {"A1": True, "A2": True, "A3": False, "A4": False}, 10.0)
    failure = hubs.failure_of("A1", 0.0, 10.5)
    assert failure is not None
    assert failure.slots == ("A1", "A2")


def test_a_finished_tray_that_is_lifted_with_one_still_running_is_a_hand() -> None:
    hubs = watch()
    hubs.look([], {"A1": True, "A2": False, "A3": False, "A4": False}, 10.0)
    assert hubs.failure_of("A1", 0.0, 10.5) is None


def test_as_many_on_different_hubs_are_none() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "B1", at_s=10.0, present="A3 A4 B2 B3 B4")
    assert hubs.failure_of("A1", 0.0, 10.5) is None


def test_a_hub_that_takes_both_its_sides_along_is_one_hub() -> None:
    """Modules in EDL are on the USB 2 side, the others on the USB 3 one."""
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0, present="A4")
    hubs.failure_of("A1", 0.0, 10.5)
    assert [str(failure.hub) for failure in hubs.news(10.5)] == ["1-1"]


def test_a_controllers_own_ports_are_those_of_a_hub() -> None:
    hubs = watch({"A1": ("1-1",), "A2": ("1-2",), "A3": ("1-3",)})
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0)
    failure = hubs.failure_of("A1", 0.0, 10.5)
    assert failure is not None
    assert "hub at usb1 failed" in failure.cause


def test_losses_come_one_after_the_other() -> None:
    hubs = watch()
    cut_off(hubs, "A1", at_s=10.0, present="A2 A3 A4")
    cut_off(hubs, "A2", at_s=10.2, present="A3 A4")
    assert hubs.failure_of("A1", 0.0, 10.3) is None
    cut_off(hubs, "A3", at_s=10.4, present="A4")
    cut_off(hubs, "A4", at_s=10.8)
    failure = hubs.failure_of("A4", 0.0, 11.3)
    assert failure is not None
    assert failure.slots == ("A1", "A2", "A3", "A4")
    assert failure.at_s == 10.0
    assert hubs.failure_of("A1", 0.0, 11.3) is failure


def test_losses_too_far_apart_are_single_ones() -> None:
    hubs = watch()
    for number in range(1, 5):
        rest = " ".join(f"A{n}" for n in range(number + 1, 5))
        cut_off(hubs, f"A{number}", at_s=number * (TOGETHER_S + 0.01), present=rest)
        assert hubs.failure_of(f"A{number}", 0.0, 10.0) is None


def test_an_attempt_that_began_later_is_not_concerned() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0)
    assert hubs.failure_of("A1", 10.1, 10.6) is None


def test_a_module_in_its_reset_when_the_hub_failed_is_concerned_until_it_is_back() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0)
    assert hubs.failure_of("A4", 0.0, 60.0) is not None
    hubs.look(["A4"], {}, 61.0)
    assert hubs.failure_of("A4", 0.0, 62.0) is None


def test_what_fails_long_after_the_module_is_back_is_its_own() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0)
    hubs.look(["A1"], {}, 10.2)
    assert hubs.failure_of("A1", 0.0, 10.0 + FRESH_S) is not None
    assert hubs.failure_of("A1", 0.0, 10.1 + FRESH_S) is None
    assert hubs.failure_of("A2", 0.0, 300.0) is not None


def test_people_are_told_once_and_it_stands_until_all_are_back() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0)
    assert hubs.news(10.1) == []
    hubs.failure_of("A1", 0.0, 10.5)
    (failure,) = hubs.news(10.5)
    assert hubs.news(10.6) == []
    assert hubs.standing == [failure]
    hubs.look(["A1", "A2"], {}, 20.0)
    assert hubs.standing == [failure]
    hubs.look(["A3"], {}, 21.0)
    assert hubs.standing == []


def test_an_engineer_lifts_it_and_its_attempts_are_still_blamed_on_the_hub() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0)
    assert hubs.news(10.0 + DARK_S) != []
    hubs.lift()
    assert hubs.standing == []
    assert hubs.failure_of("A1", 0.0, 100.0) is not None
    cut_off(hubs, "A1", "A2", "A3", at_s=200.0)
    hubs.failure_of("A1", 150.0, 200.5)
    assert len(hubs.news(200.5)) == 1
    assert len(hubs.standing) == 1


def test_a_hub_that_stays_dark_is_told_before_any_attempt_ends() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0)
    assert hubs.news(10.0 + DARK_S - 0.1) == []
    assert len(hubs.news(10.0 + DARK_S)) == 1


def test_modules_that_all_restart_and_go_on_alarm_nobody() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0)
    hubs.look(["A1", "A2", "A3"], {}, 11.0)
    assert hubs.news(11.0) == []
    hubs.look(["A1", "A2", "A3"], {}, 20.0)
    assert hubs.news(20.0) == []
    assert hubs.failure_of("A1", 0.0, 20.0) is None


# --- hubs on hubs


@pytest.mark.parametrize(
    ("tray", "lost", "present", "hub"),
    [
        (ON_THEIR_OWN, "A1 A2 A3 A4", "", "1-1"),
        (ON_THEIR_OWN, "A1 A2", "", "1-1"),
        (ON_THEIR_OWN, "A1 A2 A3", "A4", None),
        (CASCADE, "A1 A2 A3 A4", "B1", "1-1"),
        (CASCADE, "A1 A2 A3 A4", "", "1-1"),
        (CASCADE, "A1 A2 A3 A4 B1 B2 B3 B4", "", "usb1"),
        (CASCADE, "A2 A3 A4", "A1 B1", "1-1.4"),
        (CASCADE, "A2 A3 A4", "", "1-1.4"),
        (CASCADE, "A1 A2 A3", "A4 B1", None),
        (CASCADE, "A1 A2 B1", "A3 B2", None),
        (CASCADE, "A1 B1", "B2", None),
    ],
)
def test_the_lowest_hub_that_explains_all_the_losses_failed(
    tray: Mapping[str, tuple[str, ...]], lost: str, present: str, hub: str | None
) -> None:
    hubs = watch(tray)
    cut_off(hubs, *lost.split(), at_s=10.0, present=present)
    found = {slot: hubs.failure_of(slot, 0.0, 10.5) for slot in lost.split()}
    assert {failure and str(failure.hub) for failure in found.values()} == {hub}
    news = hubs.news(10.5)
    assert [failure.slots for failure in news] == ([tuple(lost.split())] if hub else [])


def test_unrelated_losses_below_one_controller_are_no_hubs() -> None:
    tray = {f"A{n}": (f"1-{n}.1",) for n in range(1, 31)}
    hubs = watch(tray)
    lost = [f"A{n}" for n in range(1, 30)]
    hubs.look(["A30"], dict.fromkeys(lost, True), 10.0)
    assert not any(hubs.has_failed(slot, 0.0, 10.5) for slot in tray)
    assert hubs.news(10.0 + DARK_S) == []


def test_two_of_a_hubs_own_are_not_all_while_those_behind_its_next_hub_stay() -> None:
    hubs = watch({"A1": ("1-1.1",), "A2": ("1-1.2",), "A3": ("1-1.4.1",), "A4": ("1-1.4.2",)})
    cut_off(hubs, "A1", "A2", at_s=10.0, present="A3 A4")
    assert hubs.failure_of("A1", 0.0, 10.5) is None


def test_three_of_a_hubs_own_are_enough_and_excuse_nobody_behind_its_next_hub() -> None:
    own = {f"A{n}": (f"1-{n}",) for n in range(1, 4)}
    hubs = watch(own | {f"B{n}": (f"1-4.{n}",) for n in range(1, 4)})
    cut_off(hubs, "A1", "A2", "A3", "B1", at_s=10.0, present="B2")
    failure = hubs.failure_of("A1", 0.0, 10.5)
    assert failure is not None
    assert failure.cause == "the hub at usb1 failed: A1, A2, A3 were lost at once"
    assert hubs.failure_of("B1", 0.0, 10.5) is None
    assert hubs.failure_of("B3", 0.0, 10.5) is None


def test_hubs_that_fail_side_by_side_are_two_failures() -> None:
    hubs = watch({**CASCADE, "C1": ("1-3.1",)})
    cut_off(hubs, *CASCADE, at_s=10.0, present="C1")
    causes = {slot: failure.cause for slot in CASCADE if (failure := hubs.failure_of(slot, 0, 11))}
    assert (
        causes["A1"] == causes["A4"] == ("the hub at 1-1 failed: A1, A2, A3, A4 were lost at once")
    )
    assert causes["B1"] == "the hub at 1-2 failed: B1, B2, B3, B4 were lost at once"
    assert [str(failure.hub) for failure in hubs.news(11.0)] == ["1-1", "1-2"]


def test_a_failure_that_goes_further_is_that_of_the_hub_above() -> None:
    hubs = watch(CASCADE)
    cut_off(hubs, "A2", "A3", "A4", at_s=10.0, present="A1 B1")
    cut_off(hubs, "A1", at_s=10.4, present="B1")
    failure = hubs.failure_of("A1", 0.0, 10.9)
    assert failure is not None
    assert failure.cause == "the hub at 1-1 failed: A1, A2, A3, A4 were lost at once"
    assert hubs.failure_of("A3", 0.0, 10.9) is failure
    assert hubs.news(10.9) == [failure]
    assert hubs.news(20.0) == []


def test_failures_side_by_side_become_one_of_the_hub_above_them() -> None:
    hubs = watch({**CASCADE, "C1": ("1-3.1",)})
    cut_off(hubs, *CASCADE, at_s=10.0, present="C1")
    cut_off(hubs, "C1", at_s=10.2)
    found = [hubs.failure_of(slot, 0.0, 10.7) for slot in (*CASCADE, "C1")]
    (failure,) = hubs.news(10.7)
    assert all(one is failure for one in found)
    assert str(failure.hub) == "usb1"
    assert failure.slots == (*CASCADE, "C1")


def test_of_those_who_follow_people_are_told_and_of_nobody_twice() -> None:
    hubs = watch(CASCADE)
    cut_off(hubs, "A2", "A3", "A4", at_s=10.0, present="A1 B1")
    first = hubs.failure_of("A2", 0.0, 10.1)
    assert hubs.news(10.1) == [first]
    cut_off(hubs, "A1", at_s=10.3, present="B1")
    assert hubs.news(10.3) == []
    then = hubs.failure_of("A1", 0.0, 10.8)
    assert then is not None
    assert then.cause == "the hub at 1-1 failed: A1 followed A2, A3, A4"
    assert hubs.failure_of("A3", 0.0, 10.8) is first
    assert hubs.news(10.8) == [then]
    assert hubs.standing == [first, then]
    hubs.look(["A2", "A3", "A4"], {}, 20.0)
    assert hubs.standing == [then]


def test_of_those_who_follow_on_the_same_hub_people_are_told_too() -> None:
    hubs = watch()
    cut_off(hubs, "A1", "A2", "A3", at_s=10.0, present="A4 B1")
    hubs.failure_of("A1", 0.0, 10.1)
    assert len(hubs.news(10.1)) == 1
    cut_off(hubs, "A4", at_s=10.4, present="B1")
    hubs.failure_of("A4", 0.0, 10.9)
    assert [failure.slots for failure in hubs.news(10.9)] == [("A4",)]


def test_who_is_in_its_reset_may_be_cut_off_by_a_hub_above() -> None:
    hubs = watch(CASCADE)
    cut_off(hubs, "A2", "A3", "A4", at_s=10.0, present="B1")
    assert hubs.has_failed("A1", 0.0, 60.0)
    assert not hubs.has_failed("B2", 0.0, 60.0), "B1 shows that the controller stands"
    hubs.look(["A1", "B1"], {}, 61.0)
    assert not hubs.has_failed("A1", 0.0, 62.0)


_CHAINS = st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple)


@given(st.lists(_CHAINS, min_size=2, max_size=12, unique=True), st.data())
def test_in_one_moment_on_any_tree(chains: list[tuple[int, ...]], data: st.DataObject) -> None:
    """Where none is left below a hub, at least two of them lost, nobody is blamed; whoever is not
    blamed has such a hub, or two more with whom it shares the hub that it is on."""
    places = {str(PortPath(1, chain)): chain for chain in chains}
    lost = data.draw(st.sets(st.sampled_from(sorted(places)), min_size=1))
    present = data.draw(st.sets(st.sampled_from(sorted(places)))) - lost
    hubs = HubWatch({slot: [PortPath(1, chain)] for slot, chain in places.items()})
    hubs.look(present, dict.fromkeys(lost, True), 10.0)

    def below(hub: tuple[int, ...], slots: set[str]) -> set[str]:
        deep = len(hub)
        return {s for s in slots if places[s][:deep] == hub and len(places[s]) > deep}

    for slot in lost:
        above = [places[slot][:deep] for deep in range(len(places[slot]))]
        own = {other for other in lost if places[other][:-1] == places[slot][:-1]}
        is_excused = len(own) >= 3 or any(
            len(below(hub, lost)) >= 2 and not below(hub, present) for hub in above
        )
        failure = hubs.failure_of(slot, 0.0, 10.0)
        assert (failure is not None) is is_excused
        if failure is not None:
            assert set(failure.slots) <= below(failure.hub.chain, lost)
            deeper = {places[s][: len(failure.hub.chain) + 1] for s in failure.slots}
            is_lowest = len(deeper) > 1 or any(places[s] in deeper for s in failure.slots)
            assert is_lowest, "no hub below has them all"
    news = [slot for failure in hubs.news(10.0) for slot in failure.slots]
    assert len(news) == len(set(news))


_SLOTS = st.sampled_from(sorted(TRAY))
_STORIES = st.lists(
    st.tuples(st.floats(0.01, 3.0), st.dictionaries(_SLOTS, st.booleans()), st.sets(_SLOTS)),
    max_size=30,
)


@given(_STORIES, st.integers(2, 5), st.sampled_from([TRAY, CASCADE]))
def test_nobody_is_blamed_on_a_hub_without_company(
    story: list[tuple[float, dict[str, bool], set[str]]],
    losses: int,
    tray: Mapping[str, tuple[str, ...]],
) -> None:
    """Whatever happens: who is blamed on a hub was cut off, with another below that hub, within a
    chain of losses that are no further apart than TOGETHER_S; and people hear of it once."""
    hubs, now_s = watch(tray, losses), 0.0
    cut: dict[str, float] = {}
    told: list[HubFailure] = []
    for pause_s, lost, present in story:
        now_s += pause_s
        hubs.look(present, lost, now_s)
        cut |= {slot: now_s for slot, was_cut_off in lost.items() if was_cut_off}
        for slot in tray:
            failure = hubs.failure_of(slot, 0.0, now_s)
            if failure is None or slot in failure.absent:
                continue
            assert slot in failure.slots
            assert len({*failure.slots, *failure.known}) >= 2
            deep = len(failure.hub.chain)
            chains = [PortPath.parse(tray[name][0]).chain for name in failure.slots]
            assert {chain[:deep] for chain in chains} == {failure.hub.chain}
            assert set(failure.slots) <= cut.keys()
            assert failure.latest_s - failure.at_s <= TOGETHER_S * len(failure.slots)
        for failure in hubs.news(now_s):
            for other in told:
                is_apart = abs(failure.latest_s - other.latest_s) > TOGETHER_S
                assert is_apart or not {*failure.slots} & {*other.slots}
            told.append(failure)
        assert all(failure.missing for failure in hubs.standing)


# --- slots ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "code", "counts"),
    [
        (Outcome.FAIL, "P112", True),
        (Outcome.FAIL, "U110", True),
        (Outcome.ERROR, "U104", True),
        (Outcome.ERROR, "X901", True),
        (Outcome.ERROR, "U130", False),
        (Outcome.ERROR, "S501", False),
        (Outcome.BLOCKED, "R306", False),
        (Outcome.ABORTED, "X902", False),
        (Outcome.INTERRUPTED, "X903", False),
        (Outcome.PASS, None, False),
    ],
)
def test_what_counts_against_a_slot(outcome: Outcome, code: str | None, counts: bool) -> None:
    assert counts_against(outcome, code) is counts
    streak, breaker = Streak(1), Breaker(window=1, minimum=1, yield_percent=100)
    breaker.note(outcome, code, Unit())
    assert streak.note(outcome, code, Unit()) is counts
    assert (breaker.tripped is not None) is counts


def test_so_many_in_a_row_trip_a_breaker_that_says_so() -> None:
    breaker, (one, two, three, four) = Breaker(20, 10, 80, in_a_row=3), units(4)
    for unit, outcome in ((one, Outcome.FAIL), (two, Outcome.PASS), (three, Outcome.FAIL)):
        breaker.note(outcome, "P104", unit)
    breaker.note(Outcome.FAIL, "P104", three)
    breaker.note(Outcome.BLOCKED, "R306", four)
    assert breaker.tripped is None, "one unit counts once, a refusal not at all"
    breaker.note(Outcome.FAIL, "P104", four)
    assert breaker.tripped is None
    breaker.note(Outcome.FAIL, "U101", one)
    assert breaker.tripped == "3 units failed in a row, last U101"


def test_three_different_units_in_a_row() -> None:
    streak, (one, two, three, four) = Streak(3), units(4)
    told = [streak.note(Outcome.FAIL, "P104", unit) for unit in (one, two, one, two, three)]
    assert told == [False, False, False, False, True]
    streak.lift()
    assert not streak.note(Outcome.FAIL, "P104", four)


def test_a_good_unit_ends_the_row_and_a_refusal_does_not() -> None:
    streak, (one, two, three, four) = Streak(2), units(4)
    assert not streak.note(Outcome.FAIL, "P104", one)
    assert not streak.note(Outcome.PASS, None, two)
    assert not streak.note(Outcome.FAIL, "P104", three)
    assert not streak.note(Outcome.BLOCKED, "R301", two)
    assert streak.note(Outcome.FAIL, "P104", four)


def test_units_without_a_name_are_taken_for_different_ones() -> None:
    streak = Streak(2)
    assert not streak.note(Outcome.FAIL, "P401", Unit())
    assert streak.note(Outcome.FAIL, "P401", Unit())


# --- the line ---------------------------------------------------------------------------------


def breaker_after(verdicts: str, *, minimum: int = 10, window: int = 20) -> Breaker:
    """A breaker that has seen these: `.` good, `x` bad, each another unit."""
    breaker = Breaker(window, minimum, 80)
    for verdict, unit in zip(verdicts, units(len(verdicts)), strict=True):
        good = verdict == "."
        outcome = Outcome.PASS if good else Outcome.FAIL
        breaker.note(outcome, None if good else "P104", unit)
    return breaker


@pytest.mark.parametrize(
    ("verdicts", "trips"),
    [
        ("xxxxxxxxx", False),
        ("xxxxxxxxxx", True),
        ("........xx", False),
        (".......xxx", True),
        ("................xxxx", False),
        ("...............xxxxx", True),
        ("....................xxxx", False),
        ("....................xxxxx", True),
    ],
)
def test_the_yield_of_the_last_units(verdicts: str, trips: bool) -> None:
    assert (breaker_after(verdicts).tripped is not None) is trips


def test_a_stop_says_how_many_and_which_codes_most_first() -> None:
    breaker = breaker_after("......xx", minimum=9)
    breaker.note(Outcome.ERROR, "U104", Unit(imei="9" * 15))
    assert breaker.tripped == (
        "6 of the last 9 units are good, 66 % where 80 % are wanted: P104 x 2, U104 x 1"
    )


def test_a_unit_counts_once_by_its_latest_verdict() -> None:
    breaker, (one, *others) = Breaker(20, 3, 80), units(4)
    for _ in range(10):
        breaker.note(Outcome.FAIL, "P104", one)
    breaker.note(Outcome.PASS, None, one)
    for unit in others:
        breaker.note(Outcome.PASS, None, unit)
    assert breaker.tripped is None


def test_it_stays_tripped_until_a_person_lifts_it_and_begins_anew() -> None:
    breaker = breaker_after("x" * 10)
    why = breaker.tripped
    for unit in units(100):
        breaker.note(Outcome.PASS, None, unit)
    assert breaker.tripped == why
    for reason, by in (("", "ann"), ("new cables", ""), (" ", " ")):
        with pytest.raises(UsageError):
            breaker.lift(reason, by)
        assert breaker.tripped == why
    breaker.lift("new cables", "ann")
    for unit in units(9):
        breaker.note(Outcome.FAIL, "P104", unit)
    assert breaker.tripped is None


@given(st.text(".x", max_size=80), st.integers(1, 20), st.integers(0, 20), st.integers(1, 100))
def test_it_trips_exactly_when_the_last_ones_are_too_bad(
    verdicts: str, minimum: int, more: int, percent: int
) -> None:
    window = minimum + more
    breaker, tripped = Breaker(window, minimum, percent), False
    for index, (verdict, unit) in enumerate(zip(verdicts, units(len(verdicts)), strict=True), 1):
        good = verdict == "."
        breaker.note(Outcome.PASS if good else Outcome.FAIL, None if good else "P1", unit)
        last = verdicts[max(0, index - window) : index]
        tripped = tripped or (len(last) >= minimum and 100 * last.count(".") / len(last) < percent)
        assert (breaker.tripped is not None) is tripped
