"""The RFC's own notation for a segment: `<SEQ=x+1><ACK=y+1><CTL=FIN,ACK>`.

A pattern is a list of fields, in the order written, which print back as they were written.
What each field may hold is a row of FIELDS.  `parse` finds every error of a text, not the
first one only.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from conformance.model import expression
from conformance.model.expression import Expression, ExpressionError
from conformance.model.pattern import (
    COOKIE,
    FIELDS,
    OPTION_ARGUMENTS,
    Controls,
    Field,
    FieldSpec,
    Kind,
    Octets,
    OptionItem,
    Options,
    Pattern,
    Range,
    Some,
    Text,
    Value,
    Wildcard,
    Word,
)
from conformance.model.segment import Control


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a text; `start`, `end` are offsets, `suggestion` a way out."""

    code: str
    message: str
    start: int
    end: int
    suggestion: str = ""


class NotationError(ValueError):
    """Carries every Problem found in one text."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


_NEAR = 0.5
"""How alike two words are at least (difflib's ratio) for one to be suggested for the other."""


def suggest(word: str, known: list[str]) -> str:
    """Return `did you mean X?` for the nearest known word, or an empty string."""
    best, nearest = "", (_NEAR, 0)
    for item in known:
        likeness = difflib.SequenceMatcher(None, word.upper(), item.upper()).ratio()
        if sorted(item.upper()) == sorted(word.upper()):
            likeness = 1.0
        # Of two that are as near, the one that begins alike is more likely meant.
        measure = (likeness, _common_start(word.upper(), item.upper()))
        if measure > nearest:
            best, nearest = item, measure
    return f"did you mean {best}?" if best else ""


def _common_start(one: str, other: str) -> int:
    length = 0
    while one[length : length + 1] and one[length] == other[length : length + 1]:
        length += 1
    return length


_NICKNAMES = {"FLAGS": "CTL", "WIN": "WND", "LEN": "DATA", "HOPLIMIT": "TTL"}
"""What fields are called elsewhere."""
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FIELD_HEAD = re.compile(r"\s*<\s*([A-Za-z][\w-]*)\s*(!=|=)")
_SOME = re.compile(r"\s*<\s*(DATA)\s*>")
_HEX = re.compile(r"0x([0-9A-Fa-f]{2}(?:[ ]?[0-9A-Fa-f]{2})*)\Z")


def parse_string(text: str, offset: int = 0) -> Text:
    """Parse a quoted string that is all of `text`.  Raises NotationError."""
    match = _STRING.fullmatch(text)
    if match is None:
        message = "a string starts and ends with a double quote"
        raise NotationError([Problem("bad-string", message, offset, offset + len(text))])
    bad = re.search(r"\\(?!x[0-9A-Fa-f]{2}|[nrt0\\\"])", _strip_pairs(match[1]))
    if bad:
        start = offset + 1 + bad.start()
        raise NotationError(
            [Problem("bad-escape", "no such escape", start, start + 2, r"use \n \r \t \0 \\ \" or \xHH")]
        )
    return Text(match[1])


def _strip_pairs(text: str) -> str:
    return text.replace("\\\\", "  ")


def _field_end(text: str, start: int) -> int:
    """Return the offset of the `>` that closes a field whose value starts at `start`, or -1."""
    at = start
    while at < len(text):
        if text[at] == '"':
            match = _STRING.match(text, at)
            if match is None:
                return -1
            at = match.end()
            continue
        if text[at] == ">":
            return at
        if text[at] == "<":
            return -1
        at += 1
    return -1


def parse(text: str) -> Pattern:
    """Parse a whole pattern.  Raises NotationError with every problem found."""
    fields: list[Field] = []
    problems: list[Problem] = []
    at = 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        some = _SOME.match(text, at)
        if some:
            fields.append(Field(some[1], Some(), False, at, some.end()))
            at = some.end()
            continue
        head = _FIELD_HEAD.match(text, at)
        if head is None:
            message = "a field is written <NAME=value>"
            problems.append(Problem("bad-field", message, at, _resume(text, at), "for example <SEQ=x+1>"))
            at = _resume(text, at)
            continue
        end = _field_end(text, head.end())
        if end < 0:
            stop = _resume(text, head.end())
            problems.append(_unclosed(text, at, head.end(), stop))
            at = stop
            continue
        try:
            fields.append(_field(text, head, at, end))
        except NotationError as error:
            problems.extend(error.problems)
        at = end + 1
    problems.extend(_duplicates(fields))
    if not fields and not problems:
        problems.append(Problem("empty-segment", "no field is written here", 0, 1, "for example <CTL=ACK>"))
    if problems:
        raise NotationError(sorted(problems, key=lambda problem: problem.start))
    return Pattern(tuple(fields))


def _unclosed(text: str, at: int, value: int, stop: int) -> Problem:
    quoted = text.find('"', value, stop)
    if quoted < 0 or _STRING.match(text, quoted):
        return Problem("unclosed-field", "this field is not closed", at, stop, "add >")
    return Problem("bad-string", "this string is not closed", quoted, stop, 'a " is missing')


def _resume(text: str, at: int) -> int:
    following = text.find("<", at + 1)
    return len(text) if following < 0 else following


def _duplicates(fields: list[Field]) -> list[Problem]:
    seen: set[str] = set()
    found = []
    for item in fields:
        if item.name in seen:
            message = f"{item.name} is written twice"
            found.append(Problem("duplicate-field", message, item.start, item.end, "remove one"))
        seen.add(item.name)
    return found


def _field(text: str, head: re.Match[str], start: int, end: int) -> Field:
    name, value = head[1], text[head.end() : end]
    lead = len(value) - len(value.lstrip())
    offset, value = head.end() + lead, value.strip()
    spec = FIELDS.get(name)
    if spec is None:
        message = f"no field is named {name}"
        hint = f"did you mean {_NICKNAMES[name]}?" if name in _NICKNAMES else suggest(name, list(FIELDS))
        hint = hint or "known are " + ", ".join(FIELDS)
        raise NotationError([Problem("unknown-field", message, head.start(1), head.end(1), hint)])
    if not value:
        message = f"{name} has no value"
        raise NotationError([Problem("empty-value", message, start, end + 1, f"write a {spec.meaning}")])
    parsed: Value = Wildcard() if value == "*" else _PARSERS[spec.kind](spec, value, offset)
    return Field(name, parsed, head[2] == "!=", start, end + 1)


def _expression(text: str, offset: int) -> Expression:
    try:
        tree = expression.parse(text)
    except ExpressionError as error:
        problem = Problem(error.code, error.message, offset + error.start, offset + error.end)
        raise NotationError([problem]) from None
    fraction = re.search(r"\d+\.\d+", text)
    if fraction:
        message = f"{fraction[0]} is no whole number, as every field is"
        start, end = offset + fraction.start(), offset + fraction.end()
        raise NotationError([Problem("bad-expression", message, start, end)])
    return tree


def _number(spec: FieldSpec, text: str, offset: int) -> Value:
    low, dots, high = text.partition("..")
    if dots:
        return Range(_bound(spec, low, offset), _bound(spec, high, offset + len(low) + 2))
    return _bound(spec, text, offset)


def _bound(spec: FieldSpec, text: str, offset: int) -> Expression:
    tree = _expression(text, offset)
    if isinstance(tree, expression.Number) and tree.value >= 1 << spec.bits:
        message = f"{text.strip()} does not fit in {spec.bits} bits"
        hint = f"the {spec.meaning.partition(',')[0]} is at most {(1 << spec.bits) - 1}"
        start = offset + len(text) - len(text.lstrip())
        raise NotationError([Problem("too-large", message, start, offset + len(text.rstrip()), hint)])
    return tree


def _controls(spec: FieldSpec, text: str, offset: int) -> Value:
    if text == "none":
        return Controls(())
    names: list[str] = []
    problems: list[Problem] = []
    for part in re.finditer(r"[^,]+|(?<=,)(?=,|$)", text):
        name = part[0].strip()
        start = offset + part.start() + len(part[0]) - len(part[0].lstrip())
        stop = start + max(len(name), 1)
        if name not in Control.__members__:
            words = re.findall(r"[A-Za-z]+", name)
            hint = suggest(name, list(Control.__members__))
            if len(words) > 1 and all(word in Control.__members__ for word in words):
                hint = "control bits are joined by commas: " + ",".join(words)
            message = f"no control bit is named {name}" if name else "a control bit is missing here"
            problems.append(Problem("unknown-control", message, start, stop, hint))
        elif name in names:
            problems.append(Problem("duplicate-control", f"{name} is written twice", start, stop))
        names.append(name)
    if problems:
        raise NotationError(problems)
    return Controls(tuple(names))


def _data(spec: FieldSpec, text: str, offset: int) -> Value:
    if text.startswith('"'):
        return parse_string(text, offset)
    return _number(spec, text, offset)


def _word(spec: FieldSpec, text: str, offset: int) -> Value:
    if text in spec.words:
        return Word(text)
    if spec.bits and re.fullmatch(r"0x[0-9A-Fa-f]+|\d+", text):
        return _number(spec, text, offset)
    known = "write " + " or ".join(spec.words) if spec.bits else "known are " + ", ".join(spec.words)
    hint = suggest(text, list(spec.words)) or known
    message = f"{text} is not a value of this field" if spec.bits else f"no {spec.meaning} is named {text}"
    raise NotationError([Problem("bad-value", message, offset, offset + len(text), hint)])


def _octets(spec: FieldSpec, text: str, offset: int) -> Value:
    if text in spec.words:
        return Word(text)
    raw = _HEX.match(text)
    if raw:
        return Octets(bytes.fromhex(raw[1]))
    message = f"{text} is not octets in hex"
    raise NotationError(
        [Problem("bad-octets", message, offset, offset + len(text), "for example 0x01 83 07")]
    )


def _options(spec: FieldSpec, text: str, offset: int) -> Value:
    if text == "none":
        return Options(())
    items: list[OptionItem] = []
    problems: list[Problem] = []
    at = 0
    for part in text.split(","):
        start = offset + at + len(part) - len(part.lstrip())
        try:
            items.append(_option(part.strip(), start))
        except NotationError as error:
            problems.extend(error.problems)
        at += len(part) + 1
    if problems:
        raise NotationError(problems)
    return Options(tuple(items))


def _option(text: str, offset: int) -> OptionItem:
    raw = _HEX.match(text)
    if raw:
        return OptionItem("", (), bytes.fromhex(raw[1]))
    name, *arguments = text.split() or [""]
    if name not in OPTION_ARGUMENTS:
        hint = suggest(name, list(OPTION_ARGUMENTS)) or "name it, or write its octets in hex: 0x03 03 07"
        message = f"no option is named {name}" if name else "an option is missing here"
        stop = offset + max(len(name), 1)
        raise NotationError([Problem("unknown-option", message, offset, stop, hint)])
    wanted = OPTION_ARGUMENTS[name]
    if name == COOKIE and arguments and not expression.NAME.fullmatch(" ".join(arguments)):
        at = offset + text.index(arguments[0])
        hint = "for example FAST-OPEN c; or write the option in hex: 0x22 06 01020304"
        message = f"{name} takes the name of a cookie"
        raise NotationError([Problem("bad-option", message, at, offset + len(text), hint)])
    if arguments and wanted is not None and len(arguments) != wanted:
        message = f"{name} takes {wanted} {'number' if wanted == 1 else 'numbers'}, not {len(arguments)}"
        raise NotationError([Problem("bad-option", message, offset, offset + len(text))])
    trees: list[Expression | Wildcard] = []
    at = len(name)
    for argument in arguments:
        at = text.index(argument, at)
        trees.append(Wildcard() if argument == "*" else _expression(argument, offset + at))
        at += len(argument)
    return OptionItem(name, tuple(trees))


_PARSERS: dict[Kind, Callable[[FieldSpec, str, int], Value]] = {
    Kind.NUMBER: _number,
    Kind.CONTROLS: _controls,
    Kind.DATA: _data,
    Kind.OPTIONS: _options,
    Kind.WORD: _word,
    Kind.OCTETS: _octets,
}
