"""`conformance agent check` passes agents that conform, and each of its checks finds what it is there for."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.target import agent, agent_check
from conformance.target.agent_check import CHECKS, Finding, Outcome, Setting

DOCUMENT = Path(__file__).parents[2] / "docs" / "agent.md"
BROKEN = Path(__file__).with_name("broken_agent.py")
OURS = (sys.executable, "-I", "-S", str(Path(agent.__file__)))
SILENT = "192.0.2.77"  # never asked: agents with a defect there send no SYN
NAMES = [check.name for check in CHECKS]
NO_REPLY = [
    "noise",
    "two-replies",
    "unasked",
    "both-ok-and-error",
    "neither-ok-nor-error",
    "no-errno",
    "no-identifier",
    "identifier-as-text",
]


def broken(name: str) -> Setting:
    return Setting((sys.executable, str(BROKEN), name), silent=SILENT, patience=1.0)


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have only these checks made."""
    monkeypatch.setattr(agent_check, "CHECKS", [check for check in CHECKS if check.name in names])


def finding(name: str, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> Finding:
    """Return what one check finds."""
    only(monkeypatch, name)
    offered = frozenset(["state", "set_option", "tcp_info", "sysctl", "urgent", "receive_urgent"])
    (found,) = agent_check.perform(setting, offered)
    return found


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["agent", "check", *arguments])


def test_ours_conforms() -> None:
    result = invoke("--", *OURS)
    assert "WRONG" not in result.output
    assert result.exit_code == 0
    assert "advance is not offered: cases that need it are skipped" in result.output


def test_each_sentence_is_in_the_specification() -> None:
    text = " ".join(DOCUMENT.read_text().split())
    assert [check.name for check in CHECKS if " ".join(check.sentence.split()) not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_check_finds_its_defect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = finding(name, broken(name), monkeypatch)
    assert found.outcome is Outcome.VIOLATES, found
    assert found.detail


@pytest.mark.parametrize("name", NO_REPLY)
def test_what_is_no_reply_is_found_by_any_check(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = finding("unknown-arguments", broken(name), monkeypatch)
    assert found.outcome is Outcome.VIOLATES, found


def test_what_is_wrong_is_shown_with_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "hello", "identifiers")
    result = invoke("--", sys.executable, str(BROKEN), "hello")
    assert result.exit_code == 1
    assert "WRONG     hello" in result.output
    assert "docs/agent.md: Must be there, as must `listen`" in result.output
    assert "not offered: release" in result.output


def test_what_is_not_there_to_check_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "established", "opening-waits", "free-port")
    result = invoke("--no-loopback", "--", *OURS)
    assert result.exit_code == 0
    assert "left out  established  needs an agent that reaches itself" in result.output
    assert "left out  opening-waits  needs --silent ADDRESS" in result.output
    assert "ok        free-port" in result.output
    assert "3 checks: 1 ok, 0 wrong, 2 left out" in result.output


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--", "/nowhere/agent"], 3, "cannot start the agent /nowhere/agent"),
        (["--", sys.executable, "-c", "import sys; sys.exit('no stack')"], 3, "no stack"),
        ([], 2, "COMMAND"),
        (["--address", "here", "--", *OURS], 2, "here is no IPv4 or IPv6 address"),
    ],
)
def test_what_cannot_be_checked(arguments: list[str], exit_code: int, words: str) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, words in result.output) == (exit_code, True), result.output


def test_an_agent_that_says_nothing_is_found_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    found = finding("hello", Setting(("sleep", "10"), patience=0.2), monkeypatch)
    assert found.outcome is Outcome.VIOLATES
