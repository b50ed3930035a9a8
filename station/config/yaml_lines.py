"""YAML as people write it, read so that every value remembers its line.

Only what the station's files need: mappings with text keys, lists, text, whole and decimal
numbers, true and false, nothing. Aliases, anchors, tags, merges and duplicate keys are refused,
and so is any size or depth that a person would not write. Nothing is ever constructed by
PyYAML: its parser delivers nodes, the few kinds of values are made here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from station.config.words import Ambiguous, explain_plain, plain_value, shorten
from station.errors import ConfigError

MAX_BYTES = 128 << 10
MAX_NODES = 1 << 14
"""Values and keys of a file: 256 slots have some 3000. PyYAML is slow, and its nodes are large."""
MAX_DEPTH = 16
MAX_PROBLEMS = 50

Where = tuple[str | int, ...]
"""The keys and list places that lead to a value, e.g. ("slots", "A1", "ports", 0)."""


Value = str | int | float | bool | Ambiguous | dict[str, "Value"] | tuple["Value", ...] | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value stands (line from 1) and, for an unquoted word, how it was written."""

    line: int
    plain: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its text, its value, the place of everything in it, problems seen so far."""

    path: Path
    text: str
    value: Value
    marks: Mapping[Where, Mark]
    problems: tuple[str, ...]

    def mark(self, where: Where) -> Mark:
        """The mark of a value, or of the nearest thing around it that is there."""
        while where and where not in self.marks:
            where = where[:-1]
        return self.marks.get(where, Mark(1))

    def problem(self, where: Where, what: str) -> str:
        """A problem as the user sees it: `file:line: key 'x.y': what`."""
        return _problem(self.path, self.mark(where).line, where, what)


def refuse(problems: list[str] | tuple[str, ...]) -> ConfigError:
    """All problems in one error, a line each."""
    shown = list(problems[:MAX_PROBLEMS])
    if len(problems) > MAX_PROBLEMS:
        shown.append(f"and {len(problems) - MAX_PROBLEMS} more problems")
    return ConfigError("\n".join(shown))


def _problem(path: Path, line: int, where: Where, what: str) -> str:
    key = f" key {key_text(where)!r}:" if where else ""
    return f"{path}:{line}:{key} {what}"


def key_text(where: Where) -> str:
    """`slots.A1.ports[0]`."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{shorten(part)}"
    return text.removeprefix(".")


def read_document(path: Path) -> Document:
    """Read one YAML file. Raises ConfigError for anything that is not a readable YAML text."""
    return parse_document(path, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """A file's bytes, bounded. Raises ConfigError."""
    try:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file")
        if not path.is_file():
            raise ConfigError(f"{path}: this is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES} bytes")
    return data


def parse_document(path: Path, data: bytes) -> Document:
    """The bytes of one YAML file as a document. Raises ConfigError."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from error
    try:
        root = _Loader(text).get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}:{_explain(error, text)}") from error
    except (ValueError, OverflowError) as error:
        # PyYAML lets the errors of int() and chr() through, e.g. for "\UFFFFFFFF"
        raise ConfigError(f"{path}:1: holds an escape that stands for no character") from error
    if root is None:
        raise ConfigError(f"{path}:1: the file is empty")
    reader = _Reader()
    value = reader.value_of(root, ())
    problems = tuple(_problem(path, *problem) for problem in reader.problems)
    return Document(path, text, value, reader.marks, problems)


class _RefusedError(yaml.YAMLError):
    """Valid YAML that the station does not take."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class _Loader(yaml.SafeLoader):
    """Nodes only, and none of YAML's cleverness."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # stub lacks types
        if isinstance(event, yaml.AliasEvent):
            self._refuse(
                event, "aliases (*name) are not allowed; write a word that begins with * in quotes"
            )
        if getattr(event, "anchor", None) is not None:
            self._refuse(
                event, "anchors (&name) are not allowed; write a word that begins with & in quotes"
            )
        if getattr(event, "tag", None) is not None:
            self._refuse(
                event, "tags (!name) are not allowed; write a word that begins with ! in quotes"
            )
        if self.depth >= MAX_DEPTH:
            self._refuse(event, f"more than {MAX_DEPTH} levels inside each other")
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES} keys and values in one file")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def _refuse(self, event: yaml.Event, what: str) -> None:
        mark = event.start_mark
        raise _RefusedError(mark.line + 1 if mark else 1, what)


_SYNTAX = (
    ("found character '\\t'", "a tab is not allowed here; indent with spaces"),
    ("scanning an alias", "a word that begins with * must be written in quotes"),
    ("expected a single document", "only one document is allowed; remove the line ---"),
)


def _explain(error: yaml.YAMLError, text: str) -> str:
    """`line: what is wrong` of a syntax error, in the user's words where the trap is known."""
    if isinstance(error, _RefusedError):
        return f"{error.line}: {error}"
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(part) for part in (error.context, error.problem) if part)
        for sign, words in _SYNTAX:
            if sign in said:
                said = words
        return f"{mark.line + 1 if mark else 1}: {said}"
    position: int = getattr(error, "position", 0)  # of a yaml.reader.ReaderError
    line = text.count("\n", 0, position) + 1
    return f"{line}: holds a character that is not allowed in YAML"


@dataclass(slots=True)
class _Reader:
    """Turns nodes into values and notes where each stands."""

    marks: dict[Where, Mark] = field(default_factory=dict)
    problems: list[tuple[int, Where, str]] = field(default_factory=list)

    def value_of(self, node: yaml.Node, where: Where) -> Value:
        line = node.start_mark.line + 1
        self.marks.setdefault(where, Mark(line))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.value_of(item, (*where, i)) for i, item in enumerate(node.value))
        text = str(node.value)
        if not all(char.isprintable() or char in "\n\t" for char in text):
            self.problems.append((line, where, "holds a character that cannot be printed"))
            return None
        if isinstance(node, yaml.ScalarNode) and node.style is None:
            self.marks[where] = Mark(self.marks[where].line, text)
            return plain_value(text)
        return text

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, where)
            if key is None:
                continue
            inside = (*where, key)
            if key in found:
                first = self.marks[inside].line
                self.problems.append((line, inside, f"is in line {first} already"))
                continue
            self.marks[inside] = Mark(line)
            found[key] = self.value_of(value_node, inside)
        return found

    def _key(self, node: yaml.Node, where: Where) -> str | None:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode) or node.value in ("<<", ""):
            self.problems.append((line, where, "holds a key that is not a name"))
            return None
        text = str(node.value)
        if not text.isprintable():
            self.problems.append((line, where, "holds a key that cannot be printed"))
            return None
        if node.style is None and not isinstance(plain_value(text), str):
            self.problems.append((line, where, f"holds a key, {explain_plain(text)}"))
            return None
        return text
