"""What is printed is read back as the same; whatever is read is understood or refused with a place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.model import expression
from conformance.model.expression import Binary, Expression, Group, Name, Negation, Number
from conformance.model.notation import NotationError, parse, suggest
from conformance.model.pattern import (
    FIELDS,
    OPTION_ARGUMENTS,
    Controls,
    Field,
    Kind,
    Octets,
    OptionItem,
    Options,
    Pattern,
    Range,
    Text,
    Value,
    Wildcard,
    Word,
    quote,
)
from conformance.model.segment import Control

NUMBERS = st.integers(0, 15).flatmap(lambda number: st.sampled_from([str(number), hex(number)])).map(Number)
NAMES = st.sampled_from(["x", "y", "x2", "w", "_a1", "T"]).map(Name)


def _level(operand: st.SearchStrategy[Expression], *operators: str) -> st.SearchStrategy[Expression]:
    """Chains of operators of one level, which associate to the left."""
    operator = st.sampled_from(operators)
    two = st.builds(Binary, operand, operator, operand)
    return st.one_of(operand, two, st.builds(Binary, two, operator, operand))


def _grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    sums = _level(_level(inner, "*", "/", "%"), "+", "-")
    return st.one_of(sums.map(Group), st.one_of(NUMBERS, NAMES).map(Negation))


ATOMS = st.recursive(st.one_of(NUMBERS, NAMES), _grow, max_leaves=3)
SUMS = _level(_level(ATOMS, "*", "/", "%"), "+", "-").filter(lambda tree: len(str(tree)) < 100)
"""Short ones: very long expressions are refused."""
COMPARISONS = st.builds(Binary, SUMS, st.sampled_from(expression.COMPARISONS), SUMS)
STRINGS = st.binary(max_size=8).map(lambda octets: Text(quote(octets)[1:-1]))
WILDCARDS = st.just(Wildcard())
CONTROLS = st.lists(st.sampled_from(list(Control.__members__)), unique=True).map(
    lambda names: Controls(tuple(names))
)
RANGES = st.builds(Range, SUMS, SUMS)


@st.composite
def option_items(draw: st.DrawFn) -> OptionItem:
    if draw(st.booleans()):
        return OptionItem("", (), draw(st.binary(min_size=1, max_size=5)))
    name = draw(st.sampled_from(list(OPTION_ARGUMENTS)))
    wanted = OPTION_ARGUMENTS[name]
    count = draw(st.sampled_from([0, 2, 4])) if wanted is None else draw(st.sampled_from([0, wanted]))
    return OptionItem(name, tuple(draw(st.one_of(SUMS, WILDCARDS)) for _ in range(count)))


OPTIONS = st.lists(option_items(), max_size=3).map(lambda items: Options(tuple(items)))
VALUES: dict[Kind, st.SearchStrategy[Value]] = {
    Kind.NUMBER: st.one_of(WILDCARDS, SUMS, RANGES),
    Kind.CONTROLS: st.one_of(WILDCARDS, CONTROLS),
    Kind.DATA: st.one_of(WILDCARDS, STRINGS, SUMS, RANGES),
    Kind.OPTIONS: st.one_of(WILDCARDS, OPTIONS),
    Kind.OCTETS: st.one_of(WILDCARDS, st.binary(min_size=1, max_size=5).map(Octets)),
}


def values(name: str) -> st.SearchStrategy[Value]:
    """What a field may hold: the words that are its own, a number only where it has bits for one."""
    spec = FIELDS[name]
    if spec.kind is not Kind.WORD:
        return VALUES[spec.kind]
    words = st.sampled_from(spec.words).map(Word)
    return st.one_of(WILDCARDS, words, NUMBERS) if spec.bits else st.one_of(WILDCARDS, words)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    names = draw(st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=5, unique=True))
    return Pattern(tuple(Field(name, draw(values(name)), draw(st.booleans())) for name in names))


@given(patterns())
def test_a_pattern_is_read_back(pattern: Pattern) -> None:
    assert parse(str(pattern)) == pattern


@given(SUMS)
def test_an_expression_is_read_back(tree: Expression) -> None:
    assert expression.parse(str(tree)) == tree


@given(COMPARISONS)
def test_a_check_is_read_back(comparison: Expression) -> None:
    tree = Binary(comparison, "and", Binary(Name("x"), "<", Number("1")))
    assert expression.parse(str(tree), comparisons=True) == tree


@given(st.binary(max_size=20))
def test_octets_are_read_back(octets: bytes) -> None:
    assert Text(quote(octets)[1:-1]).octets == octets


@given(st.text(st.sampled_from('<>=!*.,"\\x01 SEQACKTLDOPN+-()\né'), max_size=40))
def test_any_text_is_read_or_refused_with_places(text: str) -> None:
    pattern, problems = None, []
    try:
        pattern = parse(text)
    except NotationError as error:
        problems = error.problems
    assert (pattern is None) == bool(problems)
    assert all(0 <= problem.start < problem.end for problem in problems)
    assert pattern is None or parse(str(pattern)) == pattern


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=x+1><ACK=y+1><CTL=FIN,ACK>",
        "<ACK=*><WND=1..65535><WND!=0>".replace("<WND!=0>", "<URP!=0>"),
        '<CTL=none><DATA="a > b \\" < \\xff">',
        "<CKSUM=bad><DOFF=4><RSV=1><OPT=0x03 00,MSS 1460,TS * 0>",
        "<CTL=SYN><OPT=FAST-OPEN cookie,NOP>",
    ],
)
def test_prints_as_written(text: str) -> None:
    assert str(parse(text)) == text


def test_spaces_within_an_option_part_its_arguments() -> None:
    assert str(parse("<OPT=TS x*2 y-1>")) == "<OPT=TS x*2 y-1>"


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(NotationError) as caught:
        parse("  ")
    assert [problem.code for problem in caught.value.problems] == ["empty-segment"]


def test_every_problem_is_found() -> None:
    with pytest.raises(NotationError) as caught:
        parse("<SEQ=x+><CTL=AKC,SNY><FOO=1><ACK=1")
    found = [(problem.code, problem.start) for problem in caught.value.problems]
    assert found == [
        ("bad-expression", 7),
        ("unknown-control", 13),
        ("unknown-control", 17),
        ("unknown-field", 22),
        ("unclosed-field", 28),
    ]


@pytest.mark.parametrize(
    ("word", "known", "answer"),
    [
        ("AKC", ["SYN", "ACK", "FIN"], "did you mean ACK?"),
        ("ACT", ["SEQ", "CTL", "ACK"], "did you mean ACK?"),
        ("timewait", ["TIME-WAIT", "LISTEN"], "did you mean TIME-WAIT?"),
        ("zzz", ["SYN"], ""),
    ],
)
def test_suggestions(word: str, known: list[str], answer: str) -> None:
    assert suggest(word, known) == answer
