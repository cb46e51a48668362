"""The offline judge: a clean exchange, and one field of it altered at a time."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from conformance.model import seq
from conformance.model.payload import pattern
from conformance.model.recorded import Checksum, Recorded
from conformance.model.segment import (
    SACK_PERMITTED,
    Control,
    Option,
    Segment,
    mss_option,
    timestamps_option,
    window_scale_option,
)
from conformance.model.verdict import Level
from conformance.oracle.offline.finding import Finding
from conformance.oracle.offline.judge import Judged, OfflineJudge
from conformance.oracle.offline.position import Near
from conformance.oracle.offline.ranges import Octets, Ranges

ACK, FIN, RST, SYN = Control.ACK, Control.FIN, Control.RST, Control.SYN
CLIENT, SERVER = ("192.0.2.1", 40000), ("192.0.2.2", 80)
X, Y = 0xFFFFFF00, 5000
"""The client's numbers wrap in the middle of the exchange."""
WND = 65535


STAMPED = timestamps_option(107, 906).encode()


def segment(
    frame: int,
    start: int,
    ack: int | None,
    ctl: Control,
    *,
    client: bool = True,
    length: int = 0,
    wnd: int = WND,
    stamps: tuple[int, int] | None = None,
    syn: bool = False,
) -> Recorded:
    """Return one segment; `start` and `ack` are offsets from the ISNs; a frame takes a millisecond."""
    mine, theirs = (X, Y) if client else (Y, X)
    options = b""
    if syn:
        options = mss_option(1460).encode() + SACK_PERMITTED.encode() + window_scale_option(0).encode()
    if stamps:
        options += timestamps_option(*stamps).encode()
    return Recorded(
        frame,
        frame / 1000,
        CLIENT if client else SERVER,
        SERVER if client else CLIENT,
        Segment(
            seq.add(mine, start),
            seq.add(theirs, ack) if ack is not None else 0,
            ctl | (ACK if ack is not None else Control(0)),
            wnd=wnd,
            data=pattern(start, length),
            options=options,
        ),
        length=length,
        size=40 + len(options) + length,
    )


def exchange() -> list[Recorded]:
    """A connection near the client: 3 * 500 octets up, 2 * 1000 down, one of these lost and sent again."""
    return [
        replace(segment(1, 0, None, SYN, syn=True, stamps=(100, 0)), time=0.0),
        segment(2, 0, 1, SYN, client=False, syn=True, stamps=(900, 100)),
        replace(segment(3, 1, 1, ACK, stamps=(103, 900)), time=0.00201),
        segment(4, 1, 1, ACK, length=500, stamps=(104, 900)),
        segment(5, 501, 1, ACK, length=500, stamps=(105, 900)),
        segment(6, 1, 501, ACK, client=False, length=1000, stamps=(906, 104)),
        segment(7, 501, 1001, ACK, length=500, stamps=(107, 906)),
        segment(8, 1001, 1001, ACK, client=False, length=1000, stamps=(908, 107)),
        segment(9, 1001, 2001, ACK, length=500, stamps=(109, 908)),
        segment(10, 2001, 1501, ACK, client=False, stamps=(910, 109)),
        segment(11, 1501, 2001, FIN, stamps=(111, 910)),
        segment(12, 2001, 1502, FIN, client=False, stamps=(912, 111)),
        segment(13, 1502, 2002, ACK, stamps=(113, 912)),
    ]


def judge(segments: Sequence[Recorded], near: Near | None = None, dropped: int = 0) -> list[Judged]:
    offline = OfflineJudge()
    for item in segments:
        offline.feed(item)
    return offline.verdicts(near, dropped)


def altered(frame: int, **fields: object) -> list[Recorded]:
    """Return the exchange with fields of one segment, or of its recording, changed."""
    own = {name: value for name, value in fields.items() if name in Recorded.__dataclass_fields__}
    inner = {name: value for name, value in fields.items() if name not in own}
    segments = exchange()
    at = frame - 1
    changed = replace(segments[at].segment, **inner)  # type: ignore[arg-type]
    segments[at] = replace(segments[at], segment=changed, **own)  # type: ignore[arg-type]
    return segments


