"""What the RFC's notation can say of a segment, as values: a pattern is a list of fields.

What each field may hold is a row of FIELDS.  Every value prints back as it is written.
"""

import re
from dataclasses import dataclass, field
from enum import Enum

from conformance.model.expression import Expression, Name
from conformance.model.flow import GROUPS, RECORDS, ROUTES, SOURCES
from conformance.model.icmp import ERRORS
from conformance.model.segment import NO_CONTROL, Control

_ESCAPE = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|([nrt0\\"]))')
_PLAIN = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}


def _unescape(text: str) -> bytes:
    out, at = b"", 0
    for match in _ESCAPE.finditer(text):
        out += text[at : match.start()].encode()
        out += bytes([int(match[1], 16)]) if match[1] else _PLAIN[match[2]]
        at = match.end()
    return out + text[at:].encode()


def quote(octets: bytes) -> str:
    """Return octets as the notation writes them: a string with escapes."""
    shown = ""
    for octet in octets:
        character = chr(octet)
        if character in '"\\':
            shown += "\\" + character
        elif 0x20 <= octet < 0x7F:
            shown += character
        else:
            shown += f"\\x{octet:02x}"
    return f'"{shown}"'


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Any value at all."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class Some:
    """At least one octet, written `<DATA>` as in the RFC's Figure 6."""

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, both included."""

    low: Expression
    high: Expression

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


@dataclass(frozen=True, slots=True)
class Controls:
    """Control bits by name, in the order written; empty is written `none`."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ",".join(self.names) or "none"

    @property
    def bits(self) -> Control:
        bits = NO_CONTROL
        for name in self.names:
            bits |= Control[name]
        return bits


@dataclass(frozen=True, slots=True)
class Text:
    """Octets written as a string, with \\n \\r \\t \\0 \\\\ \\" and \\xHH."""

    text: str

    def __str__(self) -> str:
        return f'"{self.text}"'

    @property
    def octets(self) -> bytes:
        return _unescape(self.text)


@dataclass(frozen=True, slots=True)
class OptionItem:
    """One option by name with arguments (`*` is any), or raw octets in hex."""

    name: str
    arguments: tuple[Expression | Wildcard, ...] = ()
    raw: bytes = b""

    def __str__(self) -> str:
        if not self.name:
            return str(Octets(self.raw))
        # A space parts the arguments, so there is none within one.
        return " ".join([self.name, *(str(argument).replace(" ", "") for argument in self.arguments)])

    @property
    def cookie(self) -> str:
        """The name of the cookie that a Fast Open option has; empty where it names none."""
        named = self.arguments[0] if self.name == COOKIE and self.arguments else None
        return named.name if isinstance(named, Name) else ""


@dataclass(frozen=True, slots=True)
class Options:
    items: tuple[OptionItem, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.items)) or "none"


@dataclass(frozen=True, slots=True)
class Word:
    """One of the words a field allows, such as `bad`."""

    word: str

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True, slots=True)
class Octets:
    """Octets in hex: `0x83 07 04`."""

    raw: bytes

    def __str__(self) -> str:
        return "0x" + self.raw.hex(" ").upper()


Value = Wildcard | Some | Range | Controls | Text | Options | Word | Octets | Expression


class Kind(Enum):
    NUMBER = "number"
    CONTROLS = "controls"
    DATA = "data"
    OPTIONS = "options"
    WORD = "word"
    OCTETS = "octets"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    kind: Kind
    bits: int
    meaning: str
    words: tuple[str, ...] = ()
    sent: bool = False
    """Whether it is for what is sent only."""


ECN = ("Not-ECT", "ECT1", "ECT0", "CE")
"""The ECN codepoints of RFC 3168 5, by the number that they have in the IP header."""
FIELDS = {
    "SEQ": FieldSpec(Kind.NUMBER, 32, "sequence number"),
    "ACK": FieldSpec(Kind.NUMBER, 32, "acknowledgment number"),
    "CTL": FieldSpec(Kind.CONTROLS, 8, "control bits"),
    "WND": FieldSpec(Kind.NUMBER, 16, "window, as in the header"),
    "URP": FieldSpec(Kind.NUMBER, 16, "urgent pointer"),
    "DATA": FieldSpec(Kind.DATA, 16, "data: a string, or a number of octets of the pattern"),
    "OPT": FieldSpec(Kind.OPTIONS, 0, "options"),
    "CKSUM": FieldSpec(Kind.WORD, 16, "checksum", ("bad", "good")),
    "DOFF": FieldSpec(Kind.NUMBER, 4, "data offset, in 32-bit words"),
    "RSV": FieldSpec(Kind.NUMBER, 4, "reserved bits"),
    "TTL": FieldSpec(Kind.NUMBER, 8, "time to live, hop limit"),
    "TOS": FieldSpec(Kind.NUMBER, 8, "Diffserv field and ECN, traffic class"),
    "ID": FieldSpec(Kind.NUMBER, 16, "IPv4 Identification"),
    "DSCP": FieldSpec(Kind.NUMBER, 6, "Differentiated Services Codepoint"),
    "ECN": FieldSpec(Kind.WORD, 0, "ECN codepoint", ECN),
    "SRC": FieldSpec(Kind.WORD, 0, "source address", SOURCES, sent=True),
    "DST": FieldSpec(Kind.WORD, 0, "destination address", tuple(GROUPS), sent=True),
    "IPOPT": FieldSpec(Kind.OCTETS, 0, "IP options", (*ROUTES, *RECORDS)),
    "FRAG": FieldSpec(Kind.NUMBER, 16, "octets of IP payload in a fragment", sent=True),
    "ICMP": FieldSpec(Kind.WORD, 0, "ICMP error", tuple(ERRORS), sent=True),
    "MTU": FieldSpec(Kind.NUMBER, 16, "MTU of the next hop", sent=True),
}
OPTION_ARGUMENTS = {
    "MSS": 1,
    "WS": 1,
    "TS": 2,
    "SACK-PERMITTED": 0,
    "SACK": None,
    "FAST-OPEN": 1,
    "NOP": 0,
    "EOL": 0,
}
"""Option names, each with its number of arguments (None: any even number)."""
COOKIE = "FAST-OPEN"
"""The option whose argument, which it can do without, is the name of a cookie."""


@dataclass(frozen=True, slots=True)
class Field:
    """One `<NAME=value>`; the offsets of the whole field in the source are not compared."""

    name: str
    value: Value
    negated: bool = False
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if isinstance(self.value, Some):
            return f"<{self.name}>"
        return f"<{self.name}{'!=' if self.negated else '='}{self.value}>"


@dataclass(frozen=True, slots=True)
class Pattern:
    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.fields))

    def get(self, name: str) -> Field | None:
        for item in self.fields:
            if item.name == name:
                return item
        return None

    @property
    def control(self) -> Control | None:
        """The control bits where they are written and not negated, else None."""
        item = self.get("CTL")
        if item is None or item.negated or not isinstance(item.value, Controls):
            return None
        return item.value.bits
