import subprocess
import sys
from pathlib import Path

import pytest

from conformance.language.loader import load_file, load_text
from conformance.model.case import (
    CallError,
    CallName,
    Case,
    Expect,
    ExpectNothing,
    ExpectOracle,
    Send,
    Stream,
    UserCall,
    Wait,
)
from conformance.model.case import TesterOptions as Offered
from conformance.model.state import Role, State
from conformance.model.verdict import Level
from conformance.run.loading import load_cases


def load(text: str) -> list[Case]:
    cases, diagnostics = load_text(text.encode(), "case.yaml", "theme/case")
    assert not diagnostics
    return cases


def one(steps: str, top: str = "") -> Case:
    [case] = load(f"title: A case\n{top}\nsteps:\n{steps}\n")
    return case


def action(step: str) -> object:
    return one(f"  - {step}").steps[0].action


def test_everything_at_the_top() -> None:
    case = one(
        "  - wait: 1s",
        "rfc: 9293 3.10.7.4\ncovers: [SHLD-2, MAY-12]\nabout: |\n  Why\n  it matters.\n"
        "target: client\nfrom: FIN-WAIT-1\nip: 4\n"
        "with: {mss: 1460, window-scale: 7, timestamps: yes, sack: on, isn: 0xFFFFFFFF, window: 0}\n"
        "needs: [slow, sysctl net.ipv4.tcp_rmem=4096 87380 6291456, exclusive]",
    )
    assert (case.id, case.theme, case.title, case.rfc) == ("theme/case", "theme", "A case", "9293 3.10.7.4")
    assert (case.covers, case.level, case.about) == (("SHLD-2", "MAY-12"), Level.SHOULD, "Why\nit matters.")
    assert (case.role, case.start, case.ip) == (Role.CLIENT, State.FIN_WAIT_1, (4,))
    assert case.options == Offered(1460, 7, True, True, 0xFFFFFFFF, 0)
    assert case.needs.words() == ["exclusive", "slow", "sysctl net.ipv4.tcp_rmem=4096 87380 6291456"]
    assert (case.span.line, case.span.column, case.span.end) == (1, 8, 14)


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("true", "false"), ("True", "False"), ("on", "off")])
def test_yes_and_no_are_spelled_as_in_yaml(yes: str, no: str) -> None:
    case = one(
        f"  - call: RECEIVE 1\n    queued: {yes}\n  - return: RECEIVE\n  - call: RECEIVE 1\n    queued: {no}",
        f"with: {{timestamps: {yes}, sack: {no}}}",
    )
    assert (case.options.timestamps, case.options.sack) == (True, False)
    assert [step.queued for step in case.steps] == [True, False, False]


@pytest.mark.parametrize(
    ("top", "role", "start"),
    [
        ("", Role.SERVER, State.LISTEN),
        ("target: client", Role.CLIENT, State.CLOSED),
        ("from: SYN-SENT", Role.CLIENT, State.SYN_SENT),
        ("from: TIME-WAIT", Role.SERVER, State.TIME_WAIT),
        ("from: CLOSED", Role.SERVER, State.CLOSED),
        ("target: client\nfrom: SYN-RECEIVED", Role.CLIENT, State.SYN_RECEIVED),
    ],
)
def test_role_and_start(top: str, role: Role, start: State) -> None:
    case = one("  - wait: 1s", top)
    assert (case.role, case.start) == (role, start)


