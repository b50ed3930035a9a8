"""The table of a slot's life: every state with every input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.engine.life import COMMANDS, TABLE, Input, follow
from station.errors import NotNow
from station.live import BUSY
from station.live import SlotState as S

# Written out once more, by hand and by state, as people tell it: the table must say the same.
# A dot stays, a cross is refused.
STORY = """
            APPEARED  LEFT  DARK   SPARED SETTLED_ARMED
EMPTY       SETTLING  .     NO_USB .      .
NO_USB      SETTLING  .     .      EMPTY  .
SETTLING    SETTLING  EMPTY .      .      IDENTIFYING
WAITING     SETTLING  EMPTY .      .      .
PROBING     PROBING   EMPTY .      .      .
STANDING    .         EMPTY .      .      .
IDENTIFYING .         .     .      .      .
PLANNED     .         .     .      .      .
FLASHING    .         .     .      .      .
VERIFYING   .         .     .      .      .
DONE        PROBING   EMPTY .      .      .
AWAY        RETURNING .     .      .      .
RETURNING   RETURNING AWAY  .      .      .
PULLED      SETTLING  .     .      .      .
HELD        .         .     .      .      .
DISABLED    .         .     .      .      .

            SETTLED_DISARMED ARMED       STANDS STRANGER UNKNOWN  STUMBLED
EMPTY       .                .           .      .        .        .
NO_USB      .                .           .      .        .        .
SETTLING    WAITING          .           .      .        .        STANDING
WAITING     .                IDENTIFYING .      .        .        .
PROBING     .                .           DONE   STANDING STANDING STANDING
STANDING    .                .           .      .        .        .
IDENTIFYING .                .           .      .        .        STANDING
PLANNED     .                .           .      .        .        STANDING
FLASHING    .                .           .      .        .        STANDING
VERIFYING   .                .           .      .        .        STANDING
DONE        .                .           .      .        .        .
AWAY        .                .           .      .        .        .
RETURNING   .                .           DONE   SETTLING STANDING STANDING
PULLED      .                .           .      .        .        .
HELD        .                .           .      .        .        .
DISABLED    .                .           .      .        .        .

             IDENTIFIED WRITING  VERIFYING ENDED ENDED_AWAY ENDED_OUT
EMPTY        .          .        .         .     .          .
NO_USB       .          .        .         .     .          .
SETTLING     .          .        .         .     .          .
WAITING      .          .        .         .     .          .
PROBING      .          .        .         .     .          .
STANDING     .          .        .         .     .          .
IDENTIFYING  PLANNED    FLASHING VERIFYING DONE  AWAY       PULLED
PLANNED      PLANNED    FLASHING VERIFYING DONE  AWAY       PULLED
FLASHING     PLANNED    FLASHING VERIFYING DONE  AWAY       PULLED
VERIFYING    PLANNED    FLASHING VERIFYING DONE  AWAY       PULLED
DONE         .          .        .         .     .          .
AWAY         .          .        .         .     .          .
RETURNING    .          .        .         .     .          .
PULLED       .          .        .         .     .          .
HELD         .          .        .         .     .          .
DISABLED     .          .        .         .     .          .

            UNFINISHED UNFIT    AGAIN
EMPTY       .          .        .
NO_USB      .          .        .
SETTLING    .          .        .
WAITING     .          STANDING .
PROBING     WAITING    .        .
STANDING    .          .        .
IDENTIFYING .          .        IDENTIFYING
PLANNED     .          .        IDENTIFYING
FLASHING    .          .        IDENTIFYING
VERIFYING   .          .        IDENTIFYING
DONE        .          .        .
AWAY        .          .        .
RETURNING   .          .        .
PULLED      .          .        .
HELD        .          .        .
DISABLED    .          .        .

             START       ABORT       HOLD RELEASED_EMPTY RELEASED_FULL CLEAR
EMPTY        x           x           HELD x              x             x
NO_USB       x           x           HELD x              x             EMPTY
SETTLING     x           x           HELD x              x             x
WAITING      IDENTIFYING x           HELD x              x             x
PROBING      x           x           HELD x              x             x
STANDING     IDENTIFYING x           HELD x              x             x
IDENTIFYING  x           IDENTIFYING x    x              x             x
PLANNED      x           PLANNED     x    x              x             x
FLASHING     x           FLASHING    x    x              x             x
VERIFYING    x           VERIFYING   x    x              x             x
DONE         IDENTIFYING x           HELD x              x             x
AWAY         x           x           HELD x              x             EMPTY
RETURNING    x           x           HELD x              x             x
PULLED       x           x           HELD x              x             EMPTY
HELD         x           x           x    EMPTY          PROBING       x
DISABLED     x           x           x    x              x             x
"""


def _story() -> dict[tuple[S, Input], str]:
    told: dict[tuple[S, Input], str] = {}
    for block in STORY.strip().split("\n\n"):
        head, *rows = block.splitlines()
        for row in rows:
            state, *cells = row.split()
            for column, cell in zip(head.split(), cells, strict=True):
                told[S[state], Input[column]] = cell
    return told


def test_the_story_tells_every_state_and_every_input() -> None:
    assert set(_story()) == {(state, given) for state in S for given in Input}
    assert set(TABLE) == set(S)


@pytest.mark.parametrize("given", Input, ids=lambda given: given.name)
@pytest.mark.parametrize("state", S, ids=lambda state: state.name)
def test_every_state_with_every_input(state: S, given: Input) -> None:
    match _story()[state, given]:
        case ".":
            assert follow(state, given) is state
        case "x":
            with pytest.raises(NotNow) as refused:
                follow(state, given)
            assert len(refused.value.cause) > 20
        case after:
            assert follow(state, given) is S[after]


def test_only_what_people_ask_is_ever_refused() -> None:
    refused = {given for (_, given), cell in _story().items() if cell == "x"}
    assert refused == COMMANDS


@given(st.lists(st.sampled_from(Input), max_size=60))
def test_no_life_flashes_without_an_arrival_that_settled_or_a_person(inputs: list[Input]) -> None:
    state = S.EMPTY
    for what in inputs:
        try:
            after = follow(state, what)
        except NotNow:
            continue
        if after in BUSY and state not in BUSY:
            assert what in (Input.SETTLED_ARMED, Input.ARMED, Input.START)
            assert what is not Input.ARMED or state is S.WAITING
        if state in BUSY and after not in BUSY:
            assert after in (S.DONE, S.AWAY, S.PULLED, S.STANDING)
            assert after is not S.STANDING or what is Input.STUMBLED
        if state is S.DONE and after is S.EMPTY:
            assert what is Input.LEFT
        state = after


@given(st.lists(st.sampled_from(Input), max_size=60))
def test_every_life_can_come_back_to_empty(inputs: list[Input]) -> None:
    state = S.EMPTY
    for what in inputs:
        try:
            state = follow(state, what)
        except NotNow:
            continue
    for way_out in (Input.ENDED, Input.STRANGER, Input.LEFT, Input.SPARED, Input.LEFT):
        state = follow(state, way_out)
    if state in (S.AWAY, S.PULLED):
        state = follow(state, Input.CLEAR)
    if state is S.HELD:
        state = follow(state, Input.RELEASED_EMPTY)
    assert state is S.EMPTY
