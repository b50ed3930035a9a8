"""The commands in a process of their own, as a person or a script starts them."""

import csv
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml

from station.engine.lock import own
from station.model import PortPath
from station.sim.layouts import layout_of
from tests.demo_line import demo_line
from tests.programs import forked, ran

OLD = layout_of("ec25").older_version
NEW = layout_of("ec25").newer_version


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "STATION_CONFIG"}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2])}


def station(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`station ARGUMENTS`, from its begin to its end, in this folder."""
    begin = partial(forked, cwd=cwd, environment=environment())
    return ran(*map(str, arguments), limit_s=120, begin=begin)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    """One demo tray with one bad module, flashed through the command line."""
    data = tmp_path_factory.mktemp("demo")
    done = station(
        *("demo", "--slots", "3", "--once", "--json", "--seed", "7", "--speed", "4"),
        *("--fault", "A2=wrong-programmer", "--data", data),
        cwd=data,
    )
    assert done.returncode == 1, done.stderr
    assert f"--config {data}/station.yaml" in done.stderr
    return data, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_has_the_keys_of_the_contract(
    demo: tuple[Path, list[dict[str, object]]],
) -> None:
    _, lines = demo
    assert sorted(str(line["slot"]) for line in lines) == ["A1", "A2", "A3"]
    for line in lines:
        assert list(line) == [
            *("attempt_id", "slot", "port_path", "outcome", "failure", "unit", "recipe"),
            *("package", "verify", "images", "started_utc", "duration_s", "steps"),
            *("evidence", "follows", "measurements", "station", "operator", "lot", "shift_id"),
            *("campaign_id", "boot_id", "purpose"),
        ]
    by_slot = {line["slot"]: line for line in lines}
    assert by_slot["A1"]["outcome"] == by_slot["A3"]["outcome"] == "PASS"
    failure = by_slot["A2"]["failure"]
    assert isinstance(failure, dict)
    assert failure["code"] == "D203"


def test_find_answers_by_every_name_in_every_form(
    demo: tuple[Path, list[dict[str, object]]],
) -> None:
    data, lines = demo
    config = data / "station.yaml"
    for line in lines:
        unit = line["unit"]
        assert isinstance(unit, dict)
        asked = {"--imei": unit["imei"], "--serial": unit["serial"], "--slot": line["slot"]}
        if unit["chip_serial"]:
            asked["--chip"] = unit["chip_serial"]
        for option, value in asked.items():
            found = station(
                *("audit", "find", option, str(value), "--json", "--config", str(config)), cwd=data
            )
            assert (found.returncode, json.loads(found.stdout)) == (0, line)
    table = station("audit", "find", "--firmware", NEW, "--config", config, cwd=data)
    assert table.stdout.count("PASS") == 2
    rows = station("audit", "find", "--since", "1h", "--csv", "--config", config, cwd=data)
    assert len(list(csv.DictReader(rows.stdout.splitlines()))) == 3


def test_nothing_found_is_an_empty_answer(demo: tuple[Path, list[dict[str, object]]]) -> None:
    data, _ = demo
    for form in (["--json"], []):
        done = station(
            *("audit", "find", "--imei", "1", *form, "--config", str(data / "station.yaml")),
            cwd=data,
        )
        assert (done.returncode, done.stdout) == (0, "")


def test_flash_on_a_machine_without_modules_says_no_usb(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    done = station("flash", "--once", "--json", "--config", config, cwd=tmp_path)
    if done.returncode == 3:
        pytest.skip(f"this machine gives no access to USB: {done.stderr.strip()}")
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, line["outcome"], line["failure"]["code"]) == (1, "BLOCKED", "U101")
    assert line["unit"]["imei"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["flash"],
        ["flash", "--once", "--slot", "Z9"],
        ["flash", "--once", "--recipe", "nobody"],
        ["flash", "--once", "--sku", "A1="],
        ["flash", "--once", "--sku", "Z9=EC25EFA"],
        ["flash", "--once", "--sku", ""],
        ["flash", "--once", "--wait", "-1"],
        ["flash", "--once", "--wait", "inf"],
        ["flash", "--once", "--wait", "nan"],
        ["plan", "--recipe", "nobody"],
        ["audit", "find"],
        ["audit", "find", "--imei", ""],
        ["audit", "find", "--since", "yesterday"],
        ["audit", "find", "--json", "--csv", "--slot", "A1"],
        ["frobnicate"],
    ],
)
def test_wrong_usage_is_two_with_words_and_no_traceback(
    tmp_path: Path, arguments: list[str]
) -> None:
    config = demo_line(tmp_path, ["A1"])
    extra = [] if arguments == ["frobnicate"] else ["--config", str(config)]
    done = station(*arguments, *extra, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--once", "--fault", "A1"],
        ["demo", "--once", "--fault", "A99=nak"],
        ["demo", "--once", "--fault", "A1=gremlins"],
        ["demo", "--once", "--slots", "0"],
        ["demo", "--once", "--speed", "0"],
        ["sim", "package", "x", "--family", "toaster"],
        ["flash", "--once", "--config", "nowhere.yaml"],
        ["package", "list"],
    ],
)
def test_wrong_usage_without_settings(tmp_path: Path, arguments: list[str]) -> None:
    done = station(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_none_is_the_stations_failure(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    (tmp_path / "station.sqlite").write_bytes(b"this is not a database" * 100)
    for arguments in (["flash", "--once"], ["audit", "find", "--slot", "A1"], ["db", "check"]):
        done = station(*arguments, "--config", config, cwd=tmp_path)
        assert done.returncode == 3, done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_stops_no_slot(tmp_path: Path) -> None:
    """`station demo --json | head -1` with a slot that ends early."""
    data = tmp_path / "demo"
    command = [sys.executable, "-m", "station", "demo", "--slots", "2", "--once", "--json"]
    command += ["--speed", "4", "--fault", "A1=wrong-variant", "--data", str(data)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert '"A1"' in process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 3
    assert "Traceback" not in said
    found = station(
        *("audit", "find", "--slot", "A2", "--json", "--config", str(data / "station.yaml")),
        cwd=tmp_path,
    )
    assert json.loads(found.stdout)["outcome"] == "PASS"


def test_a_demo_without_a_terminal_is_one_tray(tmp_path: Path) -> None:
    """In a pipe or on a build machine nobody is there to end it."""
    demo = ("demo", "--slots", "1", "--seed", "7", "--speed", "8", "--data", tmp_path / "demo")
    done = station(*demo, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no terminal, so one tray" in done.stderr
    assert done.stdout.count("PASS") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_with_a_record(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "demo"
    command = [sys.executable, "-m", "station", "demo", "--slots", "1", "--json"]
    command += ["--speed", "4", "--data", str(data)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:
            if "load_programmer" in line:
                process.send_signal(number)
                break
        process.stderr.read()
        assert process.wait(60) == 1
        (line,) = process.stdout.read().splitlines()
    attempt = json.loads(line)
    assert (attempt["outcome"], attempt["failure"]["code"]) == ("ABORTED", "X902")
    assert attempt["steps"][-1]["name"] == "give_back"


def test_kill_minus_nine_leaves_an_attempt_that_the_next_start_closes(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    command = [sys.executable, "-m", "station", "demo", "--slots", "1", "--once"]
    command += ["--speed", "4", "--data", str(data)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment(), text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "program" in line.split():
                process.kill()
                break
    config = ("--config", str(data / "station.yaml"))
    shown = station("audit", "find", "--slot", "A1", *config, cwd=tmp_path)
    assert "OPEN" in shown.stdout
    station("flash", "--once", *config, cwd=tmp_path)
    found = station("audit", "find", "--slot", "A1", "--json", *config, cwd=tmp_path)
    first = json.loads(found.stdout.splitlines()[0])
    assert (first["outcome"], first["failure"]["code"]) == ("INTERRUPTED", "X903")


def test_a_demo_writes_to_no_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "station.yaml").write_text("precious", encoding="utf-8")
    done = station("demo", "--once", "--slots", "1", "--data", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "station.yaml").read_text(encoding="utf-8") == "precious"


def test_plan_prints_what_would_be_written(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    shown = station("plan", "--recipe", "ec25-demo", "--config", config, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    operations = [line.split()[1:3] for line in lines if line.strip()[:1].isdigit()]
    assert operations[0] == ["erase", "SBL"]
    assert operations[-1] == ["program", "SBL"]
    as_json = station(
        *("plan", "--recipe", "ec25-demo", "--json", "--config", config), cwd=tmp_path
    )
    assert json.loads(as_json.stdout)["version"] == NEW


def test_recipe_commands_explain(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    good = station("recipe", "check", "--config", config, cwd=tmp_path)
    assert (good.returncode, good.stderr) == (0, "")
    match = station(
        *("recipe", "match", "--imei", "866866040520923", "--firmware", OLD, "--config", config),
        cwd=tmp_path,
    )
    assert match.returncode == 0, match.stdout
    assert "ec25-demo: flash" in match.stdout
    other = station(
        *("recipe", "match", "--imei", "866866040520923", "--sku", "RM500Q"),
        *("--firmware", OLD, "--config", config),
        cwd=tmp_path,
    )
    assert (other.returncode, "R304" in other.stdout) == (1, True)
    path = tmp_path / "recipes" / "ec25-demo.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["allow_fron"] = recipe.pop("allow_from")
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    bad = station("recipe", "check", "--config", config, cwd=tmp_path)
    assert bad.returncode == 1
    assert "ec25-demo.yaml:" in bad.stdout
    assert "allow_from" in bad.stdout


def test_a_recipe_whose_package_is_nowhere_is_named(tmp_path: Path) -> None:
    """`recipe check` is the last thing before the line; only `plan` said that there is none."""
    config = demo_line(tmp_path, ["A1"])
    path = tmp_path / "recipes" / "ec25-demo.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["firmware"] = {"package": "../EC25EFAR07A01", "version": NEW}
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    done = station("recipe", "check", "--config", config, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no problems found\n")
    (note,) = done.stderr.splitlines()
    assert note.startswith(f"note: {path}: no package 'EC25EFAR07A01' in the store")
    assert note.endswith("`station package add RELEASE`")


def test_packages_are_written_checked_added_and_listed(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    package = tmp_path / "rm500q"
    made = station("sim", "package", package, "--family", "rm500q", "--size", "4", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    checked = station("package", "check", package, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    digest = checked.stdout.split()[0]
    assert station("package", "add", package, "--config", config, cwd=tmp_path).returncode == 0
    assert digest in station("package", "list", "--config", config, cwd=tmp_path).stdout
    (package / "update" / "firehose").joinpath("extra.txt").write_text("x", encoding="utf-8")
    (package / "md5.txt").unlink()
    broken = station("package", "check", package, cwd=tmp_path)
    assert broken.returncode == 1
    assert "md5.txt" in broken.stderr


def test_two_engines_on_one_database_are_refused(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    with own(tmp_path / "station.sqlite", []):
        done = station("flash", "--once", "--config", config, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "S504" in done.stderr


def test_two_engines_on_one_port_are_refused(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1", "A2"])
    with own(None, [PortPath.parse("1-1.1")]):
        taken = station("flash", "--once", "--slot", "A1", "--config", config, cwd=tmp_path)
        free = station("flash", "--once", "--slot", "A2", "--config", config, cwd=tmp_path)
    assert taken.returncode == 2
    assert "USB port 1-1.1" in taken.stderr
    assert free.returncode != 2, free.stderr


def test_list_faults_names_the_eight_of_the_contract(tmp_path: Path) -> None:
    done = station("demo", "--list-faults", cwd=tmp_path)
    names = {line.split()[0] for line in done.stdout.splitlines()}
    wanted = "nak wrong-programmer unplug silent-sahara no-return old-version other-imei ftm"
    assert set(wanted.split()) <= names


def test_db_upgrade_creates_and_check_confirms(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    missing = station("db", "check", "--config", config, cwd=tmp_path)
    assert missing.returncode == 3
    assert "station db upgrade" in missing.stderr
    assert "schema nothing -> " in station("db", "upgrade", "--config", config, cwd=tmp_path).stdout
    assert "already" in station("db", "upgrade", "--config", config, cwd=tmp_path).stdout
    checked = station("db", "check", "--config", config, cwd=tmp_path)
    assert (checked.returncode, "as it must be" in checked.stdout) == (0, True)


def test_recipe_match_says_what_it_needs_to_know(tmp_path: Path) -> None:
    config = demo_line(tmp_path, ["A1"])
    sku_only = station("recipe", "match", "--sku", "EC25EFA", "--config", config, cwd=tmp_path)
    assert sku_only.returncode == 0
    assert "+ ec25-demo" in sku_only.stdout
    for arguments in (
        ["--imei", "123"],
        ["--sku", "BG96"],
        ["--sku", "EC25EFA", "--imei", "866866040520923", "--firmware", "nonsense"],
    ):
        refused = station("recipe", "match", *arguments, "--config", config, cwd=tmp_path)
        assert refused.returncode == 1, refused.stdout
        assert "BLOCKED" in refused.stdout
