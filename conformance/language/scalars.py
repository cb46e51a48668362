"""Which character of the file each character of a YAML scalar comes from."""

import re
from bisect import bisect_right
from enum import Enum
from functools import lru_cache

from conformance.model.source import Place, SourceText, Span

BREAKS = "\n\r\x85\u2028\u2029"
"""What YAML 1.1 (5.4) takes for the end of a line."""
_BREAK = re.compile(f"[{BREAKS}]")
ACTIVE = ":#,[]{}&*!|"
"""What YAML acts upon within a line; see source.py."""
MASKS = str.maketrans({character: chr(0xE000 + index) for index, character in enumerate(ACTIVE)})
_NAMED_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
    "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028",
    "P": "\u2029",
}  # fmt: skip
"""YAML 1.1, 5.7."""
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}
_STRIDE = 128
"""Columns whose places are made at once."""


class Style(Enum):
    """How a scalar is written."""

    PLAIN = ""
    SINGLE = "'"
    DOUBLE = '"'
    LITERAL = "|"
    FOLDED = ">"


@lru_cache(maxsize=1 << 16)
def _place(line: int, column: int, end: int) -> Place:
    # Cases are alike: the same few thousand places serve all of them.
    return Place(line, column, end)


@lru_cache(maxsize=1 << 12)
def _line(line: int, width: int) -> tuple[Place, ...]:
    return tuple([Place(line, column, column + 1) for column in range(1, width + 1)])


class Layout:
    """The text of a file, and the line and column of each of its characters."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._starts = [0, *(match.end() for match in _BREAK.finditer(text))]

    def place(self, index: int, length: int = 1) -> Place:
        line = bisect_right(self._starts, index)
        column = index - self._starts[line - 1] + 1
        return _place(line, column, column + length)

    def span(self, start: int, end: int) -> Span:
        place = self.place(start, max(end - start, 1))
        return Span(self.path, place.line, place.column, place.end)

    def source(self, start: int, end: int) -> SourceText:
        """Return characters start..end, all of one line, as they stand in the file."""
        anchor = self.place(start)
        first = anchor.column - 1
        last = first + end - start
        places = _line(anchor.line, _STRIDE * (1 + last // _STRIDE))[first:last]
        return SourceText(self.text[start:end], self.path, places, anchor)

    def gather(self, characters: "Characters", start: int) -> SourceText:
        """Return the text that `characters` make, which starts at `start` of the file."""
        places = tuple([self.place(index, length) for _, index, length in characters])
        text = "".join([character for character, _, _ in characters])
        return SourceText(text, self.path, places, self.place(start))


Characters = list[tuple[str, int, int]]
"""Each character with its index and its length in the file."""


def locate(layout: Layout, start: int, end: int, style: Style, value: str) -> SourceText:
    """Return the scalar that stands at start..end of the file, whose value YAML says is `value`.

    What was masked for YAML is read back from the file.
    """
    if style is Style.PLAIN and len(value) == end - start and not _BREAK.search(value):
        return layout.source(start, end)
    if style in (Style.LITERAL, Style.FOLDED):
        characters = _block(layout.text, start, end, value)
    else:
        quotes = 1 if style in (Style.SINGLE, Style.DOUBLE) else 0
        characters = _flow(layout.text, start + quotes, end - quotes, style)
    if len(characters) != len(value):
        # No known text comes here; an error in it would still be shown at its beginning.
        characters = [(character, start, 1) for character in value]
    return layout.gather(characters, start)


def _flow(text: str, at: int, end: int, style: Style) -> Characters:
    out: Characters = []
    while at < end:
        character = text[at]
        if character in " \t" or character in BREAKS:
            at = _white(text, at, end, out)
        elif character == "\\" and style is Style.DOUBLE:
            at = _escape(text, at, end, out)
        elif character == "'" and style is Style.SINGLE:
            out.append(("'", at, 2))
            at += 2
        else:
            out.append((character, at, 1))
            at += 1
    return out


def _white(text: str, at: int, end: int, out: Characters) -> int:
    """Fold a run of white space: with one break in it a space, with more a break less."""
    stop, breaks = _run(text, at, end)
    if not breaks:
        out.extend((text[index], index, 1) for index in range(at, stop))
    elif len(breaks) == 1:
        out.append((" ", breaks[0], 1))
    else:
        out.extend(("\n", index, 1) for index in breaks[1:])
    return stop


def _run(text: str, at: int, end: int) -> tuple[int, list[int]]:
    """Return where the white space at `at` ends, and where the line breaks in it are."""
    breaks = []
    while at < end and (text[at] in " \t" or text[at] in BREAKS):
        if text[at] in BREAKS:
            breaks.append(at)
        at += 1
    return at, breaks


def _escape(text: str, at: int, end: int, out: Characters) -> int:
    code = text[at + 1]
    if code in BREAKS:
        # An escaped break joins the lines; further breaks stand for themselves.
        stop, breaks = _run(text, at + 1, end)
        out.extend(("\n", index, 1) for index in breaks[1:])
        return stop
    digits = _HEX_ESCAPES.get(code, 0)
    length = 2 + digits
    character = chr(int(text[at + 2 : at + length], 16)) if digits else _NAMED_ESCAPES[code]
    out.append((character, at, length))
    return at + length


def _block(text: str, start: int, end: int, value: str) -> Characters:
    """Align the value of a block with its lines: each character with the next one like it."""
    at = text.find("\n", start, end) + 1 or end
    lines = [line for line in text[at:end].split("\n") if line.strip(" ")]
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines), default=0)
    at = _indented(text, at, end, indent)
    out: Characters = []
    for character in value:
        while at < end and text[at] == "\n" and character not in " \n":
            at = _indented(text, at + 1, end, indent)
        if at >= end:
            out.append((character, max(end - 1, start), 1))
            continue
        source = text[at]
        out.append((source if source in ACTIVE else character, at, 1))
        at = _indented(text, at + 1, end, indent) if source == "\n" else at + 1
    return out


def _indented(text: str, at: int, end: int, indent: int) -> int:
    """Return where a line that starts at `at` begins behind its indentation."""
    stop = min(at + indent, end)
    while at < stop and text[at] == " ":
        at += 1
    return at
