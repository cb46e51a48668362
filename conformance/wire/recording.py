"""Captures taken by any tool: pcap, pcapng, also compressed with gzip, read frame by frame."""

import contextlib
import gzip
import io
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from conformance.model.recorded import Recorded
from conformance.wire.dissect import LINK_TYPES, dissect
from conformance.wire.scapy_setup import RawPcapNgReader, RawPcapReader, Scapy_Exception

_LARGEST = 1 << 20
"""Octets of a frame that are read: more than any super-segment has."""
_NANOSECONDS = 1_000_000_000
_STATISTICS = 5
_DROPPED_BY = (5, 7)
"""Options of an interface statistics block: what the interface dropped, and the operating system."""
_GZIP = b"\x1f\x8b"
_PCAPNG = b"\x0a\x0d\x0d\x0a"


class RecordingError(Exception):
    """The capture cannot be read; says why."""


class _Pcap(RawPcapReader):  # type: ignore[misc]
    """Scapy's reader, which takes a file that ends in the middle of a frame for one that ends."""

    dropped = 0
    cut = False

    def frame(self) -> tuple[int, bytes, int, int] | None:
        """Return link type, octets, length on the wire and nanoseconds; None at the end."""
        before = self.f.tell()
        try:
            octets, meta = self._read_packet(size=_LARGEST)
        except EOFError as error:
            # Scapy's own has no arguments at the end of the file; gzip's says what is missing.
            self.cut = self.f.tell() != before or bool(error.args)
            return None
        if len(octets) < min(meta.caplen, _LARGEST) and self.f.read(1) == b"":
            self.cut = True
            return None
        time = meta.sec * _NANOSECONDS + meta.usec * (1 if self.nano else 1000)
        return self.linktype & 0xFFFF, octets, meta.wirelen, time


class _Pcapng(RawPcapNgReader):  # type: ignore[misc]
    """Scapy's reader; interfaces belong to their section, and what was dropped is counted."""

    cut = False

    def __init__(self, name: str, stream: object, magic: bytes) -> None:
        self._drops: dict[int, int] = {}
        self._before = 0
        super().__init__(name, stream, magic)
        self.blocktypes[_STATISTICS] = self._read_statistics

    @property
    def dropped(self) -> int:
        return sum(self._drops.values())

    def frame(self) -> tuple[int, bytes, int, int] | None:
        """Return link type, octets, length on the wire and nanoseconds; None at the end."""
        try:
            octets, meta = self._read_packet(size=_LARGEST)
        except (EOFError, Scapy_Exception) as error:
            self.cut = self.f.tell() != self._before or bool(error.args)
            return None
        ticks = ((meta.tshigh or 0) << 32) + (meta.tslow or 0)
        return meta.linktype, octets, meta.wirelen, ticks * _NANOSECONDS // meta.tsresol

    def _read_block(self, size: int) -> object:
        self._before = self.f.tell()
        return super()._read_block(size=size)

    def _read_block_shb(self) -> None:
        self.interfaces.clear()
        super()._read_block_shb()

    def _read_statistics(self, block: bytes, _: int) -> None:
        """Keep the latest count of each interface (draft-ietf-opsawg-pcapng 4.6)."""
        if len(block) < 12:
            return
        interface = struct.unpack(self.endian + "I", block[:4])[0]
        options = self._read_options(block[12:])
        counts = [options[code] for code in _DROPPED_BY if len(options.get(code, b"")) == 8]
        self._drops[interface] = max(
            (struct.unpack(self.endian + "Q", count)[0] for count in counts), default=0
        )


class Recording:
    """A capture, open for reading.  Iterate once; what could not be used is in the counts after that.

    Raises RecordingError where it cannot be read at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self.others = 0
        """Frames with no TCP that could be read."""
        self.unread: Counter[int] = Counter()
        """Frames of link types that cannot be read."""
        with contextlib.ExitStack() as undo:
            self._reader = _open(path, undo)
            self._undo = undo.pop_all()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def __iter__(self) -> Iterator[Recorded]:
        """Yield the TCP segments; RecordingError where the operating system cannot read on."""
        start: int | None = None
        while (found := self._reader.frame()) is not None:
            link_type, octets, wire, time = found
            self.frames += 1
            start = time if start is None else start
            if link_type not in LINK_TYPES:
                self.unread[link_type] += 1
                continue
            segment = dissect(link_type, octets, wire, self.frames, (time - start) / _NANOSECONDS)
            if segment is None:
                self.others += 1
            else:
                yield segment

    @property
    def dropped(self) -> int:
        """How many frames the capturing program says it has lost."""
        return int(self._reader.dropped)

    def notes(self) -> list[str]:
        """Return what of the file could not be used, in words."""
        notes = []
        if self._reader.cut:
            notes.append(
                f"the file ends in the middle of a frame: the {self.frames} frames before it are read"
            )
        if self.dropped:
            notes.append(f"the capturing program has lost {self.dropped} frames")
        for link_type, number in sorted(self.unread.items()):
            notes.append(f"{number} frames have link type {link_type}, which cannot be read")
        return notes


_KINDS = {False: _Pcap, True: _Pcapng}


def _open(path: Path, undo: contextlib.ExitStack) -> "_Pcap | _Pcapng":
    try:
        plain = undo.enter_context(path.open("rb"))
        stream: IO[bytes] = plain
        if plain.peek(2)[:2] == _GZIP:
            unpacked = gzip.GzipFile(fileobj=plain)
            undo.callback(unpacked.close)
            stream = io.BufferedReader(unpacked)
        magic = stream.read(4)
        # Scapy's own way to make a reader opens the file itself, and guesses its format.
        reader: _Pcap | _Pcapng = type.__call__(_KINDS[magic == _PCAPNG], os.fspath(path), stream, magic)
        return reader
    except OSError as error:
        raise RecordingError(error.strerror or str(error)) from error
    except (Scapy_Exception, EOFError, zlib.error) as error:
        if not isinstance(error, Scapy_Exception) or "magic" not in str(error):
            raise RecordingError("its header is damaged") from error
        raise RecordingError("it is neither pcap nor pcapng") from error