def found(segments: Sequence[Recorded]) -> list[Finding]:
    (flow,) = judge(segments)
    return [*flow.violations, *flow.warnings]


def test_a_clean_exchange() -> None:
    (flow,) = judge(exchange())
    assert (flow.violations, flow.warnings, flow.inconclusive, flow.notes) == ((), (), (), ())
    assert (flow.client, flow.server, flow.x, flow.y) == (CLIENT, SERVER, X, Y)
    assert (flow.first, flow.last, flow.how) == (1, 13, "from its SYN, closed")
    assert flow.position.near is Near.CLIENT


ALTERED: list[tuple[str, int, dict[str, object]]] = [
    ("checksum", 6, {"checksum": Checksum.BAD}),
    ("malformed", 6, {"defect": "data offset 4, less than a TCP header"}),
    ("reserved-bits", 6, {"rsv": 4}),
    ("control-bits", 1, {"ctl": SYN | FIN}),
    ("control-bits", 4, {"ctl": Control.PSH}),
    ("option-malformed", 4, {"options": b"\x08\x30"}),
    ("option-malformed", 4, {"options": Option(8, bytes(6)).encode()}),
    ("option-place", 4, {"options": mss_option(9).encode() + timestamps_option(104, 900).encode()}),
    ("scale-too-large", 1, {"options": window_scale_option(15).encode() + timestamps_option(1, 0).encode()}),
    ("syn-ack-number", 2, {"ack": seq.add(X, 2)}),
    ("syn-ack-options", 1, {"options": mss_option(1460).encode() + timestamps_option(100, 0).encode()}),
    ("ack-beyond", 7, {"ack": Y + 1200}),
    ("ack-beyond", 4, {"ack": Y + 100_000}),
    ("ack-beyond", 10, {"ack": seq.add(X, 1507)}),
    ("ack-beyond", 13, {"ack": Y + 3000}),
    ("ack-back", 9, {"ack": Y + 500}),
    ("edge-back", 10, {"wnd": 100}),
    ("sack-beyond", 7, {"options": STAMPED + Option(5, bytes.fromhex("00002000 00003000")).encode()}),
    ("beyond-window", 8, {"seq": Y + 70_000}),
    ("after-fin", 13, {"seq": seq.add(X, 1600)}),
    ("before-isn", 9, {"seq": seq.add(X, -100)}),
    ("timestamps-presence", 9, {"options": b""}),
    ("timestamps-echo", 9, {"options": timestamps_option(109, 950).encode()}),
]


@pytest.mark.parametrize(("code", "frame", "fields"), ALTERED, ids=lambda item: str(item)[:40])
def test_one_field_altered(code: str, frame: int, fields: dict[str, object]) -> None:
    codes = {(item.code, item.frame) for item in found(altered(frame, **fields))}
    at = 2 if code == "syn-ack-options" else frame
    assert (code, at) in codes


def with_segment(after: int, added: Recorded) -> list[Recorded]:
    segments = exchange()
    return [*segments[:after], replace(added, time=segments[after - 1].time + 0.0001), *segments[after:]]


AGAIN = segment(50, 1, 501, ACK, client=False, length=1000, stamps=(906, 104))
ADDED: list[tuple[str, int, Recorded]] = [
    (
        "other-octets",
        7,
        replace(AGAIN, segment=replace(AGAIN.segment, data=AGAIN.segment.data[:999] + b"\xff")),
    ),
    (
        "segment-too-large",
        8,
        replace(segment(50, 2001, 1001, ACK, client=False, length=1455, stamps=(908, 107))),
    ),
    ("fin-moves", 12, segment(50, 1601, 2001, FIN, stamps=(111, 910))),
    ("fin-moves", 9, segment(50, 501, 2001, FIN, stamps=(111, 910))),
    ("after-fin", 12, segment(50, 1502, 2001, ACK, length=5, stamps=(112, 910))),
    ("reset-number", 8, segment(50, 90_000, None, RST)),
]


