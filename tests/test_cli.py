import json
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from conformance import __version__
from conformance.cli import Commands, main
from conformance.target.base import TargetError
from tests.running import last_run

GOOD = """\
title: Three-way handshake
rfc: 9293 3.5
covers: MUST-13
needs: slow
steps:
  - send:   <SEQ=x><CTL=SYN>
  - expect: <SEQ=y><ACK=x+1><CTL=SYN,ACK>
"""
VARIANTS = """\
title: Bits $bits
for:
  - {name: one, bits: SYN}
  - {name: two, bits: "SYN,PSH"}
steps:
  - send:   <SEQ=x><CTL=$bits>
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/good.yaml").write_text(GOOD)
    Path("mine/variants.yaml").write_text(VARIANTS)


def _invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list", "mine"], ["lint", "mine"]])
def test_what_sends_nothing_imports_nothing_that_is_slow(arguments: list[str]) -> None:
    code = f"""if True:
        import sys
        from conformance.cli import main
        assert main({arguments}, standalone_mode=False) in (None, 0)
        print({{"scapy", "pyroute2", "rich", "junit_xml"}} & set(sys.modules))
    """
    assert _python(code).splitlines()[-1] == "set()"


def test_version() -> None:
    assert _invoke("--version").output == f"conformance, version {__version__}\n"


def test_list_for_programs() -> None:
    listed = json.loads(_invoke("list", "--json", "mine").output)
    assert [case["id"] for case in listed] == ["good", "variants[one]", "variants[two]"]
    assert listed[0] == {
        "id": "good",
        "theme": "good",
        "title": "Three-way handshake",
        "rfc": "9293 3.5",
        "covers": ["MUST-13"],
        "level": "MUST",
        "ip": [4, 6],
        "needs": ["slow"],
        "role": "server",
    }


def test_list_for_people() -> None:
    lines = _invoke("list", "mine").output.splitlines()
    assert lines[0] == "good           MUST    server  Three-way handshake  (RFC 9293 3.5; MUST-13; slow)"
    assert lines[-1] == "3 variants of 2 cases"


def test_one_variant_or_theme() -> None:
    assert _invoke("list", "mine/variants.yaml[two]").output.splitlines()[-1] == "1 variant of 1 case"
    assert _invoke("list", "mine", "-k", "one").output.splitlines()[-1] == "1 variant of 1 case"


def test_the_cases_that_come_with_it_are_sound() -> None:
    result = _invoke("lint")
    assert result.exit_code == 0, result.output
    assert result.output.endswith(": no errors\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--no-such-option"], "No such option"),
        (["run", "--target", "nowhere"], "there is no target nowhere; known are "),
        (["run", "close/four-wya"], "no case is called close/four-wya; did you mean "),
        (["run", "mine/none.yaml"], "there is no file mine/none.yaml"),
        (["run", "mine/variants.yaml[three]"], "variants has no variant [three]; it has [one], [two]"),
        (["run", "mine", "-k", "nothing"], "no case fits nothing"),
        (["run", "mine", "--reports", "mine/good.yaml/x"], "no reports can be written to mine/good.yaml/x"),
        (["report", "nothing.json"], "does not exist"),
        (["report", "mine/good.yaml"], "mine/good.yaml: not JSON"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    result = _invoke(*arguments)
    assert message in result.output
    assert result.exit_code == 2


@pytest.mark.parametrize("command", ["lint", "run", "list"])
def test_every_error_of_every_case_is_shown_and_nothing_sent(command: str) -> None:
    Path("mine/bad.yaml").write_text(GOOD.replace("SYN,ACK", "SYN,AKC").replace("title", "titel"))
    Path("mine/worse.yaml").write_text("steps:\n\t- send\n")
    result = _invoke(command, "mine")
    assert result.exit_code == 2
    assert "did you mean ACK?" in result.output
    assert "mine/bad.yaml:1:1" in result.output
    assert "mine/worse.yaml:2:1" in result.output
    assert result.output.endswith("nothing was sent\n")
    assert not Path("reports").exists()


def test_a_case_that_contradicts_the_rfc_is_refused_unless_it_says_why() -> None:
    wrong = GOOD.replace("ACK=x+1>", "ACK=x+2>")
    Path("mine/good.yaml").write_text(wrong)
    result = _invoke("lint", "mine")
    assert result.exit_code == 2
    assert "mine/good.yaml:7:" in result.output
    assert "^^^^^^^" in result.output
    Path("mine/good.yaml").write_text(wrong + "    despite: to see it fail\n")
    assert _invoke("lint", "mine").exit_code == 0


def test_what_would_run() -> None:
    result = _invoke("run", "mine", "--list")
    assert result.output.endswith("3 variants of 2 cases\n")
    assert not Path("reports").exists()


def test_reports_are_made_again_from_run_json(golden_run: Path) -> None:
    result = _invoke("report", str(golden_run), "--junit", "new/junit.xml")
    assert result.exit_code == 1
    assert "NONCONFORMING" in result.output
    assert len(list(ET.parse("new/junit.xml").iter("testcase"))) == 9
    assert "= came: " in _invoke("report", str(golden_run), "-v").output


@pytest.fixture
def golden_run() -> Path:
    return Path(__file__).parent / "report" / "golden" / "run.json"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("by zero"), "error: this is a defect of the tester itself"),
        (TargetError("no namespace", "run as root"), "error: no namespace\n  try: run as root\n"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_is_no_verdict_is_not_taken_for_one(error: BaseException, message: str) -> None:
    @click.group(cls=Commands)
    def group() -> None: ...

    @group.command()
    def fail() -> None:
        raise error

    result = CliRunner().invoke(group, ["fail"])
    assert result.exit_code == 3
    assert message in result.output


# -- with a real target -----------------------------------------------------------------
def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from conformance.cli import main; main()", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.netns
def test_a_failure() -> None:
    wrong = GOOD.replace("ACK=x+1>", "ACK=x+2>").replace("needs: slow\n", "")
    Path("mine/good.yaml").write_text(wrong + "    despite: to see it fail\n")
    with _start("run", "mine/good.yaml", "--ip", "4", "--seed", "7", "--junit", "junit.xml") as process:
        output = process.communicate()[0]
    assert process.returncode == 1
    lines = output.splitlines()
    place = next(index for index, line in enumerate(lines) if "expect: <SEQ=y>" in line)
    caret = lines[place].index("ACK=x+2")
    assert lines[place + 1][caret : caret + 8] == "^^^^^^^ "
    assert "= came: <SEQ=y><ACK=x+1><CTL=SYN,ACK>" in output
    assert "conformance run mine/good.yaml --ip 4 --seed 7" in output
    assert last_run(Path("reports"))["exit_code"] == 1
    (case,) = ET.parse("junit.xml").iter("testcase")
    assert [child.tag for child in case] == ["failure"]


@pytest.mark.netns
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_reported_as_partial(number: signal.Signals) -> None:
    silence = "  - expect: nothing\n    within: 60s\n"
    Path("mine/long.yaml").write_text("title: Long\nsteps:\n  - send: <SEQ=x><CTL=RST>\n" + silence)
    with _start("run", "mine/long.yaml", "mine/variants.yaml", "-v", "--junit", "junit.xml") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "variants[two] (IPv6)" in line:
                break
        process.send_signal(number)
        output = process.communicate()[0]
    assert process.returncode == 3
    assert "interrupted: " in output
    assert " of 6 cases done; these results are partial" in output
    assert last_run(Path("reports"))["partial"] is True
    assert "the run was ended early" in Path("junit.xml").read_text()
