"""A TCP segment, as values: what RFC 9293 3.1 names, without addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from functools import cache, lru_cache

OPTION_EOL, OPTION_NOP, OPTION_MSS, OPTION_WS = 0, 1, 2, 3
OPTION_SACK_PERMITTED, OPTION_SACK, OPTION_TS, OPTION_FAST_OPEN = 4, 5, 8, 34
COOKIE_LENGTHS = range(4, 17, 2)
"""Octets of a Fast Open cookie (RFC 7413 4.1.1)."""
NOT_ECT, ECT_0, CE = 0, 2, 3
"""Codepoints of the ECN field (RFC 3168 5); ECT(1) is 1."""


class Control(IntFlag):
    """The control bits (RFC 9293 3.1), with ECE and CWR (RFC 3168)."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80

    # IntFlag looks for the member anew at each operation, and that is where the time of a run goes.
    def __and__(self, other: int) -> "Control":
        return _CONTROLS[int.__and__(self, other)]

    def __or__(self, other: int) -> "Control":
        return _CONTROLS[int.__or__(self, other)]


_CONTROLS = tuple(map(Control, range(256)))
NO_CONTROL = _CONTROLS[0]
# The order in which the RFC's figures and diagrams name the bits.
CONTROL_ORDER = (
    Control.SYN,
    Control.FIN,
    Control.RST,
    Control.PSH,
    Control.URG,
    Control.ECE,
    Control.CWR,
    Control.ACK,
)


