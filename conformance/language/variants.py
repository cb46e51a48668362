"""`for:`, the parameter table: its rows, and `$name` replaced by what a row says."""

import re
from collections.abc import Container
from collections.abc import Mapping as Map
from dataclasses import dataclass

from conformance.language.schema import scalar, wrong_kind
from conformance.language.source import Log, Mapping, Node, Scalar, Sequence
from conformance.language.values import NAME, listing, suggestion
from conformance.model.source import Place, SourceText, Span

_PARAMETER = re.compile(r"\$(?:\$|([A-Za-z_]\w*)|\{([^{}]*)\})")
_NAME_COLUMN = "name"


@dataclass(frozen=True, slots=True)
class Row:
    """One variant: its name, and the value of each parameter."""

    name: str
    values: Map[str, str]


@dataclass(frozen=True, slots=True)
class _Cells:
    """A row as written: each cell by its column, and where the row is."""

    cells: dict[str, Scalar]
    span: Span


def rows(key: SourceText, node: Node, log: Log) -> list[Row]:
    """Return the rows of a table that is a list of rows or a mapping of columns."""
    if isinstance(node, Sequence):
        found = _from_rows(node, log)
    elif isinstance(node, Mapping):
        found = _from_columns(node, log)
    else:
        wrong_kind(node, "a list of rows, or a mapping of columns", "for", log)
        return []
    if not found and isinstance(node, Sequence) and not node.items:
        log.error("empty-table", "this table has no row", key.span(), "write one, or remove it")
    return _named(found, log)


def _from_rows(node: Sequence, log: Log) -> list[_Cells]:
    found = []
    columns: list[str] = []
    for item in node.items:
        if not isinstance(item, Mapping):
            wrong_kind(item, "rows like {state: LISTEN, ack: x+1}", "for", log)
            continue
        cells = {key.text.text: _cell(value, key.text, log) for key, value in item.entries}
        for key, _ in item.entries:
            _check_column(key.text, log)
        columns = columns or list(cells)
        if set(cells) != set(columns):
            differing = ", ".join(sorted(set(cells) ^ set(columns)))
            message = "every row of a table has the same columns"
            log.error("uneven-table", message, item.text.span(), f"here it differs in {differing}")
            continue
        kept = {name: cell for name, cell in cells.items() if cell is not None}
        if len(kept) == len(columns):
            found.append(_Cells({name: kept[name] for name in columns}, item.text.span()))
    return found


def _from_columns(node: Mapping, log: Log) -> list[_Cells]:
    columns: dict[str, list[Scalar]] = {}
    length: int | None = None
    sound = True
    for key, value in node.entries:
        _check_column(key.text, log)
        if not isinstance(value, Sequence):
            wrong_kind(value, "a list in each column", "for", log)
            sound = False
            continue
        cells = [cell for cell in (_cell(item, key.text, log) for item in value.items) if cell is not None]
        sound = sound and len(cells) == len(value.items)
        length = len(value.items) if length is None else length
        if len(value.items) != length:
            message = "every column of a table has the same length"
            label = f"{len(value.items)} values here, {length} in the first column"
            log.error("uneven-table", message, key.text.span(), label)
            sound = False
        columns[key.text.text] = cells
    if not sound:
        return []
    if not length:
        log.error("empty-table", "this table has no row", node.text.span(), "write one, or remove it")
    return [
        _Cells({name: cells[index] for name, cells in columns.items()}, _first(columns, index))
        for index in range(length or 0)
    ]


def _cell(node: Node, key: SourceText, log: Log) -> Scalar | None:
    """Return a value of the table; it may be an empty one in quotes, which puts nothing in."""
    return node if isinstance(node, Scalar) and node.quoted else scalar(node, key, log)


def _first(columns: Map[str, list[Scalar]], index: int) -> Span:
    return next(iter(columns.values()))[index].text.span()


def _check_column(text: SourceText, log: Log) -> None:
    if not NAME.fullmatch(text.text):
        message = f"{text.text} cannot name a parameter"
        log.error("bad-parameter", message, text.span(), "write letters, digits and _")


