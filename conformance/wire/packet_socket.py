"""An AF_PACKET socket with kernel timestamps, a filter and a large buffer.

Scapy's L2Socket is not used: it hands out timestamps as rounded decimals of the wall clock,
reads one frame a call through `select`, does not tell frames sent from frames received
once asked for both, and looks the interface up in tables read once, before ours exists.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_PROMISC = 1
_PACKET_STATISTICS = 6
_PACKET_IGNORE_OUTGOING = 23
_PACKET_OUTGOING = 4
_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_ANCILLARY = socket.CMSG_SPACE(16)
_BUFFER = 16 << 20
_LONGEST_FRAME = 65536 + 18
_SIOCGIFHWADDR = 0x8927
_ARPHRD_NONE = 0xFFFE
_ETHER_LENGTH = 14
_ETHERTYPE_AT = 12
_LOADS = (0x20, 0x28, 0x30)
_SKF_AD_PROTOCOL = 0xFFFFF000
_NO_ADDRESSES = bytes(12)
_ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_GONE = (errno.ENODEV, errno.ENXIO)

Instruction = tuple[int, int, int, int]
"""One instruction of the classic BPF machine: code, jump if true, jump if false, operand."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame seen on the link: `wall` in nanoseconds of the wall clock, `sent` if it was ours."""

    wall: int
    octets: bytes
    sent: bool


class Clock:
    """Converts the kernel's packet timestamps (wall clock) to time.monotonic's scale."""

    # More than this is a step of the wall clock, not the two readings being interrupted.
    _STEP = 1_000_000

    def __init__(self) -> None:
        self._offset = self._measure()

    @staticmethod
    def _measure() -> int:
        """Return monotonic minus wall clock, by the closest of a few pairs of readings."""
        readings = []
        for _ in range(5):
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
            after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            readings.append((after - before, (before + after) // 2 - wall))
        return min(readings)[1]

    def check(self) -> None:
        """Measure again if the wall clock has been set meanwhile."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - time.clock_gettime_ns(time.CLOCK_REALTIME)
        if abs(now - self._offset) > self._STEP:
            self._offset = self._measure()

    def monotonic(self, wall: int) -> float:
        """Return the time.monotonic() of a moment in nanoseconds of the wall clock."""
        return (wall + self._offset) / 1e9


class PacketSocket:
    """Frames out of, and in on, one interface.  Never blocks.

    Of a device of `layer` 3 the frames have an Ethernet header here that the wire has not.
    `outgoing` also hands out what is sent on the interface, by whomever.
    """

    def __init__(self, interface: str, program: Sequence[Instruction] = (), outgoing: bool = False) -> None:
        # Protocol 0 receives nothing: no frame of another interface gets in before the bind.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._dropped = 0
        with contextlib.ExitStack() as undo:
            undo.callback(self._socket.close)
            self.layer = _layer(self._socket, interface)
            if self.layer == 3:
                program = [_at_layer_3(line) for line in program]
            self._set_buffer()
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if program:
                self._attach(program)
            if not outgoing:
                # Linux 4.20; before it, receive() below drops them.
                with contextlib.suppress(OSError):
                    self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._outgoing = outgoing
            self._socket.bind((interface, _ETH_P_ALL))
            undo.pop_all()

    def _set_buffer(self) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:  # the limit net.core.rmem_max then holds
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)

    def _attach(self, program: Sequence[Instruction]) -> None:
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
        self._socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code))
        )

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def mac(self) -> str:
        """The interface's link-layer address."""
        return ":".join(f"{octet:02x}" for octet in self._socket.getsockname()[4])

    def take_all(self) -> None:
        """Have the interface hand over what is for other stations, too, while this socket is open."""
        index = socket.if_nametoindex(self._socket.getsockname()[0])
        request = struct.pack("@iHH8x", index, _PACKET_MR_PROMISC, 0)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, request)

    def send(self, octets: bytes) -> None:
        """Send one frame; raises OSError (EMSGSIZE where it is longer than the MTU allows)."""
        self._socket.send(octets if self.layer == 2 else octets[_ETHER_LENGTH:])

    def receive(self) -> Iterator[Frame]:
        """Yield every frame that has come by now, in order; what comes meanwhile waits for the next call."""
        # Else a target that sends faster than we read would keep us here for ever.
        began = time.time_ns()
        wall = 0
        while wall <= began:
            try:
                octets, ancillary, _, address = self._socket.recvmsg(_LONGEST_FRAME, _ANCILLARY)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENETDOWN:
                    continue  # said once; what came before the interface went down is still there
                if error.errno in _GONE:
                    return
                raise
            sent = address[2] == _PACKET_OUTGOING
            if self.layer == 3:
                octets = _NO_ADDRESSES + _ETHERTYPES.get(octets[0] >> 4 if octets else 0, b"\0\0") + octets
            wall = _timestamp(ancillary)
            if self._outgoing or not sent:
                yield Frame(wall, octets, sent)

    def dropped(self) -> int:
        """Return how many frames the kernel had to drop for want of buffer, since the start."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._dropped += struct.unpack("=II", statistics)[1]
        return self._dropped

    def close(self) -> None:
        # The kernel makes who closes a packet socket wait until all processors have let go of
        # it, 10 ms and more, in which other cases' segments would be late: a thread can wait.
        descriptor = self._socket.detach()
        if descriptor >= 0:
            threading.Thread(target=os.close, args=(descriptor,)).start()


def _layer(descriptor: socket.socket, interface: str) -> int:
    """Return 3 for a device whose frames are IP datagrams (TUN), else 2.  Raises OSError."""
    request = struct.pack("16sH14x", interface.encode(), 0)
    kind = struct.unpack_from("16xH", fcntl.ioctl(descriptor, _SIOCGIFHWADDR, request))[0]
    return 3 if kind == _ARPHRD_NONE else 2


def _at_layer_3(line: Instruction) -> Instruction:
    """Return what an instruction for Ethernet frames is for frames that have no Ethernet header."""
    code, if_true, if_false, operand = line
    if code not in _LOADS:
        return line
    if operand == _ETHERTYPE_AT:
        return (code, if_true, if_false, _SKF_AD_PROTOCOL)
    return (code, if_true, if_false, operand - _ETHER_LENGTH)


def _timestamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack_from("@ll", value)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return time.time_ns()
