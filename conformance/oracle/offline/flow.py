"""One recorded connection: its two ends, what was said of their segments, and what it rests on."""

from collections import Counter
from dataclasses import dataclass, field

from conformance.model import seq
from conformance.model.recorded import Address, Checksum, Recorded
from conformance.model.segment import Control
from conformance.oracle.offline import rules
from conformance.oracle.offline.claims import Pending
from conformance.oracle.offline.end import End, Mark, scale
from conformance.oracle.offline.finding import Condition, Finding, Rule, Said, View, show
from conformance.oracle.tcb import MAX_SHIFT

ACK, RST, SYN = Control.ACK, Control.RST, Control.SYN
_MOST = 100
"""Findings of one kind kept of one end; more would tell nothing new."""
_AGAIN = 0.2
"""Seconds after which a SYN is one sent again, not one of a user who opens anew."""
_RANGE = 1 << 20
_EARLY = 64
"""Segments that are kept until the SYN,ACK tells what they are."""


@dataclass(slots=True)
class Flow:
    """A connection, numbered in the order of the first frames."""

    number: int
    client: End
    server: End
    first: int
    """Frame."""
    started: float
    last: int = 0
    ended: float = 0.0
    frames: int = 0
    pending: list[Pending] = field(default_factory=list)
    claims: list[Pending] = field(default_factory=list)
    """Those of which it is not known yet whether the other end had sent what was claimed."""
    suppressed: int = 0
    """Findings too many to keep."""
    lost: int = 0
    """Signs that the capture has missed frames."""
    misplaced: int = 0
    """Sequence numbers of segments whose SEQ was found wrong."""
    cut: int = 0
    """Segments of whose data not all was recorded."""
    fragments: int = 0
    unjudged: int = 0
    """Segments of which nothing could be said: of an earlier connection, or before anything is known."""
    handshake: list[float] = field(default_factory=list)
    """When the SYN, the SYN,ACK and the ACK passed."""
    previous: tuple[tuple[int, int, str], ...] = ()
    """(first, last) sequence number and end of the connection that had these ports before."""
    early: list[Recorded] = field(default_factory=list)
    """Segments that came before the SYN,ACK of their sender, which Fast Open lets answer a SYN at once."""
    said: Counter[tuple[str, str]] = field(default_factory=Counter)

    # -- life ---------------------------------------------------------------------------
    @property
    def ends(self) -> tuple[End, End]:
        return self.client, self.server

    def directed(self, source: Address) -> tuple[End, End]:
        """Return the sender and the receiver of a segment from `source`."""
        return (self.client, self.server) if source == self.client.address else (self.server, self.client)

    @property
    def incomplete(self) -> bool:
        """Whether the capture shows that it has missed frames of this connection."""
        # One acknowledgment may be wrong; several that go on from each other have something to acknowledge.
        opened = Counter(item.end.name for item in self.claims if item.open and item.beyond)
        missed = [item for item in self.pending if item.missed]
        holes = sum(item.size for item in missed)
        # A segment whose SEQ is wrong leaves a hole of its own size where it should have been.
        return (
            self.lost > 0
            or holes > self.misplaced
            or any(item.condition is Condition.ECHO for item in missed)
            or max(opened.values(), default=0) > 1
        )

    @property
    def reset(self) -> bool:
        return self.client.reset or self.server.reset

    @property
    def over(self) -> bool:
        return self.reset or (self.client.fin is not None and self.server.fin is not None)

    def superseded(self, recorded: Recorded) -> bool:
        """Tell whether a segment begins another connection on the same ports."""
        segment = recorded.segment
        if not segment.has(SYN) or segment.has(ACK) or recorded.checksum is Checksum.BAD:
            return False
        sender, receiver = self.directed(recorded.source)
        if sender.isn_known and segment.seq == sender.isn:
            return False
        if self.over or not sender.isn_known:
            # The other end may open at the same time (RFC 9293 3.5, Figure 7).
            return self.over or not (receiver.syn_only and receiver.isn_known)
        return not (sender.syn_only and recorded.time - sender.syn_time >= _AGAIN)

    def ranges(self) -> tuple[tuple[int, int, str], ...]:
        return tuple(
            (end.isn, seq.wrap(end.isn + end.top), end.name) for end in self.ends if end.isn is not None
        )

    # -- a segment ----------------------------------------------------------------------
    def feed(self, recorded: Recorded, trusted: bool) -> None:
        """Judge one segment; `trusted` says that a wrong checksum is not one for its receiver."""
        sender, receiver = self.directed(recorded.source)
        self.frames, self.last, self.ended = self.frames + 1, recorded.frame, recorded.time
        sender.ttls.add(recorded.segment.ttl)
        if recorded.fragment:
            self.fragments += 1
            self.lost += 1
            return
        if recorded.segment.defect:
            self._judge(View(recorded, sender, receiver, 0, None, None), rules.ALWAYS[:1])
            return
        self.cut += not recorded.whole
        if recorded.checksum is Checksum.BAD:
            said = Said("the checksum is wrong", Condition.CHECKSUMS)
            self._say(rules.CHECKSUM, said, self._view(recorded, sender, receiver))
            if not trusted:
                self._doubtful(recorded, sender)
                return
        if self._is_early(recorded, sender, receiver):
            self.early.append(recorded)
            return
        if self._is_stray(recorded, sender, receiver):
            self.unjudged += 1
            return
        self._accept(recorded, sender, receiver)
        if self.early and self.server.isn is not None:
            early, self.early = self.early, []
            for item in early:
                self._accept(item, self.server, self.client)

    def _doubtful(self, recorded: Recorded, sender: End) -> None:
        """Whatever was wrong with a segment, it may have been sent as it looks."""
        if sender.isn is None or recorded.segment.ctl & (SYN | RST):
            return
        start = sender.offset(recorded.segment.seq)
        if abs(start - sender.top) < _RANGE:
            sender.covered.add(start, start + recorded.occupies)
            sender.top = max(sender.top, start + recorded.occupies)

    def _is_early(self, recorded: Recorded, sender: End, receiver: End) -> bool:
        """Tell whether a segment of the server has overtaken its SYN,ACK (RFC 7413 4.2.2)."""
        return (
            sender is self.server
            and sender.isn is None
            and receiver.fast_open
            and not recorded.segment.ctl & (SYN | RST)
            and len(self.early) < _EARLY
        )

    def _is_stray(self, recorded: Recorded, sender: End, receiver: End) -> bool:
        """Tell whether a segment belongs to another connection that had these ports."""
        segment = recorded.segment
        if segment.has(RST):
            return False
        if segment.has(SYN):
            fresh = (
                not segment.has(ACK) or not receiver.isn_known or segment.ack == seq.add(receiver.isn or 0, 1)
            )
            stray = not fresh and any(segment.ack == seq.add(first, 1) for first, _, _ in self.previous)
            # A listener answers an old copy of the SYN anew; whoever sent it resets that (3.5.1).
            late = segment.has(ACK) and sender.isn_known and segment.seq != sender.isn and not sender.syn_only
            if stray or late:
                sender.stray(recorded)
            return stray or late
        if sender.isn is None and receiver.isn_known and receiver.syn_only:
            sender.stray(recorded)
            return True
        return self._is_old(segment.seq, sender)

    def _is_old(self, number: int, sender: End) -> bool:
        """Tell whether a sequence number is of a connection before this one, or begun and reset since."""
        if sender.isn is None or -1 <= sender.offset(number) <= sender.top:
            return False
        if any(seq.wrap(number - isn) < _RANGE for isn in sender.stray_isns):
            return True
        if 0 < sender.offset(number) <= sender.top + _RANGE:
            return False
        return any(
            name == sender.name and seq.wrap(number - first) <= seq.wrap(last - first)
            for first, last, name in self.previous
        )

    def _view(self, recorded: Recorded, sender: End, receiver: End) -> View:
        segment = recorded.segment
        start = 0 if sender.isn is None else sender.offset(segment.seq)
        if not segment.has(ACK) or receiver.isn is None:
            edge = segment.wnd + 1 if segment.has(SYN) else None
            return View(recorded, sender, receiver, start, None, edge)
        ack = receiver.offset(segment.ack)
        known = scale(sender, receiver)
        # Where none is known the window is taken too large, never too small.
        shift = 0 if segment.has(SYN) else MAX_SHIFT if known is None else known
        return View(recorded, sender, receiver, start, ack, ack + (segment.wnd << shift))

    def _accept(self, recorded: Recorded, sender: End, receiver: End) -> None:
        segment = recorded.segment
        wrong = self._judge(self._view(recorded, sender, receiver), rules.ALWAYS)
        if segment.has(SYN):
            if not wrong and (not sender.isn_known or segment.seq == sender.isn):
                sender.learn_syn(recorded)
            elif segment.has(ACK):
                wrong |= self._another_isn(recorded, sender, receiver)
        elif sender.isn is None and not segment.has(RST):
            sender.assume(segment.seq)
        if segment.has(ACK) and receiver.isn is None and not segment.has(RST):
            receiver.assume(segment.ack)
        self._milestone(segment.ctl, recorded.time, sender)
        view = self._view(recorded, sender, receiver)
        self._settle(view)
        wrong |= self._judge(view, rules.CONNECTED)
        self._segmentation(view)
        self._learn(view, wrong)

    def _another_isn(self, recorded: Recorded, sender: End, receiver: End) -> set[str]:
        """A SYN,ACK with a new ISN: the listener may have answered another copy of the SYN."""
        wrong = self._judge(self._view(recorded, sender, receiver), rules.ANSWER)
        if not wrong and receiver.syn_only:
            sender.forget_isn()
            sender.learn_syn(recorded)
        return wrong

    def _milestone(self, ctl: Control, time: float, sender: End) -> None:
        """Note when the handshake passed, unless a repetition makes its times tell nothing."""
        bits, passed = ctl & (SYN | ACK | RST), len(self.handshake)
        expected = (SYN, SYN | ACK, ACK)
        if passed < 3 and bits == expected[passed] and (sender is self.server) == (passed == 1):
            self.handshake.append(time)
        elif passed < 3 and bits & SYN:
            self.handshake.clear()
            if bits == SYN:
                self.handshake.append(time)

    # -- findings -----------------------------------------------------------------------
    def _judge(self, view: View, table: tuple[Rule, ...]) -> set[str]:
        """Apply rules; return the codes of those that the segment breaks, or may break."""
        wrong = set()
        for rule in table:
            said = rule.judge(view)
            if said is not None:
                wrong.add(rule.code)
                self._say(rule, said, view)
        return wrong

    def _say(self, rule: Rule, said: Said, view: View) -> None:
        # Under another condition the same rule may yet say what is certain: count them apart.
        key = rule.code + said.condition.value, view.sender.name
        self.said[key] += 1
        if said.claim is not None and said.condition is Condition.CLAIM:
            # Said once: later acknowledgments have the same hole.
            view.receiver.covered.add(*said.claim)
        if self.said[key] > _MOST:
            self.suppressed += 1
            return
        recorded = view.recorded
        finding = Finding(
            *(rule.code, said.message, rule.clause, rule.field, rule.level),
            *(recorded.frame, recorded.time, view.sender.name, show(view)),
        )
        item = Pending(finding, said.condition, view.sender, said.claim)
        claim = said.claim if said.condition is Condition.CLAIM else None
        item.beyond = claim is not None and claim[0] >= view.receiver.shown
        # A SACK block says nothing of what later acknowledgments cover.
        item.mark = Mark.of(recorded) if rule.field == "ACK" else None
        self.pending.append(item)
        if said.claim is not None:
            self.claims.append(item)

    def _settle(self, view: View) -> None:
        """What was claimed to have been received: does this segment tell whether it had been sent?"""
        for item in list(self.claims):
            item.see(view)
            if item.settled:
                self.claims.remove(item)

    def _segmentation(self, view: View) -> None:
        """Count what is larger than the sender's own link carries: its MSS is MTU-40 (RFC 9293 3.7.1)."""
        room, own = rules.largest_segment(view), view.sender.mss
        if room is None or view.recorded.length <= room:
            return
        headers = 60 if view.recorded.ident is None else 40
        if own is None or view.recorded.size > max(own, view.receiver.mss or 0) + headers:
            view.sender.super_segments += 1

    def _learn(self, view: View, wrong: set[str]) -> None:
        sender, receiver, recorded = view.sender, view.receiver, view.recorded
        segment = recorded.segment
        sender.seen += 1
        if segment.has(RST):
            sender.reset = sender.reset or "reset-number" not in wrong
            return
        if "syn-isn" in wrong or "syn-ack-isn" in wrong:
            return
        if wrong & {"beyond-window", "after-fin", "before-isn", "fin-moves"}:
            self.misplaced += recorded.occupies
        elif "other-octets" not in wrong:
            sender.learn_sent(view.start, recorded)
        if view.ack is not None and not segment.has(SYN) and scale(sender, receiver) is None:
            sender.guessed = True
        if wrong & {"ack-beyond", "syn-ack-number"} or self._claims_again(view):
            # Its window may be right all the same.  Later ACKs and windows that are right do not go back.
            if sender.edge is not None and view.edge is not None:
                sender.edge = max(sender.edge, view.edge)
        else:
            if view.ack is not None and view.edge is not None:
                sender.learn_ack(view.ack, view.edge, Mark.of(recorded))
                self._catch_up(view.ack, receiver)
            elif segment.has(SYN) and view.edge is not None:
                sender.learn_ack(0, view.edge, Mark.of(recorded))
        if not wrong & {"timestamps-clock", "timestamps-presence"}:
            sender.learn_time(recorded)

    def _claims_again(self, view: View) -> bool:
        """Tell whether a segment acknowledges once more what nobody has been seen to send yet."""
        return view.ack is not None and any(
            item.end is view.sender and item.beyond and not item.passed and item.claim[0] < view.ack
            for item in self.claims
            if item.claim is not None
        )

    def _catch_up(self, ack: int, receiver: End) -> None:
        """Where the capture began in the middle, acknowledgments tell what had been sent before."""
        if receiver.whole or not receiver.seen:
            return
        receiver.covered.add(1, ack)
        if ack == receiver.shown >= receiver.top:
            receiver.whole = True
            return
        receiver.top = max(receiver.top, ack)
