"""target.yaml: read strictly, matched by case, IP version and kernel."""

from pathlib import Path

import pytest

from conformance.language.target_file import TargetFileError, read_target
from conformance.model.description import Condition, Deviation, Process, Timing
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
    reference: RFC 9293 3.10.7.4
    source: net/ipv4/tcp_input.c
    when: kernel >= 6.1 and kernel < 7
    ip: 6
  - case: [flags/*, "close/normal[a, b]"]
    reason: all of them
    crash: yes
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
    crash: maybe
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "target.yaml"
    path.write_text(text)
    return path


def test_timing(tmp_path: Path) -> None:
    head = "name: netns\nkind: netns\n"
    assert read_target(write(tmp_path, head)).timing == Timing(240.0, 0.2)
    said = read_target(write(tmp_path, head + "timing:\n  2msl: 60s\n  rto-min: 50ms\n"))
    assert said.timing == Timing(60.0, 0.05)
    with pytest.raises(TargetFileError) as raised:
        read_target(write(tmp_path, head + "timing: {2msl: 60, rto-min: 0s, rto: 1s}\n"))
    assert [error.splitlines()[0] for error in raised.value.errors] == [
        "error: rto is unknown here; known are 2msl, rto-min",
        "error: a time is needed here, such as 200ms or 60s",
        "error: a time is needed here, such as 200ms or 60s",
    ]


def test_a_description_is_read_and_matched(tmp_path: Path) -> None:
    target = read_target(write(tmp_path, GOOD))
    assert target.sysctl == {"net.ipv4.tcp_sack": "1"}
    found = target.deviation("close/rst-in-window[FIN-WAIT-1]", 6, "6.18.44-fc")
    assert found is not None
    assert found.reason == "Linux answers with nothing"
    assert str(found) == "Linux answers with nothing (RFC 9293 3.10.7.4; net/ipv4/tcp_input.c)"
    assert target.deviation("close/rst-in-window[FIN-WAIT-1]", 4, "6.18") is None
    assert target.deviation("close/rst-in-window[FIN-WAIT-1]", 6, "5.15.0-91") is None
    assert target.deviation("close/rst-in-window[FIN-WAIT-2]", 6, "6.18") is None
    for case in ("flags/all[SYN-SENT]", "close/normal[a, b]"):
        several = target.deviation(case, 4, "5.4")
        assert several is not None
        assert (several.reason, several.crash, found.crash) == ("all of them", True, False)


def test_all_errors_come_at_once_with_their_places(tmp_path: Path) -> None:
    path = write(tmp_path, BAD)
    with pytest.raises(TargetFileError) as caught:
        read_target(path)
    known = "name, kind, inherits, sysctl, lacks, timing, parallel, deviations"
    heads = [error.splitlines()[:2] for error in caught.value.errors]
    assert heads == [
        [f"error: colour is unknown here; known are {known}", f" --> {path}:2:1"],
        ["error: kind is missing", f" --> {path}:1:1"],
        ["error: case is given twice", f" --> {path}:5:5"],
        ["error: reason is missing", f" --> {path}:4:5"],
        ["error: case is missing", f" --> {path}:6:5"],
        ["error: not a condition: kernel is new (write: kernel >= 6.1)", f" --> {path}:7:11"],
        ["error: 4 or 6 is needed here", f" --> {path}:8:9"],
        ["error: yes or no is needed here", f" --> {path}:9:12"],
    ]
    assert caught.value.errors[0].splitlines()[3:] == ["2 | colour: green", "  | ^"]


@pytest.mark.parametrize(
    ("word", "crash"),
    [("yes", True), ("true", True), ("True", True), ("on", True), ("no", False), ("false", False)],
)
def test_yes_and_no_are_spelled_as_in_yaml(word: str, crash: bool, tmp_path: Path) -> None:
    entry = f"name: a\nkind: netns\ndeviations:\n  - {{case: a, reason: b, crash: {word}}}\n"
    (found,) = read_target(write(tmp_path, entry)).deviations
    assert found.crash is crash


TAP = """\
name: small
kind: tap
inherits: linux
start: ./stack --tap {interface} 'two words'
layer: 3
parallel: 64
lacks:
  ipv6: not built in
"""


def test_a_process_is_described_and_what_it_inherits(tmp_path: Path) -> None:
    (tmp_path / "linux").mkdir()
    (tmp_path / "small").mkdir()
    write(tmp_path / "linux", GOOD + "lacks:\n  sack: off\n")
    small = read_target(write(tmp_path / "small", TAP))
    assert small.process == Process(start=("./stack", "--tap", "{interface}", "two words"), layer=3)
    assert (small.parallel, small.directory) == (64, str(tmp_path / "small"))
    assert small.lacks == {"sack": "off", "ipv6": "not built in"}
    assert small.sysctl == {"net.ipv4.tcp_sack": "1"}
    assert small.deviation("flags/all[SYN-SENT]", 4, "") is not None


def test_no_target_inherits_itself(tmp_path: Path) -> None:
    for name, parent in (("one", "two"), ("two", "one")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, f"name: {name}\nkind: host\ninherits: {parent}\n")
    with pytest.raises(TargetFileError, match="a target cannot inherit itself"):
        read_target(tmp_path / "one" / "target.yaml")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("kind: tab", "there is no such kind of target; known are netns, reference, container, host, tap"),
        ("layer: 4", "a number from 2 to 3 is needed here"),
        ("start: don't", "this is no command: No closing quotation"),
        ("inherits: nobody", "No such file or directory"),
        ("lacks: {ipv5: none}", "no feature is called ipv5; did you mean ipv6?"),
    ],
)
def test_a_wrong_value_is_shown_where_it_is(tmp_path: Path, line: str, error: str) -> None:
    kept = "name: small\nkind: tap\nstart: ./stack\n"
    key = line.split(":")[0]
    text = "".join(given for given in kept.splitlines(keepends=True) if not given.startswith(key))
    with pytest.raises(TargetFileError) as caught:
        read_target(write(tmp_path, text + line))
    assert any(error in text for text in caught.value.errors)


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
