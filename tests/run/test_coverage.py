"""What cases cover, and at which kinds of target they can be tried."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.language.requirements import requirements
from conformance.run.kinds import KINDS, can_run
from conformance.run.loading import load_cases

HEAD = "title: of one kind or another\ncovers: MUST-13\n"
SYN = "steps:\n  - send: <SEQ=x><CTL=SYN>\n"


def _coverage(tmp_path: Path, cases: dict[str, str], *arguments: str) -> str:
    (tmp_path / "cases").mkdir(exist_ok=True)
    for name, text in cases.items():
        (tmp_path / "cases" / f"{name}.yaml").write_text(HEAD + text)
    result = CliRunner().invoke(main, ["coverage", str(tmp_path / "cases"), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


UNREAD = "from: ESTABLISHED\nsteps:\n  - send: <CTL=ACK><DATA=1>\n"
WITH_AGENT = ("reference", "netns", "container", "tap")
HOSTS = ("host, bare port", "host, echo", "host, HTTP")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (SYN, {*WITH_AGENT, *HOSTS}),
        ("from: SYN-RECEIVED\nsteps:\n  - send: <SEQ=x+1><CTL=RST>\n", {*WITH_AGENT, *HOSTS}),
        ("from: ESTABLISHED\nsteps:\n  - send: <CTL=ACK><DATA=1>\n", {*WITH_AGENT, "host, HTTP"}),
        ("from: ESTABLISHED\nsteps:\n  - call: SEND 1\n", {*WITH_AGENT, "host, echo"}),
        ("from: ESTABLISHED\nsteps:\n  - call: CLOSE\n", {*WITH_AGENT, "host, HTTP"}),
        (
            "from: ESTABLISHED\nsteps:\n  - call: CLOSE\n  - call: CLOSE\n    error: connection closing\n",
            {*WITH_AGENT},
        ),
        (UNREAD + "  - call: CLOSE\n", {*WITH_AGENT, "host, HTTP"}),
        (UNREAD + "  - call: CLOSE half-duplex\n", {*WITH_AGENT}),
        ("from: ESTABLISHED\nsteps:\n  - call: ABORT\n", {*WITH_AGENT}),
        ("from: ESTABLISHED\nsteps:\n  - send: <TTL=1><CTL=ACK>\n", {*WITH_AGENT}),
        ("from: CLOSE-WAIT\nsteps:\n  - wait: 1s\n", {*WITH_AGENT}),
        ("from: FIN-WAIT-2\nsteps:\n  - wait: 1s\n", {*WITH_AGENT, "host, HTTP"}),
        ("from: LAST-ACK\nsteps:\n  - wait: 1s\n", {*WITH_AGENT, "host, echo", "host, HTTP"}),
        ("target: client\nsteps:\n  - call: OPEN\n", {*WITH_AGENT}),
        ("with: {port: same}\n" + SYN, {*WITH_AGENT}),
        (
            UNREAD.replace("  - send", "  - call: RECEIVE 1\n    queued: yes\n  - return: RECEIVE\n  - send"),
            {*WITH_AGENT},
        ),
        ("target: client\nsteps:\n  - call: OPEN local any\n", {"reference", "netns", "container"}),
        ("needs: sysctl net.ipv4.tcp_sack=1\n" + SYN, {"reference", "netns", "container"}),
        ("needs: [exclusive, slow, disruptive]\n" + SYN, {*WITH_AGENT, *HOSTS}),
        (
            "needs: http\nfrom: ESTABLISHED\nsteps:\n  - send: <CTL=ACK><DATA=1>\n",
            {*WITH_AGENT, "host, HTTP"},
        ),
    ],
)
def test_the_kinds_of_target_that_can_run_a_case(tmp_path: Path, text: str, kinds: set[str]) -> None:
    (tmp_path / "one.yaml").write_text(HEAD + text)
    cases, errors = load_cases([str(tmp_path)], tmp_path, (), rehearsed=False, heads=False)
    assert not errors
    assert {kind for kind in KINDS if can_run(cases[0], kind)} == kinds


def test_json_has_each_requirement_with_cases_and_targets_or_why_not(tmp_path: Path) -> None:
    client = "target: client\nsteps:\n  - call: OPEN\n"
    rows = json.loads(_coverage(tmp_path, {"any": SYN, "client": client}, "--json"))
    assert [row["id"] for row in rows] == list(requirements())
    assert all(bool(row["cases"]) != bool(row["why"]) for row in rows)
    row = next(row for row in rows if row["id"] == "MUST-13")
    assert (row["level"], row["rfc"], row["section"], row["observable"]) == ("MUST", "9293", "3.6.1", "agent")
    assert [name.rpartition("/")[2] for name in row["cases"]] == ["any", "client"]
    assert row["targets"].keys() == KINDS.keys()
    assert len(row["targets"]["netns"]) == 2
    assert [name.rpartition("/")[2] for name in row["targets"]["host, echo"]] == ["any"]


def test_the_summary_counts_what_can_be_observed_and_gives_reasons(tmp_path: Path) -> None:
    lines = _coverage(tmp_path, {"any": SYN}).splitlines()
    assert lines[0] == "RFC 9293     1 of 108 that can be observed are covered; 11 cannot be"
    assert not any(line.startswith("  MUST-13 ") for line in lines)
    assert "  MUST-10          MUST        3.5        no case yet" in lines
    assert (
        "  MAY-14           MAY         3.9.1.7    not observable: The sockets API has no FLUSH call."
        in lines
    )
    assert "all          1 of 232 that can be observed are covered; 17 cannot be" in lines
    assert lines[-1] == "  host, HTTP         1"


def test_one_requirement_with_its_cases(tmp_path: Path) -> None:
    shown = _coverage(tmp_path, {"any": SYN}, "MUST-13", "MAY-14").splitlines()
    assert shown[0] == "MUST-13  MUST, RFC 9293 3.6.1"
    assert shown[2] == "  observable: agent"
    assert shown[3].endswith(f"any  ({', '.join(KINDS)})")
    assert shown[4] == "MAY-14  MAY, RFC 9293 3.9.1.7"
    assert shown[6] == "  observable: api; The sockets API has no FLUSH call."


def test_each_packaged_case_covers_what_there_is() -> None:
    result = CliRunner().invoke(main, ["coverage", "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)
    assert [row["id"] for row in rows if row["observable"] in ("api", "none") and row["cases"]] == []


def test_what_no_packaged_case_covers_says_why() -> None:
    rows = {row["id"]: row for row in json.loads(CliRunner().invoke(main, ["coverage", "--json"]).output)}
    assert [name for name, row in rows.items() if row["why"] == "no case yet"] == []
    # It contradicts RFC 9293, which decides: the case that asks for the one cannot pass with the other.
    opposite = rows["RFC5927-5.2"]
    assert not opposite["cases"]
    assert "icmp/hard-error-aborts" in opposite["why"]
    assert any(name.startswith("icmp/hard-error-aborts") for name in rows["SHLD-26"]["cases"])
