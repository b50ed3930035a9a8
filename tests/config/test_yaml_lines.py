"""YAML into documents: what is taken, what is refused, and on which line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.config.words import Ambiguous, plain_value
from station.config.yaml_lines import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    MAX_PROBLEMS,
    Document,
    parse_document,
    read_document,
    refuse,
)
from station.errors import ConfigError

FILE = Path("some.yaml")


def parse(text: str) -> Document:
    return parse_document(FILE, text.encode())


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.code == "R301"
    return caught.value.cause


def test_values_and_their_lines() -> None:
    document = parse('a: 1\nb:\n  c: [x, "2", 2.5]\n  d: true\n# note\ne: |\n  two\n  lines\nf:\n')
    assert document.value == {
        "a": 1,
        "b": {"c": ("x", "2", 2.5), "d": True},
        "e": "two\nlines\n",
        "f": None,
    }
    assert document.problems == ()
    assert document.mark(("b", "c", 1)).line == 3
    assert document.mark(("b", "d")).line == 4
    assert document.mark(("b", "missing", "deep")).line == 2
    assert document.problem(("b", "c", 0), "is odd") == "some.yaml:3: key 'b.c[0]': is odd"


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("012", "octal"),
        ("01234589", "leading zero"),
        ("0x1f", "hexadecimal"),
        ("0o17", "octal"),
        ("1e3", "exponent"),
        ("1_000", "a number"),
        ("no", "truth value (false)"),
        ("NO", "truth value (false)"),
        ("yes", "truth value (true)"),
        ("on", "truth value (true)"),
        ("y", "truth value (true)"),
        ("12:30", "base 60"),
        ("2026-01-02", "date"),
        ("1.", "a number"),
        (".5", "a number"),
        (".inf", "infinity"),
        ("86343605094077600001", "a number"),
    ],
)
def test_words_that_readers_disagree_about(word: str, meaning: str) -> None:
    found = plain_value(word)
    assert isinstance(found, Ambiguous)
    assert meaning in found.meaning
    assert parse(f"key: {word}").value == {"key": found}
    assert parse(f'key: "{word}"').value == {"key": word}


@pytest.mark.parametrize(
    "word",
    [
        "EC25EFA*",
        "1-1.4",
        "2c7c:0125",
        "01.002.01.002",
        "none",
        "a b",
        "1" * 65,
        "v1",
        "-",
        "1.2.3",
    ],
)
def test_words_that_are_text_to_everybody(word: str) -> None:
    assert plain_value(word) == word


@given(st.text(alphabet="0123456789abcdefxoEe+-._:yn", max_size=80))
def test_a_word_is_a_value_or_says_what_it_is(word: str) -> None:
    found = plain_value(word)
    if isinstance(found, str):
        assert found == word
    elif isinstance(found, Ambiguous):
        assert found.text == word
    elif isinstance(found, int | float):
        assert float(word) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "some.yaml:1: the file is empty"),
        ("# only a note\n", "the file is empty"),
        ("a: &x 1\nb: 2\n", "some.yaml:1: anchors"),
        ("a: 1\nb: *x\n", "some.yaml:2: aliases (*name) are not allowed"),
        ("a:\n  - [*]\n", "some.yaml:2: a word that begins with * must be written in quotes"),
        ("a: !!python/object:os.system x\n", "some.yaml:1: tags"),
        ("a: !x y\n", "tags (!name) are not allowed"),
        ("a: 1\n\tb: 2\n", "some.yaml:2: a tab is not allowed here"),
        ("a: 1\n---\nb: 2\n", "only one document"),
        ("a: [1,\n", "some.yaml:2: "),
        ("a: 1\nb: \x01\n", "some.yaml:2: holds a character that is not allowed"),
        ('a: "\\UFFFFFFFF"\n', "escape that stands for no character"),
        ("[" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} levels"),
        ("[" * 100_000, f"more than {MAX_DEPTH} levels"),
        ("{a: " * 100_000, f"more than {MAX_DEPTH} levels"),
        ("[" + "1," * MAX_NODES + "]", f"some.yaml:1: more than {MAX_NODES} keys and values"),
        ("a: 1\n" * MAX_NODES, f"more than {MAX_NODES} keys and values"),
    ],
)
def test_refused_at_once(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_billion_laughs_stays_small() -> None:
    laughs = "a: &a [lol, lol]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
    )
    assert "anchors" in refused(laughs)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "some.yaml:3: key 'a': is in line 1 already"),
        ("x:\n  a: 1\n  a: 3\n", "some.yaml:3: key 'x.a': is in line 2 already"),
        ("a: 1\nno: 2\n", "some.yaml:2: holds a key, unquoted no is read as a truth value (false)"),
        ("a: 1\nnull: 2\n", "some.yaml:2: holds a key, unquoted null is read as no value at all"),
        ("true: 2\n", "some.yaml:1: holds a key, unquoted true is read as a truth value (true)"),
        ("x:\n  12: 2\n", "some.yaml:2: key 'x': holds a key, unquoted 12 is read as a number"),
        ("a: {b: 1}\n<<: {c: 1}\n", "some.yaml:2: holds a key that is not a name"),
        ("? [a, b]\n: 1\n", "some.yaml:1: holds a key that is not a name"),
        ('a: "\\ud800"\n', "some.yaml:1: key 'a': holds a character that cannot be printed"),
        ('a: "x\\0"\n', "some.yaml:1: key 'a': holds a character that cannot be printed"),
        ('"a\\ud800": 1\n', "some.yaml:1: holds a key that cannot be printed"),
    ],
)
def test_problems_that_do_not_hide_the_others(text: str, problem: str) -> None:
    (found,) = parse(text).problems
    assert found.startswith(problem)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing, latin, big = tmp_path / "no.yaml", tmp_path / "latin.yaml", tmp_path / "big.yaml"
    latin.write_bytes(b"a: 1\nb: \xe9\n")
    big.write_bytes(b"#" * (MAX_BYTES + 1))
    for path, said in [
        (missing, "there is no such file"),
        (tmp_path, "this is not a file"),
        (latin, "latin.yaml:2: is not UTF-8 text"),
        (big, "is larger than"),
        (Path("a\0b"), "there is no such file"),
        (Path("x" * 5000), "cannot be read"),
    ]:
        with pytest.raises(ConfigError, match=said):
            read_document(path)


def test_the_largest_tray_is_far_from_the_bounds() -> None:
    assert MAX_BYTES == 131072  # a megabyte takes PyYAML 11 s and 438 MB
    slots = "".join(
        f'  SLOT-{i:03}: {{ports: ["1-1.1.1.1.{i}", "2-1.1.1.1.{i}"], recipe: ec25-efa-r06a06}}\n'
        for i in range(256)
    )
    document = parse(f"slots:\n{slots}")
    assert isinstance(document.value, dict)
    assert isinstance(document.value["slots"], dict)
    assert len(document.value["slots"]) == 256
    assert len(document.text) * 4 < MAX_BYTES
    assert len(document.marks) * 4 < MAX_NODES


def test_many_problems_are_cut() -> None:
    lines = refuse([f"problem {i}" for i in range(MAX_PROBLEMS + 7)]).cause.splitlines()
    assert len(lines) == MAX_PROBLEMS + 1
    assert lines[-1] == "and 7 more problems"


WORDS = "a|b:|: |- |\n|  |[|]|{|}|,|*|&x|!|>|'|\"|%|@|#|?|---|...|<<|012|no|\t|\\|\\U|é|\x85|\ufeff"
yaml_words = st.sampled_from(["|", *WORDS.split("|")])


def problems_of(data: bytes) -> tuple[str, ...]:
    try:
        return parse_document(FILE, data).problems
    except ConfigError as error:
        return (error.cause,)


@given(st.lists(yaml_words, max_size=40).map("".join) | st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = problems_of(text.encode("utf-8", "surrogatepass"))
    assert all(problem.startswith("some.yaml:") for problem in found)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert all(problem.startswith("some.yaml:") for problem in problems_of(data))
