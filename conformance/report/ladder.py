"""The exchange of one case as text, drawn like the figures of RFC 9293 3.5 and 3.6.

The tester is on the left and the target, with its state AFTER the event, on the right:

```
     time  step  tester                                          target
   0.0000     1  --> <SEQ=x><CTL=SYN>                        --> SYN-RECEIVED
   0.0004     2  <-- <SEQ=y><ACK=x+1><CTL=SYN,ACK>           <-- SYN-RECEIVED
```

Calls of the target's user are in parentheses, as in the RFC.  `!` marks what the oracle
could not explain.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from conformance.model.segment import Control
from conformance.model.state import Role
from conformance.model.trace import Kind, Record, Result

WIDTH = 100
_ARROW = {Kind.SENT: "-->", Kind.RECEIVED: "<--"}
_MARGIN = 17
"""Where the arrows start: after the time, the step and the blanks around them."""
_TARGET = 16
_TTL = 64
_MIDDLE = WIDTH - _MARGIN - _TARGET - 9
_ORDINARY = frozenset({"", "acknowledgment", "reply", "reset", "transmission"})
"""Explanations that a reader of the segment needs not be told."""


def ladder(result: Result) -> list[str]:
    """Return the lines of the exchange, none wider than 100 columns; empty if nothing happened."""
    if not result.trace:
        return []
    numbered = any(record.connection != 1 for record in result.trace)
    lines = [
        f"{'time':>9}  step  tester{'':{_MIDDLE + 3}}target",
        _row("", "", "", "", "", "LISTEN" if result.case.role is Role.SERVER else "CLOSED"),
    ]
    last: Record | None = None
    windows: dict[tuple[Kind, int], int] = {}
    for record in result.trace:
        if last is None or not _repeats(record, last):
            extra = _unusual(record, windows)
            lines.extend(_lines(replace(record, shown=record.shown + extra), last, numbered))
            last = record
    return lines


def _unusual(record: Record, windows: dict[tuple[Kind, int], int]) -> str:
    """What a figure of the RFC leaves out, where it matters: a window that closes or opens, malformations.

    `windows` has the last window of each side and connection.
    """
    segment = record.segment
    if segment is None:
        return ""
    if segment.envelope.error:
        return "" if segment.checksum_ok else "<CKSUM=bad>"
    side = (record.kind, record.connection)
    before = windows.get(side, segment.wnd)
    # The window of a reset means nothing, and is mostly 0.
    windows[side] = before if segment.has(Control.RST) else segment.wnd
    changed = windows[side] != before and (record.kind is Kind.SENT or 0 in (segment.wnd, before))
    fields = {
        "WND": str(segment.wnd) if changed else "",
        "URP": str(segment.urp) if segment.urp or segment.has(Control.URG) else "",
        "RSV": str(segment.rsv) if segment.rsv else "",
        "CKSUM": "" if segment.checksum_ok and segment.checksum is None else "bad",
    }
    fields["TOS"] = str(segment.tos) if segment.tos else ""
    if record.kind is Kind.SENT:
        fields["DOFF"] = "" if segment.doff is None else str(segment.doff)
        fields["TTL"] = "" if segment.ttl == _TTL else str(segment.ttl)
    return "".join(f"<{name}={value}>" for name, value in fields.items() if value)


def _repeats(record: Record, last: Record) -> bool:
    """Whether a record says again what the one before it said: the state was asked for twice."""
    same = (record.step, record.shown, record.connection) == (last.step, last.shown, last.connection)
    return record.kind is last.kind is Kind.STATE and same and not record.wrong


def _row(time: str, step: str, left: str, middle: str, right: str, state: str) -> str:
    return f"{time:>9}  {step:>4}  {left:<3} {middle:<{_MIDDLE}} {right:<3} {state}".rstrip()


def _step(record: Record, last: Record | None) -> str:
    if last is not None and last.step == record.step:
        return ""
    if record.step is None:
        return "end"
    return "from" if record.step < 0 else str(record.step + 1)


def _lines(record: Record, last: Record | None, numbered: bool) -> Iterator[str]:
    time, step = f"{record.time:.4f}", _step(record, last)
    tag = f"[{record.connection}] " if numbered else ""
    match record.kind:
        case Kind.SENT | Kind.RECEIVED:
            yield from _segment(record, time, step, tag)
        case Kind.CALL | Kind.RETURN:
            text = f"({tag}{record.shown})" if record.kind is Kind.CALL else f"{tag}= {record.shown}"
            yield from _at_target(text, time, step)
        case Kind.STATE:
            label = f"{tag}{record.why or 'observed'}"
            if max(len(label) - _MIDDLE, len(record.shown) - _TARGET) <= 0:
                yield _row(time, step, "", label.rjust(_MIDDLE), "", record.shown)
            else:
                yield from _at_target(f"{label} {record.shown}", time, step)
        case Kind.NOTE:
            yield from _at_tester(f"{tag}{record.shown}", time, step)
    if record.wrong:
        why = record.why if record.kind in _ARROW else ""
        clause = f" ({record.clause})" if record.clause else ""
        yield from _remark(f"{why or 'not what is expected here'}{clause}")


def _segment(record: Record, time: str, step: str, tag: str) -> Iterator[str]:
    arrow = _ARROW[record.kind]
    text = tag + record.shown
    if not record.wrong and record.kind is Kind.RECEIVED and record.why not in _ORDINARY:
        text += f" ({record.why})"
    first, *rest = _fold(text, _MIDDLE)
    yield _row(time, step, arrow, first, arrow, record.inferred)
    for part in rest:
        yield _row("", "", "", part, "", "")


def _fold(text: str, width: int) -> list[str]:
    """Break a segment between its fields, and what is still too wide where it must."""
    lines = [""]
    for part in text.replace("><", ">\n<").replace("> (", ">\n (").split("\n"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append(part.lstrip())
        else:
            lines[-1] += part
    return [piece for line in lines for piece in textwrap.wrap(line, width) or [""]]


def _at_target(text: str, time: str, step: str) -> Iterator[str]:
    """A line of the target's own: in its column, or ending at the right edge if it is too wide."""
    head = f"{time:>9}  {step:>4}  "
    room = WIDTH - len(head)
    for part in textwrap.wrap(text, room, subsequent_indent=" ") or [""]:
        yield head + " " * (room - max(len(part), _TARGET)) + part
        head = " " * len(head)


def _at_tester(text: str, time: str, step: str) -> Iterator[str]:
    head = f"{time:>9}  {step:>4}  "
    for part in textwrap.wrap(text, WIDTH - len(head)) or [""]:
        yield head + part
        head = " " * len(head)


def _remark(text: str) -> Iterator[str]:
    """What the oracle said of the line above."""
    wrapped = textwrap.wrap(text, WIDTH - _MARGIN - 4)
    for index, part in enumerate(wrapped):
        yield " " * _MARGIN + (" !  " if index == 0 else "    ") + part
