"""One connection of the reference: what arrives, what the user calls, what the alarms do."""

from conformance.model import seq
from conformance.model.case import CallError, CallName, UserCall
from conformance.model.flow import GROUPS, PORT_0, ROUTES, Flow
from conformance.model.segment import OPTION_TS, Envelope, Segment
from conformance.model.state import State
from conformance.oracle.arrives import Outcome, segment_arrives
from conformance.oracle.calls import user_call
from conformance.oracle.prediction import Form, Obligation, Prediction
from conformance.oracle.tables import Timeout
from conformance.oracle.tcb import Tcb
from conformance.oracle.timeouts import expires
from conformance.target.reference.core import ACK, NO_CONNECTION, OPENING, RST, SYN, Alarm, Surroundings
from conformance.target.reference.opening import Opening
from conformance.target.reference.timely import Timely

TWO_MSL = 240.0
"""Seconds (RFC 9293 3.4.2)."""
USER_TIMEOUT = 300.0
SYN_TIMEOUT = 180.0
"""Seconds (RFC 9293 3.9.1.1; R2 of 3.8.3)."""
R1 = 3
"""Retransmissions (RFC 9293 3.8.3 SHLD-10)."""


class Endpoint(Opening):
    """One connection.  Without a mutation it does what RFC 9293 as updated prefers, or another profile."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.ended = False
        """Whether the peer's FIN has come on a connection that is no more."""
        self.keep_idle, self.keep_interval, self.keep_count = 7200.0, 75.0, 9
        self.keep_sent = 0
        self.user_timeout = USER_TIMEOUT
        self.next_challenge = 0.0

    # -- 3.10.7 -------------------------------------------------------------------------
    def arrives(self, segment: Segment, now: float) -> None:
        """Process one segment of the peer."""
        self.now = now
        taken = self.parse(segment) if self.admits(segment.envelope) else None
        if taken is None:
            return
        before = self.tcb
        self.keep_route(taken.envelope.route)
        self.look_at_cookie(before, taken)
        outcome = self.process(before, taken)
        self.tcb = outcome.tcb
        self.became(before, taken)
        self.learn(before, taken)
        self.take_text(before, taken)
        self.take_acknowledgment(before, taken)
        self.heard(taken)
        for prediction in outcome.predictions:
            self.answer(before, taken, prediction)
        self.output()

    def keep_route(self, route: str) -> None:
        """RFC 9293 3.9.2.1: a later one overrides an earlier one."""
        self.return_route = route if route in ROUTES else self.return_route

    def claims(self, flow: Flow) -> bool:
        """Whether a segment is of this connection, which is its two sockets (RFC 9293 3.4.1)."""
        return flow == self.around.flow

    def admits(self, envelope: Envelope) -> bool:
        """Whether IP passes a datagram on: RFC 9293 3.9.2.3, RFC 1122 3.2.1.3; options mean nothing to us."""
        return self.may_send(envelope.source) and not envelope.destination

    def may_send(self, source: str) -> bool:
        """Whether somebody can have sent from there."""
        return source in ("", "other", PORT_0)

    def may_open(self, flow: Flow) -> bool:
        """Whether there can be a connection to the remote address (RFC 9293 3.9.1.1 MUST-46)."""
        return not any(flow.tester[0] in row.values() for row in GROUPS.values())

    def beside_listener(self) -> None:
        """Somebody is to listen on our port, which is none of our affair (RFC 9293 3.9.1.1 MUST-41)."""

    def parse(self, segment: Segment) -> Segment | None:
        """Return the segment as it is understood; None to drop it."""
        return segment

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        """What RFC 9293 3.10.7 has this segment do."""
        return self.choose(before, segment, self.outcomes(before, segment))

    def outcomes(self, before: Tcb, segment: Segment) -> list[Outcome]:
        """All that RFC 9293 3.10.7 as updated allows, what it prefers first."""
        return segment_arrives(before, segment, self.now, self.around.settings.profile)

    def choose(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        """Of what the RFCs allow take what RFC 9293 prefers; and reopen from TIME-WAIT (MAY-2)."""
        for outcome in outcomes:
            if outcome.tcb.reopened is not None and self.may_reopen(before, segment):
                return outcome
        ignores = segment.has(RST) and before.state is State.TIME_WAIT and self.around.settings.rfc1337
        return outcomes[-1] if ignores else outcomes[0]

    def may_reopen(self, before: Tcb, segment: Segment) -> bool:
        """RFC 6191 2: from TIME-WAIT, and not by a SYN whose timestamp is older than the connection."""
        stamps = segment.timestamps
        older = before.negotiated(OPTION_TS) and stamps is not None and seq.lt(stamps[0], before.ts_recent)
        return before.state is State.TIME_WAIT and not older

    def heard(self, segment: Segment) -> None:
        """Something came: the connection is not idle (RFC 9293 3.8.4)."""
        self.keep_sent = 0
        self.see_to_keep_alive()

    # -- what a change of state brings --------------------------------------------------
    def became(self, before: Tcb, segment: Segment) -> None:
        """The segment may have changed the state."""
        state = self.tcb.state
        if state in NO_CONNECTION:
            self.alarms.clear()
            self.ended = self.ended or before.fin_received
            if segment.has(RST) and before.state not in NO_CONNECTION:
                opening = before.state in OPENING and not before.passive
                self.error = "ECONNREFUSED" if opening else "ECONNRESET"
        if state is State.TIME_WAIT:
            self.enter_time_wait(before, segment)
        elif self.tcb.reopened is before:
            self.start_over()
        self.see_to_orphan()

    def start_over(self) -> None:
        """The connection in TIME-WAIT is another one from now on."""
        now = self.now
        Timely.__init__(self, self.tcb, self.around)
        self.now = now

    def enter_time_wait(self, before: Tcb, segment: Segment) -> None:
        """2MSL from now; a FIN that comes again starts it anew (3.10.7.4 eighth)."""
        if before.state is not State.TIME_WAIT or segment.length:
            self.disarm(Alarm.RETRANSMISSION)
            self.arm(Alarm.TIME_WAIT, self.two_msl())

    def two_msl(self) -> float:
        return TWO_MSL

    def see_to_orphan(self) -> None:
        """Who has nobody left to receive does not wait for the peer's FIN for ever (RFC 9293 3.10.8)."""
        if self.tcb.state is not State.FIN_WAIT_2 or not self.tcb.user_gone:
            self.disarm(Alarm.ORPHAN)
        elif Alarm.ORPHAN not in self.alarms:
            self.arm(Alarm.ORPHAN, self.around.settings.orphan)

    def abandon(self) -> None:
        """The peer's FIN has not come in time: the connection is gone, and nobody is told."""
        self.tcb, _ = expires(self.tcb, Timeout.USER)
        self.alarms.clear()

    # -- replies ------------------------------------------------------------------------
    def answer(self, before: Tcb, segment: Segment, prediction: Prediction) -> None:
        """Send what the segment calls for, in the form that comes first."""
        form = prediction.forms[0]
        if form.ctl & RST:
            self.resets = before
            self.send_reset(self.reset_form(form, segment))
        elif form.ctl & SYN:
            self.send_syn(form)
        elif not prediction.challenge or self.may_challenge():
            self.owe(before, segment, prediction)

    def may_challenge(self) -> bool:
        """RFC 5961 7: only so often, where it is set so."""
        may = self.now >= self.next_challenge
        if may:
            self.next_challenge = self.now + self.around.settings.challenge_pause
        return may

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        return form

    def send_reset(self, form: Form) -> None:
        self.transmit(form.ctl, form.seq or 0, form.ack or 0)

    # -- 3.10.1-3.10.5 ------------------------------------------------------------------
    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        """Process a user call; return the error that it meets."""
        self.now = now
        self.tcb.unread = len(self.unread)
        self.tcb.defers_syn = self.defers_syn()
        before = self.tcb
        done = user_call(before, call, now, sent)
        self.tcb = done.outcome.tcb
        for prediction in done.outcome.predictions:
            if prediction.obligation is Obligation.MAY:
                continue
            form = prediction.forms[0]
            if form.ctl & RST:
                self.resets = before
                self.send_reset(self.reset_form(form, None))
            else:
                self.send_syn(form)
        if self.tcb.state in NO_CONNECTION:
            self.alarms.clear()
        self.see_to_keep_alive()
        self.see_to_orphan()
        self.output()
        return done.error

    def unaccepted(self, now: float) -> None:
        """Nobody will accept the connection: its listener is closed (RFC 9293 3.10.4, 3.10.5)."""
        if self.tcb.state not in NO_CONNECTION:
            self.call(UserCall(CallName.ABORT), now)

    def receive(self, count: int, now: float) -> bytes:
        """Give the user up to `count` octets."""
        self.now = now
        data = self.read(count)
        self.output()
        return data

    def receive_urgent(self, now: float) -> bytes:
        """Give the user the urgent octet that is out of band, if there is one."""
        self.now = now
        octet = self.read_urgent()
        self.output()
        return octet

    def urgent_mode(self) -> bool:
        """Whether the user is told that urgent data remains to be received (RFC 9293 3.8.5)."""
        return self.tcb.urgent_mode

    # -- 3.10.8 and the other alarms ----------------------------------------------------
    def alarm(self, now: float) -> None:
        """Let go off every alarm that is due."""
        self.now = now
        for alarm in [name for name, due in self.alarms.items() if due <= now]:
            if alarm in self.alarms:
                del self.alarms[alarm]
                self.go_off(alarm)

    def go_off(self, alarm: Alarm) -> None:
        match alarm:
            case Alarm.RETRANSMISSION:
                self.retransmission_timeout() if not self.hopeless() else self.give_up()
                self.report_trouble()
            case Alarm.DELAYED_ACK:
                self.acknowledge()
            case Alarm.OVERRIDE:
                self.override_timeout()
            case Alarm.TIME_WAIT:
                self.tcb, _ = expires(self.tcb, Timeout.TIME_WAIT)
                self.alarms.clear()
            case Alarm.ORPHAN:
                self.abandon()
            case Alarm.KEEP_ALIVE:
                self.keep_alive()
            case Alarm.PROBE:
                self.ask()
            case Alarm.REORDERING:
                self.give_up_waiting()

    def report_trouble(self) -> None:
        """R1 is reached: RFC 9293 3.8.3 SHLD-9."""
        if self.report_errors and self.retries == R1 and self.tcb.state not in NO_CONNECTION:
            self.error = "EHOSTUNREACH"

    def hopeless(self) -> bool:
        """Whether the user timeout has passed without progress (R2 of RFC 9293 3.8.3)."""
        patience = SYN_TIMEOUT if self.tcb.state in OPENING else self.user_timeout
        return self.trouble is not None and self.now - self.trouble >= patience

    def give_up(self) -> None:
        """USER TIMEOUT: flush, tell the user, delete the TCB."""
        self.error = "ETIMEDOUT"
        self.tcb, _ = expires(self.tcb, Timeout.USER)
        self.alarms.clear()

    # -- keep-alive (RFC 9293 3.8.4) ----------------------------------------------------
    def see_to_keep_alive(self) -> None:
        tcb = self.tcb
        if not tcb.keepalive or tcb.state not in (State.ESTABLISHED, State.CLOSE_WAIT):
            self.disarm(Alarm.KEEP_ALIVE)
        else:
            self.arm(Alarm.KEEP_ALIVE, self.keep_interval if self.keep_sent else self.keep_idle)

    def garbage(self) -> bytes:
        """Return the data of a keep-alive: none (SHLD-12), unless the user wants an octet (MAY-6)."""
        return b"\0" if self.tcb.keepalive_octet else b""

    def keep_alive(self) -> None:
        tcb = self.tcb
        idle = tcb.snd_nxt == tcb.snd_una and not tcb.unsent
        if idle and self.keep_sent >= self.keep_count:
            self.give_up()
            return
        if idle:
            self.keep_sent += 1
            self.transmit(ACK, seq.add(tcb.snd_nxt, -1), self.ack_number(), self.garbage())
        self.see_to_keep_alive()
