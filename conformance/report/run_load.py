"""run.json read back: the results and the run, as far as reports need them.

A case's steps are not parsed again: they come back with their text and place and without
an action, so that a run can be shown by a later version whose language has grown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from conformance.model.case import Case, Needs, Step
from conformance.model.run import USUAL_PROFILE, RunInfo
from conformance.model.segment import NO_CONTROL, Control, Envelope, Segment
from conformance.model.source import Place, SourceText, Span
from conformance.model.state import Role, State
from conformance.model.trace import Diagnosis, Kind, Names, Record, Result
from conformance.model.verdict import Evidence, Level, Verdict
from conformance.report.run_json import FORMAT

E = TypeVar("E", bound=Enum)


class RunFileError(Exception):
    """The file is not a run.json, or not one of this version; the message says where."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A value of the file and the way to it, which every error names."""

    value: object
    way: str

    def wrong(self, wanted: str) -> RunFileError:
        return RunFileError(f"{self.way or 'the top level'} is not {wanted}")

    def get(self, key: str, default: object = ...) -> "_Node":
        if not isinstance(self.value, Mapping):
            raise self.wrong("an object")
        if key not in self.value and default is ...:
            raise RunFileError(f"{self.way + '.' if self.way else ''}{key} is missing")
        return _Node(self.value.get(key, default), f"{self.way}.{key}".lstrip("."))

    def items(self) -> "list[_Node]":
        if not isinstance(self.value, Sequence) or isinstance(self.value, str):
            raise self.wrong("a list")
        return [_Node(item, f"{self.way}[{index}]") for index, item in enumerate(self.value)]

    def pairs(self) -> "dict[str, _Node]":
        if not isinstance(self.value, Mapping):
            raise self.wrong("an object")
        return {str(key): _Node(item, f"{self.way}.{key}") for key, item in self.value.items()}

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("a string")
        return self.value

    def whole(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong("a whole number")
        return self.value

    def number(self) -> float:
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise self.wrong("a number")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def octets(self) -> bytes:
        try:
            return bytes.fromhex(self.text())
        except ValueError:
            raise self.wrong("octets in hex") from None

    def word(self, kind: type[E]) -> E:
        try:
            return kind(self.text())
        except ValueError:
            raise self.wrong("one of " + ", ".join(str(item.value) for item in kind)) from None


def load(path: Path) -> tuple[list[Result], RunInfo]:
    """Return the results and the run in the file at `path`.

    Raises OSError, and RunFileError if its content is not a run.
    """
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunFileError(f"not JSON: {error}") from None
    return read(value)


def read(value: object) -> tuple[list[Result], RunInfo]:
    """Return the results and the run in a document as `run_json.document` makes it."""
    top = _Node(value, "")
    if top.get("format").value != FORMAT:
        raise RunFileError(f"format is {top.get('format').value}; this version reads {FORMAT}")
    sources = {path: node.text() for path, node in top.get("sources").pairs().items()}
    return [_result(node, sources) for node in top.get("cases").items()], _run(top)


def _run(top: _Node) -> RunInfo:
    return RunInfo(
        target=top.get("target").text(),
        seed=top.get("seed").whole(),
        started=top.get("started").text(),
        wall_s=top.get("wall_s").number(),
        version=top.get("version").text(),
        planned=top.get("planned").whole(),
        system={name: node.text() for name, node in top.get("system").pairs().items()},
        partial=top.get("partial").flag(),
        strict=top.get("strict").flag(),
        argv=tuple(node.text() for node in top.get("argv").items()),
        directory=top.get("directory").text(),
        cases_root=top.get("cases_root").text(),
        shard=top.get("shard", "").text(),
        profile=top.get("profile", USUAL_PROFILE).text(),
        host=tuple(node.text() for node in top.get("host", []).items()),
    )


def _result(node: _Node, sources: Mapping[str, str]) -> Result:
    diagnosis = node.get("diagnosis")
    return Result(
        case=_case(node, sources),
        ip=node.get("ip").whole(),
        verdict=node.get("verdict").word(Verdict),
        reason=node.get("reason").text(),
        evidence=node.get("evidence").word(Evidence),
        started=node.get("started_s").number(),
        duration=node.get("duration_s").number(),
        trace=tuple(_record(item) for item in node.get("trace").items()),
        names=_names(node),
        diagnosis=None if diagnosis.value is None else _diagnosis(diagnosis),
        warnings=tuple(_diagnosis(item) for item in node.get("warnings").items()),
        level=node.get("level").word(Level),
        attempts=node.get("attempts").whole(),
        lateness=node.get("lateness_s").number(),
        ports=tuple(item.whole() for item in node.get("ports").items()),
        capture=node.get("capture").text(),
    )


def _names(node: _Node) -> Names:
    names = Names({name: item.number() for name, item in node.get("names").pairs().items()})
    names.bases.update({name: item.whole() for name, item in node.get("bases").pairs().items()})
    return names


def _case(node: _Node, sources: Mapping[str, str]) -> Case:
    span = _span(node.get("place"))
    return Case(
        id=node.get("id").text(),
        title=node.get("title").text(),
        steps=tuple(_step(item) for item in node.get("steps").items()),
        span=span,
        source=sources.get(span.path, ""),
        rfc=node.get("rfc").text(),
        covers=tuple(item.text() for item in node.get("covers").items()),
        level=node.get("case_level").word(Level),
        about=node.get("about").text(),
        role=node.get("role").word(Role),
        start=node.get("from").word(State),
        ip=tuple(item.whole() for item in node.get("case_ip").items()),
        needs=_needs([item.text() for item in node.get("needs").items()]),
        parameters={name: item.text() for name, item in node.get("parameters").pairs().items()},
    )


def _needs(words: list[str]) -> Needs:
    settings = [word.removeprefix("sysctl ") for word in words if word.startswith("sysctl ")]
    return Needs(
        sysctl={name: value for name, _, value in (item.partition("=") for item in settings)},
        exclusive="exclusive" in words,
        slow="slow" in words,
        http="http" in words,
        disruptive="disruptive" in words,
    )


def _step(node: _Node) -> Step:
    span = _span(node.get("place"))
    text = node.get("text").text()
    # Enough to show where the step stands: all of it has the place of its first line.
    anchor = Place(span.line, span.column, span.end)
    return Step(None, SourceText(text, span.path, (anchor,) * len(text), anchor))


def _span(node: _Node) -> Span:
    return Span(
        node.get("path").text(),
        node.get("line").whole(),
        node.get("column").whole(),
        node.get("end").whole(),
    )


def _diagnosis(node: _Node) -> Diagnosis:
    place = node.get("place")
    notes = [[part.text() for part in note.items()] for note in node.get("notes").items()]
    return Diagnosis(
        code=node.get("code").text(),
        message=node.get("message").text(),
        span=None if place.value is None else _span(place),
        label=node.get("label").text(),
        notes=tuple((note[0], note[-1]) for note in notes if note),
        clause=node.get("clause").text(),
    )


def _record(node: _Node) -> Record:
    step, segment = node.get("step"), node.get("segment", None)
    return Record(
        time=node.get("time").number(),
        kind=node.get("kind").word(Kind),
        step=None if step.value is None else step.whole(),
        shown=node.get("shown").text(),
        segment=None if segment.value is None else _segment(segment),
        connection=node.get("connection", 1).whole(),
        why=node.get("why", "").text(),
        clause=node.get("clause", "").text(),
        inferred=node.get("inferred", "").text(),
        wrong=node.get("wrong", False).flag(),
    )


def _segment(node: _Node) -> Segment:
    doff, checksum = node.get("doff", None), node.get("checksum", None)
    return Segment(
        seq=node.get("seq").whole(),
        ack=node.get("ack").whole(),
        ctl=_control(node.get("ctl")),
        wnd=node.get("wnd").whole(),
        urp=node.get("urp", 0).whole(),
        data=node.get("data", "").octets(),
        options=node.get("options", "").octets(),
        checksum_ok=node.get("checksum_ok", True).flag(),
        checksum=None if checksum.value is None else checksum.whole(),
        doff=None if doff.value is None else doff.whole(),
        rsv=node.get("rsv", 0).whole(),
        ttl=node.get("ttl", 64).whole(),
        ident=node.get("ident", 0).whole(),
        tos=node.get("tos", 0).whole(),
        defect=node.get("defect", "").text(),
        envelope=_envelope(node.get("envelope", {})),
    )


def _envelope(node: _Node) -> Envelope:
    fragment = node.get("fragment", None)
    return Envelope(
        error=node.get("error", "").text(),
        mtu=node.get("mtu", 0).whole(),
        source=node.get("source", "").text(),
        destination=node.get("destination", "").text(),
        options=node.get("options", "").octets(),
        route=node.get("route", "").text(),
        fragment=None if fragment.value is None else fragment.whole(),
    )


def _control(node: _Node) -> Control:
    bits = NO_CONTROL
    for name in node.text().split(","):
        if name != "none":
            if name not in Control.__members__:
                raise node.wrong("a list of control bits")
            bits |= Control[name]
    return bits
