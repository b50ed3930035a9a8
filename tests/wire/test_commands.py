"""What an engine understands, byte for byte, and what it says to the rest."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import UsageError
from station.wire import (
    Abort,
    Arm,
    CampaignRun,
    Clear,
    Command,
    Disarm,
    Follow,
    Hands,
    Hold,
    Lift,
    OperatorAdd,
    OperatorRetire,
    Prune,
    Quarantine,
    RecipeChoice,
    Recipes,
    Release,
    ReleaseUnit,
    Retry,
    ShiftEnd,
    ShiftStart,
    Status,
    Stop,
    Watch,
    command_line,
    parse_command,
)

SHA = "ab" * 32
CHOICE = RecipeChoice(name="r1", sha256=SHA)

COMMANDS: list[tuple[Command, bytes]] = [
    (
        Arm(id="1", by="maria", recipes=(CHOICE,), operator="maria"),
        b'{"id":"1","by":"maria","do":"arm","recipes":[{"name":"r1","sha256":"'
        + SHA.encode()
        + b'"}],'
        b'"operator":"maria"}\n',
    ),
    (
        Arm(recipes=(CHOICE,), operator="ann", label="tray 7", target=50, expect=("A1", "A2")),
        b'{"do":"arm","recipes":[{"name":"r1","sha256":"' + SHA.encode() + b'"}],"operator":"ann",'
        b'"label":"tray 7","target":50,"expect":["A1","A2"]}\n',
    ),
    (
        Arm(recipes=(CHOICE,), operator="ann", expect=8),
        b'{"do":"arm","recipes":[{"name":"r1","sha256":"' + SHA.encode() + b'"}],"operator":"ann",'
        b'"expect":8}\n',
    ),
    (
        Arm(recipes=(CHOICE,), operator="ann", expect="all"),
        b'{"do":"arm","recipes":[{"name":"r1","sha256":"' + SHA.encode() + b'"}],"operator":"ann",'
        b'"expect":"all"}\n',
    ),
    (
        Arm(recipes=(CHOICE,), operator="ann", lot="PO-77"),
        b'{"do":"arm","recipes":[{"name":"r1","sha256":"' + SHA.encode() + b'"}],"operator":"ann",'
        b'"lot":"PO-77"}\n',
    ),
    (Disarm(), b'{"do":"disarm"}\n'),
    (
        Quarantine(by="eva", reason="two labels", unit="864266050000011"),
        b'{"by":"eva","do":"quarantine","reason":"two labels","unit":"864266050000011"}\n',
    ),
    (
        ReleaseUnit(by="eva", reason="a repair", unit="1f0a2b3c"),
        b'{"by":"eva","do":"release_unit","reason":"a repair","unit":"1f0a2b3c"}\n',
    ),
    (ShiftStart(operator="maria"), b'{"do":"shift_start","operator":"maria"}\n'),
    (ShiftStart(badge="W-1"), b'{"do":"shift_start","badge":"W-1"}\n'),
    (ShiftEnd(by="maria"), b'{"by":"maria","do":"shift_end"}\n'),
    (
        OperatorAdd(name="jan", role="engineer", badge="E-1", reason="new", by="eva"),
        b'{"by":"eva","do":"operator_add","name":"jan","role":"engineer","badge":"E-1",'
        b'"reason":"new"}\n',
    ),
    (
        OperatorRetire(name="jan", reason="left"),
        b'{"do":"operator_retire","name":"jan","reason":"left"}\n',
    ),
    (
        Prune(older_than_days=90, before_utc_us=5, files=2, bytes=4096),
        b'{"do":"prune","older_than_days":90,"before_utc_us":5,"files":2,"bytes":4096}\n',
    ),
    (
        CampaignRun(name="nightly", by="station"),
        b'{"by":"station","do":"campaign_run","name":"nightly"}\n',
    ),
    (
        CampaignRun(name="nightly", by="eva", reason="returns"),
        b'{"by":"eva","do":"campaign_run","name":"nightly","reason":"returns"}\n',
    ),
    (
        CampaignRun(name="nightly", by="station", policy_sha256="ab" * 32),
        b'{"by":"station","do":"campaign_run","name":"nightly","policy_sha256":"%s"}\n'
        % (b"ab" * 32),
    ),
    (
        Release(slot="A3", by="eva", reason="mended"),
        b'{"by":"eva","do":"release","slot":"A3","reason":"mended"}\n',
    ),
    (Retry(id="7", by="maria", slot="A3"), b'{"id":"7","by":"maria","do":"retry","slot":"A3"}\n'),
    (
        Retry(slot="A3", recipe="r1", label="EG25-G"),
        b'{"do":"retry","slot":"A3","recipe":"r1","label":"EG25-G"}\n',
    ),
    (Abort(slot="A3"), b'{"do":"abort","slot":"A3","now":false}\n'),
    (Abort(slot="A3", now=True), b'{"do":"abort","slot":"A3","now":true}\n'),
    (Hold(slot="A3", reason="bent pin"), b'{"do":"hold","slot":"A3","reason":"bent pin"}\n'),
    (Release(slot="A3"), b'{"do":"release","slot":"A3"}\n'),
    (
        Lift(slot="A3", by="eva", reason="mended"),
        b'{"by":"eva","do":"lift","reason":"mended","slot":"A3"}\n',
    ),
    (Lift(by="eva", reason="mended"), b'{"by":"eva","do":"lift","reason":"mended"}\n'),
    (Clear(slot="A3"), b'{"do":"clear","slot":"A3"}\n'),
    (Stop(), b'{"do":"stop","now":false}\n'),
    (Recipes(), b'{"do":"recipes"}\n'),
    (Status(), b'{"do":"status"}\n'),
    (Watch(id="w"), b'{"id":"w","do":"watch"}\n'),
    (Follow(slot="A3"), b'{"do":"follow","slot":"A3"}\n'),
    (Follow(), b'{"do":"follow"}\n'),
    (Hands(action="tray"), b'{"do":"hands","action":"tray"}\n'),
    (
        Hands(action="plug", slot="A3", fault="late_reset"),
        b'{"do":"hands","action":"plug","slot":"A3","fault":"late_reset"}\n',
    ),
]


@pytest.mark.parametrize(("command", "line"), COMMANDS)
def test_each_command_is_these_bytes_and_back(command: Command, line: bytes) -> None:
    assert command_line(command) == line
    assert parse_command(line) == command


def test_a_person_may_write_it_by_hand() -> None:
    line = b' { "slot" : "A3", "by": " maria ", "do" : "retry", "recipe": null } '
    assert parse_command(line) == Retry(slot="A3", by="maria")


@pytest.mark.parametrize("reason", ["x", "7", "Läuft nicht", "接触不良", "٣", "a\u200b"])
def test_a_reason_has_a_letter_or_a_digit_of_any_script(reason: str) -> None:
    line = json.dumps({"do": "hold", "slot": "A3", "reason": reason}).encode()
    assert parse_command(line) == Hold(slot="A3", reason=reason)


def arm(**changes: Any) -> bytes:  # noqa: ANN401 - whatever a peer may send
    good = {"do": "arm", "recipes": [{"name": "r1", "sha256": SHA}], "operator": "ann"}
    return json.dumps(good | changes).encode()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "command: the line: Invalid JSON"),
        (b"retry A3", "command: the line: Invalid JSON"),
        (b'"retry"', "command: the line: Input should be"),
        (b"{}", "command: the line: Unable to extract tag"),
        (b'{"do":"dance"}', "command: the line: Input tag 'dance'"),
        (b'{"do":7}', "command: the line: Input tag '7'"),
        (b'{"do":"lift","reason":"mended"}', "command: lift.by: Field required"),
        (b'{"do":"lift","by":"eva"}', "command: lift.reason: Field required"),
        (b'{"do":"lift","by":"eva","reason":" "}', "command: lift.reason: String should have"),
        (b'{"do":"lift","by":"","reason":"x"}', "command: lift.by: String should have"),
        (
            b'{"do":"campaign_run","name":"nightly","reason":""}',
            "command: campaign_run.reason: String should have",
        ),
        (
            b'{"do":"campaign_run","name":"nightly","policy_sha256":"ab"}',
            "command: campaign_run.policy_sha256: must have 64 digits 0-9 a-f",
        ),
        (b'{"do":"retry"}', "command: retry.slot: Field required"),
        (b'{"do":"retry","slot":3}', "command: retry.slot: Input should be a valid string"),
        (b'{"do":"retry","slot":""}', "command: retry.slot: String should have at least"),
        (b'{"do":"retry","slot":"A3","force":true}', "command: retry.force: Extra inputs"),
        (b'{"do":"abort","slot":"A3","now":"yes"}', "command: abort.now: Input should be"),
        (b'{"do":"hold","slot":"A3"}', "command: hold.reason: Field required"),
        (b'{"do":"hold","slot":"A3","reason":" "}', "command: hold.reason: String should have"),
        *(
            (
                f'{{"do":"hold","slot":"A3","reason":"{unreadable}"}}'.encode(),
                "command: hold.reason: has neither a letter nor a digit",
            )
            for unreadable in (".", "\u200b\u200b", "\u3164", "\u115f\uffa0", "\u2800", "\u034f")
        ),
        (b'{"do":"status","by":"a\\u001b[2Jb"}', "command: status.by: has characters"),
        (b'{"do":"status","by":"\\ud800"}', "command: the line: Invalid JSON"),
        (b'{"do":"status","id":"' + b"x" * 65 + b'"}', "command: status.id: String should have"),
        (b'{"do":"hands","action":"kick"}', "command: hands.action: Input should be 'plug'"),
        (b'{"do":"shift_start","operator":""}', "command: shift_start.operator: String should"),
        (b'{"do":"operator_add","name":"a","reason":"r"}', "command: operator_add.role: Field"),
        (
            b'{"do":"operator_add","name":"a","reason":"r","role":"boss"}',
            "command: operator_add.role: Input should be 'operator'",
        ),
        (b'{"do":"operator_retire","name":"a"}', "command: operator_retire.reason: Field"),
        (
            b'{"do":"prune","older_than_days":1,"before_utc_us":9223372036854775808,"files":1,'
            b'"bytes":1}',
            "command: prune.before_utc_us: Input should be less",
        ),
        (arm(lot="a\nb"), "command: arm.lot: has characters"),
        (arm(recipes=[]), "command: arm.recipes: Tuple should have at least 1"),
        (arm(recipes=[{"name": "r1", "sha256": "AB"}]), "command: arm.recipes.0.sha256: must have"),
        (arm(operator=""), "command: arm.operator: String should have"),
        (arm(target=0), "command: arm.target: Input should be greater"),
        (arm(expect="some"), "command: arm.expect."),
        (arm(expect=257), "command: arm.expect."),
    ],
)
def test_a_bad_command_is_refused_naming_the_place(line: bytes, complaint: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_command(line)
    assert refusal.value.cause.startswith(complaint)
    assert len(refusal.value.cause) < 400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_WORDS = st.sampled_from(["do", "id", "slot", "recipes", "expect", "now"])
_NEARLY = st.dictionaries(_WORDS, _JSON).flatmap(
    lambda rest: st.sampled_from(["arm", "retry", "hold", "stop", "watch"]).map(
        lambda verb: rest | {"do": verb}
    )
)


@given(
    st.binary(max_size=300)
    | (_JSON | _NEARLY).map(lambda value: json.dumps(value).encode())
    | st.integers(1, 5000).map(lambda depth: b"[" * depth)
)
def test_any_line_is_a_command_or_refused_in_few_words(line: bytes) -> None:
    cause = "command: "
    try:
        command = parse_command(line)
    except UsageError as error:
        cause = error.cause
    else:
        assert parse_command(command_line(command)) == command
    assert cause.startswith("command: ")
    assert len(cause) < 700
