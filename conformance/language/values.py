"""Scalars by kind: each function reads one value, or reports what is wrong with it."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeVar

from conformance.language.source import Log
from conformance.model import expression
from conformance.model.expression import Expression, ExpressionError
from conformance.model.notation import NotationError, Problem, parse, suggest
from conformance.model.pattern import Pattern
from conformance.model.source import SourceText

T = TypeVar("T")

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|\d+")
FLAGS = {word: word in ("yes", "true", "on") for word in ("yes", "no", "true", "false", "on", "off")}
"""The words for yes and no, in small letters: those of YAML 1.1."""
NAME = re.compile(r"[A-Za-z_]\w*")
_LONGEST = 3600.0


def part(text: SourceText, start: int, end: int) -> SourceText:
    """Return characters start..end of a text, with their places."""
    anchor = text.places[start] if start < len(text.places) else text.anchor
    return SourceText(text.text[start:end], text.path, text.places[start:end], anchor)


def stripped(text: SourceText) -> SourceText:
    """Return a text without the white space around it."""
    if text.text == text.text.strip():
        return text
    lead = len(text.text) - len(text.text.lstrip())
    return part(text, lead, max(lead, len(text.text.rstrip())))


def prose(text: SourceText) -> str:
    """Return a text as one line."""
    return " ".join(text.text.split())


def choice(text: SourceText, known: Mapping[str, T], code: str, what: str, log: Log) -> T | None:
    """Return what a word stands for; `what` begins the message: `no state`."""
    if text.text in known:
        return known[text.text]
    label = suggestion(text.text, known)
    if "," in text.text:
        label = f"a list is written [{text.text}]"
    log.error(code, f"{what} is named {text.text}", text.span(), label, listing(known) if not label else ())
    return None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `did you mean X?`, or nothing where nothing is near."""
    return suggest(word.replace("_", "-"), list(known))


def listing(known: Iterable[str]) -> tuple[str, ...]:
    """Return the note that lists what is known."""
    return ("known are " + ", ".join(known),)


def duration(text: SourceText, log: Log) -> float | None:
    """Return seconds from `200ms`, `1s`, `1.5s`, `2min`."""
    match = _DURATION.fullmatch(text.text)
    label = "write it as 200ms, 1.5s or 2min"
    if match is None:
        log.error("bad-duration", f"{text.text} is not a duration", text.span(), label)
        return None
    if match[2] not in _UNITS:
        if not match[2]:
            message, label = "a duration needs a unit", f"did you mean {match[1]}ms or {match[1]}s?"
        else:
            message, label = f"no unit of time is named {match[2]}", suggestion(match[2], _UNITS) or label
        log.error("bad-duration", message, text.span(match.start(2) if match[2] else 0), label)
        return None
    seconds = float(match[1]) * _UNITS[match[2]]
    if not 0 < seconds <= _LONGEST:
        message = (
            "a duration is longer than nothing" if not seconds else "no case waits for more than an hour"
        )
        log.error("bad-duration", message, text.span())
        return None
    return seconds


def integer(text: SourceText, low: int, high: int, log: Log) -> int | None:
    """Return a whole number, decimal or 0x, from low to high."""
    label = f"a whole number from {low} to {high}"
    if not _NUMBER.fullmatch(text.text):
        log.error("bad-number", f"{text.text} is not a number", text.span(), label)
        return None
    number = int(text.text, 16 if text.text[:2] in ("0x", "0X") else 10)
    if not low <= number <= high:
        log.error("number-out-of-range", f"{text.text} is out of range", text.span(), label)
        return None
    return number


def flag(text: SourceText, log: Log) -> bool:
    """Return yes or no, as YAML spells them."""
    if text.text.lower() not in FLAGS:
        log.error("bad-flag", f"{text.text} is neither yes nor no", text.span(), "write yes or no")
    return FLAGS.get(text.text.lower(), False)


_parse = lru_cache(maxsize=4096)(parse)
"""Cases share most of their segments, and the variants of one nearly all."""


def pattern(text: SourceText, log: Log) -> Pattern | None:
    """Return a segment in the RFC's notation."""
    try:
        return _parse(text.text)
    except NotationError as error:
        problems(text, error.problems, log)
        return None


def problems(text: SourceText, found: Iterable[Problem], log: Log) -> None:
    """Report what the notation says is wrong with a text."""
    for item in found:
        log.error(item.code, item.message, text.span(item.start, item.end), item.suggestion)


def comparison(text: SourceText, log: Log) -> Expression | None:
    """Return the expression of a `check:`, which must be true or false."""
    try:
        tree = expression.parse(text.text, comparisons=True)
    except ExpressionError as error:
        log.error(error.code, error.message, text.span(error.start, error.end))
        return None
    if not _is_comparison(tree):
        label = "write for example t2 - t1 >= 1.5"
        log.error("not-a-comparison", "a check compares two numbers", text.span(), label)
        return None
    return tree


def _is_comparison(tree: Expression) -> bool:
    match tree:
        case expression.Group(inner):
            return _is_comparison(inner)
        case expression.Binary(left, "and", right):
            return _is_comparison(left) and _is_comparison(right)
        case expression.Binary(_, operator, _):
            return operator in expression.COMPARISONS
    return False
