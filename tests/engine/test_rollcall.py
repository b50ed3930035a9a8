"""Who is missing on a tray that is in."""

from station.engine.rollcall import BOOT_S, RollCall

ALL = frozenset({"A1", "A2", "A3", "A4"})


def test_nobody_is_missing_between_two_trays() -> None:
    roll = RollCall(ALL)
    roll.note([], 0.0)
    assert roll.missing(ALL, 1000.0) == frozenset()
    assert roll.look_again_s(1000.0) is None


def test_a_slot_that_stays_dark_is_missing_once_the_others_have_booted() -> None:
    roll = RollCall(ALL)
    roll.note(["A1"], 0.0)
    roll.note(["A1", "A2", "A4"], 5.0)
    assert roll.look_again_s(5.0) == 5.0 + BOOT_S
    assert roll.missing(["A3"], 5.0 + BOOT_S - 0.1) == frozenset()
    assert roll.missing(["A3"], 5.0 + BOOT_S) == {"A3"}
    assert roll.look_again_s(5.0 + BOOT_S) is None


def test_who_was_seen_on_this_tray_is_not_missed_when_it_is_taken_out() -> None:
    roll = RollCall(ALL)
    roll.note(ALL, 0.0)
    roll.note(["A2"], 100.0)
    assert roll.missing(["A1", "A3", "A4"], 200.0) == frozenset()


def test_the_next_tray_is_called_anew() -> None:
    roll = RollCall(ALL)
    roll.note(ALL, 0.0)
    roll.note([], 100.0)
    roll.note(["A1"], 200.0)
    assert roll.missing(["A2", "A3", "A4"], 200.0 + BOOT_S) == {"A2", "A3", "A4"}


def test_a_module_left_behind_does_not_excuse_the_next_tray() -> None:
    roll = RollCall(ALL)
    roll.note(ALL, 0.0)
    roll.note(["A2"], 100.0)  # left for the engineer
    assert roll.missing(["A1", "A3", "A4"], 150.0) == frozenset()
    roll.note(["A1", "A2"], 200.0)
    roll.note(["A1", "A2", "A4"], 201.0)
    assert roll.missing(["A3"], 201.0 + BOOT_S) == {"A3"}


def test_a_number_counts_modules_wherever_they_are() -> None:
    roll = RollCall(3)
    roll.note(["A1", "A4"], 0.0)
    assert roll.missing(["A2", "A3"], BOOT_S) == {"A2", "A3"}
    roll.note(["A1", "A3", "A4"], BOOT_S + 1)
    assert roll.missing(["A2"], 100.0) == frozenset()


def test_a_module_that_moves_counts_once() -> None:
    roll = RollCall(3)
    roll.note(["A1", "A2"], 0.0)
    roll.note(["A1"], 1.0)
    roll.note(["A1", "A3"], 2.0)
    assert roll.missing(["A2", "A4"], 2.0 + BOOT_S) == {"A2", "A4"}


def test_zero_expects_nothing() -> None:
    roll = RollCall(0)
    roll.note(["A1"], 0.0)
    assert roll.missing(["A2"], 100.0) == frozenset()


def test_only_the_named_slots_are_missed() -> None:
    roll = RollCall(frozenset({"A1", "A2"}))
    roll.note(["A1"], 0.0)
    assert roll.missing(["A2", "A3"], 100.0) == {"A2"}
