"""The small language of `SEQ=x+1` and `check: t2 - t1 >= 1.8 * (t1 - t0)`.

Numbers, names, + - * / %, parentheses, and in checks comparisons joined by `and`, and how many
different values there are.  Parsed to a tree and walked; nothing is handed to Python to evaluate.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


class ExpressionError(ValueError):
    """What is wrong with an expression; `start`, `end` are offsets in its text."""

    def __init__(self, message: str, start: int, end: int, code: str = "bad-expression") -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.code = message, start, max(end, start + 1), code


@dataclass(frozen=True, slots=True)
class Number:
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def value(self) -> float:
        if "." in self.text:
            return float(self.text)
        return int(self.text, 16 if self.text[:2] in ("0x", "0X") else 10)


@dataclass(frozen=True, slots=True)
class Name:
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Group:
    inner: "Expression"

    def __str__(self) -> str:
        return f"({self.inner})"


@dataclass(frozen=True, slots=True)
class Negation:
    operand: "Expression"

    def __str__(self) -> str:
        return f"-{self.operand}"


@dataclass(frozen=True, slots=True)
class Binary:
    left: "Expression"
    operator: str
    right: "Expression"

    def __str__(self) -> str:
        if self.operator in ("+", "-"):
            return f"{self.left}{self.operator}{self.right}"
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class Distinct:
    """How many different values `inner` has, x and y being those of one connection after another."""

    inner: "Expression"

    def __str__(self) -> str:
        return f"{DISTINCT}({self.inner})"


Expression = Number | Name | Group | Negation | Binary | Distinct

_TOKEN = re.compile(r"\s*(?:(0[xX][0-9A-Fa-f]+|\d+\.\d+|\d+)|([A-Za-z_]\w*)|(<=|>=|==|!=|[-+*/%()<>]))")
DISTINCT = "distinct"
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
NAME = re.compile(r"[A-Za-z_]\w*")
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("and",),
    COMPARISONS,
    ("+", "-"),
    ("*", "/", "%"),
)
_ARITHMETIC = 2
_MAX_DEPTH = 50
_MAX_TOKENS = 200


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise ExpressionError(f"{text[start]!r} has no meaning in an expression", start, start + 1)
        index = match.lastindex or 0
        kind = ("", "number", "name", "operator")[index]
        if match[index] == "and":
            kind = "operator"
        yield _Token(kind, match[index], match.start(index), match.end(index))
        at = match.end()
    yield _Token("end", "", len(text), len(text))


class _Parser:
    def __init__(self, text: str, counts: bool) -> None:
        self.counts = counts
        self.tokens = list(_tokens(text))
        if len(self.tokens) > _MAX_TOKENS:
            raise ExpressionError("the expression is too long", 0, len(text))
        self.at = 0
        self.depth = 0

    def take(self) -> _Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.tokens[self.at].text in _LEVELS[level] and self.tokens[self.at].kind == "operator":
            operator = self.take().text
            if operator in COMPARISONS and isinstance(left, Binary) and left.operator in COMPARISONS:
                # Python's a < b < c, which here would compare a truth with a number.
                token = self.tokens[self.at - 1]
                message = "comparisons are joined by `and`: a < b and b < c"
                raise ExpressionError(message, token.start, token.end)
            left = Binary(left, operator, self.binary(level + 1))
        return left

    def unary(self) -> Expression:
        token = self.take()
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ExpressionError("the expression is too deeply nested", token.start, token.end)
        try:
            if token.kind == "number":
                return Number(token.text)
            if token.text == DISTINCT and self.counts and self.tokens[self.at].text == "(":
                group = self.unary()
                return Distinct(group.inner if isinstance(group, Group) else group)
            if token.kind == "name":
                return Name(token.text)
            if token.text == "-":
                return Negation(self.unary())
            if token.text == "(":
                inner = self.binary(0)
                close = self.take()
                if close.text != ")":
                    raise ExpressionError("a ) is missing here", close.start, close.end)
                return Group(inner)
        finally:
            self.depth -= 1
        what = f"{token.text!r} where" if token.text else "the expression ends where"
        raise ExpressionError(f"{what} a number or a name should be", token.start, token.end)


def parse(text: str, *, comparisons: bool = False) -> Expression:
    """Parse `text`; with `comparisons`, < <= > >= == !=, `and` and `distinct` are allowed too.

    Raises ExpressionError, which says where.
    """
    parser = _Parser(text, comparisons)
    tree = parser.binary(0 if comparisons else _ARITHMETIC)
    rest = parser.tokens[parser.at]
    if rest.kind != "end":
        raise ExpressionError(f"{rest.text!r} is not expected here", rest.start, len(text))
    return tree


def names(tree: Expression) -> frozenset[str]:
    """Return the names that occur in `tree`."""
    match tree:
        case Name(name):
            return frozenset([name])
        case Group(inner) | Negation(inner) | Distinct(inner):
            return names(inner)
        case Binary(left, _, right):
            return names(left) | names(right)
        case Number():
            return frozenset()


def counts(tree: Expression) -> list[Distinct]:
    """Return what `tree` counts the different values of."""
    match tree:
        case Distinct():
            return [tree]
        case Group(inner) | Negation(inner):
            return counts(inner)
        case Binary(left, _, right):
            return counts(left) + counts(right)
        case _:
            return []


class UnboundName(LookupError):
    """A name has no value yet."""


def evaluate(tree: Expression, values: Mapping[str, float], *, whole: bool = False) -> float:
    """Return the value of `tree`; comparisons give True or False, a remainder has the sign of its divisor.

    `whole`: a division gives a whole number, so that w/2 and w-w/2 octets are w octets.

    Raises UnboundName for a name without a value, ZeroDivisionError for a division by zero.
    """
    match tree:
        case Number():
            return tree.value
        case Name(name):
            if name not in values:
                raise UnboundName(name)
            return values[name]
        case Group(inner):
            return evaluate(inner, values, whole=whole)
        case Negation(operand):
            return -evaluate(operand, values, whole=whole)
        case Distinct(inner):
            return len({evaluate(inner, row, whole=whole) for row in _rows(values)})
        case Binary(left, operator, right):
            a, b = evaluate(left, values, whole=whole), evaluate(right, values, whole=whole)
            return a // b if whole and operator == "/" else _apply(operator, a, b)


def _rows(values: Mapping[str, float]) -> Iterator[Mapping[str, float]]:
    """Give x and y the values of one connection, or incarnation, after another, as far as there is a y."""
    for number in itertools.count(1):
        x, y = (f"{letter}{number}" if number > 1 else letter for letter in "xy")
        if x not in values or y not in values:
            return
        yield {**values, "x": values[x], "y": values[y]}


def _apply(operator: str, a: float, b: float) -> float:
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a / b
        case "%":
            return a % b
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
        case "==":
            return a == b
        case "!=":
            return a != b
        case _:
            return bool(a) and bool(b)
