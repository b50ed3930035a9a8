"""Recipe files: read, refused, explained."""

import hashlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from station.config import (
    Firmware,
    RecipeBase,
    check_recipes,
    load_families,
    load_recipe,
    load_recipes,
)
from station.config.recipe_files import MAX_FILES
from station.config.recipes import Glob
from station.config.strict import read_model
from station.config.yaml_lines import parse_document
from station.errors import ConfigError

GOOD = """\
name: ec25
revision: 3
procedure: quectel_edl
match: {sku: ["EC25EFA*"], tac: ["86343605"]}
firmware:
  package: ../packages/ec25
  version: "EC25EFAR06A06M4G_01.002.01.002"
"""


def write(folder: Path, text: str, name: str = "r.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_and_what_identifies_it(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    loaded = load_recipe(path)
    recipe = loaded.recipe
    assert (recipe.name, recipe.revision, recipe.procedure) == ("ec25", 3, "quectel_edl")
    assert recipe.match.sku == ("EC25EFA*",)
    assert recipe.match.tac == ("86343605",)
    assert recipe.firmware.sha256 is None
    assert recipe.firmware.version == "EC25EFAR06A06M4G_01.002.01.002"
    assert (recipe.allow_from, recipe.run_before) == (("*",), None)
    assert (recipe.same_version, recipe.downgrade, recipe.verify) == (
        "verify",
        "refuse",
        "readback",
    )
    assert recipe.retries == 1
    assert recipe.allow_vendor_lines is False
    assert (loaded.ref.name, loaded.ref.revision, loaded.ref.text) == ("ec25", 3, GOOD)
    assert loaded.ref.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.package_path == tmp_path.parent / "packages/ec25"


def test_the_digest_is_over_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "crlf.yaml"
    data = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    path.write_bytes(data)
    assert load_recipe(path).ref.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("quectel_edl", "quectel_edk", "3: key 'procedure': 'quectel_edk' is not a procedure"),
        ('"86343605"', "86343605", "4: key 'match.tac[0]': unquoted 86343605 is read as a number"),
        ('"86343605"', "01234567", "4: key 'match.tac[0]': unquoted 01234567 is read as a number"),
        ('"86343605"', '"8634360"', "4: key 'match.tac[0]': a TAC is the first 8 digits"),
        ('["EC25EFA*"]', "[]", "4: key 'match.sku': needs at least 1 entry"),
        ('["EC25EFA*"]', "EC25EFA*", "4: key 'match.sku': must be a list"),
        ("EC25EFA*", "ec25*", "4: key 'match.sku[0]': a pattern has capitals"),
        ("EC25EFA*", "E" * 65, "4: key 'match.sku[0]': a pattern has capitals"),
        ("procedure: quectel_edl", "x: 1", "1: key 'procedure': is missing"),
        ("procedure: quectel_edl", "procedure: 5", "3: key 'procedure': must be 'quectel_edl'"),
        ("tac:", "tack:", "4: key 'match.tack': is not known here (nearest key: 'tac')"),
        ("name: ec25", 'name: "../x"', "1: key 'name': a recipe name has"),
        ("name: ec25", "name: 25", "1: key 'name': unquoted 25 is read as a number"),
        ("revision: 3", "revision: 0", "2: key 'revision': must be at least 1"),
        ("revision: 3", 'revision: "3"', "2: key 'revision': must be a whole number"),
        ("revision: 3", "revision: 1e3", "2: key 'revision': must be a whole number"),
        ("revision: 3", "revision: yes", "2: key 'revision': must be a whole number"),
        ('"EC25EFAR06A06M4G_01.002.01.002"', "1.10", "7: key 'firmware.version': unquoted 1.10"),
        ("EC25EFAR06A06M4G_", "EC25_", "7: key 'firmware.version': 'EC25_01.002.01.002' is not a"),
    ],
)
def test_one_problem(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    found = check_recipes([path])
    assert found[0].startswith(f"{path}:{problem}")
    assert len(found) == 1 + (new == "x: 1")
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    assert caught.value.cause.splitlines() == found


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("limits: {erase: 0}", "key 'limits.erase': must be greater than 0"),
        ("limits: {erase: -5.5}", "key 'limits.erase': must be greater than 0"),
        ("limits: {erase: 3601}", "key 'limits.erase': must be at most 3600"),
        ("limits: {erase: .nan}", "key 'limits.erase': must be a number without quotes, not .nan"),
        ("limits: {erase: true}", "key 'limits.erase': must be a number without quotes, not true"),
        ("retries: [1]", "key 'retries': must be a whole number without quotes, not a list"),
        ("retries: {a: 1}", "key 'retries': must be a whole number without quotes, not a group"),
        ("limits: 5", "key 'limits': must be a group of keys, not 5"),
        ("retries: 4", "key 'retries': must be at most 3"),
        ("retries: 01", "key 'retries': must be a whole number without quotes, not 01"),
        ("downgrade: no", "key 'downgrade': must be 'refuse' or 'allow', not no"),
        ("same_version: ignore", "key 'same_version': must be 'verify', 'reflash' or 'skip'"),
        ("allow_vendor_lines: yes", "key 'allow_vendor_lines': must be true or false"),
        ('allow_from: ["[Z-A"]', None),  # an open bracket is a plain character to fnmatch
        ('allow_from: ["a b"]', "key 'allow_from[0]': a pattern has capitals"),
        ("sku: []", "key 'sku': is not known here"),
        ("verify:", "key 'verify': has no value"),
    ],
)
def test_one_more_line(tmp_path: Path, line: str, problem: str | None) -> None:
    path = write(tmp_path, f"{GOOD}{line}\n")
    found = check_recipes([path])
    if problem is None:
        assert found == []
    else:
        assert [text.startswith(f"{path}:8: {problem}") for text in found] == [True]


