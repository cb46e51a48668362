"""A TCP segment as a capture has it: what was recorded, and what of it the recording left out."""

from dataclasses import dataclass
from enum import Enum

from conformance.model.segment import Segment

Address = tuple[str, int]
"""An IP address as text, and a port."""


class Checksum(Enum):
    """What the checksum field of a recorded segment is."""

    GOOD = "good"
    BAD = "bad"
    PARTIAL = "partial"
    """The sum over the pseudo-header alone: the rest is left to the sending host's network card."""
    UNKNOWN = "unknown"
    """Not all of the segment was recorded."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One segment in a capture.

    `frame` counts from 1, as Wireshark does; `time` is in seconds from the capture's first frame.
    `length` is how many octets of data the segment had: `segment.data` has fewer where the
    recording cut it.  `size` is the IP datagram's, in octets.  `ident` is IPv4's identification,
    None for IPv6.
    """

    frame: int
    time: float
    source: Address
    destination: Address
    segment: Segment
    length: int
    size: int
    ident: int | None = None
    checksum: Checksum = Checksum.GOOD
    options_known: bool = True
    """Whether the recording has all options."""
    fragment: bool = False
    """Whether the datagram is a fragment: only its header can be relied on."""

    @property
    def whole(self) -> bool:
        """Whether all octets of data were recorded."""
        return len(self.segment.data) == self.length

    @property
    def occupies(self) -> int:
        """SEG.LEN as it was sent: octets of data, counting SYN and FIN."""
        return self.length + self.segment.length - len(self.segment.data)
