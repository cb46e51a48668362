"""What is asked of the fields of a segment that belong to IP and ICMP, not to TCP."""

from collections.abc import Iterable

from conformance.language.source import Log
from conformance.model.expression import Number
from conformance.model.icmp import ERRORS, Effect, one_version
from conformance.model.pattern import FIELDS, Field, Octets, Pattern, Word
from conformance.model.source import SourceText

_MAX_OPTIONS = 40
"""RFC 791 3.1: the header ends at 15 words, 5 of which are fixed."""
_PARTS_OF_TOS = ("DSCP", "ECN")
_WITH_ICMP = frozenset({"ICMP", "SEQ", "MTU", "CKSUM", "TTL", "SRC"})
"""What can be said of an ICMP error: the rest of the segment in it is the target's own."""


def check_sent(pattern: Pattern, text: SourceText, ip: Iterable[int], log: Log) -> None:
    """Report what no IP version of the case can carry, and fields that do not go together."""
    _check_versions(pattern, text, ip, log)
    _check_service(pattern, text, log)
    _check_sizes(pattern, text, log)
    _check_icmp(pattern, text, log)
    ident = pattern.get("ID")
    if ident is not None:
        message = "ID is for what comes: what is sent has 0, and needs no other"
        log.error("misplaced-field", message, text.span(ident.start, ident.end), "remove this")


def check_came(pattern: Pattern, text: SourceText, ip: Iterable[int], log: Log) -> None:
    """Report fields that are for what is sent only, that an IP version lacks, or that do not go together."""
    _check_versions(pattern, text, ip, log)
    _check_service(pattern, text, log)
    for item in pattern.fields:
        if FIELDS[item.name].sent or isinstance(item.value, Octets):
            message = f"{item.name} is for what is sent, not for what comes"
            log.error("send-only-field", message, text.span(item.start, item.end), "remove this")


def _check_versions(pattern: Pattern, text: SourceText, ip: Iterable[int], log: Log) -> None:
    for item in pattern.fields:
        only = _only(item)
        if only is not None and set(ip) != {only}:
            message = f"IPv{10 - only} has no {_thing(item)}"
            label = f"write ip: {only} at the top of the file"
            log.error("one-ip-version", message, text.span(item.start, item.end), label)


def _check_service(pattern: Pattern, text: SourceText, log: Log) -> None:
    for item in pattern.fields if pattern.get("TOS") else ():
        if item.name in _PARTS_OF_TOS:
            message = f"{item.name} is a part of TOS, which is written already"
            log.error("misplaced-field", message, text.span(item.start, item.end), "remove one")


def _check_sizes(pattern: Pattern, text: SourceText, log: Log) -> None:
    frag, options = pattern.get("FRAG"), pattern.get("IPOPT")
    if frag and isinstance(frag.value, Number) and (frag.value.value % 8 or not frag.value.value):
        message = "a fragment has a multiple of 8 octets"
        log.error("bad-fragment", message, text.span(frag.start, frag.end), "write for example <FRAG=8>")
    if options and isinstance(options.value, Octets) and len(options.value.raw) > _MAX_OPTIONS:
        message = f"an IP header has room for {_MAX_OPTIONS} octets of options"
        label = f"these are {len(options.value.raw)}"
        log.error("too-many-options", message, text.span(options.start, options.end), label)


def _only(item: Field) -> int | None:
    """Return the only IP version that has this field with this value."""
    if item.name == "ICMP" and isinstance(item.value, Word):
        return one_version(item.value.word)
    broadcast = item.name in ("SRC", "DST") and item.value == Word("broadcast")
    return 4 if broadcast or item.name in ("IPOPT", "ID") else None


def _thing(item: Field) -> str:
    words, meaning = FIELDS[item.name].words, FIELDS[item.name].meaning
    if item.name in ("IPOPT", "ID"):
        return meaning
    return str(item.value) if item.name == "ICMP" else f"{item.value} address" if words else meaning


def _check_icmp(pattern: Pattern, text: SourceText, log: Log) -> None:
    icmp, mtu = pattern.get("ICMP"), pattern.get("MTU")
    sized = (
        icmp is not None and isinstance(icmp.value, Word) and ERRORS[icmp.value.word].effect is Effect.SIZE
    )
    if mtu is not None and not sized:
        label = "this goes with <ICMP=fragmentation-needed>"
        log.error("misplaced-field", "MTU means nothing here", text.span(mtu.start, mtu.end), label)
    if icmp is None:
        return
    if sized and mtu is None:
        message = "fragmentation-needed says what the next hop can carry"
        log.error("missing-field", message, text.span(icmp.start, icmp.end), "add for example <MTU=1280>")
    for item in pattern.fields:
        if item.name == "SRC" and item.value != Word("other"):
            message = "an ICMP error comes from the tester, or from a router"
            log.error("misplaced-field", message, text.span(item.start, item.end), "write <SRC=other>")
        elif item.name not in _WITH_ICMP:
            message = f"{item.name} is no field of an ICMP error"
            label = "the segment in it is the target's own; SEQ says which"
            log.error("misplaced-field", message, text.span(item.start, item.end), label)
