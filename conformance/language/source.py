"""YAML read as text with places: every value keeps where it stands in the user's file.

Built on the parser's events, not on objects: PyYAML's own construction keeps the last of
two equal keys, reads 1:30 as 90 and forgets where things were, and its nodes no longer show
an anchor.  Every value stays the string that was written; what it means is for the schema.

YAML ends a plain value at ` #` and takes `: ` for a mapping.  Inside `<NAME=value>` and
inside the string of a call both are ordinary text, so there the characters that YAML would
act upon are masked before it reads the file, one for one, and read back from the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import yaml

from conformance.language.diagnostics import Diagnostic, line_of
from conformance.language.scalars import MASKS, Layout, Style, locate
from conformance.model.source import SourceText, Span

LOADERS: list[type] = [getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader]
"""libyaml where PyYAML was built with it (much faster, same marks), and the fallback."""
_MAX_DEPTH = 16
_MASKED = re.compile(
    r"""<\s*[A-Za-z][\w-]*\s*!?=(?:[^"<>\n]|"(?:[^"\\\n]|\\.)*")*>  # a field
      | \b(?:SEND|RECEIVE)[ ]+"(?:[^"\\\n]|\\.)*"                   # the string of a call
    """,
    re.VERBOSE,
)
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAB = re.compile("^ *\t", re.MULTILINE)
_COMMENT = re.compile(r"[ \t]+#([^\n]?)[^\n]*")
_EXTRAS = re.compile(r"(?:[&!]\S*\s*)+")
_TOKEN = re.compile(r"[^\s,\]}]+")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value.  `written` is how it stands in the file, quotes included, if on one line."""

    text: SourceText
    style: Style
    written: SourceText

    @property
    def quoted(self) -> bool:
        return self.style in (Style.SINGLE, Style.DOUBLE)


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple["Node", ...]
    text: SourceText
    """Where it starts, for an error about the whole of it."""


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: tuple[tuple[Scalar, "Node"], ...]
    text: SourceText


Node = Scalar | Sequence | Mapping


_Key = tuple[str, str, Span | None]


class Log:
    """Collects the diagnostics of one file, each distinct one once.

    While `variant` is set, errors are those of that variant, one of `variants`.
    """

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.variant: str | None = None
        self.variants = 0
        self.count = 0
        """Errors reported until now, repeated ones too."""
        self._lines = source.splitlines()
        self._found: dict[_Key, Diagnostic] = {}
        self._in: dict[_Key, dict[str, None]] = {}
        self._muted: list[Span] = []

    def error(
        self, code: str, message: str, span: Span | None, label: str = "", notes: tuple[str, ...] = ()
    ) -> None:
        self.count += 1
        if span and any(_overlap(span, muted) for muted in self._muted):
            return
        key = (code, message, span)
        line = line_of(self._lines, span.line) if span else ""
        self._found.setdefault(key, Diagnostic(code, message, span, line, label, notes))
        if self.variant is not None:
            self._in.setdefault(key, {})[self.variant] = None

    def mute(self, span: Span) -> None:
        """Report nothing more about this place: what is wrong there has been said."""
        self._muted.append(span)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All of them, in the order of the file; what only some variants have says which."""
        return sorted(map(self._told, self._found), key=_position)

    def _told(self, key: _Key) -> Diagnostic:
        found, variants = self._found[key], list(self._in.get(key, ()))
        if not 0 < len(variants) < self.variants:
            return found
        more = f" and {len(variants) - 1} more" if len(variants) > 1 else ""
        return replace(found, notes=(*found.notes, f"in the variant [{variants[0]}]{more}"))


def _overlap(one: Span, other: Span) -> bool:
    return one.line == other.line and one.column < other.end and other.column < one.end


def _position(diagnostic: Diagnostic) -> tuple[int, int]:
    span = diagnostic.span
    return (span.line, span.column) if span else (0, 0)


def decode(octets: bytes) -> tuple[str, int | None]:
    """Return the text of a file, and the index of what is not UTF-8, if anything is not."""
    wrong = None
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = octets.decode("utf-8", "replace").removeprefix("\ufeff")
        before = octets[: error.start].decode("utf-8-sig", "replace")
        wrong = len(before.replace("\r\n", "\n"))
    return text.replace("\r\n", "\n"), wrong


def read(text: str, log: Log, loader: type = LOADERS[0]) -> Node | None:
    """Return the one document of a file; None where there is none or YAML cannot read it."""
    layout = Layout(log.path, text)
    unfit = _UNFIT.search(text)
    if unfit:
        message = f"the character U+{ord(unfit[0]):04X} cannot stand in YAML"
        log.error("control-character", message, layout.span(unfit.start(), unfit.end()), "remove it")
        return None
    masked = _MASKED.sub(lambda match: match[0].translate(MASKS), text)
    try:
        return _Builder(layout, masked, log, loader).document()
    except yaml.MarkedYAMLError as error:
        _syntax_error(error, layout, log)
    except _Refused:
        pass
    except (yaml.YAMLError, ValueError) as error:
        # Without a place: what only one of the two parsers refuses.
        log.error("yaml-syntax", f"this is not YAML: {error}", layout.span(0, 1))
    return None


class _Refused(Exception):
    """What follows cannot be read either; the log says why."""


def _start(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.index if mark else 0


class _Builder:
    """Makes the tree of nodes out of the parser's events."""

    def __init__(self, layout: Layout, masked: str, log: Log, loader: type) -> None:
        self.layout = layout
        self.log = log
        self.unreadable = False
        self.events: Iterator[yaml.Event] = iter(loader(masked).get_event, None)

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if root is not None:
                label = "a second document starts here"
                self._error("several-documents", "one file is one case", event, label)
                break
            root = self.node(next(self.events), 0)
        return None if self.unreadable else root

    def node(self, event: yaml.Event, depth: int) -> Node:
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            self._refuse_extras(event)
        if depth > _MAX_DEPTH:
            self._error("too-deep", "this is nested too deeply", event, "a case has at most four levels")
            raise _Refused
        start = _start(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = tuple(self._until(yaml.SequenceEndEvent, depth))
            return Sequence(items, self.layout.source(start, start + 1))
        if isinstance(event, yaml.MappingStartEvent):
            nodes = list(self._until(yaml.MappingEndEvent, depth))
            return Mapping(self._entries(nodes), self.layout.source(start, start + 1))
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        nothing = self.layout.source(start, start)
        return Scalar(nothing, Style.PLAIN, nothing)

    def _until(self, end: type, depth: int) -> Iterator[Node]:
        for event in self.events:
            if isinstance(event, end):
                return
            yield self.node(event, depth + 1)

    def _entries(self, nodes: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                label = "a list or a mapping cannot be one"
                self.log.error("bad-key", "a key is one word", key.text.span(), label)
                continue
            name = key.text.text
            if name in entries:
                first = entries[name][0].text.span()
                message, note = f"{name} is written twice", f"the first is in line {first.line}"
                self.log.error("duplicate-key", message, key.text.span(), "remove one", (note,))
                continue
            entries[name] = (key, value)
        return tuple(entries.values())

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        start = _start(event)
        extras = _EXTRAS.match(self.layout.text, start) if event.anchor or event.tag else None
        start = extras.end() if extras else start
        end = event.end_mark.index if event.end_mark else start
        style = Style(event.style or "")
        text = locate(self.layout, start, end, style, event.value)
        one_line = "\n" not in self.layout.text[start:end]
        if style is Style.PLAIN:
            cut = _COMMENT.match(self.layout.text, end)
            if cut and self._refuse_cut(text.text, cut):
                # Read to its end all the same, so that what follows is judged as it was meant.
                text = self.layout.source(start, cut.end()) if one_line else text
                self.log.mute(text.span())
            return Scalar(text, style, text)
        return Scalar(text, style, self.layout.source(start, end) if one_line else text)

    def _refuse_cut(self, value: str, comment: re.Match[str]) -> bool:
        """A comment behind a value that is still open, or with no space after its #, was meant as text."""
        opened = value.count("<") > value.count(">") or value.count('"') % 2 == 1
        if not value or (not opened and comment[1] in " \t#!"):
            return False
        at = comment.start(1) - 1
        self.log.error(
            "cut-value",
            "YAML takes this # for the start of a comment, and cuts the value before it",
            self.layout.span(at, at + 1),
            "put the whole value in single quotes",
            () if opened else ("a comment has a space after its #",),
        )
        return True

    def _refuse_extras(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            self.unreadable = True
            self._error("alias", "aliases are not part of the case language", event, "write the value out")
        elif getattr(event, "anchor", None):
            self._error("anchor", "anchors are not part of the case language", event, "remove it")
        else:
            self._error("tag", "tags are not part of the case language", event, "remove it: a value is text")

    def _error(self, code: str, message: str, event: yaml.Event, label: str = "") -> None:
        start = _start(event)
        token = _TOKEN.match(self.layout.text, start)
        stop = token.end() if token else start + 1
        self.log.error(code, message, self.layout.span(start, stop), label)


def _syntax_error(error: yaml.MarkedYAMLError, layout: Layout, log: Log) -> None:
    problem = f"{error.context or ''} {error.problem or error}".strip()
    part, message, label, opened = _explain(problem)
    mark = error.context_mark if opened and error.context_mark else error.problem_mark or error.context_mark
    index = min(mark.index, len(layout.text)) if mark else 0
    tab = _TAB.search(layout.text)
    if tab and tab.start() <= index:
        span = layout.span(tab.end() - 1, tab.end())
        log.error("tab", "YAML is indented by spaces, not tabs", span, "write spaces here")
        return
    if part in _TOO_EARLY and layout.text[:index].rstrip(" ")[-1:] in ('"', "'"):
        message, label = "YAML takes the quote before this for the end of the value", _QUOTES
    log.error("yaml-syntax", message, layout.span(index, index + 1), label)


_QUOTE = "if this is part of the value, put the whole value in single quotes"
_QUOTES = "put the whole value in single quotes, or write it without"
_TOO_EARLY = ("did not find expected key", "<block end>, but found")
_EXPLAINED = (
    ("mapping values are not allowed", "YAML takes this colon for the end of a key", _QUOTE, False),
    ("scanning an a", "YAML takes this for an alias or an anchor", _QUOTE, True),
    ("cannot start any token", "YAML lets no value begin with this character", _QUOTE, False),
    (
        "unknown escape character",
        "YAML knows no such escape in double quotes",
        "single quotes have none",
        False,
    ),
    ("quoted scalar", "this quote is not closed", "close it", True),
    (
        "could not find expected ':'",
        "this is no `key: value`",
        "is a colon missing, or the space behind it?",
        True,
    ),
    ("parsing a flow", "this bracket is not closed", "is a ] or } missing?", True),
    ("did not find expected key", "YAML expects a key here", "is it indented as the keys above it?", False),
    ("did not find expected '-'", "YAML expects the next item of the list", "is it indented right?", False),
    ("<block end>, but found", "YAML expects nothing more here", "is it indented right?", False),
)
"""What PyYAML and libyaml say, what it means here, the way out, and whether the place is where
the thing began rather than where it failed."""


def _explain(problem: str) -> tuple[str, str, str, bool]:
    for part, message, label, opened in _EXPLAINED:
        if part in problem:
            return part, message, label, opened
    return "", f"this is not YAML: {problem}", "", False
