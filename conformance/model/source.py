"""Where a piece of text stands in the user's file, so that every error can show it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line: `line` and `column` count from 1, `end` is exclusive."""

    path: str
    line: int
    column: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where one character comes from: its line, and the columns it stands for."""

    line: int
    column: int
    end: int


@dataclass(frozen=True, slots=True)
class SourceText:
    """A scalar of a case file, and the place of each of its characters.

    A character that a parameter put there stands at the place of the `$name` it replaced.
    `anchor` is where the text begins, for one that is empty.
    """

    text: str
    path: str
    places: tuple[Place, ...]
    anchor: Place

    def span(self, start: int = 0, end: int | None = None) -> Span:
        """Return where characters start..end stand; only the first line of several."""
        stop = len(self.text) if end is None else end
        places = self.places[start:stop]
        if not places:
            last = self.places[-1] if self.places else self.anchor
            return Span(self.path, last.line, last.end, last.end + 1)
        first = places[0]
        return Span(
            self.path,
            first.line,
            first.column,
            max(place.end for place in places if place.line == first.line),
        )
