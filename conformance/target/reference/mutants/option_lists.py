"""The MSS, and option lists: misread, answered unasked, counted wrongly."""

from dataclasses import replace

from conformance.model.segment import (
    OPTION_EOL,
    OPTION_MSS,
    OPTION_NOP,
    OPTION_SACK,
    OPTION_SACK_PERMITTED,
    OPTION_TS,
    OPTION_WS,
    Control,
    Option,
    Segment,
    decode_options,
    mss_option,
)
from conformance.model.state import SYNCHRONIZED, State
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant

_KNOWN = frozenset({OPTION_MSS, OPTION_WS, OPTION_SACK_PERMITTED, OPTION_SACK, OPTION_TS})


# -- MSS ---------------------------------------------------------------------------------
@mutant("mss-ignored", "RFC 9293 3.7.1 MUST-16")
class MssIgnored(Endpoint):
    """Sends segments as large as its own link takes."""

    def peer_mss(self) -> int:
        return 1460


@mutant("default-mss-1460", "RFC 9293 3.7.1 MUST-15")
class DefaultMssWrong(Endpoint):
    """Takes the MSS of a peer that names none for its own."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        if segment.has(SYN) and segment.mss is None:
            outcome.tcb.snd_mss = 1460
        return outcome


@mutant("mss-below-536-ignored", "RFC 9293 3.7.1 MUST-16")
class SmallMssIgnored(Endpoint):
    """Takes an MSS below 536 for a mistake."""

    def peer_mss(self) -> int:
        return max(536, super().peer_mss())


@mutant("mss-counts-headers", "RFC 9293 3.7.1")
class MssCountsHeaders(Endpoint):
    """Takes the fixed headers off the MSS, which does not count them."""

    def peer_mss(self) -> int:
        return max(1, super().peer_mss() - 40)


@mutant("mss-one-too-large", "RFC 9293 3.7.1 MUST-16")
class MssOneTooLarge(Endpoint):
    """Sends one octet more than the MSS."""

    def peer_mss(self) -> int:
        return super().peer_mss() + 1


@mutant("mss-not-sent", "RFC 9293 3.7.1 SHLD-5, MUST-14")
class MssNotSent(Endpoint):
    """Sends no MSS option."""

    def syn_options(self, ctl: Control) -> list[Option]:
        return [item for item in super().syn_options(ctl) if item.kind != OPTION_MSS]


@mutant("options-dropped-on-retransmission", "RFC 9293 3.10.8")
class OptionsDroppedOnRetransmission(Endpoint):
    """Sends a SYN,ACK again with no option but MSS, for fear of a middlebox."""

    again = False

    def send_syn_again(self) -> None:
        self.again = True
        super().send_syn_again()

    def syn_options(self, ctl: Control) -> list[Option]:
        return [item for item in super().syn_options(ctl) if item.kind == OPTION_MSS or not self.again]


@mutant("options-dropped-on-syn-again", "RFC 9293 3.8.1")
class OptionsDroppedOnSynAgain(Endpoint):
    """Offers nothing but the MSS in the SYN,ACK that answers the SYN when it comes again."""

    answered = 0

    def send_syn(self, form: Form) -> None:
        self.answered += 1
        super().send_syn(form)

    def answers(self, kind: int) -> bool:
        return self.answered <= 1 and super().answers(kind)


@mutant("mss-of-the-mtu", "RFC 9293 3.7.1; RFC 6691")
class MssOfTheMtu(Endpoint):
    """Announces its MTU for its MSS."""

    @property
    def receive_mss(self) -> int:
        return 1500


@mutant("mss-less-options", "RFC 6691 2")
class MssLessOptions(Endpoint):
    """Takes the octets of timestamps off the MSS that it announces."""

    @property
    def receive_mss(self) -> int:
        return super().receive_mss - (12 if OPTION_TS in self.tcb.offered else 0)


@mutant("mss-in-every-segment", "RFC 9293 3.2")
class MssEverywhere(Endpoint):
    """Repeats the MSS option in segments that are no SYN."""

    def plain_options(self) -> list[Option]:
        return [mss_option(self.receive_mss), *super().plain_options()]


@mutant("options-not-taken-off-mss", "RFC 9293 3.7.1 MUST-16; RFC 6691; RFC 2525 2.18")
class OptionsNotTakenOff(Endpoint):
    """Fills a segment to the MSS and puts its options on top."""

    @property
    def send_mss(self) -> int:
        return max(1, min(self.peer_mss(), self.receive_mss))


@mutant("mss-zero-stops", "RFC 9293 3.7.1")
class MssZeroStops(Endpoint):
    """Sends nothing to a peer that has announced an MSS of zero."""

    stopped = False

    def parse(self, segment: Segment) -> Segment | None:
        self.stopped = self.stopped or segment.mss == 0
        return segment

    def usable(self) -> int:
        return 0 if self.stopped else super().usable()


@mutant("mss-taken-late", "RFC 9293 3.1")
class MssTakenLate(Endpoint):
    """Takes an MSS option from any segment."""

    latest: int | None = None

    def parse(self, segment: Segment) -> Segment | None:
        self.latest = segment.mss or self.latest
        return segment

    def peer_mss(self) -> int:
        return self.latest or super().peer_mss()


@mutant("default-mss-not-sent", "RFC 9293 3.7.1 MAY-3")
class DefaultMssNotSent(Endpoint):
    """Leaves out the MSS option where the default says the same."""

    def syn_options(self, ctl: Control) -> list[Option]:
        found = super().syn_options(ctl)
        return [option for option in found if option.kind != OPTION_MSS or not self.by_default()]

    def by_default(self) -> bool:
        return self.receive_mss == {4: 536, 6: 1220}[self.tcb.family]


# -- the option list ---------------------------------------------------------------------
def _only_aligned(options: bytes) -> bytes:
    """Return the options that begin at a word, as one who reads words sees them."""
    out = b""
    for at in range(0, len(options), 4):
        if options[at] in (OPTION_MSS, OPTION_TS):
            size = options[at + 1] if at + 1 < len(options) else 0
            out += options[at : at + size]
    return out


@mutant("options-must-be-aligned", "RFC 9293 3.2 MUST-64")
class OptionsAligned(Endpoint):
    """Finds options only at the beginning of a word."""

    def parse(self, segment: Segment) -> Segment | None:
        return replace(segment, options=_only_aligned(segment.options)) if segment.has(SYN) else segment


@mutant("nop-ends-the-list", "RFC 9293 3.2")
class NopEnds(Endpoint):
    """Takes a NOP for the end of the option list."""

    def parse(self, segment: Segment) -> Segment | None:
        return replace(segment, options=segment.options.split(bytes([OPTION_NOP]), 1)[0])


@mutant("unknown-option-ends-the-list", "RFC 9293 3.1 MUST-6")
class UnknownEnds(Endpoint):
    """Stops reading options at the first that it does not know."""

    def parse(self, segment: Segment) -> Segment | None:
        out = b""
        for option in decode_options(segment.options)[0]:
            if option.kind not in _KNOWN:
                break
            out += option.encode()
        return replace(segment, options=out)


@mutant("unknown-option-dropped", "RFC 9293 3.1 MUST-6")
class UnknownDropped(Endpoint):
    """Drops segments with an option that it does not know."""

    def parse(self, segment: Segment) -> Segment | None:
        found = decode_options(segment.options)[0]
        return None if any(option.kind not in _KNOWN for option in found) else segment


@mutant("unknown-option-in-data-resets", "RFC 9293 3.1 MUST-6")
class UnknownResets(Endpoint):
    """Resets a connection on which an unknown option comes."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        found = decode_options(segment.options)[0]
        strange = any(option.kind not in _KNOWN for option in found)
        if strange and before.state in SYNCHRONIZED:
            self.send_reset(Form(RST, before.snd_nxt, None))
            return Outcome(before.delete())
        return super().process(before, segment)


