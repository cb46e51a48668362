"""What the user is told, and what is done with what the user asks."""

from conformance.model.case import CallError, CallName, UserCall
from conformance.model.flow import GROUPS, Flow
from conformance.model.segment import Segment
from conformance.model.state import State
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, FIN, NO_CONNECTION, OPENING, RST
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant

_ENDED = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT})


@mutant("abort-silent", "RFC 9293 3.10.5")
class AbortSilent(Endpoint):
    """Deletes a connection on ABORT without a RST."""

    aborting = False

    def send_reset(self, form: Form) -> None:
        if self.tcb.state not in NO_CONNECTION or not self.aborting:
            super().send_reset(form)

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        self.aborting = call.name is CallName.ABORT
        return super().call(call, now, sent)


@mutant("abort-sends-fin", "RFC 9293 3.10.5")
class AbortSendsFin(Endpoint):
    """Closes in order where the user aborts."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        if call.name is CallName.ABORT and self.tcb.state in (State.ESTABLISHED, State.CLOSE_WAIT):
            call = UserCall(CallName.CLOSE)
        return super().call(call, now, sent)


@mutant("abort-rst-at-snd-una", "RFC 9293 3.10.5")
class AbortAtSndUna(Endpoint):
    """Sends the RST of an ABORT with SEQ=SND.UNA, which the peer has passed."""

    una = 0

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        self.una = self.tcb.snd_una
        return super().call(call, now, sent)

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        return form if segment is not None else Form(form.ctl, self.una, form.ack)


@mutant("abort-rst-seq-zero", "RFC 9293 3.10.5, 3.5.2")
class AbortSeqZero(Endpoint):
    """Sends the RST of an ABORT with SEQ=0."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        return form if segment is not None else Form(RST | ACK, 0, self.tcb.rcv_nxt)


@mutant("abort-in-closing-rst-at-snd-una", "RFC 9293 3.10.5, 3.5.2")
class AbortInClosingAtSndUna(Endpoint):
    """Sends a RST on ABORT in CLOSING and LAST-ACK, with SEQ=SND.UNA, which the peer has passed."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        late = self.tcb.state in (State.CLOSING, State.LAST_ACK)
        una = self.tcb.snd_una
        error = super().call(call, now, sent)
        if call.name is CallName.ABORT and late:
            self.send_reset(Form(RST, una, None))
        return error


@mutant("abort-forgets-nothing", "RFC 9293 3.10.5")
class AbortKeepsState(Endpoint):
    """Keeps the connection after ABORT in CLOSING, LAST-ACK and TIME-WAIT."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        late = self.tcb.state in (State.CLOSING, State.LAST_ACK, State.TIME_WAIT)
        if call.name is CallName.ABORT and late:
            return None
        return super().call(call, now, sent)


@mutant("send-after-close-accepted", "RFC 9293 3.10.2")
class SendAfterClose(Endpoint):
    """Takes data from a user who has closed."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        if call.name is CallName.SEND and self.tcb.state in _ENDED:
            return None
        return super().call(call, now, sent)


@mutant("send-in-close-wait-refused", "RFC 9293 3.10.2")
class SendInCloseWaitRefused(Endpoint):
    """Takes no more data from its user once the peer has closed."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        if call.name is CallName.SEND and self.tcb.state is State.CLOSE_WAIT:
            return CallError.CLOSING
        return super().call(call, now, sent)


@mutant("reset-told-as-end", "RFC 9293 3.10.7.4 second")
class ResetToldAsEnd(Endpoint):
    """Tells the user of a reset as of an ordinary end."""

    def became(self, before: Tcb, segment: Segment) -> None:
        super().became(before, segment)
        if self.error == "ECONNRESET":
            self.error, self.ended = "", True


@mutant("refusal-told-as-reset", "RFC 9293 3.10.7.4 second")
class RefusalToldAsReset(Endpoint):
    """Tells the user of a refused OPEN that the connection was reset."""

    def became(self, before: Tcb, segment: Segment) -> None:
        super().became(before, segment)
        if before.state is State.SYN_RECEIVED and self.error == "ECONNREFUSED":
            self.error = "ECONNRESET"


@mutant("refusal-not-told", "RFC 9293 3.10.7.3 second")
class RefusalNotTold(Endpoint):
    """Does not tell its user that the peer refused the OPEN."""

    def became(self, before: Tcb, segment: Segment) -> None:
        super().became(before, segment)
        if before.state is State.SYN_SENT:
            self.error, self.ended = "", True


@mutant("end-never-told", "RFC 9293 3.10.7.4 eighth")
class EndNeverTold(Endpoint):
    """Tells its user nothing when the peer has closed."""

    def became(self, before: Tcb, segment: Segment) -> None:
        super().became(before, segment)
        if segment.has(FIN):
            self.tcb.fin_received = False


@mutant("broadcast-opened", "RFC 9293 3.9.1.1 MUST-46")
class BroadcastOpened(Endpoint):
    """Opens a connection to everybody."""

    def may_open(self, flow: Flow) -> bool:
        return flow.tester[0] in GROUPS["broadcast"].values() or super().may_open(flow)


@mutant("multicast-opened", "RFC 9293 3.9.1.1 MUST-46")
class MulticastOpened(Endpoint):
    """Opens a connection to a group."""

    def may_open(self, flow: Flow) -> bool:
        return flow.tester[0] in GROUPS["multicast"].values() or super().may_open(flow)


@mutant("listening-ends-connections", "RFC 9293 3.9.1.1 MUST-41")
class ListeningEndsConnections(Endpoint):
    """Forgets its connection when somebody comes to listen on its port."""

    def beside_listener(self) -> None:
        self.tcb = self.tcb.delete()
        self.alarms.clear()


@mutant("receive-refused-before-established", "RFC 9293 3.10.3")
class ReceiveRefused(Endpoint):
    """Refuses a RECEIVE that is made before the connection is established."""

    def receive(self, count: int, now: float) -> bytes:
        if self.tcb.state in OPENING:
            self.error = "ENOTCONN"
        return super().receive(count, now)
