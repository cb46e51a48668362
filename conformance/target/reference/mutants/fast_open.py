"""TCP Fast Open: cookies not given, not checked, not used; text on a SYN taken amiss."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.case import CallError, CallName, UserCall
from conformance.model.segment import OPTION_FAST_OPEN, Control, Option, Segment
from conformance.model.state import State
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("fast-open-cookie-not-given", "RFC 7413 4.2.1")
class CookieNotGiven(Endpoint):
    """Offers Fast Open, and gives a cookie to nobody."""

    def cookie_given(self) -> list[Option]:
        return []


@mutant("fast-open-cookie-empty", "RFC 7413 4.1.1")
class CookieEmpty(Endpoint):
    """Answers the question for a cookie with the question."""

    def cookie_given(self) -> list[Option]:
        return [Option(OPTION_FAST_OPEN)]


@mutant("fast-open-cookie-unasked", "RFC 7413 4.2")
class CookieUnasked(Endpoint):
    """Gives cookies whether its user offers Fast Open or not."""

    def syn_options(self, ctl: Control) -> list[Option]:
        found = super().syn_options(ctl)
        unasked = self.cookie_wanted and not self.fast_open
        return found + self.cookie_given() if ctl & ACK and unasked else found


@mutant("fast-open-cookie-not-checked", "RFC 7413 4.2.2")
class CookieNotChecked(Endpoint):
    """Takes the data of a SYN with any cookie, and acknowledges it."""

    came = b""

    def parse(self, segment: Segment) -> Segment | None:
        self.came = segment.cookie or b""
        return segment

    def good_cookies(self) -> frozenset[bytes] | None:
        good = super().good_cookies()
        return good if good is None or not self.came else frozenset({self.came})


@mutant("fast-open-asked-again", "RFC 7413 4.2.1")
class FastOpenAskedAgain(Endpoint):
    """Asks for a cookie in each SYN, also where something on the way may mind the option."""

    def may_have_cookie(self) -> bool:
        return True


@mutant("fast-open-never-asked", "RFC 7413 4.2.1")
class FastOpenNeverAsked(Endpoint):
    """Asks for no cookie, though its user wants Fast Open."""

    def may_have_cookie(self) -> bool:
        return self.tcb.passive and super().may_have_cookie()


# -- the server's side ---------------------------------------------------------------------
@mutant("fast-open-cookie-refused", "RFC 7413 4.2.2")
class CookieRefused(Endpoint):
    """Gives out cookies, and never takes one."""

    def good_cookies(self) -> frozenset[bytes] | None:
        return None


@mutant("fast-open-cookie-of-a-port", "RFC 7413 4.1.2")
class CookieOfAPort(Endpoint):
    """Has a cookie count for the port to which it was given, and no other."""

    def cookie(self) -> bytes:
        return super().cookie()[2:] + self.around.flow.tester[1].to_bytes(2, "big")


@mutant("fast-open-never-off", "RFC 7413 4.2")
class NeverOff(Endpoint):
    """Takes valid cookies whether its user offers Fast Open or not."""

    def good_cookies(self) -> frozenset[bytes] | None:
        return frozenset({self.cookie()}) if not self.fast_open else super().good_cookies()


@mutant("fast-open-without-limit", "RFC 7413 4.2")
class WithoutLimit(Endpoint):
    """Lets any number of connections wait that a cookie has begun."""

    def may_take_cookie(self) -> bool:
        return True


@mutant("fast-open-limit-reached-once", "RFC 7413 4.2")
class LimitReachedOnce(Endpoint):
    """Does not count down when a connection that a cookie has begun is established."""

    def is_pending(self) -> bool:
        return self.tcb.fast_opened


@mutant("fast-open-data-waits", "RFC 7413 4.2.2")
class DataWaits(Endpoint):
    """Acknowledges the data of a SYN, and keeps it from its user until the connection is established."""

    early = b""

    def deliver(self, octets: bytes) -> None:
        octets, self.early = self.early + octets, b""
        if self.tcb.state is State.SYN_RECEIVED:
            octets, self.early = b"", octets
        super().deliver(octets)


@mutant("fast-open-data-again", "RFC 7413 4.2.2")
class DataAgain(Endpoint):
    """Gives its user the data of each copy of the SYN."""

    def take_text(self, before: Tcb, segment: Segment) -> None:
        super().take_text(before, segment)
        if before.fast_opened and segment.has(SYN) and segment.seq == before.irs:
            self.deliver(segment.data)


@mutant("fast-open-syn-again-acknowledged", "RFC 7413 4.2.2")
class SynAgainAcknowledged(Endpoint):
    """Acknowledges of a SYN that comes again without data no more than there is of it."""

    bare = False

    def parse(self, segment: Segment) -> Segment | None:
        self.bare = segment.has(SYN) and not segment.data
        return segment

    def ack_number(self) -> int:
        forgets = self.bare and self.tcb.fast_opened and self.tcb.state is State.SYN_RECEIVED
        return seq.add(self.tcb.irs, 1) if forgets else super().ack_number()


@mutant("fast-open-needs-data", "RFC 7413 4.2.2")
class NeedsData(Endpoint):
    """Waits for another SYN where one with a cookie brings no data."""

    def parse(self, segment: Segment) -> Segment | None:
        bare = segment.cookie and not segment.data and not segment.has(ACK)
        return None if bare else segment


@mutant("fast-open-response-beyond-window", "RFC 9293 3.8.6")
class ResponseBeyondWindow(Endpoint):
    """Looks at no window until the connection is established."""

    def usable(self) -> int:
        early = self.tcb.state is State.SYN_RECEIVED
        return self.congestion_window() - self.tcb.in_flight if early else super().usable()


@mutant("fast-open-without-congestion-window", "RFC 7413 4.2.2; RFC 5681 3.1")
class WithoutCongestionWindow(Endpoint):
    """Has no congestion window until the connection is established."""

    def usable(self) -> int:
        return self.tcb.usable_window if self.tcb.state is State.SYN_RECEIVED else super().usable()


@mutant("fast-open-response-lost", "RFC 7413 4.2.2")
class ResponseLost(Endpoint):
    """Takes what its user sends before the connection is established, and forgets it."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        early = call.name is CallName.SEND and self.tcb.state is State.SYN_RECEIVED
        return super().call(call, now, b"" if early else sent)