@pytest.mark.parametrize(
    ("covers", "level"),
    [
        ("MUST-13", Level.MUST),
        ("[MAY-1, SHLD-1]", Level.SHOULD),
        ("MAY-1", Level.MAY),
        ("REC-1", Level.SHOULD),
    ],
)
def test_level_follows_from_what_is_covered(covers: str, level: Level) -> None:
    assert one("  - wait: 1s", f"covers: {covers}").level is level
    assert one("  - wait: 1s", f"covers: {covers}\nlevel: MAY").level is Level.MAY


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("wait: 200ms", Wait(0.2)),
        ("wait: 1.5s", Wait(1.5)),
        ("wait: 2min", Wait(120.0)),
        ("wait: 2MSL", Wait(0.0, twice_msl=True)),
        ("wait: 2MSL + 1.5s", Wait(1.5, twice_msl=True)),
        ("expect: nothing", ExpectNothing()),
        ("expect: oracle", ExpectOracle()),
        ("stream: 4096", Stream(count=4096)),
        ('stream: "HTTP/1.1: 200 #1\\r\\n\\xff"', Stream(data=b"HTTP/1.1: 200 #1\r\n\xff")),
        ("stream: 'as it stands'", Stream(data=b"as it stands")),
        ("stream: RESPONSE", Stream(response=True)),
        ("stream: RESPONSE 404", Stream(response=True, status=404)),
        ("stream: RESPONSE HEAD", Stream(response=True, head=True)),
        ("call: OPEN", UserCall(CallName.OPEN)),
        ("call: CLOSE", UserCall(CallName.CLOSE)),
        ("call: CLOSE half-duplex", UserCall(CallName.CLOSE, half_duplex=True)),
        ("call: ABORT", UserCall(CallName.ABORT)),
        ('call: SEND "a: b # \\x00"', UserCall(CallName.SEND, data=b"a: b # \0")),
        ("call: SEND 4096", UserCall(CallName.SEND, count=4096)),
        ('call: RECEIVE "hello"', UserCall(CallName.RECEIVE, data=b"hello")),
        ('call: RECEIVE urgent "c"', UserCall(CallName.RECEIVE, data=b"c", urgent=True)),
        ('call: [RECEIVE "a, b"]', UserCall(CallName.RECEIVE, data=b"a, b")),
        (
            'call: [RECEIVE "a, b", RECEIVE "#c", RECEIVE "d"]',
            UserCall(CallName.RECEIVE, data=b"a, b", others=(b"#c", b"d")),
        ),
        ("call: RECEIVE EOF", UserCall(CallName.RECEIVE, eof=True)),
        ("call: RECEIVE RESET", UserCall(CallName.RECEIVE, error=CallError.RESET)),
        ("call: RECEIVE REFUSED", UserCall(CallName.RECEIVE, error=CallError.REFUSED)),
        ("call: RECEIVE TIMEOUT", UserCall(CallName.RECEIVE, error=CallError.TIMEOUT)),
        ("call: OPTION nodelay on", UserCall(CallName.OPTION, option=("nodelay", "1"))),
        (
            "{call: SEND 1, error: connection closing}",
            UserCall(CallName.SEND, count=1, error=CallError.CLOSING),
        ),
    ],
)
def test_actions(step: str, expected: object) -> None:
    assert action(step) == expected


@pytest.mark.parametrize(
    "written",
    [
        '<SEQ=x+1><DATA="a: b">',
        '<SEQ=x+1><DATA="a #b">',
        "<ACK=*>",
        "<WND!=0><CTL=SYN,ACK>",
        '<DATA="{}[],&*!|">',
        '<DATA="a > b < c">',
        "<OPT=0x03 03 07,NOP>",
    ],
)
def test_segments_need_no_quotes(written: str) -> None:
    for text in (
        written,
        f"{written}  # a comment",
        f"[{written}, {written}]",
        f"[ {written} ]  # [",
        f"'{written}'",
    ):
        expected = action(f"expect: {text}")
        assert isinstance(expected, Expect)
        assert {str(item.pattern) for item in expected.alternatives} == {written}


def test_raw_octets() -> None:
    sent = action("raw: 0x1f90 00 50\n      FFff")
    assert isinstance(sent, Send)
    assert sent.raw == bytes.fromhex("1f900050ffff")


