"""What cases cover, and at which kinds of target they can be tried."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.language.requirements import requirements
from conformance.run.kinds import KINDS, Offer, can_run, needed
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


@pytest.mark.parametrize(
    ("text", "offers"),
    [
        (SYN, set()),
        ("from: SYN-RECEIVED\nsteps:\n  - send: <SEQ=x+1><CTL=RST>\n", set()),
        ("from: ESTABLISHED\nsteps:\n  - send: <CTL=ACK><DATA=1>\n", {Offer.QUIET}),
        ("from: CLOSE-WAIT\nsteps:\n  - wait: 1s\n", {Offer.QUIET}),
        ("steps:\n  - raw: 0x00 00\n", {Offer.QUIET}),
        ("target: client\nsteps:\n  - call: OPEN\n", {Offer.CALLS}),
        ("target: client\nsteps:\n  - call: OPEN local any\n", {Offer.CALLS, Offer.SECOND_ADDRESS}),
        ("from: FIN-WAIT-2\nsteps:\n  - wait: 1s\n", {Offer.CALLS}),
        ("from: ESTABLISHED\nsteps:\n  - call: SEND 1\n", {Offer.CALLS}),
        ("needs: sysctl net.ipv4.tcp_sack=1\n" + SYN, {Offer.SETTINGS}),
        ("needs: exclusive\n" + SYN, {Offer.OWN}),
        ("needs: http\nfrom: ESTABLISHED\nsteps:\n  - send: <CTL=ACK><DATA=1>\n", {Offer.HTTP}),
    ],
)
def test_what_a_case_needs_of_a_target(tmp_path: Path, text: str, offers: set[Offer]) -> None:
    (tmp_path / "one.yaml").write_text(HEAD + text)
    cases, errors = load_cases([str(tmp_path)], tmp_path, (), rehearsed=False, heads=False)
    assert not errors
    assert needed(cases[0]) == offers
    assert {kind for kind in KINDS if can_run(cases[0], kind)} == {
        kind for kind, offered in KINDS.items() if offers <= offered
    }


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
    assert lines[0] == "RFC 9293     1 of 109 that can be observed are covered; 10 cannot be"
    assert not any(line.startswith("  MUST-13 ") for line in lines)
    assert "  MUST-10          MUST        3.5        no case yet" in lines
    assert (
        "  MAY-14           MAY         3.9.1.7    not observable: The sockets API has no FLUSH call."
        in lines
    )
    assert "all          1 of 223 that can be observed are covered; 16 cannot be" in lines
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
