"""`call:`, a user call at the target in the words of RFC 9293 3.9.1."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from conformance.language.source import Log
from conformance.language.values import integer, listing, part, problems, stripped, suggestion
from conformance.model.case import (
    ANY,
    LOCAL,
    NORMAL,
    OTHER,
    PASSIVE,
    RECORD,
    ROUTE,
    URGENT,
    CallError,
    CallName,
    UserCall,
)
from conformance.model.flow import GROUPS, RECORDS, ROUTES
from conformance.model.notation import NotationError, parse_string
from conformance.model.source import SourceText

OPTION_NAMES = (
    "nodelay", "mss", "cork", "keepalive", "keepalive_idle", "keepalive_interval", "keepalive_count",
    "keepalive_octet",
    "syn_count", "linger", "linger2", "defer_accept", "window_clamp", "quickack", "user_timeout",
    "receive_buffer", "send_buffer", "receive_low_water", "oob_inline", "reuse_address", "ttl", "tos",
    "report_errors", "fast_open", "fast_open_connect", ROUTE, RECORD,
)  # fmt: skip
"""The socket options of the agent, docs/agent.md."""
_OPEN = UserCall(CallName.OPEN)
_OPENS = {
    "": _OPEN,
    PASSIVE: replace(_OPEN, passive=True),
    **{group: replace(_OPEN, remote=group) for group in GROUPS},
    **{f"{LOCAL} {word}": replace(_OPEN, local=word) for word in (OTHER, ANY)},
    **{f"{PASSIVE} {LOCAL} {word}": replace(_OPEN, passive=True, local=word) for word in (OTHER, ANY)},
}
"""What an OPEN may say of itself."""
_WORDS: Mapping[str, tuple[str, Iterable[str]]] = {
    ROUTE: ("source route", ROUTES),
    RECORD: ("record", RECORDS),
}
"""Options whose value is a word: what it names, and which there are."""
_SWITCHES = {"on": "1", "yes": "1", "true": "1", "off": "0", "no": "0", "false": "0"}
_MOST = 1 << 24
"""Octets that one call may send or receive."""
_ENDINGS = {
    "RESET": CallError.RESET,
    "REFUSED": CallError.REFUSED,
    "TIMEOUT": CallError.TIMEOUT,
}
"""RECEIVE RESET is short for RECEIVE with `error: connection reset`."""


def parse(text: SourceText, error: CallError | None, ip: Iterable[int], log: Log) -> UserCall | None:
    """Return the call that is written, in a case over the versions `ip`.

    `error` is the failure that the step says it must meet.
    """
    word = re.match(r"\S*", text.text)
    name = word[0] if word else ""
    if name not in CallName.__members__:
        label = suggestion(name, CallName.__members__)
        span = text.span(0, len(name))
        log.error(
            "unknown-call",
            f"no user call is named {name}",
            span,
            label,
            () if label else listing(CallName.__members__),
        )
        return None
    rest = stripped(part(text, len(name), len(text.text)))
    call = _PARSERS[CallName[name]](CallName[name], rest, error, text, log)
    if call is not None and call.remote and not set(ip) <= GROUPS[call.remote].keys():
        label = "write ip: 4 at the top of the file"
        log.error("one-ip-version", f"IPv6 has no {call.remote} address", rest.span(), label)
    return call


def _bare(
    name: CallName, rest: SourceText, error: CallError | None, text: SourceText, log: Log
) -> UserCall | None:
    if rest.text:
        log.error("bad-call", f"{name} takes nothing more", rest.span(), "remove this")
        return None
    return UserCall(name, error=error)


def _open(
    name: CallName, rest: SourceText, error: CallError | None, text: SourceText, log: Log
) -> UserCall | None:
    call = _OPENS.get(" ".join(rest.text.split()))
    if call is None:
        words = list(_OPENS)[1:]
        label = suggestion(rest.text, words)
        notes = () if label else listing(words)
        log.error("bad-call", f"OPEN knows no {rest.text}", rest.span(), label, notes)
        return None
    return replace(call, error=error)


def _close(
    name: CallName, rest: SourceText, error: CallError | None, text: SourceText, log: Log
) -> UserCall | None:
    if rest.text not in ("", "half-duplex"):
        label = suggestion(rest.text, ["half-duplex"]) or "write CLOSE, or CLOSE half-duplex"
        log.error("bad-call", f"CLOSE knows no {rest.text}", rest.span(), label)
        return None
    return UserCall(name, half_duplex=bool(rest.text), error=error)


def _octets(
    name: CallName, rest: SourceText, error: CallError | None, text: SourceText, log: Log
) -> UserCall | None:
    """SEND and RECEIVE: a string, or a number of octets of the pattern."""
    if rest.text.startswith('"'):
        try:
            data = parse_string(rest.text).octets
        except NotationError as wrong:
            problems(rest, wrong.problems, log)
            return None
        if not data:
            log.error("bad-call", f"{name} of no octets does nothing", rest.span(), "write a text")
            return None
        return UserCall(name, data=data, error=error)
    if not rest.text:
        examples = f'write for example {name} "hello" or {name} 4096'
        log.error("bad-call", f"{name} needs to know what", text.span(), examples)
        return None
    if not rest.text[0].isdigit():
        label = f'a text is in double quotes: {name} "{rest.text}"'
        log.error("bad-call", f"{name} takes a text or a number of octets", rest.span(), label)
        return None
    count = integer(rest, 1, _MOST, log)
    return None if count is None else UserCall(name, count=count, error=error)


def _send(
    name: CallName, rest: SourceText, error: CallError | None, text: SourceText, log: Log
) -> UserCall | None:
    word = re.match(r"[A-Za-z]+", rest.text)
    if word is None:
        return _octets(name, rest, error, text, log)
    if word[0] != URGENT:
        near = suggestion(word[0], [URGENT])
        if near and rest.text != word[0]:
            span = rest.span(0, word.end())
            log.error("bad-call", f"SEND knows no {word[0]}", span, near)
            return None
        return _octets(name, rest, error, text, log)
    call = _octets(name, stripped(part(rest, word.end(), len(rest.text))), error, text, log)
    return call and replace(call, urgent=True)


def _receive(
    name: CallName, rest: SourceText, error: CallError | None, text: SourceText, log: Log
) -> UserCall | None:
    ending = _ENDINGS.get(rest.text)
    if error is not None or ending is not None:
        if rest.text and (error is not None or ending is None):
            message = "a RECEIVE that fails returns nothing"
            log.error("bad-call", message, rest.span(), "remove this, or the key error")
            return None
        return UserCall(name, error=error or ending)
    if rest.text == "EOF":
        return UserCall(name, eof=True)
    if re.match(rf"{URGENT}\b", rest.text):
        return _receive_urgent(name, stripped(part(rest, len(URGENT), len(rest.text))), text, log)
    words = ["EOF", URGENT, *_ENDINGS]
    word = re.match(r"[A-Za-z]+", rest.text)
    near = suggestion(word[0], words) if word else ""
    if word and near:
        log.error("bad-call", f"RECEIVE knows no {word[0]}", rest.span(0, word.end()), near)
        return None
    return _octets(name, rest, error, text, log)


def _receive_urgent(name: CallName, rest: SourceText, text: SourceText, log: Log) -> UserCall | None:
    """The one octet that is out of band where OPTION oob_inline is off."""
    call = _octets(name, rest, None, text, log) if rest.text.startswith('"') else UserCall(name)
    if call is not None and len(call.data or b"") != 1:
        label = f'write for example RECEIVE {URGENT} "c"; with OPTION oob_inline on it stands in the stream'
        log.error("bad-call", "one octet is out of band, the last one of urgent data", text.span(), label)
        return None
    return call and replace(call, urgent=True)


def either(found: Iterable[UserCall], text: SourceText, log: Log) -> UserCall | None:
    """Return one call for a list of them: of several texts each may be received."""
    calls = tuple(found)
    texts = [call.data for call in calls if call.data and call == UserCall(CallName.RECEIVE, call.data)]
    if len(texts) < len(calls):
        label = 'write for example [RECEIVE "ab", RECEIVE "abc"]'
        log.error("bad-call", "only texts to receive can be alternatives", text.span(), label)
        return None
    return replace(calls[0], others=tuple(texts[1:]))


def _status(
    name: CallName, rest: SourceText, error: CallError | None, text: SourceText, log: Log
) -> UserCall | None:
    if rest.text not in (URGENT, NORMAL):
        label = suggestion(rest.text, [URGENT, NORMAL]) or f"write STATUS {URGENT}, or STATUS {NORMAL}"
        notes = ("the target's state is asked for by the key state",)
        log.error("bad-call", "STATUS takes a mode of the user", text.span(), label, notes)
        return None
    return UserCall(name, urgent=rest.text == URGENT, error=error)


def _option(
    name: CallName, rest: SourceText, error: CallError | None, text: SourceText, log: Log
) -> UserCall | None:
    words = list(re.finditer(r"\S+", rest.text))
    if len(words) != 2:
        label = "write for example OPTION nodelay on"
        log.error("bad-call", "OPTION takes a name and a value", text.span(), label)
        return None
    option, value = (part(rest, word.start(), word.end()) for word in words)
    if option.text not in OPTION_NAMES:
        message = f"no socket option is named {option.text}"
        label = suggestion(option.text.replace("-", "_"), OPTION_NAMES)
        log.error(
            "unknown-socket-option", message, option.span(), label, () if label else listing(OPTION_NAMES)
        )
        return None
    if option.text in _WORDS:
        thing, known = _WORDS[option.text]
        if value.text not in known:
            label = suggestion(value.text, known) or "known are " + ", ".join(known)
            log.error("bad-call", f"no {thing} is named {value.text}", value.span(), label)
            return None
        return UserCall(name, option=(option.text, value.text), error=error)
    if value.text in _SWITCHES:
        return UserCall(name, option=(option.text, _SWITCHES[value.text]), error=error)
    number = integer(value, 0, 0x7FFFFFFF, log)
    return None if number is None else UserCall(name, option=(option.text, str(number)), error=error)


_Parser = Callable[[CallName, SourceText, CallError | None, SourceText, Log], UserCall | None]
_PARSERS: dict[CallName, _Parser] = {
    CallName.OPEN: _open,
    CallName.ABORT: _bare,
    CallName.CLOSE: _close,
    CallName.SEND: _send,
    CallName.RECEIVE: _receive,
    CallName.STATUS: _status,
    CallName.OPTION: _option,
}
