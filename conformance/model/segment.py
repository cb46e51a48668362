"""A TCP segment, as values: what RFC 9293 3.1 names, without addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

OPTION_EOL, OPTION_NOP, OPTION_MSS, OPTION_WS = 0, 1, 2, 3
OPTION_SACK_PERMITTED, OPTION_SACK, OPTION_TS = 4, 5, 8


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


NO_CONTROL = Control(0)
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


def mss_option(size: int) -> Option:
    return Option(OPTION_MSS, size.to_bytes(2, "big"))


def window_scale_option(shift: int) -> Option:
    return Option(OPTION_WS, bytes([shift]))


def timestamps_option(value: int, echo: int) -> Option:
    return Option(OPTION_TS, value.to_bytes(4, "big") + echo.to_bytes(4, "big"))


SACK_PERMITTED = Option(OPTION_SACK_PERMITTED)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, sent or received.

    `options` is the raw option area, unpadded, so that anything malformed can be said.
    `doff` None means the value that fits the options; `checksum_ok` False means that the
    checksum is (to be) wrong.  `ttl`, `tos` belong to the IP header.  `defect` names what a received
    frame had wrong with it, in words, or is empty.  `checksum` is the checksum
    field to send whatever is right; None means computed (and spoilt, if `checksum_ok` is False).
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

    def sack_blocks(self) -> Iterator[tuple[int, int]]:
        """Yield (left edge, right edge) of each SACK block (RFC 2018 3)."""
        value = self.option(OPTION_SACK) or b""
        for at in range(0, len(value) - 7, 8):
            left, right = value[at : at + 4], value[at + 4 : at + 8]
            yield int.from_bytes(left, "big"), int.from_bytes(right, "big")
