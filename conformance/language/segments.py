"""What is asked of the patterns of a case beyond their notation: names, and what can be sent."""

from collections.abc import Iterable

from conformance.language.envelopes import check_came, check_sent
from conformance.language.source import Log
from conformance.language.values import listing, suggestion
from conformance.model import expression
from conformance.model.case import FLIGHT
from conformance.model.expression import Expression
from conformance.model.pattern import (
    COOKIE,
    OPTION_ARGUMENTS,
    Controls,
    Field,
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
from conformance.model.segment import COOKIE_LENGTHS
from conformance.model.source import SourceText

RESERVED = tuple(f"{letter}{number}" for number in ("", 2, 3, 4) for letter in "xy")
"""The initial sequence numbers of four connections or incarnations, which every case has."""
FLIGHT_IS = "this is what is in flight, in a check"
_BINDING_FIELDS = frozenset({"SEQ", "ACK", "WND", "URP", "TTL", "TOS", "ID", "DSCP", "DATA"})
"""Fields of an expect in which a new name takes the value that came."""
_OMISSIBLE = ("SEQ", "ACK", "WND")
"""Fields that are correct where a send leaves them out."""
_MODULAR = frozenset({"SEQ", "ACK"})
_OPTION_SIZES = {"MSS": 4, "WS": 3, "TS": 10, "SACK-PERMITTED": 2, "NOP": 1, "EOL": 1}
_COOKIE_OPTION = 2 + max(COOKIE_LENGTHS)
"""Octets of a Fast Open option with a cookie, at most."""
_MAX_OPTIONS = 40
"""RFC 9293 3.1: the data offset ends at 15 words, 5 of which are the fixed header."""


class Scope:
    """The names that have a value at a step, and the IP versions of the case."""

    def __init__(self, connections: Iterable[int], ip: tuple[int, ...]) -> None:
        self.ip = ip
        own = (f"{letter}{number}" for number in connections if number > 1 for letter in "xy")
        self.names = dict.fromkeys([*RESERVED, *own])
        self.cookies: set[str] = set()
        """Names that stand for a Fast Open cookie, not for a number."""

    def bind(self, names: Iterable[str]) -> None:
        self.names.update(dict.fromkeys(names))

    def check_comparison(self, tree: Expression, text: SourceText, log: Log) -> None:
        """Report names in a `check:` that have no value; a check may ask for what is in flight, too."""
        self.check(tree, text, 0, len(text.text), log, also=(FLIGHT,))

    def check(
        self, tree: Expression, text: SourceText, start: int, end: int, log: Log, also: tuple[str, ...] = ()
    ) -> None:
        """Report names in `tree`, which stands at start..end of `text`, that have no value."""
        known = [*(name for name in self.names if name not in self.cookies), *also]
        for name in sorted(expression.names(tree) - set(known)):
            at = _find(text.text, name, start, end)
            if name in self.cookies:
                message, label = f"{name} is a cookie, and no number", f"write <OPT={COOKIE} {name}>"
                log.error("bad-name", message, text.span(at, at + len(name)), label)
                continue
            message = f"{name} has no value here"
            label = suggestion(name, known) if len(name) > 2 else ""
            label = label or "give it one before: at: NAME, or expect <SEQ=NAME>"
            if name == FLIGHT:
                label = "only a check asks for what is in flight"
            told = [item for item in known if item not in RESERVED[4:]]
            log.error("unknown-name", message, text.span(at, at + len(name)), label, listing(told))

    def check_cookie(self, option: OptionItem, text: SourceText, item: Field, log: Log) -> None:
        """Report the name of a cookie that nobody has got."""
        if not option.cookie or option.cookie in self.cookies & self.names.keys():
            return
        known = sorted(self.cookies & self.names.keys())
        at = _find(text.text, option.cookie, text.text.index(COOKIE, item.start) + len(COOKIE), item.end)
        message = f"{option.cookie} is no cookie that the target has given"
        label = suggestion(option.cookie, known) if len(option.cookie) > 2 else ""
        label = label or f"get one before: expect <CTL=SYN,ACK><OPT={COOKIE} {option.cookie}>"
        notes = listing(known) if known else ()
        log.error("unknown-name", message, text.span(at, at + len(option.cookie)), label, notes)


def _find(text: str, name: str, start: int, end: int) -> int:
    """Return where a name stands in a part of a text."""
    for match in expression.NAME.finditer(text, start, end):
        if match[0] == name:
            return match.start()
    return start


def check_send(pattern: Pattern, text: SourceText, scope: Scope, log: Log) -> None:
    """Report what cannot be sent: a segment that is sent is definite."""
    for item in pattern.fields:
        if item.negated or isinstance(item.value, Wildcard | Some | Range):
            code, message, label = _indefinite(item)
            log.error(code, message, text.span(item.start, item.end), label)
        elif isinstance(item.value, Options):
            _check_options(item, item.value, text, log)
            for option in item.value.items:
                scope.check_cookie(option, text, item, log)
        _check_names(item, text, scope, log)
    check_sent(pattern, text, scope.ip, log)


def _indefinite(item: Field) -> tuple[str, str, str]:
    if item.negated:
        message = "a segment that is sent says what it has, not what it has not"
        return "negation-in-send", message, f"write <{item.name}={item.value}>"
    if isinstance(item.value, Range):
        return "range-in-send", "a range is for what comes, not for what is sent", "write one value"
    label = f"leave {item.name} out for the correct value" if item.name in _OMISSIBLE else "write a value"
    return "wildcard-in-send", "a wildcard is for what comes, not for what is sent", label


def check_expect(pattern: Pattern, text: SourceText, scope: Scope, log: Log) -> set[str]:
    """Report what can never come; return the names that the segment binds."""
    bound: set[str] = set()
    for item in pattern.fields:
        value = item.value
        binds = item.name in _BINDING_FIELDS and not item.negated
        if binds and isinstance(value, expression.Name) and value.name not in scope.cookies:
            bound.add(value.name)
            if value.name == FLIGHT:
                span = text.span(item.start, item.end)
                log.error("duplicate-name", f"{FLIGHT} has a value already", span, FLIGHT_IS)
            continue
        if isinstance(value, Options):
            bound |= _cookies(item, value, text, scope, log)
        if isinstance(value, Range) and item.name not in _MODULAR:
            _check_range(item, value, text, log)
        _check_names(item, text, scope, log)
    check_came(pattern, text, scope.ip, log)
    return bound - scope.names.keys()


def _cookies(item: Field, options: Options, text: SourceText, scope: Scope, log: Log) -> set[str]:
    """Return the names that are given to cookies; those that have a value already are compared."""
    bound: set[str] = set()
    for option in options.items:
        if item.negated or option.cookie in scope.names:
            scope.check_cookie(option, text, item, log)
        elif option.cookie:
            bound.add(option.cookie)
            scope.cookies.add(option.cookie)
    return bound


def _check_range(item: Field, value: Range, text: SourceText, log: Log) -> None:
    match value:
        case Range(expression.Number() as low, expression.Number() as high) if low.value > high.value:
            message = f"no number is in the range {value}"
            log.error("empty-range", message, text.span(item.start, item.end), f"did you mean {high}..{low}?")


def _check_names(item: Field, text: SourceText, scope: Scope, log: Log) -> None:
    for tree in _expressions(item.value):
        scope.check(tree, text, item.start, item.end, log)


def _expressions(value: Value) -> list[Expression]:
    match value:
        case Wildcard() | Some() | Controls() | Text() | Word() | Octets():
            return []
        case Range(low, high):
            return [low, high]
        case Options(items):
            arguments = (tree for item in items if not item.cookie for tree in item.arguments)
            return [tree for tree in arguments if not isinstance(tree, Wildcard)]
        case _:
            return [value]


def _check_options(item: Field, options: Options, text: SourceText, log: Log) -> None:
    size = 0
    for option in options.items:
        if option.name == COOKIE:
            size += _COOKIE_OPTION if option.cookie else 2
            continue
        wanted = OPTION_ARGUMENTS.get(option.name, 0)
        given = len(option.arguments)
        if any(isinstance(argument, Wildcard) for argument in option.arguments):
            message = "a wildcard is for what comes, not for what is sent"
            log.error("wildcard-in-send", message, text.span(item.start, item.end), "write a value")
        elif (wanted or 0) != given and wanted is not None:
            message = (
                f"{option.name} takes {wanted} {'number' if wanted == 1 else 'numbers'} where it is sent"
            )
            log.error("bad-option", message, text.span(item.start, item.end), f"here it has {given}")
        elif wanted is None and (given % 2 or not given):
            message = f"{option.name} takes pairs of numbers, the edges of a block"
            log.error("bad-option", message, text.span(item.start, item.end), f"here it has {given}")
        size += len(option.raw) or _OPTION_SIZES.get(option.name, 2 + 4 * given)
    if size > _MAX_OPTIONS:
        message = f"a header has room for {_MAX_OPTIONS} octets of options"
        log.error("too-many-options", message, text.span(item.start, item.end), f"these are {size}")
