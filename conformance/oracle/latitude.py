"""Where RFCs leave a choice or contradict each other: each choice, as data with its citation.

The acceptor never hard-codes a liberty: it asks the profile, or cites an entry from here.
"""

from dataclasses import dataclass, replace

DELAYED_ACK = 0.5
"""Seconds within which an ACK must leave (RFC 9293 3.8.6.3, MUST-40)."""
PROMPT = 1.0
"""Seconds within which any other required reply must leave.  The RFC gives no number."""


@dataclass(frozen=True, slots=True)
class Liberty:
    """One choice that the RFCs leave to an implementation: when, between what, where they do."""

    when: str
    alternatives: tuple[str, ...]
    citation: str


LIBERTIES = {
    "duplicate-syn": Liberty(
        "a SYN comes again in SYN-RECEIVED",
        ("the SYN,ACK again", "an ACK"),
        "RFC 9293 3.8.1, 3.10.7.4 first",
    ),
    "crossed-syn-ack": Liberty(
        "the SYN,ACK that ends a simultaneous open, whose own SYN is old",
        ("it acknowledges our SYN", "it is an old duplicate"),
        "RFC 9293 3.5, Figure 7",
    ),
    "reset-with-ack": Liberty(
        "a reset of a connection that is synchronized",
        ("SEQ alone", "SEQ, and an ACK of RCV.NXT"),
        "RFC 9293 3.5.2",
    ),
    "text-on-syn": Liberty(
        "text or FIN on a SYN",
        ("kept until ESTABLISHED", "left for the peer to send again"),
        "RFC 9293 3.10.7.2 third",
    ),
    "fast-open": Liberty(
        "a SYN with a cookie that the target gave to this address, whose user offers Fast Open",
        (
            "its text is acknowledged, as far as there is room, and is the user's",
            "only the SYN is acknowledged",
        ),
        "RFC 7413 4.2, 4.2.2",
    ),
    "fast-open-response": Liberty(
        "a SEND before the handshake that Fast Open began is over",
        ("sent at once", "sent from ESTABLISHED on"),
        "RFC 7413 4.2.2; RFC 9293 3.10.2",
    ),
    "fast-open-close": Liberty(
        "a CLOSE after such a SEND",
        ("FIN-WAIT-1 at once", "SYN-RECEIVED until the SYN is acknowledged"),
        "RFC 7413 4.2.2; RFC 9293 3.10.4",
    ),
    "fast-open-connect": Liberty(
        "an OPEN of a user who wants Fast Open",
        ("the SYN at once", "the SYN with the text of the first SEND"),
        "RFC 7413 4.2.1, 4.2.2",
    ),
    "syn-in-time-wait": Liberty(
        "a SYN beyond the old connection in TIME-WAIT",
        ("a challenge ACK", "a new connection"),
        "RFC 9293 3.6.1 MAY-2; RFC 6191",
    ),
    "time-wait-assassination": Liberty(
        "a RST in the window in TIME-WAIT",
        ("as in the other states: closed where it is exact, challenged elsewhere", "ignored"),
        "RFC 9293 3.10.7.4 second; RFC 1337 3 F1",
    ),
    "time-wait-ack": Liberty(
        "anything else in TIME-WAIT",
        ("ignored", "acknowledged"),
        "RFC 9293 3.10.7.4 fifth",
    ),
    "bad-ack-in-syn-received": Liberty(
        "an unacceptable ACK in SYN-RECEIVED",
        ("a reset", "a challenge ACK"),
        "RFC 9293 3.10.7.4 fifth; RFC 5961 5.2",
    ),
    "ack-of-unsent": Liberty(
        "an ACK for what was not sent",
        ("an ACK", "silence, where ACKs are throttled"),
        "RFC 9293 3.10.7.4 fifth; RFC 5961 5.2, 7",
    ),
    "out-of-order-ack": Liberty(
        "a segment beyond RCV.NXT",
        ("an ACK at once", "none"),
        "RFC 9293 3.10.7.4 seventh MAY-13; RFC 5681 4.2",
    ),
    "timestamp-missing": Liberty(
        "a segment without the timestamps that were negotiated",
        ("dropped", "processed"),
        "RFC 7323 3.2 (SHOULD)",
    ),
    "illegal-option-length": Liberty(
        "a segment with an illegal option length",
        ("processed", "dropped", "a reset"),
        "RFC 9293 3.1 MUST-7",
    ),
    "half-duplex-close": Liberty(
        "text for a user who has closed for good",
        ("a reset",),
        "RFC 9293 3.6.1 SHLD-3",
    ),
    "listener-closed": Liberty(
        "CLOSE of a listener that has a connection which nobody has accepted",
        ("it is aborted", "it is closed", "it goes on", "in SYN-RECEIVED it is forgotten"),
        "RFC 9293 3.10.4, 3.10.5",
    ),
    "fin-wait-2-orphaned": Liberty(
        "FIN-WAIT-2 of a user who has closed for good",
        ("lasts until the peer's FIN", "ends when the user timeout does, in silence"),
        "RFC 9293 3.6.1 MAY-1, 3.10.8",
    ),
    "challenge-throttled": Liberty(
        "a second challenge ACK within 5 s",
        ("sent", "left out"),
        "RFC 5961 7",
    ),
    "abort-with-reset": Liberty(
        "ABORT in SYN-SENT, CLOSING, LAST-ACK or TIME-WAIT",
        ("silence", "a reset"),
        "RFC 9293 3.10.5; 3.5.2, 3.9.1.6",
    ),
    "close-wait-lasts": Liberty(
        "CLOSE in CLOSE-WAIT while data is queued",
        ("CLOSE-WAIT until the FIN is sent", "LAST-ACK at once"),
        "RFC 9293 3.10.4",
    ),
    "hard-icmp-error": Liberty(
        "an ICMP hard error for a segment in flight",
        ("the connection is aborted", "it is taken for a soft error"),
        "RFC 9293 3.9.2.2 SHLD-26; RFC 5927 5.2",
    ),
    "urgent-pointer": Liberty(
        "the urgent pointer, by the profile",
        ("to the octet that follows the urgent data", "to its last octet"),
        "RFC 9293 3.8.5 MUST-62; RFC 1122 4.2.2.4",
    ),
}


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where the urgent pointer points: so many octets `past` the last octet of urgent data.

    More than one number where either will do, the usual one first.
    """

    past: tuple[int, ...]
    citation: str


FOLLOWING = Pointing((1,), "RFC 9293 3.8.5 MUST-62")
LAST = Pointing((0,), "RFC 1122 4.2.2.4")
UNDECIDED = Pointing((1, 0), "RFC 793 3.1, page 56; RFC 1122 4.2.2.4")
"""RFC 793 has both: RFC 1122 calls the one sentence wrong and the other right."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Which RFC is followed where they contradict each other; the default is RFC 9293 as updated."""

    rfc5961: bool = True
    pointing: Pointing = FOLLOWING

    def readings(self) -> tuple["Profile", ...]:
        """Return a profile for each way in which a target may read what this one leaves open."""
        past, citation = self.pointing.past, self.pointing.citation
        orders = [(first, *(other for other in past if other != first)) for first in past]
        return tuple(replace(self, pointing=Pointing(order, citation)) for order in orders)


DEFAULT_PROFILE = Profile()
PROFILES = {
    "9293": DEFAULT_PROFILE,
    "1122": Profile(rfc5961=False, pointing=LAST),
    "793": Profile(rfc5961=False, pointing=UNDECIDED),
}
"""By the name that --profile gives; RFC 9293 3.10.7.4 lets a stack do without RFC 5961."""