@pytest.mark.parametrize("sha256", ["A" * 64, "a" * 63, "g" * 64])
def test_a_digest_is_64_lower_hex_digits(tmp_path: Path, sha256: str) -> None:
    text = GOOD.replace("  package", f'  sha256: "{sha256}"\n  package')
    (found,) = check_recipes([write(tmp_path, text)])
    assert "key 'firmware.sha256': a sha256 has 64 digits" in found


def test_a_digest_is_kept(tmp_path: Path) -> None:
    text = GOOD.replace("  package", f'  sha256: "{"0a" * 32}"\n  package')
    assert load_recipe(write(tmp_path, text)).recipe.firmware.sha256 == "0a" * 32


def test_limits_take_whole_numbers(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD + "limits: {erase: 60, program: 90.5}\n")).recipe
    assert (recipe.limits.erase, recipe.limits.program) == (60, 90.5)
    assert recipe.limits.confirm == 90


def test_a_folder_is_sorted_by_name(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("ec25\n", "zz\n", 1), "a.yaml")
    write(tmp_path, GOOD.replace("ec25\n", "aa\n", 1), "b.yml")
    write(tmp_path, "not a recipe", "notes.txt")
    write(tmp_path, "not a recipe", ".hidden.yaml")
    assert [loaded.recipe.name for loaded in load_recipes(tmp_path)] == ["aa", "zz"]
    assert check_recipes([tmp_path]) == []


def test_every_bad_file_of_a_folder_is_named(tmp_path: Path) -> None:
    one = write(tmp_path, GOOD.replace("revision", "revison"), "1.yaml")
    write(tmp_path, GOOD, "2.yaml")
    three = write(tmp_path, GOOD, "3.yaml")
    with pytest.raises(ConfigError) as caught:
        load_recipes(tmp_path)
    lines = caught.value.cause.splitlines()
    assert lines == check_recipes([tmp_path])
    assert lines == [
        f"{one}:1: key 'revision': is missing",
        f"{one}:2: key 'revison': is not known here (nearest key: 'revision')",
        f"{three}:1: key 'name': the recipe 'ec25' is in {tmp_path / '2.yaml'} too",
    ]


