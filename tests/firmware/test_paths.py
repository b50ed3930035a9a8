import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import PackageHostile, PackageIncomplete
from station.firmware.paths import MAX_DEPTH, Paths, clean, resolve

XML = "update/firehose/rawprogram_nand_p2K_b128K_update.xml"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (r"..\sbl1.mbn", "update/sbl1.mbn"),
        ("../sbl1.mbn", "update/sbl1.mbn"),
        ("partition_complete_p2K_b128K.mbn", "update/firehose/partition_complete_p2K_b128K.mbn"),
        (r".\tz.mbn", "update/firehose/tz.mbn"),
        (r"..\..\md5.txt", "md5.txt"),
        (r"..\\tz.mbn", "update/tz.mbn"),
        ("..\\mdm 9607.img", "update/mdm 9607.img"),
    ],
)
def test_a_name_in_the_rawprogram_is_relative_to_its_folder(name: str, path: str) -> None:
    assert resolve(name, XML) == path


HOSTILE = [
    "/etc/passwd",
    r"\update\sbl1.mbn",
    r"\\server\share\sbl1.mbn",
    r"C:\sbl1.mbn",
    "c:sbl1.mbn",
    "sbl1.mbn:stream",
    "sbl1\0.mbn",
    "sbl1\n.mbn",
    "sbl1\udc80.mbn",
    "\u202enbm.1lbs",
    "",
    ".",
    "x" * 256,
    "x/" * 300 + "y",
    "y" * 5000,
    "d/" * MAX_DEPTH + "file",
]


@pytest.mark.parametrize(
    "name", [*HOSTILE, r"..\..\..\sbl1.mbn", "../../../../etc/passwd", "../.."]
)
def test_a_name_that_leaves_the_package_is_hostile(name: str) -> None:
    with pytest.raises(PackageHostile):
        resolve(name, XML)


@pytest.mark.parametrize("name", [*HOSTILE, "..", r"update\..\sbl1.mbn", "a/../../b"])
def test_a_hostile_name_of_a_file(name: str) -> None:
    with pytest.raises(PackageHostile):
        clean(name, "pkg.zip")


def test_an_error_names_the_place_and_escapes_the_name() -> None:
    with pytest.raises(PackageHostile, match=r"^pkg\.zip: the name 'a\\x00b' has"):
        clean("a\0b", "pkg.zip")


@pytest.mark.parametrize("name", [r"update\sbl1.mbn", "update/sbl1.mbn", r".\update//sbl1.mbn"])
def test_slashes_either_way(name: str) -> None:
    assert clean(name, "pkg.zip") == "update/sbl1.mbn"


NASTY = st.text(st.sampled_from("ab.\\/:. \0é\u202e"), max_size=40) | st.text(max_size=60)


@given(NASTY)
def test_resolve_gives_a_path_inside_or_is_hostile(name: str) -> None:
    try:
        path = resolve(name, XML)
    except PackageHostile:
        return
    parts = path.split("/")
    assert path.isprintable()
    assert not {"", ".", ".."} & set(parts)
    assert not set(path) & {"\\", ":", "\0"}
    assert clean(path, "again") == path


@given(st.lists(st.sampled_from(["a", "b", "..", "."]), min_size=1, max_size=12))
def test_resolve_agrees_with_walking_the_tree(parts: list[str]) -> None:
    here: list[str] | None = ["update", "firehose"]
    for part in parts:
        if part == ".." and here is not None:
            here = here[:-1] if here else None
        elif part != "." and here is not None:
            here = [*here, part]
    names_a_file = [part for part in parts if part != "."][-1:] not in ([], [".."])
    if here and names_a_file and len(here) <= MAX_DEPTH:
        assert resolve("\\".join(parts), XML) == "/".join(here)
    else:
        with pytest.raises(PackageHostile):
            resolve("\\".join(parts), XML)


def test_the_exact_name_wins_over_one_of_another_case() -> None:
    assert Paths(["update/SBL1.mbn", "update/sbl1.mbn"]).locate("update/sbl1.mbn") == (
        "update/sbl1.mbn"
    )


def test_the_only_name_of_another_case_is_meant() -> None:
    assert Paths(["Update/SBL1.mbn"]).locate("update/sbl1.mbn") == "Update/SBL1.mbn"


def test_several_names_of_another_case_are_named() -> None:
    with pytest.raises(PackageIncomplete, match=r"SBL1\.mbn, update/Sbl1\.mbn"):
        Paths(["update/SBL1.mbn", "update/Sbl1.mbn"]).locate("update/sbl1.mbn")


def test_no_such_file() -> None:
    assert Paths(["update/sbl1.mbn"]).locate("update/tz.mbn") is None
