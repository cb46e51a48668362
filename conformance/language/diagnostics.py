"""What is wrong and where, shown as the user's own line with a caret under what is meant.

The same form serves errors of a case at load and failures of a target at run time.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from conformance.model.source import Span
from conformance.model.trace import Diagnosis

TAB = "    "
"""What a tab is shown as: a terminal's own tab stops would move the caret."""
_MIN_GUTTER = 2
_MAX_WIDTH = 160
_LEAD = 40
"""A line too wide to read begins this much before what the caret is under."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    FAILURE = "failure"

    def __str__(self) -> str:
        return self.value


class Piece(Enum):
    """What a piece of a rendered diagnostic is, for a style to colour it."""

    SEVERITY = "severity"
    MESSAGE = "message"
    PLACE = "place"
    GUTTER = "gutter"
    CARET = "caret"
    NOTE = "note"


Style = Callable[[Piece, Severity, str], str]
"""Makes a piece of text look like what it is; `plain` leaves it alone."""


def plain(piece: Piece, severity: Severity, text: str) -> str:
    """Leave the text as it is: the style for files and pipes."""
    return text


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing wrong.

    `label` stands behind the carets, `line` is the whole line that `span` is in, `notes`
    follow below.  Without a span the message says what is meant.
    """

    code: str
    message: str
    span: Span | None = None
    line: str = ""
    label: str = ""
    notes: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR


def from_diagnosis(diagnosis: Diagnosis, source: str, severity: Severity = Severity.FAILURE) -> Diagnostic:
    """Return a diagnosis of the session in this form; `source` is the text of the case's file."""
    notes = [f"{word}: {text}" for word, text in diagnosis.notes]
    if diagnosis.clause:
        notes.append(diagnosis.clause)
    span = diagnosis.span
    line = line_of(source.splitlines(), span.line) if span else ""
    return Diagnostic(diagnosis.code, diagnosis.message, span, line, diagnosis.label, tuple(notes), severity)


def line_of(lines: Sequence[str], number: int) -> str:
    """Return line `number`, counted from 1; empty where there is none."""
    return lines[number - 1] if 0 < number <= len(lines) else ""


def render(diagnostic: Diagnostic, style: Style = plain) -> str:
    """Return the lines that show one diagnostic, without a newline at the end."""

    def styled(piece: Piece, text: str) -> str:
        return style(piece, diagnostic.severity, text) if text else ""

    head = styled(Piece.SEVERITY, f"{diagnostic.severity}[{diagnostic.code}]")
    lines = [f"{head}: {styled(Piece.MESSAGE, visible(diagnostic.message))}"]
    span = diagnostic.span
    width = _MIN_GUTTER if span is None else max(_MIN_GUTTER, len(str(span.line)))
    if span is not None:
        place = styled(Piece.PLACE, f"{span.path}:{span.line}:{span.column}")
        bar = styled(Piece.GUTTER, " " * width + " |")
        number = styled(Piece.GUTTER, f"{span.line:>{width}} |")
        shown, before, under = _window(diagnostic.line, span)
        carets = styled(Piece.CARET, f"{'^' * under} {visible(diagnostic.label)}".rstrip())
        lines.append(f"{' ' * width}{styled(Piece.GUTTER, '-->')} {place}")
        lines.append(bar)
        lines.append(f"{number} {shown}".rstrip())
        lines.append(f"{bar} {' ' * before}{carets}")
    lines += [f"{' ' * width} {styled(Piece.NOTE, f'= {visible(note)}')}" for note in diagnostic.notes]
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic], style: Style = plain) -> str:
    """Return all of them, an empty line between, and the closing line; ends with a newline."""
    found = list(diagnostics)
    return "\n\n".join([*(render(item, style) for item in found), closing(found)]) + "\n"


def closing(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the line that ends a list of errors: `2 errors in 1 case; nothing was sent`."""
    files = {item.span.path for item in diagnostics if item.span}
    text = _count(len(diagnostics), "error")
    if files:
        text += f" in {_count(len(files), 'case')}"
    return f"{text}; nothing was sent"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def visible(text: str) -> str:
    """Return text fit for a terminal: tabs as spaces, other control characters replaced."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character == "\t":
        return TAB
    return "\ufffd" if unicodedata.category(character) in _INVISIBLE else character


def columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes once it is made visible."""
    text = visible(text)
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _window(line: str, span: Span) -> tuple[str, int, int]:
    """Return what is shown of a line, the columns before the carets, and how many carets."""
    first, last = span.column - 1, span.end - 1
    cut = 0
    if columns(line) > _MAX_WIDTH and columns(line[:last]) > _MAX_WIDTH - _LEAD:
        cut = max(0, first - _LEAD)
    lead = "... " if cut else ""
    before = len(lead) + columns(line[cut:first]) + max(0, first - len(line))
    under = max(1, columns(line[first:last]))
    shown = lead + visible(line[cut:])
    if columns(shown) > _MAX_WIDTH:
        under = min(under, _MAX_WIDTH - before)
        shown = _clip(shown)
    return shown, before, under


def _clip(text: str) -> str:
    """Return the beginning of a line that is too wide, marked as such."""
    width = 0
    for index, character in enumerate(text):
        width += _columns(character)
        if width > _MAX_WIDTH:
            return text[:index] + " ..."
    return text
