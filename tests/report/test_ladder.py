import re
from collections.abc import Callable
from dataclasses import replace

import sample
from hypothesis import given
from hypothesis import strategies as st

from conformance.model.segment import Control, Segment
from conformance.model.state import Role
from conformance.model.trace import Kind, Record
from conformance.report.ladder import WIDTH, ladder

Golden = Callable[[str, str], None]
CONTROLS = "SYN,FIN,RST,PSH,URG,ECE,CWR,ACK"


def _with(*records: Record, role: Role = Role.SERVER) -> list[str]:
    case = sample.case("a/b", role=role)
    return ladder(replace(sample.FAILED, case=case, trace=records))


def test_an_exchange(golden: Golden) -> None:
    golden("ladder.txt", "\n".join(ladder(sample.FAILED)) + "\n")


def test_wide_segments_calls_notes_and_two_connections(golden: Golden) -> None:
    wide = f"<SEQ=x+16777215><ACK=y2+16777215><CTL={CONTROLS}><DATA=1460><WND=65535><OPT=MSS 1460,TS 1 2>"
    lines = _with(
        Record(0.0, Kind.SENT, 0, "<SEQ=x><CTL=SYN>", inferred="SYN-RECEIVED"),
        Record(0.1, Kind.SENT, 0, "<SEQ=x2><CTL=SYN>", inferred="SYN-RECEIVED", connection=2),
        Record(100.25, Kind.RECEIVED, 1, wide, inferred="SYN-RECEIVED", connection=2, why="retransmission"),
        Record(
            100.25,
            Kind.RECEIVED,
            1,
            wide,
            inferred="SYN-RECEIVED",
            wrong=True,
            why="far " * 40,
            clause="RFC 9293 3.4",
        ),
        Record(100.3, Kind.CALL, 2, 'SEND "a text too long for the column of the target"'),
        Record(100.4, Kind.RETURN, 2, "connection aborted due to user timeout", wrong=True),
        Record(100.4, Kind.STATE, 2, "SYN-RECEIVED", why="inferred", inferred="SYN-RECEIVED"),
        Record(100.5, Kind.NOTE, 3, "no answer " * 20),
    )
    golden("ladder-wide.txt", "\n".join(lines) + "\n")


def test_nothing_happened() -> None:
    assert _with() == []


def test_the_state_before_anything_happens_is_the_role_s() -> None:
    record = Record(0.0, Kind.NOTE, 0, "x")
    assert _with(record)[1].split() == ["LISTEN"]
    assert _with(record, role=Role.CLIENT)[1].split() == ["CLOSED"]


def test_a_state_seen_again_in_the_same_step_is_shown_once() -> None:
    seen = Record(0.0, Kind.STATE, 0, "LISTEN", why="observed")
    assert len(_with(seen, replace(seen, time=1.0))) == len(_with(seen))
    assert len(_with(seen, replace(seen, step=1))) == len(_with(seen)) + 1
    assert len(_with(seen, replace(seen, wrong=True))) == len(_with(seen)) + 2


words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300)
records = st.builds(
    Record,
    time=st.floats(0, 1e4),
    kind=st.sampled_from(Kind),
    step=st.none() | st.integers(-1, 999),
    shown=words,
    connection=st.integers(1, 3),
    why=words,
    inferred=st.sampled_from(["", "LISTEN", "SYN-RECEIVED", "ESTABLISHED"]),
    wrong=st.booleans(),
)


@given(st.lists(records, max_size=6))
def test_no_line_is_wider_than_the_page(trace: list[Record]) -> None:
    assert all(len(line) <= WIDTH for line in _with(*trace))


def test_what_the_figures_leave_out_is_shown_where_it_matters() -> None:
    def sent(**fields: object) -> Record:
        return Record(0.0, Kind.SENT, 0, "<SEQ=x><CTL=ACK>", Segment(1, 0, Control.ACK, **fields))  # type: ignore[arg-type]

    def came(window: int) -> Record:
        return Record(
            0.0, Kind.RECEIVED, 0, "<SEQ=y><CTL=ACK>", Segment(1, 0, Control.ACK, window, doff=8, ttl=3)
        )

    lines = _with(
        sent(), sent(wnd=0), came(7), came(6), came(0), came(9), sent(wnd=0, checksum_ok=False, doff=4)
    )
    fields = [
        "".join(re.findall(r"<(?:WND|CKSUM|DOFF|TTL|URP)=\d+>|<CKSUM=bad>", line)) for line in lines[2:]
    ]
    assert fields == ["", "<WND=0>", "", "", "<WND=0>", "<WND=9>", "<CKSUM=bad><DOFF=4>"]