def test_run_before_must_be_another_recipe(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "run_before: ec25-bas\n", "1.yaml")
    write(tmp_path, GOOD.replace("ec25\n", "ec25-base\n", 1), "2.yaml")
    with pytest.raises(ConfigError) as caught:
        load_recipes(tmp_path)
    assert caught.value.cause == (
        f"{path}:8: key 'run_before': there is no other recipe 'ec25-bas' (nearest: 'ec25-base')"
    )
    path.write_text(GOOD + "run_before: ec25-base\n", encoding="utf-8")
    assert len(load_recipes(tmp_path)) == 2


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "no"
    with pytest.raises(ConfigError, match="recipe folder cannot be read"):
        load_recipes(missing)
    assert check_recipes([missing]) == [f"{missing}: there is no such file"]
    assert load_recipes(tmp_path) == ()


def test_a_folder_of_too_many_files(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.yaml").touch()
    (found,) = check_recipes([tmp_path])
    assert "holds more than 1000 recipe files" in found


@given(st.text(alphabet="AZ09*?[]!-._", min_size=1, max_size=64), st.text(max_size=80))
def test_every_pattern_that_is_taken_can_be_used(glob: str, text: str) -> None:
    assert TypeAdapter(Glob).validate_python(glob) == glob
    assert fnmatchcase(text, glob) in (True, False)


def test_another_family_joins_without_a_break() -> None:
    class SierraFirmware(Firmware):
        cwe: tuple[str, ...]
        boot_version: str
        pri: str
        carrier: str

    class SierraRecipe(RecipeBase):
        procedure: Literal["sierra_qdl"]
        firmware: SierraFirmware

    text = """\
name: mc7455
revision: 1
procedure: sierra_qdl
match: {sku: ["1103*"]}
firmware:
  package: mc7455
  version: "SWI9X30C_02.24.05.06"
  cwe: [SWI9X30C_02.24.05.06.cwe]
  boot_version: "SWI9X30C_02.24.05.06"
  pri: "002.026_000"
  carrier: GENERIC
"""
    recipe = read_model(parse_document(Path("r.yaml"), text.encode()), SierraRecipe)
    assert recipe.firmware.carrier == "GENERIC"
    assert recipe.firmware.version == "SWI9X30C_02.24.05.06"
    bad = text.replace("carrier", "carier")
    with pytest.raises(ConfigError, match=r"firmware\.carier.*nearest key: 'carrier'"):
        read_model(parse_document(Path("r.yaml"), bad.encode()), SierraRecipe)


# --- families and backups ---------------------------------------------------------------------


def test_nothing_is_backed_up_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, GOOD)).recipe.backup == ()
    text = GOOD + "family: ec25\nbackup: [module, dump]\n"
    assert load_recipe(write(tmp_path, text)).recipe.backup == ("module", "dump")
    assert load_recipe(write(tmp_path, GOOD + "backup: [dump]\n")).recipe.family is None


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (
            "family: rm520n\nbackup: [module]\n",
            "r.yaml:9: key 'backup': rm520n is not known to back itself up safely "
            "(`module`; known: ec25, rm500q)",
        ),
        (
            "backup: [dump, module]\n",
            "r.yaml:8: key 'backup': asks for `module`, so the recipe needs the `family` of its "
            "modules",
        ),
        (
            "family: ec52\n",
            "r.yaml:8: key 'family': there is no family 'ec52' in families.yaml (nearest: 'ec25')",
        ),
    ],
)
def test_a_backup_that_may_not_be_is_refused_where_it_is_written(
    tmp_path: Path, more: str, complaint: str
) -> None:
    (found,) = check_recipes([write(tmp_path, GOOD + more)])
    assert found == f"{tmp_path}/{complaint}"


def test_the_families_of_the_settings_decide(tmp_path: Path) -> None:
    text = """\
families: {ec25: {title: one, usb: ["2c7c:0125"]}}
devices: []
edl_default: ec25
"""
    families = load_families(write(tmp_path, text, "families.yaml"))
    path = write(tmp_path, GOOD + "family: ec25\nbackup: [module]\n")
    assert check_recipes([path]) == []
    (found,) = check_recipes([path], families)
    assert found.endswith("known: none)")
