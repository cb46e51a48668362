"""From a case file to cases: it is read to its end, and every error in it reported."""

import re
from collections.abc import Iterable
from collections.abc import Mapping as Map
from pathlib import Path
from types import MappingProxyType

from conformance.language import requirements, variants
from conformance.language.diagnostics import Diagnostic
from conformance.language.scalars import Layout
from conformance.language.schema import FILE_KEYS, WITH_KEYS, Fields
from conformance.language.source import Log, Mapping, Node, Scalar, decode, read
from conformance.language.steps import read_state, read_steps
from conformance.language.values import choice, flag, integer, part, prose, suggestion
from conformance.model.case import Case, Needs, Step, TesterOptions
from conformance.model.source import SourceText, Span
from conformance.model.state import Role, State
from conformance.model.verdict import Level

_ROLES = {str(role): role for role in Role}
_LEVELS = {str(level): level for level in Level}
_IP = {"4": 4, "6": 6}
_NEEDS = ("slow", "exclusive", "http", "disruptive", "sysctl NAME=VALUE")
_SYSCTL = re.compile(r"sysctl\s+([^\s=]+)\s*=\s*(\S.*)")
_RFC = re.compile(r"\d{3,5}\b")


def load_file(path: Path, case_id: str) -> tuple[list[Case], list[Diagnostic]]:
    """Return the variants of one file, in the order of its table, and what is wrong with it.

    A file with an error has no cases.
    """
    shown = path.as_posix()
    try:
        octets = path.read_bytes()
    except OSError as error:
        return [], [Diagnostic("unreadable", f"{shown} cannot be read: {error.strerror}")]
    return load_text(octets, shown, case_id)


def load_text(octets: bytes, path: str, case_id: str) -> tuple[list[Case], list[Diagnostic]]:
    """Return the variants of a file's octets; `path` is how it is called in errors."""
    text, wrong = decode(octets)
    log = Log(path, text)
    if wrong is not None:
        span = Layout(path, text).span(wrong, wrong + 1)
        log.error("not-utf-8", "a case is written in UTF-8", span, "no character is encoded so")
        return [], log.diagnostics
    root = read(text, log)
    cases: list[Case] = []
    if isinstance(root, Mapping):
        cases = _cases(root, text, case_id, log)
    elif root is None or (isinstance(root, Scalar) and not root.text.text):
        if not log.count:
            log.error(
                "empty-file", "this file has no case in it", Span(path, 1, 1, 2), "write title: and steps:"
            )
    else:
        label = "write title: ... and steps: ..."
        log.error("not-a-case", "a case is a mapping of keys", root.text.span(), label)
    return ([], log.diagnostics) if log.count else (cases, [])


# -- one file ---------------------------------------------------------------------------
def _cases(root: Mapping, source: str, case_id: str, log: Log) -> list[Case]:
    table = next(((key, value) for key, value in root.entries if key.text.text == "for"), None)
    if table is None:
        plain = variants.Substitution({}, variants.parametric(root), log).node(root)
        return [_case(plain, case_id, source, {}, log)]
    key, node = table
    rows = variants.rows(key.text, node, log)
    rest = Mapping(tuple(entry for entry in root.entries if entry[0].text.text != "for"), root.text)
    cases = []
    used: set[str] = set()
    log.variants = len(rows)
    parametric = variants.parametric(rest)
    for row in rows:
        log.variant = row.name
        substitution = variants.Substitution(row.values, parametric, log)
        cases.append(_case(substitution.node(rest), f"{case_id}[{row.name}]", source, row.values, log))
        used |= substitution.used
    log.variant = None
    if rows:
        variants.unused(node, used, log)
    return cases


def _case(root: Node, case_id: str, source: str, parameters: Map[str, str], log: Log) -> Case:
    assert isinstance(root, Mapping)
    fields = Fields(root, FILE_KEYS, "a case", log)
    fields.required("title", "title: what the case shows")
    title = fields.value("title")
    ip = _ip(fields, log)
    steps: tuple[Step, ...] = ()
    if fields.required("steps", "steps: a list of what is sent and expected"):
        steps = read_steps(fields.nodes["steps"], fields.keys["steps"], ip, log)
    covers = _covers(fields, log)
    level = fields.value("level")
    stated = choice(level, _LEVELS, "unknown-level", "no level", log) if level else None
    role, start = _start(fields, log)
    about = fields.value("about")
    return Case(
        id=case_id,
        title=prose(title) if title else "",
        steps=steps,
        span=title.span() if title else root.text.span(),
        source=source,
        rfc=_rfc(fields, log),
        covers=covers,
        level=stated or requirements.strongest(covers),
        about=about.text.strip() if about else "",
        role=role,
        start=start,
        ip=ip,
        options=_options(fields, start, log),
        needs=_needs(fields, log),
        parameters=MappingProxyType(parameters),
    )