@pytest.mark.parametrize(("code", "after", "added"), ADDED, ids=lambda item: str(item)[:20])
def test_one_segment_added(code: str, after: int, added: Recorded) -> None:
    assert (code, 50) in {(item.code, item.frame) for item in found(with_segment(after, added))}


def test_a_retransmission_is_no_violation() -> None:
    assert not found(with_segment(7, AGAIN))
    garbage = segment(50, 500, 1001, ACK, length=1, stamps=(107, 906))
    keepalive = replace(garbage, segment=replace(garbage.segment, data=b"\xff"))
    assert not found(with_segment(8, keepalive))


def test_a_window_probe_may_go_one_octet_beyond() -> None:
    probe = segment(50, 1 + WND, 1001, ACK, client=False, length=1, stamps=(910, 105))
    base = exchange()[:5]
    assert not found([*base, probe])
    beyond = replace(probe, segment=replace(probe.segment, seq=probe.segment.seq + 1))
    assert [item.code for item in found([*base, beyond])] == ["beyond-window"]


def test_a_syn_sent_again_keeps_its_isn() -> None:
    syn = exchange()[0]
    later = replace(syn, frame=2, time=1.0, segment=replace(syn.segment, seq=77))
    assert [(item.code, item.frame) for item in found([syn, later])] == [("syn-isn", 2)]
    assert not found([syn, replace(syn, frame=2, time=1.0)])


def test_a_syn_ack_sent_again_keeps_its_isn_near_the_server() -> None:
    syn, syn_ack = exchange()[:2]
    other = replace(syn_ack, frame=3, time=1.0, segment=replace(syn_ack.segment, seq=77))
    (flow,) = judge([syn, syn_ack, other], Near.SERVER)
    assert [item.code for item in flow.violations] == ["syn-ack-isn"]
    (flow,) = judge([syn, syn_ack, other], Near.CLIENT)
    assert not flow.violations
    (flow,) = judge([syn, syn, syn_ack, other], Near.SERVER)
    assert not flow.violations


def test_what_the_capture_missed_is_inconclusive() -> None:
    segments = exchange()
    (flow,) = judge([item for item in segments if item.frame != 6])
    assert not flow.violations
    assert [item.code for item in flow.inconclusive] == ["ack-beyond", "timestamps-echo"]
    assert "the capture has missed frames" in flow.notes[0]
    (flow,) = judge(altered(8, seq=Y + 70_000)[:8], dropped=3)
    assert not flow.violations
    assert "beyond-window" in [item.code for item in flow.inconclusive]


def test_a_connection_from_its_middle() -> None:
    for start in range(1, 12):
        (flow,) = judge(exchange()[start:])
        assert not flow.violations, start
    assert judge(exchange()[4:])[0].how == "from its middle, closed"


def test_one_direction_only() -> None:
    for source in (CLIENT, SERVER):
        (flow,) = judge([item for item in exchange() if item.source == source])
        assert not flow.violations
        assert any("no segment of the" in note for note in flow.notes)


@pytest.mark.parametrize("kind", [Checksum.PARTIAL, Checksum.BAD])
def test_offload_is_told_and_not_judged(kind: Checksum) -> None:
    large = segment(50, 1501, 2001, ACK, length=20_000, stamps=(110, 908))
    segments = [*exchange()[:10], large]
    left = [replace(item, checksum=kind) if item.source == CLIENT else item for item in segments]
    (flow,) = judge(left)
    assert not flow.violations
    assert "the client's host leaves checksums to its network card" in flow.notes[0]
    assert flow.position.near is Near.CLIENT


def test_merged_segments_are_told_and_not_judged() -> None:
    (flow,) = judge([*exchange()[:10], segment(50, 1501, 2001, ACK, length=20_000, stamps=(110, 908))])
    assert not flow.violations
    assert "larger than its link carries" in flow.notes[0]


