"""SACK: blocks misnamed, left out, told unasked, or believed too much."""

from conformance.model import seq
from conformance.model.segment import OPTION_SACK, SACK_PERMITTED, Option, Segment
from conformance.oracle.tcb import Tcb
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant
from conformance.target.reference.receiving import Range


@mutant("sack-order-wrong", "RFC 2018 4")
class SackOrder(Endpoint):
    """Names SACK blocks in the order of their numbers, not the newest first."""

    def sack_blocks(self) -> list[Range]:
        return sorted(super().sack_blocks())


@mutant("sack-edge-one-too-few", "RFC 2018 3")
class SackEdge(Endpoint):
    """Names as right edge the last octet of a block, not the one after it."""

    def sack_blocks(self) -> list[Range]:
        return [(left, seq.add(right, -1)) for left, right in super().sack_blocks()]


@mutant("sack-missing", "RFC 2018 4")
class SackMissing(Endpoint):
    """Permits SACK, and sends none."""

    def sack_blocks(self) -> list[Range]:
        return []


@mutant("sack-stale", "RFC 2018 4")
class SackStale(Endpoint):
    """Goes on to report a block after the ACK has passed it."""

    last: tuple[Range, ...] = ()

    def sack_blocks(self) -> list[Range]:
        self.last = tuple(super().sack_blocks()) or self.last
        return list(self.last)


@mutant("sack-unasked", "RFC 2018 4")
class SackUnasked(Endpoint):
    """Sends SACK blocks to a peer that did not permit them."""

    def plain_options(self) -> list[Option]:
        found = super().plain_options()
        if self.blocks and not any(option.kind == OPTION_SACK for option in found):
            left, right = self.blocks[0]
            found.append(Option(OPTION_SACK, left.to_bytes(4, "big") + right.to_bytes(4, "big")))
        return found


@mutant("duplicate-not-reported", "RFC 2883 4")
class DuplicateNotReported(Endpoint):
    """Does not report duplicates by SACK."""

    def note_duplicate(self, before: Tcb, segment: Segment) -> None:
        return


@mutant("sack-crowds-out-timestamps", "RFC 7323 3.2; RFC 2018 3")
class SackCrowdsOut(Endpoint):
    """Leaves out the timestamps where it has blocks to report, so that four find room."""

    def plain_options(self) -> list[Option]:
        found = super().plain_options()
        blocks = [option for option in found if option.kind == OPTION_SACK]
        return blocks or found


@mutant("sack-permitted-in-every-segment", "RFC 2018 2")
class SackPermittedEverywhere(Endpoint):
    """Repeats SACK-permitted in segments that are no SYN."""

    def plain_options(self) -> list[Option]:
        return [SACK_PERMITTED, *super().plain_options()]


@mutant("duplicate-without-its-block", "RFC 2883 4")
class DuplicateWithoutItsBlock(Endpoint):
    """Reports a duplicate beyond a gap, and leaves out the block that it lies in."""

    def sack_blocks(self) -> list[Range]:
        told = self.duplicate
        blocks = super().sack_blocks()
        return blocks[:1] if told is not None and seq.gt(told[0], self.tcb.rcv_nxt) else blocks


@mutant("sack-two-blocks-only", "RFC 2018 4")
class SackTwoBlocks(Endpoint):
    """Reports no more than two blocks."""

    def sack_blocks(self) -> list[Range]:
        return super().sack_blocks()[:2]


@mutant("sack-forgets-old-blocks", "RFC 2018 4")
class SackForgetsBlocks(Endpoint):
    """Knows four blocks: what joins an older one is reported as a block of its own."""

    def order_blocks(self, segment: Segment) -> None:
        known = self.blocks[:4]
        super().order_blocks(segment)
        own = segment.seq, segment.end
        if self.blocks and segment.data and not any(seq.leq(right, own[1]) for _, right in known):
            self.blocks[0] = own


@mutant("sacked-is-acknowledged", "RFC 2018 5, 8")
class SackedIsAcknowledged(Endpoint):
    """Takes what was reported by SACK for acknowledged, and does not send it again."""

    sacked: tuple[Range, ...] = ()

    def parse(self, segment: Segment) -> Segment | None:
        self.sacked += tuple(segment.sack_blocks())
        return segment

    def retransmit_at(self, start: int) -> None:
        if not any(seq.leq(left, start) and seq.lt(start, right) for left, right in self.sacked):
            super().retransmit_at(start)
