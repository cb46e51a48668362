from conformance.language.diagnostics import (
    Diagnostic,
    Piece,
    Severity,
    closing,
    columns,
    from_diagnosis,
    render,
)
from conformance.model.source import Span
from conformance.model.trace import Diagnosis

SPAN = Span("cases/close/half-close-data.yaml", 10, 13, 23)
LINE = "    state:  CLOSE-WAIT"


def test_the_form_of_the_design() -> None:
    shown = render(
        Diagnostic(
            "impossible-state",
            "CLOSE cannot lead from ESTABLISHED to CLOSE-WAIT",
            SPAN,
            LINE,
            "the target would be in FIN-WAIT-1",
            ("RFC 9293 3.10.4",),
        )
    )
    assert shown == (
        "error[impossible-state]: CLOSE cannot lead from ESTABLISHED to CLOSE-WAIT\n"
        "  --> cases/close/half-close-data.yaml:10:13\n"
        "   |\n"
        "10 |     state:  CLOSE-WAIT\n"
        "   |             ^^^^^^^^^^ the target would be in FIN-WAIT-1\n"
        "   = RFC 9293 3.10.4"
    )


def test_a_diagnosis_is_shown_in_the_same_form() -> None:
    diagnosis = Diagnosis("wrong-state", "not there", SPAN, "is CLOSED", (("came", "RST"),), "RFC 9293 3.3.2")
    found = from_diagnosis(diagnosis, "\n" * 9 + LINE)
    assert found.line == LINE
    assert found.severity is Severity.FAILURE
    assert render(found).splitlines()[-2:] == ["   = came: RST", "   = RFC 9293 3.3.2"]


def test_style_colours_pieces_and_moves_no_caret() -> None:
    def style(piece: Piece, severity: Severity, text: str) -> str:
        return f"{{{piece.value}}}{text}{{/}}"

    shown = render(Diagnostic("a-code", "b", Span("p", 1, 3, 4), "abc", "c", ("d",)), style)
    assert shown == (
        "{severity}error[a-code]{/}: {message}b{/}\n"
        "  {gutter}-->{/} {place}p:1:3{/}\n"
        "{gutter}   |{/}\n"
        "{gutter} 1 |{/} abc\n"
        "{gutter}   |{/}   {caret}^ c{/}\n"
        "   {note}= d{/}"
    )


def test_columns() -> None:
    assert columns("ab") == 2
    assert columns("\t") == 4
    assert columns("日本") == 4
    assert columns("e\u0301") == 1
    assert columns("\x1b") == 1


def test_nothing_that_acts_on_a_terminal_is_shown() -> None:
    shown = render(Diagnostic("a-code", "\x1b[2J", Span("p", 1, 1, 2), "\u202e\x07x", "\x9b"))
    assert not set(shown) & {"\x1b", "\u202e", "\x07", "\x9b"}


def test_caret_behind_the_end_of_the_line() -> None:
    assert render(Diagnostic("a-code", "b", Span("p", 1, 5, 6), "ab")).endswith("\n 1 | ab\n   |     ^")


def test_closing() -> None:
    one = Diagnostic("a", "b", SPAN, LINE)
    other = Diagnostic("a", "b", Span("q", 1, 1, 2), "")
    assert closing([one]) == "1 error in 1 case; nothing was sent"
    assert closing([one, one, other]) == "3 errors in 2 cases; nothing was sent"
    assert closing([Diagnostic("a", "b")]) == "1 error; nothing was sent"