@mutant("fast-open-close-forgotten", "RFC 9293 3.10.4")
class CloseForgotten(Endpoint):
    """Forgets a CLOSE in SYN-RECEIVED."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        if call.name is CallName.CLOSE and self.tcb.fast_opened and self.tcb.state is State.SYN_RECEIVED:
            return None
        return super().call(call, now, sent)


@mutant("fast-open-reset-behind-the-syn", "RFC 9293 3.10.7.4 second")
class ResetBehindSyn(Endpoint):
    """Takes a RST that comes before the connection is established as if the SYN had brought no data."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        early = before.fast_opened and before.state is State.SYN_RECEIVED
        if early and segment.has(RST) and segment.seq == seq.add(before.irs, 1):
            segment = replace(segment, seq=before.rcv_nxt)
        return super().process(before, segment)


# -- the client's side ---------------------------------------------------------------------
@mutant("fast-open-cookie-forgotten", "RFC 7413 4.1.3")
class CookieForgotten(Endpoint):
    """Keeps no cookie, and asks for one each time."""

    def learn(self, before: Tcb, segment: Segment) -> None:
        """It learns nothing."""


@mutant("fast-open-data-kept-for-the-timeout", "RFC 7413 4.2.2")
class DataKeptForTimeout(Endpoint):
    """Does not send at once again what of its SYN was not acknowledged."""

    def text_left(self) -> int:
        return 0


@mutant("fast-open-data-in-each-syn", "RFC 7413 4.2.2")
class DataInEachSyn(Endpoint):
    """Sends its SYN again as it was, with cookie and data."""

    def may_have_cookie(self) -> bool:
        return True

    def send_syn_again(self) -> None:
        if self.tcb.state is State.SYN_SENT:
            self.send_syn(Form(SYN, None, None))
        else:
            super().send_syn_again()


@mutant("fast-open-data-beyond-mss", "RFC 7413 4.2.2")
class DataBeyondMss(Endpoint):
    """Fills its SYN as far as its own link lets it."""

    def room_on_syn(self) -> int:
        return self.link_mss()


@mutant("fast-open-data-acknowledged-and-sent", "RFC 7413 4.2.2")
class DataSentAfterAll(Endpoint):
    """Begins its stream anew behind the handshake, as if the SYN had brought nothing."""

    def became(self, before: Tcb, segment: Segment) -> None:
        super().became(before, segment)
        if before.state is State.SYN_SENT and self.tcb.state is State.ESTABLISHED:
            self.tcb.snd_nxt = seq.add(self.tcb.iss or 0, 1)
            self.tcb.snd_una = self.tcb.snd_nxt


@mutant("fast-open-failure-forgotten", "RFC 7413 4.1.3.1")
class FailureForgotten(Endpoint):
    """Tries a cookie again with which it has failed."""

    def remembers_failure(self) -> bool:
        return False