def test_order_is_judged_only_where_it_is_known() -> None:
    """An old ACK that comes late: reordered on its way, or sent so?"""
    plain = [replace(item, segment=replace(item.segment, options=b"")) for item in exchange()]
    late = segment(50, 1501, 1001, ACK)
    segments = [*plain[:10], late]
    assert [item.code for item in judge(segments, Near.CLIENT)[0].violations] == ["ack-back"]
    assert not judge(segments, Near.SERVER)[0].violations
    # Timestamps tell the order wherever the capture was taken.
    newer = segment(50, 1501, 1001, ACK, stamps=(120, 910))
    older = segment(50, 1501, 1001, ACK, stamps=(108, 906))
    assert [item.code for item in judge([*exchange()[:10], newer], Near.SERVER)[0].violations] == ["ack-back"]
    assert not judge([*exchange()[:10], older], Near.CLIENT)[0].violations


@pytest.mark.parametrize(
    ("syn", "last", "near"),
    [
        (0.0, 0.00201, Near.CLIENT),
        (0.0015, 0.00201, Near.UNKNOWN),  # half a millisecond: a busy host may take as long to answer
        (0.0021, 0.0201, Near.UNKNOWN),  # a SYN,ACK before its SYN: two clocks
        (0.0019, 0.0021, Near.UNKNOWN),
        (0.0019, 0.0201, Near.SERVER),
    ],
)
def test_where_a_capture_was_taken(syn: float, last: float, near: Near) -> None:
    segments = exchange()
    segments[0], segments[2] = replace(segments[0], time=syn), replace(segments[2], time=last)
    assert judge(segments)[0].position.near is near


def test_an_ack_beyond_what_was_sent_is_found_while_a_segment_is_missing() -> None:
    """The hole is filled later, which tells nothing of what lies beyond all that was sent."""
    segments = exchange()
    del segments[5]
    segments[5] = segment(7, 501, 1, ACK, length=500, stamps=(107, 900))
    ahead = segment(9, 1001, 1, ACK, stamps=(108, 900))
    lost = segment(10, 1, 1001, ACK, client=False, length=1000, stamps=(909, 107))
    segments[7:7] = [ahead, lost]
    assert found(segments) == []
    wrong = replace(ahead, segment=replace(ahead.segment, ack=seq.add(Y, 1_000_000)))
    segments[7] = wrong
    assert ("ack-beyond", 9) in {(item.code, item.frame) for item in found(segments)}


@pytest.mark.parametrize(
    ("frames", "beyond"),
    [
        ([4], Y + 100_000),
        ([7], Y + 100_000),
        ([4, 5], Y + 100_000),
        ([4, 7, 11], Y + 100_000),
        ([8], seq.add(X, 100_000)),
        ([6, 8], seq.add(X, 100_000)),
    ],
)
@pytest.mark.parametrize("stamped", [True, False])
def test_what_follows_an_ack_beyond_what_was_sent_is_no_defect_of_its_own(
    frames: list[int], beyond: int, stamped: bool
) -> None:
    """Neither the right ACKs that follow go back, nor do their windows."""
    segments = exchange()
    if not stamped:
        segments = [replace(item, segment=replace(item.segment, options=b"")) for item in segments]
    for frame in frames:
        item = segments[frame - 1]
        segments[frame - 1] = replace(item, segment=replace(item.segment, ack=beyond))
    (flow,) = judge(segments, Near.CLIENT if segments[frames[0] - 1].source == CLIENT else Near.SERVER)
    assert [(item.code, item.frame) for item in flow.violations] == [("ack-beyond", frames[0])]
    assert (flow.warnings, flow.inconclusive) == ((), ())


def test_a_window_withdrawn_after_an_ack_beyond_what_was_sent_is_one() -> None:
    segments = altered(4, ack=Y + 100_000)
    segments[8] = replace(segments[8], segment=replace(segments[8].segment, wnd=100))
    assert {(item.code, item.frame) for item in found(segments)} == {("ack-beyond", 4), ("edge-back", 9)}


def test_a_connection_begun_on_an_old_syn_is_another_one() -> None:
    """The server, which has no connection any more, answers a copy of the SYN; the client resets that."""
    segments = [*exchange()[:10], segment(11, 1501, None, RST)]
    for at in (20_000_000, 3000):
        anew = segment(12, at, 1, SYN, client=False, syn=True, stamps=(913, 100))
        late = segment(14, at + 1, 1, ACK, client=False, stamps=(914, 104))
        assert found([*segments, anew, segment(13, 1, None, RST), late]) == []
    unheralded = segment(14, 2001, 1, ACK, client=False, stamps=(914, 104))
    assert [item.code for item in found([*segments, unheralded])] == ["ack-back"]


