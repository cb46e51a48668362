"""Classic BPF programs that keep what is not the tester's business in the kernel.

Offsets count from the Ethernet header.
"""

import socket
from collections.abc import Iterable, Sequence

from conformance.wire.packet_socket import Instruction

_ALWAYS, _IF_EQUAL, _RETURN = 0x05, 0x15, 0x06
_LOADS = {"octet": 0x30, "half": 0x28, "word": 0x20}
_WHOLE_FRAME = 0x40000

_Line = str | tuple[str, int] | tuple[str, int, str]
"""A label, or what to do with an operand: load (octet, half, word) from an offset, return,
or go to a label: always, or if what was loaded is (equal) or is not (unless) the operand."""

_REJECT: _Line = ("return", 0)


def incoming(addresses: Sequence[str]) -> list[Instruction]:
    """Let in ARP, IPv6 multicast (for solicitations), and IP to one of `addresses`."""
    return _assemble(
        [
            *(("half", 12), ("equal", 0x0806, "accept")),
            *(("equal", 0x0800, "ipv4"), ("equal", 0x86DD, "ipv6"), _REJECT),
            *("ipv4", *_match((30,), _of(4, addresses)), _REJECT),
            *("ipv6", ("octet", 38), ("equal", 0xFF, "accept")),
            *(*_match((38,), _of(6, addresses)), _REJECT),
            *("accept", ("return", _WHOLE_FRAME)),
        ]
    )


def incoming_from(addresses: Sequence[str], sources: Sequence[str]) -> list[Instruction]:
    """Let in ARP, what neighbour discovery needs, and IP from one of `sources` to one of `addresses`."""
    own4, own6 = _of(4, addresses), _of(6, addresses)
    return _assemble(
        [
            *(("half", 12), ("equal", 0x0806, "accept")),
            *(("equal", 0x0800, "ipv4"), ("equal", 0x86DD, "ipv6"), _REJECT),
            *("ipv4", *_match((26,), _of(4, sources), "from4"), _REJECT),
            *("from4", *_match((30,), own4), _REJECT),
            *("ipv6", ("octet", 38), ("equal", 0xFF, "accept"), ("octet", 20), ("equal", 58, "from6")),
            *(*_match((22,), _of(6, sources), "from6"), _REJECT),
            *("from6", *_match((38,), own6), _REJECT),
            *("accept", ("return", _WHOLE_FRAME)),
        ]
    )


def tcp(addresses: Sequence[str]) -> list[Instruction]:
    """Let in TCP and ICMP errors, over IPv4 and IPv6, from or to one of `addresses`."""
    return _assemble(
        [
            *(("half", 12), ("equal", 0x0800, "ipv4"), ("equal", 0x86DD, "ipv6"), _REJECT),
            *("ipv4", ("octet", 23), ("equal", 6, "mine"), ("unless", 1, "reject")),
            *("mine", *_match((26, 30), _of(4, addresses)), _REJECT),
            *("ipv6", ("octet", 20), ("unless", 58, "ours")),
            # ICMPv6 errors have types below 128; of those, four are in use (RFC 4443 2.1).
            *(("octet", 54), *(("equal", kind, "ours") for kind in (1, 2, 3, 4)), _REJECT),
            *("ours", *_match((22, 38), _of(6, addresses)), "reject", _REJECT),
            *("accept", ("return", _WHOLE_FRAME)),
        ]
    )


def _of(family: int, addresses: Iterable[str]) -> list[bytes]:
    if family == 6:
        return [socket.inet_pton(socket.AF_INET6, address) for address in addresses if ":" in address]
    return [socket.inet_pton(socket.AF_INET, address) for address in addresses if ":" not in address]


def _match(offsets: Iterable[int], addresses: Sequence[bytes], then: str = "") -> list[_Line]:
    """Accept, or go to `then`, if one of the addresses stands at one of the offsets; else go on."""
    lines: list[_Line] = []
    for offset in offsets:
        for address in addresses:
            other = f"not {address.hex()} at {offset}"
            for at in range(0, len(address), 4):
                word = int.from_bytes(address[at : at + 4], "big")
                lines += [("word", offset + at), ("unless", word, other)]
            lines += [("always", 0, then) if then else ("return", _WHOLE_FRAME), other]
    return lines


def _assemble(lines: Sequence[_Line]) -> list[Instruction]:
    labels: dict[str, int] = {}
    instructions: list[tuple[str, int] | tuple[str, int, str]] = []
    for line in lines:
        if isinstance(line, str):
            labels[line] = len(instructions)
        else:
            instructions.append(line)
    program: list[Instruction] = []
    for at, (what, operand, *target) in enumerate(instructions):
        if what == "return":
            program.append((_RETURN, 0, 0, operand))
        elif what == "always":
            program.append((_ALWAYS, 0, 0, labels[target[0]] - at - 1))
        elif what in _LOADS:
            program.append((_LOADS[what], 0, 0, operand))
        else:
            skip = labels[target[0]] - at - 1
            jumps = (skip, 0) if what == "equal" else (0, skip)
            program.append((_IF_EQUAL, *jumps, operand))
    return program