def test_everything_in_a_step() -> None:
    case = one(
        "  - expect: <SEQ=z><WND=w>\n    state: [SYN-RECEIVED, ESTABLISHED]\n    within: 2s\n"
        "    after: 500ms\n    at: t1\n    check: t1 > 0 and w < 100\n"
        "    despite: an old stack\n    connection: 2\n"
        "  - send: <SEQ=z+w>\n    connection: 2\n"
        "  - state: ESTABLISHED\n  - check: z > 1"
    )
    step = case.steps[0]
    assert step.state == (State.SYN_RECEIVED, State.ESTABLISHED)
    assert (step.within, step.after, step.at, step.connection) == (2.0, 0.5, "t1", 2)
    assert str(step.check) == "t1 > 0 and w < 100"
    assert step.despite == "an old stack"
    assert case.steps[2].action is None
    assert case.steps[3].check_text is not None


ROWS = "for:\n  - {state: CLOSE-WAIT, ack: y+1}\n  - {state: FIN-WAIT-1, ack: y+2}"
COLUMNS = "for:\n  state: [CLOSE-WAIT, FIN-WAIT-1]\n  ack: [y+1, y+2]"


@pytest.mark.parametrize("table", [ROWS, COLUMNS])
def test_variants(table: str) -> None:
    cases = load(
        f'title: RST in $state\nfrom: $state\n{table}\nsteps:\n  - send: <ACK=${{ack}}><DATA="$$5">\n'
    )
    assert [case.id for case in cases] == ["theme/case[CLOSE-WAIT]", "theme/case[FIN-WAIT-1]"]
    assert [case.title for case in cases] == ["RST in CLOSE-WAIT", "RST in FIN-WAIT-1"]
    assert [case.start for case in cases] == [State.CLOSE_WAIT, State.FIN_WAIT_1]
    assert cases[1].parameters == {"state": "FIN-WAIT-1", "ack": "y+2"}
    sent = cases[1].steps[0].action
    assert isinstance(sent, Send)
    assert str(sent.pattern) == '<ACK=y+2><DATA="$5">'


def test_a_replaced_parameter_stands_where_it_is_written() -> None:
    [case] = load("title: A\nfor: [{name: one, number: x+100}]\nsteps:\n  - send: <SEQ=$number><CTL=ACK>\n")
    text = case.steps[0].text
    span = text.span(text.text.index("x"), text.text.index(">"))
    assert (span.line, span.column, span.end) == (4, 16, 23)
    after = text.span(text.text.index("CTL"), text.text.index("CTL") + 3)
    assert (after.column, after.end) == (25, 28)


def test_ids(tmp_path: Path) -> None:
    root = tmp_path / "cases"
    other = tmp_path / "mine"
    for path in (
        root / "close/rst.yaml",
        root / "one.yml",
        other / "deep/two.yaml",
        root / ".hidden/no.yaml",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("title: A\nsteps:\n  - wait: 1s\n", encoding="utf-8")
    (other / "deep/README.md").touch()
    paths = [root, root / "close", other, root / "one.yml"]
    cases, diagnostics = load_cases(list(map(str, paths)), root)
    assert not diagnostics
    assert [case.id for case in cases] == ["close/rst", "one", "deep/two"]
    [alone], _ = load_cases([str(other / "deep/two.yaml")], root)
    assert alone.id == "two"
    assert alone.span.path == str(other / "deep/two.yaml")


def test_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbftitle: A\r\nsteps:\r\n  - send: <CTL=AKC>\r\n")
    _, [found] = load_file(path, "a")
    assert found.span is not None
    assert (found.span.line, found.span.column, found.line) == (3, 16, "  - send: <CTL=AKC>")


def test_the_cases_that_come_with_the_tester(project: Path) -> None:
    _, diagnostics = load_cases([], project / "cases")
    assert not diagnostics


def test_importing_the_package_is_light() -> None:
    heavy = ["yaml", "scapy.all", "pyroute2", "csv", "rich"]
    code = f"import sys, conformance.language; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_block_is_for_one_connection_after_another() -> None:
    block = "  - connection: 2..3\n    steps:\n      - send: <CTL=SYN>\n      - expect: <CTL=SYN,ACK>"
    steps = one(f"{block}\n  - check: distinct(y) == 2").steps
    assert [step.connection for step in steps] == [2, 2, 3, 3, 1]
    assert [type(step.action) for step in steps[:4]] == [Send, Expect] * 2