def early(segment: Recorded, length: int = 500) -> Recorded:
    """Return a SYN with a Fast Open cookie, and with the first octets of its stream as data."""
    inner = segment.segment
    cookie = inner.options + Option(34, b"a cookie").encode()
    return replace(segment, segment=replace(inner, options=cookie, data=pattern(1, length)), length=length)


def fast_open(acknowledged: int = 501) -> list[Recorded]:
    """An exchange whose SYN brings 500 octets; 2000 answer it before the handshake is over."""
    return [
        early(segment(1, 0, None, SYN, syn=True, stamps=(100, 0))),
        segment(2, 0, acknowledged, SYN, client=False, syn=True, stamps=(900, 100)),
        segment(3, 1, acknowledged, ACK, client=False, length=1000, stamps=(901, 100)),
        segment(4, 1001, acknowledged, ACK, client=False, length=1000, stamps=(901, 100)),
        segment(5, 501, 2001, ACK, stamps=(105, 901)),
        segment(6, 501, 2001, FIN, stamps=(106, 901)),
        segment(7, 2001, 502, FIN, client=False, stamps=(907, 106)),
        segment(8, 502, 2002, ACK, stamps=(108, 907)),
    ]


def clean(segments: Sequence[Recorded]) -> bool:
    (flow,) = judge(segments)
    return not (flow.violations or flow.warnings or flow.inconclusive or flow.notes)


def test_fast_open() -> None:
    assert clean(fast_open())


def test_fast_open_that_falls_back() -> None:
    syn, syn_ack, *_ = fast_open(acknowledged=1)
    again = segment(3, 1, 1, ACK, length=500, stamps=(103, 900))
    answer = segment(4, 1, 501, ACK, client=False, length=1000, stamps=(904, 103))
    assert clean([syn, syn_ack, again, answer])
    other = replace(again.segment, data=again.segment.data[:-1] + b"\xff")
    wrong = [syn, syn_ack, replace(again, segment=other), answer]
    assert [(item.code, item.frame) for item in found(wrong)] == [("other-octets", 3)]


def test_a_syn_with_data_that_is_sent_again() -> None:
    syn, *rest = fast_open()
    bare = segment(50, 0, None, SYN, syn=True, stamps=(100, 0))
    assert clean([syn, bare, *rest])
    assert clean([bare, syn, *rest])
    # The SYN,ACK, which is on its way, tells of a smaller MSS than the client went by.
    inner = rest[0].segment
    small = mss_option(400).encode() + inner.options[4:]
    assert clean(
        [syn, replace(rest[0], segment=replace(inner, options=small)), replace(syn, frame=50), *rest[1:]]
    )


@pytest.mark.parametrize("acknowledged", [502, 0, 100_000])
def test_more_than_the_syn_brought_is_not_acknowledged_with_it(acknowledged: int) -> None:
    wrong = [fast_open()[0], fast_open(acknowledged)[1], segment(3, 501, 1, ACK, stamps=(103, 900))]
    assert ("syn-ack-number", 2) in {(item.code, item.frame) for item in found(wrong)}


def test_a_syn_with_data_that_the_capture_has_missed_is_no_violation() -> None:
    bare = segment(50, 0, None, SYN, syn=True, stamps=(100, 0))
    more = segment(9, 501, 2001, ACK, length=100, stamps=(105, 901))
    answer = segment(10, 2001, 601, ACK, client=False, stamps=(910, 105))
    (flow,) = judge([bare, *fast_open()[1:5], more, answer])
    assert not flow.violations
    assert "syn-ack-number" in {item.code for item in flow.inconclusive}


