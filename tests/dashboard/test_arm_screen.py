"""Arming by keyboard: what is confirmed is what the engine is told, and a refusal is shown."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Button, Input

from station.dashboard.arm_form import arm_of
from station.dashboard.arm_screen import ArmScreen
from station.dashboard.confirm import ConfirmScreen
from station.dashboard.grid_screen import GridScreen
from station.dashboard.recipe_list import RecipeList
from station.errors import UsageError
from station.wire import (
    Answer,
    Arm,
    Command,
    RecipeChoice,
    Recipes,
    Refusal,
    command_line,
    parse_command,
)
from tests.dashboard.golden import check_golden
from tests.dashboard.stage import EC25, LINE, RM500Q, Stage, offer, staged

Script = Callable[[Stage], Awaitable[None]]
Reply = Callable[[Command], Answer | bool | None]
Play = Callable[[Script, Answer], None]
NOBODY = replace(LINE, operator=None)
SIZES = ((80, 24), (120, 40), (160, 48))

EC25_CHOICE = RecipeChoice(name=EC25.name, sha256=EC25.sha256)
RM500Q_CHOICE = RecipeChoice(name=RM500Q.name, sha256=RM500Q.sha256)
TWO = offer(EC25, RM500Q)


def offering(answer: Answer, armed: Answer | bool | None = None) -> Reply:
    """An engine that offers this, and answers `armed` when it shall arm."""

    def reply(command: Command) -> Answer | bool | None:
        match command:
            case Recipes():
                return answer
            case Arm():
                return armed
            case _:
                return None

    return reply


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a script before what this engine offers; nobody is at the line yet."""

    def run(script: Script, answer: Answer) -> None:
        async def main() -> None:
            reply = offering(answer)
            async with staged(ArmScreen(), tmp_path, (100, 30), line=NOBODY, reply=reply) as stage:
                await stage.show.until(lambda: "asking the engine" not in stage.text)
                await script(stage)

        asyncio.run(main())

    return run


def focus(stage: Stage) -> object:
    focused = stage.show.app.focused
    return focused.id if isinstance(focused, Input | Button) else type(focused)


# --- what is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_it_looks_as_it_was_looked_at(tmp_path: Path, size: tuple[int, int], plain: bool) -> None:
    async def look() -> None:
        two = offer(EC25, RM500Q, problem="recipes/old.yaml: line 3: there is no key 'frimware'")
        async with staged(ArmScreen(), tmp_path, size, plain=plain, reply=offering(two)) as stage:
            await stage.until("recipes/old.yaml: line 3")
            assert stage.text.isascii() or not plain
            check_golden(stage.show.app, f"{size[0]}x{size[1]}-arm{'-plain' * plain}")

    asyncio.run(look())


def test_each_recipe_shows_what_it_is(play: Play) -> None:
    async def script(stage: Stage) -> None:
        for recipe in (EC25, RM500Q):
            assert f"{recipe.name} rev {recipe.revision}" in stage.text
            assert recipe.sha256[:8] in stage.text
            assert recipe.sku[0] in stage.text
        assert f"makes {EC25.version}" in stage.text
        await stage.press("down")
        assert f"makes {RM500Q.version}" in stage.text

    play(script, TWO)


def test_no_recipes_says_so(play: Play) -> None:
    async def script(stage: Stage) -> None:
        assert "There are no recipes to choose." in stage.text

    play(script, offer())


