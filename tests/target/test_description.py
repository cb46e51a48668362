"""target.yaml: read strictly, matched by case, IP version and kernel."""

from pathlib import Path

import pytest

from conformance.language.target_file import TargetFileError, read_target
from conformance.model.description import Condition, Deviation
from conformance.target.base import TargetError
from conformance.target.description import load_target

GOOD = """\
name: netns
kind: netns
sysctl:
  net.ipv4.tcp_sack: 1
deviations:
  - case: close/rst-in-window[FIN-WAIT-1]
    reason: Linux answers
      with nothing
    reference: net/ipv4/tcp_input.c
    when: kernel >= 6.1 and kernel < 7
    ip: 6
  - case: flags/*
    reason: all of them
"""
BAD = """\
name: netns
colour: green
deviations:
  - case: a
    case: b
  - reason: none
    when: kernel is new
    ip: 5
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "target.yaml"
    path.write_text(text)
    return path


def test_a_description_is_read_and_matched(tmp_path: Path) -> None:
    target = read_target(write(tmp_path, GOOD))
    assert target.sysctl == {"net.ipv4.tcp_sack": "1"}
    found = target.deviation("close/rst-in-window[FIN-WAIT-1]", 6, "6.18.44-fc")
    assert found is not None
    assert found.reason == "Linux answers with nothing"
    assert target.deviation("close/rst-in-window[FIN-WAIT-1]", 4, "6.18") is None
    assert target.deviation("close/rst-in-window[FIN-WAIT-1]", 6, "5.15.0-91") is None
    assert target.deviation("close/rst-in-window[FIN-WAIT-2]", 6, "6.18") is None
    assert target.deviation("flags/all[SYN-SENT]", 4, "5.4") is not None


def test_all_errors_come_at_once_with_their_places(tmp_path: Path) -> None:
    path = write(tmp_path, BAD)
    with pytest.raises(TargetFileError) as caught:
        read_target(path)
    heads = [error.splitlines()[:2] for error in caught.value.errors]
    assert heads == [
        ["error: colour is unknown here; known are name, kind, sysctl, deviations", f" --> {path}:2:1"],
        ["error: kind is missing", f" --> {path}:1:1"],
        ["error: case is given twice", f" --> {path}:5:5"],
        ["error: reason is missing", f" --> {path}:4:5"],
        ["error: case is missing", f" --> {path}:6:5"],
        ["error: not a condition: kernel is new (write: kernel >= 6.1)", f" --> {path}:7:11"],
        ["error: 4 or 6 is needed here", f" --> {path}:8:9"],
    ]
    assert caught.value.errors[0].splitlines()[3:] == ["2 | colour: green", "  | ^"]


@pytest.mark.parametrize("text", ["", "- a\n", "name: [\n", "name: a\nkind: b\ndeviations: 7\n"])
def test_what_is_no_description_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TargetFileError):
        read_target(write(tmp_path, text))


@pytest.mark.parametrize(
    ("condition", "release", "holds"),
    [
        ("kernel >= 6.1", "6.1.0-13-amd64", True),
        ("kernel >= 6.1", "6.0.19", False),
        ("kernel > 6.1", "6.1.7", False),
        ("kernel == 6", "6.18.44-fc", True),
        ("kernel != 6.18", "6.18.44", False),
        ("kernel <= 5.10.3", "5.10", True),
        ("kernel < 6", "unknown", True),
    ],
)
def test_conditions(condition: str, release: str, holds: bool) -> None:
    assert Condition.parse(condition).holds(release) is holds


def test_the_brackets_of_a_variant_are_no_pattern() -> None:
    assert Deviation("a/b[SYN]", "").applies("a/b[SYN]", 4, "6")
    assert not Deviation("a/b[SYN]", "").applies("a/bS", 4, "6")
    assert Deviation("a/b", "").applies("a/b[SYN]", 4, "6")
    assert Deviation("a/b[*]", "").applies("a/b[SYN]", 4, "6")


def test_the_targets_that_come_along_can_be_read() -> None:
    assert load_target("netns").sysctl["net.ipv4.tcp_no_metrics_save"] == "1"
    with pytest.raises(TargetError, match="no target nowhere") as caught:
        load_target("nowhere")
    assert "netns" in caught.value.remedy
