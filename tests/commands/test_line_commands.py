"""`station line` and the hands of a simulation: commands over the socket, done or refused."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from station.commands import call as call_module
from station.commands.call import Call, call, is_answered
from station.commands.line import choose, command_of, parse_expect
from station.commands.line_table import line_words, print_status
from station.commands.reporter import Reporter
from station.errors import ConfigError, NoAccess, NoEngine, OtherProtocol, UsageError
from station.live import Counts, LineState, LineView, RecipeView, SlotState, SlotView
from station.model import Outcome, PutBack
from station.wire import PROTOCOL, Hands, Hello, Status, message_line
from tests.commands.running import RECIPE, Engine, engine, files, is_written, process, records
from tests.commands.test_cli import station

HELLO = Hello(PROTOCOL, "s", "t", "1", "e", (("A1",),), hands=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two slots, not armed by anybody but the test that says so."""
    config = files(tmp_path_factory.mktemp("line"), 2)
    with engine(config, "--speed", "20", deadline_s=600) as started:
        started.see("A2", SlotState.WAITING)
        yield started
        started.end()


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["retry", "A1"], 1, "L601 NOT ARMED"),
        (["retry", "Z9"], 1, "there is no slot Z9"),
        (["abort", "A1"], 1, "L602"),
        (["release", "A1"], 1, "L602"),
        (["clear", "A1"], 1, "L602"),
        (["lift", "--reason", "mended", "--by", "eva"], 1, "nothing to lift"),
        (["lift", "--slot", "A1", "--reason", "mended", "--by", "eva"], 1, "nothing to lift"),
        (["lift", "--slot", "Z9", "--reason", "mended", "--by", "eva"], 1, "no slot Z9"),
        (["lift", "--reason", "mended"], 2, "--by"),
        (["lift", "--by", "eva"], 2, "--reason"),
        (["lift", "--reason", " ", "--by", "eva"], 2, "lift.reason"),
        (["lift", "--reason", "mended", "--by", ""], 2, "lift.by"),
        (["hold", "A1", "--reason", ""], 2, "hold.reason"),
        (["hold", "A1"], 2, "--reason"),
        (["hold", "A1", "--reason", "x" * 201], 2, "hold.reason"),
        (["retry", "A1", "--label", "\x1b[31m"], 2, "retry.label"),
        (["retry", "x" * 17], 2, "retry.slot"),
        (["disarm", "--by", " "], 2, "disarm.by"),
        (["arm"], 2, f"{RECIPE}, rm500q-demo"),
        (["arm", "--recipe", "nobody"], 2, "there is no recipe nobody"),
        (["arm", "--recipe", RECIPE, "--target", "0"], 2, "arm.target"),
        (["arm", "--recipe", RECIPE, "--expect", "3"], 1, "do not fit into 2 slots"),
        (["arm", "--recipe", RECIPE, "--expect", "A1,Z9"], 1, "there is no slot Z9"),
        (["arm", "--recipe", RECIPE, "--expect", "A1,,"], 2, "--expect"),
        (["arm", "--recipe", RECIPE, "--expect", "0"], 2, "arm.expect"),
        (["arm", "--recipe", RECIPE, "--operator", "\n"], 2, "arm.operator"),
        (["watch"], 2, "--json"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_refused_with_words(running: Engine, arguments: list[str], code: int, words: str) -> None:
    done = running.line(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert running.until(lambda _: True).line == LineView(LineState.DISARMED, expected=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plug", "A1"], "a module is in slot A1 already"),
        (["plug", "A1", "--fault", "gremlins"], "no fault is called 'gremlins'"),
        (["unplug", "Z9"], "there is no slot Z9"),
    ],
)
def test_hands_refused_with_words(running: Engine, arguments: list[str], words: str) -> None:
    done = running.sim(*arguments)
    assert (done.returncode, words in done.stderr) == (1, True), done.stderr


def test_without_an_engine(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    for arguments in (
        ("line", "status"),
        ("line", "arm"),
        ("line", "retry", "A1"),
        ("line", "stop", "--wait"),
        ("line", "watch", "--json"),
        ("sim", "tray"),
    ):
        done = station(*arguments, "--config", config, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "L605 NO ENGINE" in done.stderr
        assert "->" in done.stderr


def test_a_screen_needs_a_terminal(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    for command in ("dash", "run"):
        done = station(command, "--config", config, cwd=tmp_path)
        assert (done.returncode, "needs a terminal" in done.stderr) == (2, True)
    assert not (tmp_path / "station.sock.log").exists()


# --- done -------------------------------------------------------------------------------------


def test_status_is_a_table_or_an_object(running: Engine) -> None:
    table = running.line("status")
    assert table.returncode == 0
    assert table.stdout.startswith("DISARMED\n")
    assert table.stdout.count("WAITING") == 2
    answer = json.loads(running.line("status", "--json").stdout)
    assert answer["line"]["state"] == "disarmed"
    assert [slot["slot"] for slot in answer["slots"]] == ["A1", "A2"]


def test_a_module_pulled_out_of_the_work_is_called_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pulled = SlotView("A1", SlotState.FLASHING, 0, step="program", put_back_until_utc_us=30)
    back = replace(pulled, slot="A2", put_back_until_utc_us=None)
    print_status(LineView(LineState.ARMED), (pulled, replace(back, attempt=2, attempts=2)))
    table = capsys.readouterr().out
    assert (table.count("PUT BACK"), table.count("FLASHING, TRYING AGAIN 2/2")) == (1, 1)
    reporter = Reporter(json=True)
    reporter.tell(PutBack("A1", None))
    assert capsys.readouterr().err == ""
    reporter.tell(PutBack("A1", 30.0))
    assert "put it back into slot A1" in capsys.readouterr().err


def test_watch_is_the_engines_own_lines_until_ctrl_c(running: Engine) -> None:
    with process("line", "watch", "--json", "--config", running.config) as watching:
        assert watching.stdout is not None
        types = [json.loads(watching.stdout.readline())["type"] for _ in range(3)]
        assert types[:2] == ["hello", "snapshot"]
        watching.send_signal(signal.SIGINT)
        watching.stdout.read()
        assert watching.wait(60) == 0


def test_watch_ends_although_the_exception_of_ctrl_c_is_lost(running: Engine) -> None:
    """As Python loses it: raised in a finalizer."""
    lossy = "import signal; signal.default_int_handler = lambda *_: None; import station.cli as c; "
    command = [sys.executable, "-c", lossy + "c.main()", "line", "watch", "--json", "--config"]
    with subprocess.Popen(
        [*command, str(running.config)], stdout=subprocess.PIPE, text=True
    ) as watching:
        try:
            assert watching.stdout is not None
            assert json.loads(watching.stdout.readline())["type"] == "hello"
            watching.send_signal(signal.SIGINT)
            assert watching.wait(30) == 0
        finally:
            watching.kill()


def test_a_shift_by_commands_alone(tmp_path: Path) -> None:
    """Arm, a pulled module, a retry, a held slot, a fresh tray, disarm, stop; all on record."""
    config = files(tmp_path, 2)
    (tmp_path / "recipes" / "rm500q-demo.yaml").unlink()
    with engine(config, "--speed", "20") as running:
        running.see("A2", SlotState.WAITING)
        armed = running.line(
            "arm", "--operator", "maria", "--expect", "A1,A2", "--label", "EC25EFA"
        )
        assert armed.returncode == 0, armed.stderr
        assert f"arming {RECIPE} revision 1" in armed.stderr
        before = done(running)
        said(running, "A1: retry begins", "retry", "A1", "--by", "jo")
        running.until(lambda p: p.slots["A1"].attempt_id not in (None, before["A1"]))
        done(running)
        assert running.sim("unplug", "A2").returncode == 0
        running.see("A2", SlotState.EMPTY)
        said(running, "A2: held back", "hold", "A2", "--reason", "bent pin")
        assert running.sim("plug", "A2").returncode == 0
        assert running.until(lambda _: True).slots["A2"].state is SlotState.HELD
        said(running, "A2: back in the line", "release", "A2")
        running.see("A2", SlotState.DONE)  # the module that was there before, with its verdict
        assert running.sim("tray").returncode == 0
        after = done(running)
        assert before.keys() == after.keys()
        said(running, "disarmed; what runs is finished", "disarm")
        assert running.line("status").stdout.startswith("DISARMED, last armed by maria: ")
        stopped = running.line("stop", "--wait")
        assert (stopped.returncode, "ended" in stopped.stderr) == (0, True)
        assert running.process.poll() == 0
    attempts = records(config)
    assert [attempt["outcome"] for attempt in attempts].count("PASS") == 4
    assert len({attempt["unit"]["imei"] for attempt in attempts}) == 4
    events = {event["kind"]: event for event in records(config, "events")}
    assert events["armed"]["actor"] == "maria"
    assert events["retry"]["actor"] == "jo"
    assert events["hold"]["detail"]["reason"] == "bent pin"
    assert events["disarmed"]["peer_uid"] == os.getuid()


def test_a_line_that_stopped_by_itself_is_lifted_from_a_shell(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    settings["line"] = {"slot_failures": 2, "breaker": {"window": 2, "minimum": 2}}
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with engine(config, "--speed", "20", "--fault", "A1=wrong-programmer") as running:
        running.arm()
        running.see("A1", SlotState.DONE)
        assert running.sim("unplug", "A1").returncode == 0
        assert running.sim("plug", "A1", "--fault", "wrong-programmer").returncode == 0
        running.see("A1", SlotState.HELD)
        status = running.line("status").stdout
        assert "L630 LINE STOPPED: 0 of the last 2 units are good" in " ".join(status.split())
        refused = running.line("release", "A1")
        assert (refused.returncode, "L631 SLOT OUT" in refused.stderr) == (1, True)
        said(running, "lifted, and on record", "lift", "--by", "eva", "--reason", "right package")
        lift_slot = ("lift", "--slot", "A1", "--by", "eva", "--reason", "new pins")
        said(running, "A1: lifted, and on record", *lift_slot)
        running.until(lambda p: p.line is not None and not p.line.alarms)
        running.see("A1", SlotState.DONE)
        running.end()
    events = {event["kind"]: event for event in records(config, "events")}
    assert events["breaker_tripped"]["detail"]["cause"].endswith("D203 x 2")
    assert events["taken_out"]["detail"] == {
        "reason": "2 failures in a row, last FAIL D203 WRONG PACKAGE"
    }
    for kind, slot, reason in (
        ("breaker_lifted", None, "right package"),
        ("slot_lifted", "A1", "new pins"),
    ):
        event = events[kind]
        assert (event["actor"], event["slot"]) == ("eva", slot)
        assert event["detail"] == {"reason": reason}
        assert event["peer_uid"] == os.getuid()


def said(running: Engine, words: str, *arguments: str) -> None:
    """It is done, in one line of narration."""
    result = running.line(*arguments)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", f"{words}\n")


def done(running: Engine) -> dict[str, str | None]:
    """Wait until every module has a verdict; the attempts."""
    picture = running.until(
        lambda p: all(view.state is SlotState.DONE for view in p.slots.values())
    )
    return {name: view.attempt_id for name, view in picture.slots.items()}


def test_the_module_that_was_pulled_goes_back_and_another_by_its_fault(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with engine(config, "--speed", "20") as running:
        running.arm()
        first = running.see("A1", SlotState.DONE).slots["A1"].imei
        running.sim("unplug", "A1")
        running.see("A1", SlotState.EMPTY)
        running.sim("plug", "A1")
        back = running.see("A1", SlotState.DONE).slots["A1"]
        assert back.outcome is not None
        assert (back.imei, back.outcome.value) == (first, "NO_CHANGE")
        running.sim("unplug", "A1")
        running.see("A1", SlotState.EMPTY)
        running.sim("plug", "A1", "--fault", "nak")
        other = running.see("A1", SlotState.DONE).slots["A1"]
        assert other.failure is not None
        assert (other.imei == first, other.failure.code) == (False, "P112")
        running.end()


def test_a_tray_changed_in_mid_flash_starts_anew(tmp_path: Path) -> None:
    """The old module is told as pulled out, the fresh one gets a verdict of its own."""
    config = files(tmp_path, 1)
    with engine(config, "--speed", "10") as running:
        running.arm()
        running.until(is_written)
        with call(running.config.with_name("station.sock")) as talk:
            talk.ask(Hands(action="tray"))
        running.until(lambda p: p.slots["A1"].outcome is Outcome.PASS)
        running.end()
    pulled, fresh = records(config)
    assert pulled["failure"]["code"] == "U110"
    assert fresh["outcome"] == "PASS"
    assert pulled["unit"]["imei"] != fresh["unit"]["imei"]


def test_recipes_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    (tmp_path / "recipes" / "ec25-demo.yaml").write_text("name: [", encoding="utf-8")
    with engine(config) as running:
        refused = running.line("arm", "--recipe", RECIPE)
        assert refused.returncode == 2
        assert "ec25-demo.yaml" in refused.stderr
        running.end()


# --- arguments --------------------------------------------------------------------------------


def recipe(name: str) -> RecipeView:
    return RecipeView(name, 1, "0" * 64, ("EC25E*",), "EC25EFAR06A08M4G", "package")


def test_the_only_recipe_needs_no_name() -> None:
    a, b = recipe("a"), recipe("b")
    assert choose((a,), ()) == (a,)
    assert choose((a, b), ("b", "a", "b")) == (b, a)
    for there, names in (((a, b), ()), ((), ()), ((a,), ("b",))):
        with pytest.raises(UsageError):
            choose(there, names)


@pytest.mark.parametrize(
    ("text", "expect"),
    [("all", "all"), ("none", "none"), ("8", 8), ("A1, A2", ["A1", "A2"]), ("A1", ["A1"])],
)
def test_expect(text: str, expect: object) -> None:
    assert parse_expect(text) == expect


@given(st.text(max_size=30))
def test_no_expect_is_a_traceback(text: str) -> None:
    recipes = [{"name": "a", "sha256": "0" * 64}]
    with suppress(UsageError):
        command_of("arm", recipes=recipes, operator="x", expect=parse_expect(text))


@given(st.text(max_size=80))
def test_no_name_is_a_traceback(text: str) -> None:
    with suppress(UsageError):
        command_of("hold", slot="A1", reason=text, by=text)


def test_the_header_in_words() -> None:
    line = LineView(
        LineState.ARMED,
        "maria",
        (recipe("a"),),
        "EC25E",
        500,
        Counts(good=12, first=13, first_pass=11),
    )
    assert line_words(line) == (
        "ARMED by maria: a 1 (EC25EFAR06A08M4G), SKU EC25E; 12/500 good, first pass 11/13"
    )
    disarmed = line_words(replace(line, state=LineState.DISARMED))
    assert disarmed.startswith("DISARMED, last armed by maria: a 1 ")


# --- whoever listens there --------------------------------------------------------------------


@given(st.lists(st.binary(max_size=40) | st.just(message_line(HELLO)[:-1]), max_size=4))
def test_whatever_the_peer_says_is_a_station_error_or_an_answer(lines: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.sendall(b"\n".join(lines))
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises((NoEngine, OtherProtocol)):
            Call(Path("peer"), ours).ask(Status())


def test_a_line_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "MAX_MESSAGE_BYTES", 1000)
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.sendall(b"x" * 2000)
        with pytest.raises(OtherProtocol, match="without an end"):
            Call(Path("peer"), ours)


def test_another_protocol_is_named() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.sendall(message_line(HELLO).replace(b'"protocol":1', b'"protocol":9'))
        with pytest.raises(OtherProtocol, match="version 9"):
            Call(Path("peer"), ours)


def test_a_peer_that_says_nothing_is_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_module, "HELLO_S", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "station.sock"))
        silent.listen()
        with (
            pytest.raises(NoEngine, match="did not answer in time"),
            call(tmp_path / "station.sock"),
        ):
            pass
        assert not is_answered(tmp_path / "station.sock")


def test_a_socket_nobody_listens_at_is_no_engine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "station.sock"))
    for path in (tmp_path / "station.sock", tmp_path / "none", tmp_path / "station.sock" / "x"):
        with pytest.raises(NoEngine), call(path):
            pass
    with pytest.raises(ConfigError), call(tmp_path / ("x" * 120)):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every socket")
def test_a_socket_of_others_is_no_access(tmp_path: Path) -> None:
    path = tmp_path / "station.sock"
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
        theirs.listen()
        path.chmod(0)
        with pytest.raises(NoAccess), call(path):
            pass


def test_a_full_house_is_a_refusal_of_the_first_command(running: Engine) -> None:
    """The engine answers a command it never read; its words must arrive."""
    path = running.config.with_name("station.sock")
    with ExitStack() as others:
        for _ in range(32):
            others.enter_context(call(path))
        refused = running.line("status")
    assert (refused.returncode, "L6" in refused.stderr) == (1, True), refused.stderr