def test_an_engine_that_talks_nonsense_is_told_in_words(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.until("L606", "recipes.0")

    play(script, Answer(None, data={"recipes": [{"name": 7}]}))


def test_a_refusal_to_list_is_shown(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.until("L604", "STOPPING", "it ends", "Wait.")

    play(script, Answer(None, Refusal("L604", "STOPPING", "it ends", "Wait.")))


@pytest.mark.parametrize("gone", [False, True])
def test_a_long_list_hides_neither_a_refusal_nor_the_form(tmp_path: Path, gone: bool) -> None:
    many = offer(*(replace(EC25, name=f"recipe-{n}", sha256=f"{n}" * 64) for n in range(9)))
    cause = "modules with the label EC25EFA are expected, and recipe-3 is for RM500QGL; " * 2
    refused = Answer(None, Refusal("L699", "OTHER SKU", cause, "Choose another recipe."))

    async def main() -> None:
        reply = offering(many, refused)
        async with staged(ArmScreen(), tmp_path, (80, 24), reply=reply) as stage:
            await stage.until("recipe-0", "3 more ▼", "makes")
            assert "▲" not in stage.text
            await stage.press("space", *["down"] * 8)
            await stage.until("3 more ▲", "recipe-8")
            stage.screen.query_one("#arm", Button).focus()
            await stage.press("enter")
            await stage.until("L699", "OTHER SKU", "modules with", "Choose another recipe.")
            if gone:
                await stage.say_nothing_for(60_000_000)
                await stage.until("the engine says nothing")
            await stage.until("recipe-8", EC25.version, "L699", "Choose another recipe.")
            for word in (
                "operator",
                "SKU on label",
                "lot",
                "target",
                "modules",
                "Arm the line",
                "Esc",
            ):
                assert word in stage.text
            check_golden(stage.show.app, f"80x24-arm-refused{'-no-data' * gone}")

    asyncio.run(main())


# --- choosing ---------------------------------------------------------------------------------


def test_space_chooses_and_takes_back(play: Play) -> None:
    async def script(stage: Stage) -> None:
        chosen = stage.screen.query_one(RecipeList)
        await stage.press("space", "down", "space")
        assert list(chosen.chosen) == [RM500Q_CHOICE]
        await stage.press("up", "space")
        assert list(chosen.chosen) == [EC25_CHOICE, RM500Q_CHOICE]

    play(script, TWO)


def test_what_is_armed_is_chosen_already(play: Play) -> None:
    async def script(stage: Stage) -> None:
        assert stage.screen.query_one(RecipeList).chosen == (EC25_CHOICE,)

    play(script, TWO)


def test_a_recipe_that_changed_since_is_not_chosen(play: Play) -> None:
    async def script(stage: Stage) -> None:
        assert stage.screen.query_one(RecipeList).chosen == ()

    play(script, offer(replace(EC25, sha256="c" * 64), RM500Q))


def test_one_recipe_alone_is_chosen_and_the_operator_comes_next(play: Play) -> None:
    async def script(stage: Stage) -> None:
        assert stage.screen.query_one(RecipeList).chosen == (RM500Q_CHOICE,)
        assert focus(stage) == "operator"

    play(script, offer(RM500Q))


def test_one_recipe_and_a_known_operator_need_one_key(tmp_path: Path) -> None:
    async def main() -> None:
        async with staged(ArmScreen(), tmp_path, reply=offering(offer(RM500Q))) as stage:
            await stage.show.until(lambda: focus(stage) == "arm")
            await stage.press("enter")
            await stage.show.until(lambda: stage.is_left)
            assert stage.engine.told() == [Arm(recipes=(RM500Q_CHOICE,), operator="maria")]

    asyncio.run(main())


# --- arming -----------------------------------------------------------------------------------


def test_everything_by_keyboard(play: Play) -> None:
    async def script(stage: Stage) -> None:
        keys = ["down", "space", "enter", *"jan", "enter", *"EC25-EFA", "enter"]
        keys += [*"PO-77", "enter", *"250", "enter"]
        await stage.press(*keys, *"A1", "space", *"A2", "enter")
        assert focus(stage) == "arm"
        await stage.press("enter")
        await stage.show.until(lambda: stage.is_left)
        assert stage.engine.told() == [
            Arm(
                recipes=(EC25_CHOICE, RM500Q_CHOICE),
                operator="jan",
                label="EC25-EFA",
                lot="PO-77",
                target=250,
                expect=("A1", "A2"),
            )
        ]

    play(script, TWO)


def test_a_scanned_badge_is_the_operator_and_does_not_arm(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("enter", "tilde", *"W-00417", "enter")
        assert stage.screen.query_one("#operator", Input).value == "W-00417"
        assert focus(stage) == "label"
        assert stage.engine.told() == []

    play(script, TWO)


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("operator", "", "operator: scan the badge"),
        ("target", "many", "target: how many good units"),
        ("target", "0", "target: how many good units"),
        ("modules", "0", "modules: all, none, a number"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_sent(
    play: Play, field: str, text: str, said: str
) -> None:
    async def script(stage: Stage) -> None:
        stage.screen.query_one("#operator", Input).value = "jan"
        stage.screen.query_one(f"#{field}", Input).value = text
        stage.screen.query_one("#arm", Button).focus()
        await stage.press("enter")
        await stage.until(said)
        assert "R309" not in stage.text
        assert "--help" not in stage.text
        assert stage.engine.told() == []
        assert not stage.is_left

    play(script, TWO)


def test_a_refusal_is_shown_in_full_and_the_screen_stays(play: Play) -> None:
    async def script(stage: Stage) -> None:
        refusal = Refusal("F301", "FILE CHANGED", "boot.mbn is another file", "Import it again.")
        stage.engine.reply = offering(TWO, Answer(None, refusal))
        stage.screen.query_one("#operator", Input).value = "jan"
        stage.screen.query_one("#arm", Button).focus()
        await stage.press("enter")
        await stage.until("F301", "FILE CHANGED", "boot.mbn is another file", "Import it again.")
        assert not stage.is_left
        assert stage.screen.query_one("#operator", Input).value == "jan"
        stage.engine.reply = offering(TWO)
        await stage.press("enter")
        await stage.show.until(lambda: stage.is_left)

    play(script, TWO)


def test_while_packages_are_checked_it_says_so_and_takes_no_second_order(play: Play) -> None:
    async def script(stage: Stage) -> None:
        stage.engine.reply = offering(TWO, armed=False)
        stage.screen.query_one("#operator", Input).value = "jan"
        stage.screen.query_one("#arm", Button).focus()
        await stage.press("enter")
        await stage.until("The packages are being checked")
        await stage.press("enter", "space")
        check_golden(stage.show.app, "100x30-arming")
        assert len(stage.engine.told()) == 1
        stage.engine.hang_up()
        await stage.until("L605", "the connection broke before the answer")
        assert not stage.is_left

    play(script, TWO)


def test_armed_while_a_question_lies_over_it_the_question_stays(play: Play) -> None:
    async def script(stage: Stage) -> None:
        stage.engine.reply = offering(TWO, armed=False)
        stage.screen.query_one("#operator", Input).value = "jan"
        stage.screen.query_one("#arm", Button).focus()
        await stage.press("enter")
        await stage.until("The packages are being checked")
        await stage.press("ctrl+q")
        question = stage.show.app.screen
        assert isinstance(question, ConfirmScreen)
        assert isinstance(stage.screen, ArmScreen)
        stage.screen.leave()
        await stage.show.pilot.pause()
        assert stage.show.app.screen is question
        await stage.press("n")
        await stage.show.until(lambda: stage.is_left)
        await stage.show.until(lambda: isinstance(stage.show.app.screen, GridScreen))

    play(script, TWO)


def test_another_engine_is_asked_for_its_own_recipes(play: Play) -> None:
    async def script(stage: Stage) -> None:
        stage.engine.hello = replace(stage.engine.hello, engine="engine-2")
        stage.engine.reply = offering(offer(RM500Q))
        stage.engine.hang_up()
        await stage.until(f"makes {RM500Q.version}")
        assert EC25.name not in stage.text

    play(script, TWO)


def test_the_same_engine_heard_again_keeps_what_was_chosen(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("space", "down")
        stage.engine.hang_up()
        await stage.show.until(lambda: stage.engine.connections == 2)
        await stage.show.until(lambda: not stage.show.app.picture.trouble)
        await stage.show.drawn()
        assert stage.screen.query_one(RecipeList).chosen == ()
        assert f"makes {RM500Q.version}" in stage.text

    play(script, TWO)


def test_escape_changes_nothing(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("escape")
        assert stage.is_left
        assert stage.engine.told() == []

    play(script, TWO)


# --- the form ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("all", "all"),
        ("None", "none"),
        ("8", 8),
        ("A1", ("A1",)),
        ("A1, A2  B7", ("A1", "A2", "B7")),
    ],
)
def test_modules_are_a_word_a_number_or_slots(text: str, expected: object) -> None:
    assert arm_of((EC25_CHOICE,), "jan", "", "", "", text).expect == expected


@pytest.mark.parametrize(
    "text", ["0", "257", "99999999999", "A" * 17, "A1;" + "B" * 20, "x " * 257]
)
def test_modules_that_cannot_be(text: str) -> None:
    with pytest.raises(UsageError, match="modules"):
        arm_of((EC25_CHOICE,), "jan", "", "", "", text)


def test_nothing_chosen_is_no_order() -> None:
    with pytest.raises(UsageError, match="recipes"):
        arm_of((), "jan", "", "", "", "")


@given(*(st.text(max_size=80) for _ in range(5)))
def test_whatever_is_entered_is_an_order_the_engine_reads_or_an_error_in_words(
    operator: str, label: str, lot: str, target: str, expect: str
) -> None:
    try:
        command = arm_of((EC25_CHOICE,), operator, label, lot, target, expect)
    except UsageError as error:
        place = error.cause.split(":")[0]
    else:
        assert parse_command(command_line(command)) == command
        place = "operator"
    assert place in ("operator", "SKU on label", "lot", "target", "modules")