def _named(found: list[_Cells], log: Log) -> list[Row]:
    """Give every row the name by which its variant is called."""
    named: dict[str, Row] = {}
    for row in found:
        column = _NAME_COLUMN if _NAME_COLUMN in row.cells else next(iter(row.cells), "")
        if not column:
            continue
        text = row.cells[column].text
        name = text.text.strip()
        label = "give the table a column `name`" if column != _NAME_COLUMN else ""
        if not name:
            log.error("bad-variant-name", "a variant has no name", row.span, label or "write one")
        elif any(character in name for character in "[]\n/"):
            message = "the name of a variant has no bracket, slash or line break"
            log.error("bad-variant-name", message, text.span(), label)
        elif name in named:
            message = f"two variants are named {name}"
            log.error("duplicate-variant", message, text.span(), label or "write another name")
        else:
            named[name] = Row(name, {key: cell.text.text for key, cell in row.cells.items()})
    return list(named.values())


def unused(node: Node, used: set[str], log: Log) -> None:
    """Report columns of a table that nothing in the file uses; the one that names variants may be."""
    first = node.items[0] if isinstance(node, Sequence) and node.items else node
    if not isinstance(first, Mapping):
        return
    columns = [column.text for column, _ in first.entries]
    names = [column.text for column in columns]
    exempt = [_NAME_COLUMN] if _NAME_COLUMN in names else names[:1]
    for column in columns:
        if column.text not in used and column.text not in exempt and NAME.fullmatch(column.text):
            message = f"nothing uses the parameter {column.text}"
            log.error("unused-parameter", message, column.span(), f"write ${column.text} where it belongs")


def parametric(node: Node) -> set[int]:
    """Return the ids of the nodes with a dollar in or under them: the others are alike in all variants."""
    found: set[int] = set()
    _collect(node, found)
    return found


def _collect(node: Node, found: set[int]) -> bool:
    match node:
        case Scalar():
            dollar = "$" in node.text.text or "$" in node.written.text
        case Sequence(items):
            dollar = sum(_collect(item, found) for item in items) > 0
        case Mapping(entries):
            dollar = sum(_collect(value, found) for _, value in entries) > 0
    if dollar:
        found.add(id(node))
    return dollar


class Substitution:
    """Replaces `$name` and `${name}` by the values of a row, and `$$` by a dollar.

    `parametric` says in which nodes, which must outlive this.
    """

    def __init__(self, values: Map[str, str], parametric: Container[int], log: Log) -> None:
        self._parametric = parametric
        self.values = values
        self.log = log
        self.used: set[str] = set()

    def node(self, node: Node) -> Node:
        """Return a node with every scalar under it replaced; keys stay."""
        if id(node) not in self._parametric:
            return node
        match node:
            case Scalar():
                text = self.text(node.text)
                return Scalar(
                    text, node.style, text if node.written is node.text else self.text(node.written)
                )
            case Sequence():
                return Sequence(tuple([self.node(item) for item in node.items]), node.text)
            case Mapping():
                entries = tuple([(key, self.node(value)) for key, value in node.entries])
                return Mapping(entries, node.text)

    def text(self, text: SourceText) -> SourceText:
        """Return a text in which what was put in stands at the place of what it replaced."""
        pieces: list[str] = []
        places: list[Place] = []
        at = 0
        for match in _PARAMETER.finditer(text.text):
            value = self._value(match, text)
            pieces += [text.text[at : match.start()], value]
            places += text.places[at : match.start()]
            token = text.places[match.start() : match.end()]
            places += [Place(token[0].line, token[0].column, token[-1].end)] * len(value)
            at = match.end()
        pieces.append(text.text[at:])
        places += text.places[at:]
        return SourceText("".join(pieces), text.path, tuple(places), text.anchor)

    def _value(self, match: re.Match[str], text: SourceText) -> str:
        if match[0] == "$$":
            return "$"
        name = match[1] if match[1] is not None else match[2]
        self.used.add(name)
        if name in self.values:
            return self.values[name]
        label = suggestion(name, self.values) or "a dollar as such is written $$"
        notes = listing(self.values) if self.values else ("this case has no table `for:`",)
        span = text.span(match.start(), match.end())
        message = f"no parameter is named {name}" if name else "this parameter has no name"
        self.log.error("unknown-parameter", message, span, label, notes)
        # What is not replaced is no value: nothing more can be said of it.
        self.log.mute(span)
        return match[0]
