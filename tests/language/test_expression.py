import pytest

from conformance.model import expression
from conformance.model.expression import ExpressionError, UnboundName

NAMES = {"x": 100.0, "y": 7.0, "t0": 1.0, "t1": 2.0, "t2": 4.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x+1", 101),
        ("x - y - 1", 92),
        ("2 * (x + y)", 214),
        ("2 + 3 * 4", 14),
        ("-x + 1", -99),
        ("--y", 7),
        ("12 / 4 / 3", 1),
        ("0xFF", 255),
        ("010", 10),
        ("1.5 * 2", 3),
        ("t2 - t1 >= 1.8 * (t1 - t0)", True),
        ("t2 > t1 and t1 > t0 and t0 > t1", False),
        ("x == 100", True),
        ("x != 100", False),
    ],
)
def test_values(text: str, value: float) -> None:
    assert expression.evaluate(expression.parse(text, comparisons=True), NAMES) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("distinct(y)", 3),
        ("distinct(y % 10)", 2),
        ("distinct(y - x) + 1", 4),
        ("distinct(1)", 1),
        ("distinct (y) == 3", True),
        ("distinct", 5),
    ],
)
def test_distinct_takes_each_connection_in_turn(text: str, value: float) -> None:
    names = {"x": 1, "x2": 2, "x3": 3, "x4": 4, "y": 10, "y2": 20, "y3": 33, "distinct": 5}
    tree = expression.parse(text, comparisons=True)
    assert expression.evaluate(tree, names) == value
    assert str(expression.parse(str(tree), comparisons=True)) == str(tree)


def test_only_checks_count() -> None:
    with pytest.raises(ExpressionError):
        expression.parse("distinct(y)")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", 0),
        ("x+", 2),
        ("x y", 2),
        ("(x", 2),
        ("x)", 1),
        ("x < 1 < 2", 6),
        ("x ^ 2", 2),
        ("__import__('os')", 11),
        ("x.real", 1),
        ("(" * 60 + "x" + ")" * 60, 50),
        ("-" * 60 + "x", 50),
    ],
)
def test_errors_say_where(text: str, start: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        expression.parse(text, comparisons=True)
    assert caught.value.start == start


def test_a_very_long_expression_is_refused() -> None:
    with pytest.raises(ExpressionError, match="too long"):
        expression.parse("+".join(["x"] * 10000))


def test_comparisons_only_where_they_are_allowed() -> None:
    with pytest.raises(ExpressionError):
        expression.parse("x < 1")


def test_names_and_unbound() -> None:
    tree = expression.parse("a + -(b * 2) - a")
    assert expression.names(tree) == {"a", "b"}
    with pytest.raises(UnboundName):
        expression.evaluate(tree, {"a": 1})


def test_division_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        expression.evaluate(expression.parse("1 / 0"), {})


def test_whole_division_loses_no_octet() -> None:
    first, second = (expression.parse(text) for text in ("w/2", "w-w/2"))
    values = {"w": 4095.0}
    assert expression.evaluate(first, values, whole=True) == 2047
    assert expression.evaluate(second, values, whole=True) == 2048