@cache
def control_text(ctl: Control) -> str:
    """Return the bits as the RFC writes them, "SYN,ACK"; "none" where none is set."""
    return ",".join(str(bit.name) for bit in CONTROL_ORDER if ctl & bit) or "none"


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its kind, and its value without kind and length octets."""

    kind: int
    value: bytes = b""

    def encode(self) -> bytes:
        if self.kind in (OPTION_EOL, OPTION_NOP):
            return bytes([self.kind])
        return bytes([self.kind, len(self.value) + 2]) + self.value


@lru_cache(maxsize=4096)
def decode_options(raw: bytes) -> tuple[tuple[Option, ...], bool]:
    """Return the options in `raw`, and whether all of it was well formed (RFC 9293 3.2)."""
    found: list[Option] = []
    at = 0
    while at < len(raw):
        kind = raw[at]
        if kind == OPTION_EOL:
            break
        if kind == OPTION_NOP:
            at += 1
            continue
        if at + 1 >= len(raw) or raw[at + 1] < 2 or at + raw[at + 1] > len(raw):
            return tuple(found), False
        found.append(Option(kind, raw[at + 2 : at + raw[at + 1]]))
        at += raw[at + 1]
    return tuple(found), True


def after_options(raw: bytes) -> bytes:
    """Return what follows the End of Option List option: padding (RFC 9293 3.1)."""
    at = 0
    while at < len(raw) and raw[at] != OPTION_EOL:
        at += 1 if raw[at] == OPTION_NOP or at + 1 >= len(raw) else max(raw[at + 1], 2)
    return raw[at + 1 :]


def mss_option(size: int) -> Option:
    return Option(OPTION_MSS, size.to_bytes(2, "big"))


def window_scale_option(shift: int) -> Option:
    return Option(OPTION_WS, bytes([shift]))


def timestamps_option(value: int, echo: int) -> Option:
    return Option(OPTION_TS, value.to_bytes(4, "big") + echo.to_bytes(4, "big"))


SACK_PERMITTED = Option(OPTION_SACK_PERMITTED)


@dataclass(frozen=True, slots=True)
class Envelope:
    """How IP carries a segment that is sent, where this is not as usual.

    `source`, `destination` are words for addresses (model.flow) in place of the tester's and
    the target's; `options` are IP options, unpadded; `fragment` is how many octets of IP payload
    go into one fragment.  `route` is a word for a source route or a record (model.flow) among the IP
    options, of what came, too.  `error` names an ICMP error (model.icmp) in which the segment, one of
    the target's own, is returned; `mtu` is what it says of the next hop.
    """

    error: str = ""
    mtu: int = 0
    source: str = ""
    destination: str = ""
    options: bytes = b""
    fragment: int | None = None
    route: str = ""

    @property
    def stray(self) -> bool:
        """Whether what it carries is not of the connection that it seems to be of."""
        return bool(self.source or self.destination) and not self.error

    def __str__(self) -> str:
        """The fields that the notation has for it, but for those of an ICMP error."""
        fields = {
            "SRC": self.source,
            "DST": self.destination,
            "IPOPT": self.route or (self.options and "0x" + self.options.hex(" ").upper()),
            "FRAG": self.fragment or "",
        }
        return "".join(f"<{name}={value}>" for name, value in fields.items() if value)


USUAL = Envelope()


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, sent or received.

    `options` is the raw option area, unpadded, so that anything malformed can be said.
    `doff` None means the value that fits the options; `checksum_ok` False means that the
    checksum is (to be) wrong.  `ttl`, `tos` belong to the IP header, and so
    does `ident`, the Identification of one that came over IPv4.  `defect` names what a received
    frame had wrong with it, in words, or is empty.  `checksum` is the checksum
    field to send whatever is right; None means computed (and spoilt, if `checksum_ok` is False).
    The checksum of a segment in an ICMP error is that of the ICMP message.
    """

    seq: int
    ack: int
    ctl: Control
    wnd: int = 65535
    urp: int = 0
    data: bytes = b""
    options: bytes = b""
    checksum_ok: bool = True
    doff: int | None = None
    rsv: int = 0
    ttl: int = 64
    tos: int = 0
    defect: str = ""
    checksum: int | None = None
    ident: int = 0
    envelope: Envelope = USUAL

    def has(self, bit: Control) -> bool:
        # As integers: an IntFlag makes a new member at each operation, which takes ten times as long.
        return int.__and__(self.ctl, bit) != 0

    @property
    def length(self) -> int:
        """SEG.LEN: octets of data, counting SYN and FIN (RFC 9293 3.3.1)."""
        ctl = int(self.ctl)
        return len(self.data) + (ctl >> 1 & 1) + (ctl & 1)

    @property
    def end(self) -> int:
        """SEG.SEQ+SEG.LEN, modulo 2**32."""
        return (self.seq + self.length) % (1 << 32)

    def option(self, kind: int) -> bytes | None:
        """Return the value of the first option of that kind, or None."""
        for option in decode_options(self.options)[0]:
            if option.kind == kind:
                return option.value
        return None

    @property
    def mss(self) -> int | None:
        value = self.option(OPTION_MSS)
        return int.from_bytes(value, "big") if value is not None and len(value) == 2 else None

    @property
    def window_scale(self) -> int | None:
        value = self.option(OPTION_WS)
        return value[0] if value is not None and len(value) == 1 else None

    @property
    def timestamps(self) -> tuple[int, int] | None:
        """(TSval, TSecr) of RFC 7323 3.2, or None."""
        value = self.option(OPTION_TS)
        if value is None or len(value) != 8:
            return None
        return int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big")

    @property
    def sack_permitted(self) -> bool:
        return self.option(OPTION_SACK_PERMITTED) is not None

    @property
    def cookie(self) -> bytes | None:
        """The Fast Open cookie of a SYN, empty where it asks for one; None where there is none.

        RFC 7413 4.1.1: of another length, or in another segment, the option is ignored.
        """
        value = self.option(OPTION_FAST_OPEN) if self.has(Control.SYN) else None
        return value if not value or len(value) in COOKIE_LENGTHS else None

    @property
    def ecn_setup(self) -> bool:
        """Whether a SYN or SYN,ACK offers or accepts ECN (RFC 3168 6.1.1)."""
        offer = Control.ECE if self.has(Control.ACK) else Control.ECE | Control.CWR
        return self.ctl & (Control.ECE | Control.CWR) == offer

    @property
    def ecn(self) -> int:
        """The ECN field of the IP header (RFC 3168 5)."""
        return self.tos & CE

    def sack_blocks(self) -> Iterator[tuple[int, int]]:
        """Yield (left edge, right edge) of each SACK block (RFC 2018 3)."""
        value = self.option(OPTION_SACK) or b""
        for at in range(0, len(value) - 7, 8):
            left, right = value[at : at + 4], value[at + 4 : at + 8]
            yield int.from_bytes(left, "big"), int.from_bytes(right, "big")