@mutant("padding-in-data-dropped", "RFC 9293 3.2")
class PaddingDropped(Endpoint):
    """Drops data segments whose options are padding only."""

    def parse(self, segment: Segment) -> Segment | None:
        padded = segment.data and segment.options and not segment.options.strip(b"\0\1")
        return None if padded else segment


@mutant("options-after-end-read", "RFC 9293 3.2")
class ReadsAfterEnd(Endpoint):
    """Takes the EOL for one octet of padding, and reads on."""

    def parse(self, segment: Segment) -> Segment | None:
        before, end, after = segment.options.partition(bytes([OPTION_EOL]))
        known = decode_options(before)[0]
        if not end or not segment.has(SYN) or not decode_options(before)[1]:
            return segment
        # As in a list that is read into a table, what comes later counts.
        late = [item for item in decode_options(after)[0] if item.kind in _KNOWN]
        kinds = {item.kind for item in late}
        kept = [item for item in known if item.kind not in kinds]
        broken = not decode_options(after)[1]
        return (
            None if broken else replace(segment, options=b"".join(item.encode() for item in [*kept, *late]))
        )


@mutant("option-answered-unasked", "RFC 7323 2.2, 3.2; RFC 2018 2")
class AnsweredUnasked(Endpoint):
    """Puts every option it knows into its SYN,ACK."""

    def answers(self, kind: int) -> bool:
        return True


@mutant("options-never-answered", "RFC 7323 2.2, 3.2; RFC 2018 2")
class NeverAnswered(Endpoint):
    """Knows no option but the MSS when it is the server."""

    def answers(self, kind: int) -> bool:
        return self.tcb.state is State.SYN_SENT


@mutant("padding-not-zeroed", "RFC 9293 3.1 MUST-69")
class PaddingNotZeroed(Endpoint):
    """Ends its options with EOL, and leaves in the rest of the last word what was in the buffer before."""

    def options(self, ctl: Control) -> bytes:
        found = super().options(ctl).lstrip(bytes([OPTION_NOP]))
        room = -len(found) % 4
        return found + (bytes([OPTION_EOL]) + b"\x5a" * room)[:room]
