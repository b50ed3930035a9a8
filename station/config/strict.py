"""Documents into strict models; every complaint names file, line, key and the nearest key."""

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeGuard, TypeVar, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from station.config.words import Ambiguous, explain_plain, quoted, shorten
from station.config.yaml_lines import Document, Where, refuse


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


M = TypeVar("M", bound=BaseModel)


def read_model(document: Document, model: type[M]) -> M:
    """The document as this model. Raises ConfigError with all its problems, a line each."""
    problems = list(document.problems)
    try:
        read = model.model_validate(document.value)
    except ValidationError as error:
        found = [e for e in error.errors() if not _is_echo(e)]
        raise refuse(problems + [_problem(document, model, e) for e in found]) from error
    if problems:
        raise refuse(problems)
    return read


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one."""
    found = difflib.get_close_matches(word[:64], list(known), n=1, cutoff=0.5)
    return found[0] if found else None


# --- one complaint ----------------------------------------------------------------------------


def _is_echo(error: Mapping[str, Any]) -> bool:
    """pydantic counts only the good entries: a bad one makes its list "too short" as well."""
    if error["type"] != "too_short":
        return False
    return bool(len(error["input"]) >= error["ctx"]["min_length"])


def _problem(document: Document, model: type[BaseModel], error: Mapping[str, Any]) -> str:
    where: Where = tuple(part for part in error["loc"] if part != "[key]")
    what = _sentence(error, document.mark(where).plain)
    if error["type"] == "extra_forbidden" and where:
        what += _suggestion(str(where[-1]), known_keys(model, where[:-1]))
    return document.problem(where, what)


def _suggestion(word: str, known: tuple[str, ...]) -> str:
    close = nearest(word, known)
    if close is not None:
        return f" (nearest key: {close!r})"
    return f" (known keys: {', '.join(known)})" if known else ""


def _sentence(error: Mapping[str, Any], plain: str | None) -> str:
    kind: str = error["type"]
    value = error.get("input")
    context: Mapping[str, Any] = error.get("ctx") or {}
    if value is None and kind not in ("missing", "extra_forbidden"):
        return "has no value"
    match kind:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not known here"
        case "string_type":
            return _not_text(value, plain)
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"must be {context['expected']}, not {_shown(value, plain)}"
        case _ if kind in _WANTED:
            return f"must be {_WANTED[kind]}, not {_shown(value, plain)}"
        case _:
            return _bound(kind, context) or str(error["msg"])


_WANTED = {
    "int_type": "a whole number without quotes",
    "float_type": "a number without quotes",
    "bool_type": "true or false without quotes",
    "tuple_type": "a list such as [a, b]",
    "dict_type": "a group of keys",
    "model_type": "a group of keys",
}


def _bound(kind: str, context: Mapping[str, Any]) -> str | None:
    match kind:
        case "greater_than":
            return f"must be greater than {context['gt']:g}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
        case "too_short":
            return f"needs at least {context['min_length']} entry"
        case "too_long":
            return f"may have at most {context['max_length']} entries"
        case "string_too_long":
            return f"may be at most {context['max_length']} characters long"
        case _:
            return None


def _not_text(value: object, plain: str | None) -> str:
    if isinstance(value, dict):
        return "must be text, not a group of keys"
    if isinstance(value, tuple):
        return "must be text, not a list"
    return explain_plain(plain or "")


def _shown(value: object, plain: str | None) -> str:
    match value:
        case dict():
            return "a group of keys"
        case tuple():
            return "a list"
        case Ambiguous(text, meaning):
            return f"{shorten(text)} ({meaning})"
        case str() if plain is None:
            return quoted(value)
        case _:
            return shorten(plain if plain is not None else str(value))


# --- what keys a place knows ------------------------------------------------------------------


def known_keys(model: type[BaseModel], where: Where) -> tuple[str, ...]:
    """The keys that the model knows at this place, () where it takes any."""
    place: object = model
    for part in where:
        place = _inside(place, part)
    return tuple(place.model_fields) if _is_model(place) else ()


def _inside(place: object, part: str | int) -> object:
    if _is_model(place):
        field = place.model_fields.get(str(part))
        return None if field is None else _bare(field.annotation)
    if typing.get_origin(place) is dict:
        return _bare(typing.get_args(place)[1])
    if typing.get_origin(place) is tuple:
        return _bare(typing.get_args(place)[0])
    return None


def _bare(annotation: object) -> object:
    """Without `Annotated` and `| None`."""
    if typing.get_origin(annotation) is Annotated:
        return _bare(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return next((_bare(a) for a in typing.get_args(annotation) if a is not type(None)), None)
    return annotation


def _is_model(place: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(place, type) and issubclass(place, BaseModel)


# --- words that several files use -------------------------------------------------------------


def _filled(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable text, not empty")
    return text


Text = Annotated[str, StringConstraints(max_length=256), AfterValidator(_filled)]
"""Printable text on one line, not empty."""