@pytest.mark.parametrize("resets", [False, True])
def test_an_answer_that_overtakes_the_syn_ack(resets: bool) -> None:
    """A client that has given up resets each segment; one that waits drops them (RFC 9293 3.10.7.3 fifth)."""
    syn, syn_ack, first, second, *rest = fast_open()
    reset = segment(50, 501, None, RST)
    if resets:
        assert clean([syn, first, reset, second, reset, syn_ack, reset, replace(first, frame=51), reset])
        return
    assert clean([syn, first, syn_ack, second, *rest])
    assert clean([syn, second, first, syn_ack, *rest])
    other = replace(first, frame=9, segment=replace(first.segment, data=bytes(1000)))
    wrong = found([syn, first, syn_ack, other, second, *rest])
    assert [(item.code, item.frame) for item in wrong] == [("other-octets", 9)]


def test_an_answer_whose_syn_ack_never_comes_is_not_judged() -> None:
    syn, _, first, *_ = fast_open()
    (flow,) = judge([syn, first])
    assert not flow.violations
    assert "1 segments belong to no connection that the capture shows" in flow.notes


def test_a_right_edge_withdrawn_is_a_warning() -> None:
    (flow,) = judge(altered(10, wnd=100), Near.SERVER)
    assert not flow.violations
    assert [(item.code, item.level) for item in flow.warnings] == [("edge-back", Level.SHOULD)]


def test_the_timestamp_clock() -> None:
    def at(frame: int, time: float, tsval: int) -> Recorded:
        return replace(segment(frame, 1501, 2001, ACK, stamps=(tsval, 908)), time=time)

    start = exchange()[:10]
    assert not found([*start, at(50, 10.0, 10_100), at(51, 20.0, 20_100), at(52, 21.0, 19_000)])
    back = found([*start, at(50, 10.0, 10_100), at(51, 20.0, 20_100), at(52, 21.0, 9000)])
    assert ("timestamps-clock", 52) in {(item.code, item.frame) for item in back}


def test_ports_used_again_are_another_connection() -> None:
    first = exchange()
    second = [
        replace(
            item,
            frame=item.frame + 20,
            time=item.time + 1,
            segment=replace(
                item.segment,
                seq=seq.add(item.segment.seq, 1 << 20),
                ack=seq.add(item.segment.ack, 1 << 20) if item.segment.has(ACK) else 0,
            ),
        )
        for item in first
    ]
    late = replace(first[7], frame=40, time=1.0085)  # of the first connection, in the second
    flows = judge([*first, *second[:9], late, *second[9:]])
    assert [flow.number for flow in flows] == [0, 1]
    assert not any(flow.violations for flow in flows)
    assert flows[1].notes == ("1 segments belong to no connection that the capture shows",)


def test_a_refused_connection() -> None:
    syn = exchange()[0]
    refusal = segment(2, 0, 1, RST, client=False)
    refused = replace(refusal, segment=replace(refusal.segment, seq=0))
    assert not found([syn, refused])
    assert [item.code for item in found([syn, refusal])] == ["reset-number"]


def test_findings_do_not_grow_without_bound() -> None:
    bad = [replace(AGAIN, frame=frame, segment=replace(AGAIN.segment, rsv=2)) for frame in range(50, 350)]
    (flow,) = judge([*exchange()[:8], *bad])
    assert len(flow.violations) == 100
    assert "200 more findings" in flow.notes[-1]


def test_ranges() -> None:
    seen = Ranges()
    for start, end in ((10, 20), (30, 40), (20, 25), (5, 6), (39, 50)):
        seen.add(start, end)
    assert seen.gaps(0, 60) == [(0, 5), (6, 10), (25, 30), (50, 60)]
    assert seen.gaps(12, 24) == []
    seen.add(0, 100)
    assert seen.gaps(0, 100) == []


def test_octets_remembered() -> None:
    kept = Octets(100)
    kept.add(10, b"abcdef")
    kept.add(20, b"xyz")
    kept.add(8, b"__abcdef____xyz__")
    assert kept.difference(8, b"__abcdef____xyz__") is None
    assert kept.difference(0, b"________" + b"__abXdef") == 12
    kept.add(1000, bytes(95))
    assert kept.difference(8, b"???") is None