def _rfc(fields: Fields, log: Log) -> str:
    text = fields.value("rfc")
    if text is None:
        return ""
    if not _RFC.match(text.text):
        number = re.match(r"RFC\s*(\d+.*)", text.text, re.DOTALL)
        label = f"write {number[1]}" if number else "write for example 9293 3.10.7.4"
        log.error("bad-rfc", "rfc begins with the number of an RFC", text.span(), label)
    return prose(text)


def _covers(fields: Fields, log: Log) -> tuple[str, ...]:
    found = []
    for text in fields.values("covers"):
        if text.text in requirements.levels():
            found.append(text.text)
            continue
        label = suggestion(text.text, requirements.levels())
        if "," in text.text:
            label = "a list is written [MUST-2, MUST-14]"
        note = "they are listed in conformance/data/requirements.csv"
        log.error(
            "unknown-requirement", f"no requirement is numbered {text.text}", text.span(), label, (note,)
        )
    return tuple(found)


def _start(fields: Fields, log: Log) -> tuple[Role, State]:
    """Return the target's role and `from:`, each following from the other where it is left out."""
    role_text, state_text = fields.value("target"), fields.value("from")
    role = choice(role_text, _ROLES, "unknown-role", "no role", log) if role_text else None
    state = read_state(state_text, log) if state_text else None
    if state_text is not None and state is State.SYN_SENT and role is Role.SERVER:
        message, label = "a server is never in SYN-SENT", "only an active OPEN leads there: target: client"
        log.error("impossible-start", message, state_text.span(), label, ("RFC 9293 3.10.1",))
    if state_text is not None and state is State.LISTEN and role is Role.CLIENT:
        message, label = "a client is never in LISTEN", "only a passive OPEN leads there: target: server"
        log.error("impossible-start", message, state_text.span(), label, ("RFC 9293 3.10.1",))
    if role is None:
        role = Role.CLIENT if state is State.SYN_SENT else Role.SERVER
    return role, state or (State.LISTEN if role is Role.SERVER else State.CLOSED)


def _ip(fields: Fields, log: Log) -> tuple[int, ...]:
    if "ip" not in fields:
        return (4, 6)
    found = [choice(text, _IP, "bad-ip", "no IP version", log) for text in fields.values("ip")]
    return tuple(sorted(version for version in found if version is not None))


def _options(fields: Fields, start: State, log: Log) -> TesterOptions:
    given = fields.mapping("with", WITH_KEYS)
    if given is None:
        return TesterOptions()

    def number(name: str, highest: int) -> int | None:
        text = given.value(name)
        return integer(text, 0, highest, log) if text else None

    def switch(name: str) -> bool:
        text = given.value(name)
        return flag(text, log) if text else False

    window = number("window", 0xFFFF)
    return TesterOptions(
        mss=number("mss", 0xFFFF),
        window_scale=number("window-scale", 0xFF),
        timestamps=switch("timestamps"),
        sack=switch("sack"),
        isn=number("isn", 0xFFFFFFFF),
        window=TesterOptions().window if window is None else window,
        same_port=_same_port(given, log),
        target_port=_target_port(given, start, log),
    )


def _same_port(given: Fields, log: Log) -> bool:
    text = given.value("port")
    return text is not None and choice(text, {"same": True}, "bad-port", "no port", log) is True


def _target_port(given: Fields, start: State, log: Log) -> int | None:
    text = given.value("target-port")
    if text is None:
        return None
    if start is not State.CLOSED:
        message, label = "nobody can listen on a port of the case's choice", "write from: CLOSED"
        log.error("bad-port", message, text.span(), label)
    return choice(text, {"0": 0}, "bad-port", "no port", log)


def _needs(fields: Fields, log: Log) -> Needs:
    sysctl: dict[str, str] = {}
    flags: set[str] = set()
    for text in fields.values("needs"):
        match = _SYSCTL.fullmatch(text.text)
        if match:
            _check_sysctl(part(text, match.start(1), match.end(1)), sysctl, log)
            sysctl[match[1]] = " ".join(match[2].split())
        elif text.text in _NEEDS:
            flags.add(text.text)
        else:
            label = suggestion(text.text.partition(" ")[0], [need.partition(" ")[0] for need in _NEEDS])
            if text.text.startswith("sysctl"):
                label = "write sysctl NAME=VALUE"
            note = "known are " + ", ".join(_NEEDS)
            log.error("unknown-need", f"no need is named {text.text}", text.span(), label, (note,))
    return Needs(
        MappingProxyType(sysctl), *(word in flags for word in ("exclusive", "slow", "http", "disruptive"))
    )


def _check_sysctl(name: SourceText, others: Iterable[str], log: Log) -> None:
    if name.text in others:
        log.error("duplicate-value", f"{name.text} is written twice", name.span(), "remove one")
    if not re.fullmatch(r"net(\.[\w-]+)+", name.text):
        message = "a sysctl that a case sets begins with net."
        log.error("bad-sysctl", message, name.span(), "others are not the target's own")
