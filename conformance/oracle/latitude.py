"""Where RFCs leave a choice or contradict each other: each choice, as data with its citation.

The acceptor never hard-codes a liberty: it asks the profile, or cites an entry from here.
"""

from dataclasses import dataclass

DELAYED_ACK = 0.5
"""Seconds within which an ACK must leave (RFC 9293 3.8.6.3, MUST-40)."""
PROMPT = 1.0
"""Seconds within which any other required reply must leave.  The RFC gives no number."""


@dataclass(frozen=True, slots=True)
class Liberty:
    """One choice that the RFCs leave to an implementation."""

    what: str
    citation: str


LIBERTIES = {
    "duplicate-syn": Liberty(
        "a SYN again in SYN-RECEIVED draws the SYN,ACK again, or an ACK",
        "RFC 9293 3.8.1, 3.10.7.4 first",
    ),
    "crossed-syn-ack": Liberty(
        "the SYN,ACK that ends a simultaneous open acknowledges our SYN, though its own SYN is old",
        "RFC 9293 3.5, Figure 7",
    ),
    "reset-with-ack": Liberty(
        "a reset may carry an ACK of RCV.NXT beside the SEQ that makes it acceptable",
        "RFC 9293 3.5.2",
    ),
    "text-on-syn": Liberty(
        "text or FIN on a SYN is kept until ESTABLISHED, or left for the peer to send again",
        "RFC 9293 3.10.7.2 third",
    ),
    "syn-in-time-wait": Liberty(
        "a SYN beyond the old connection may open a new one from TIME-WAIT",
        "RFC 9293 3.6.1 MAY-2; RFC 6191",
    ),
    "time-wait-assassination": Liberty(
        "a RST in TIME-WAIT is treated as in any state, or ignored",
        "RFC 9293 3.10.7.4 second; RFC 1337 3 F1",
    ),
    "time-wait-ack": Liberty(
        "anything in TIME-WAIT may be acknowledged",
        "RFC 9293 3.10.7.4 fifth",
    ),
    "bad-ack-in-syn-received": Liberty(
        "an unacceptable ACK in SYN-RECEIVED is reset, or answered by a challenge ACK",
        "RFC 9293 3.10.7.4 fifth; RFC 5961 5.2",
    ),
    "ack-of-unsent": Liberty(
        "an ACK for what was not sent is answered with an ACK, perhaps throttled",
        "RFC 9293 3.10.7.4 fifth; RFC 5961 5.2, 7",
    ),
    "out-of-order-ack": Liberty(
        "a segment beyond RCV.NXT may be acknowledged at once",
        "RFC 9293 3.10.7.4 seventh MAY-13; RFC 5681 4.2",
    ),
    "timestamp-missing": Liberty(
        "a segment without the timestamps that were negotiated is dropped, or processed",
        "RFC 7323 3.2 (SHOULD)",
    ),
    "illegal-option-length": Liberty(
        "a segment with an illegal option length is reset, dropped or processed",
        "RFC 9293 3.1 MUST-7",
    ),
    "half-duplex-close": Liberty(
        "text for a user who has closed for good is reset",
        "RFC 9293 3.6.1 SHLD-3",
    ),
    "urgent-acceptance": Liberty(
        "with RCV.WND = 0, valid ACKs, URGs and RSTs are accepted",
        "RFC 9293 3.10.7.4 first, MUST-66",
    ),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """Which RFC is followed where they contradict each other; the default is RFC 9293 as updated."""

    rfc5961: bool = True


DEFAULT_PROFILE = Profile()
