"""The command around the fuzzer, with a parser that is broken on purpose."""

from pathlib import Path

import pytest

from station.errors import SaharaError
from station.protocols import sahara
from tests.fuzz import __main__ as command
from tests.fuzz.runs import has_atheris, run_blind, run_guided
from tests.fuzz.targets import Parser, Target, target_named


def breaks_at_status(data: bytes) -> None:
    packet = sahara.decode(data)
    if isinstance(packet, sahara.EndImage) and packet.status not in (0, 0x21, 0xFF):
        raise KeyError(packet.status)


BROKEN = Target("sahara", (Parser(breaks_at_status, (SaharaError,)),), ())


def test_what_may_not_be_raised_is_found_and_kept(tmp_path: Path) -> None:
    ran = run_blind(BROKEN, 60, tmp_path, seed=1)
    (path,) = ran.findings
    assert 0 < ran.executions < 20_000
    assert "KeyError" in ran.said
    with pytest.raises(KeyError):
        BROKEN.check(path.read_bytes())


def test_a_sound_target_ends_with_its_time(tmp_path: Path) -> None:
    target = target_named("sahara")
    ran = run_blind(target, 0, tmp_path)
    assert (ran.executions, ran.findings) == (len(target.seeds()), ())


def test_the_command_fails_and_tells_how_to_see_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "has_atheris", lambda: False)
    monkeypatch.setattr(command, "target_named", lambda _: BROKEN)
    assert command.main(["--target", "sahara", "--seconds", "60", "--findings", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert said.startswith("atheris is not installed: the fuzzer is blind")
    replay = ["--target", "sahara", "--replay", said.split("--replay ")[1].strip()]
    with pytest.raises(KeyError):
        command.main(replay)


@pytest.mark.skipif(not has_atheris(), reason="atheris is not part of the test dependencies")
def test_the_guided_fuzzer_runs_and_counts(tmp_path: Path) -> None:
    ran = run_guided(target_named("at"), 1, None, tmp_path)
    assert ran.executions > 0
    assert not ran.findings
