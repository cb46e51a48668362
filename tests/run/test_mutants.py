"""The kill matrix: the reference passes, and each way of being wrong is found."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.model.segment import Option, Segment
from conformance.oracle.arrives import Outcome
from conformance.oracle.tcb import Tcb
from conformance.run import mutants
from conformance.run.plan import Planned
from conformance.run.twins import Calls, Kind
from conformance.target.reference import lab
from conformance.target.reference.core import Surroundings
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants import MUTANTS

Recorded = tuple[Planned, Calls, mutants.Script]


def test_there_are_enough_of_them_and_each_says_what_it_is() -> None:
    assert len(MUTANTS) >= 60
    for mutant in MUTANTS.values():
        assert mutant.clause.startswith("RFC ")
        assert mutant.what.endswith(".")
        assert Kind(mutant.endpoint).methods, mutant.name


def test_the_problems_of_rfc_2525_are_among_them() -> None:
    clauses = " ".join(mutant.clause for mutant in MUTANTS.values())
    cited = {int(number) for number in re.findall(r"RFC 2525 2\.(\d+)", clauses)}
    assert cited == set(range(1, 19))


def test_a_mutant_is_killed_by_the_case_that_is_meant_for_it() -> None:
    found = mutants.matrix(["retransmission/timeout", "data/in-order"], ["no-backoff"], jobs=1)
    assert found.killers["no-backoff"] == (
        "retransmission/timeout[client]",
        "retransmission/timeout[server]",
    )
    assert found.kills()["data/in-order[server]"] == 0


WRONG_STATES = {
    "closing-to-closed": "close/simultaneous",
    "closing-never-left": "close/time-wait-ends",
    "closing-after-acknowledged-fin": "close/time-wait-ends",
    "time-wait-not-restarted": "close/fin-again-restarts-time-wait",
    "time-wait-not-restored": "duplicate-syn/new-syn-in-time-wait-is-old",
    "syn-fin-wedges": "flags/syn-fin",
    "fast-open-reset-behind-the-syn": "options/fast-open-reset",
    "abort-forgets-nothing": "reset/abort-after-close",
    "rfc1337-not-heeded": "reset/exact-in-time-wait-ignored",
    "rst-at-rcv-nxt-minus-one": "reset/out-of-window",
    "rst-with-data-ignored": "reset/with-data",
    "paws-drops-resets": "timestamps/old-reset",
    "rst-at-zero-window-ignored": "window/own-zero-window-reset",
}


def test_a_wrong_state_is_seen_on_the_wire_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most targets tell of no state in which they are."""
    monkeypatch.setattr(lab, "PROBES", frozenset())
    found = mutants.matrix(sorted(set(WRONG_STATES.values())), list(WRONG_STATES), jobs=1)
    killers = {name: {case.partition("[")[0] for case in cases} for name, cases in found.killers.items()}
    assert {name: case for name, case in WRONG_STATES.items() if case not in killers[name]} == {}


def test_a_garbage_octet_in_a_keep_alive_is_no_failure() -> None:
    """RFC 9293 3.8.4: SHLD-12 advises against it, and MAY-6 has it."""
    endpoint = MUTANTS["keep-alive-octet-unasked"].endpoint
    results = [mutants.play(planned, endpoint) for planned in mutants.once(mutants.loaded(("keepalive",)), 0)]
    assert {str(result.verdict) for result in results} == {"PASS"}
    assert {result.warnings[0].clause for result in results if result.warnings} == {"RFC 9293 3.8.4 SHLD-12"}


@pytest.fixture(scope="module")
def recorded() -> list[Recorded]:
    """A case of each kind of trouble, and what the reference did in it."""
    names = (
        "congestion/slow-start-stretch-ack",
        "data/in-order",
        "duplicate-syn/in-window-in-time-wait",
        "options/timestamps-shorten-segments",
        "retransmission/timeout",
        "sack/block-told-long-ago",
        "handshake/simultaneous-open",
    )
    methods = {method for mutant in MUTANTS.values() for method in Kind(mutant.endpoint).methods}
    found = []
    for planned in mutants.once(mutants.loaded(names), seed=0):
        calls, script = Calls(methods), mutants.Script()
        mutants.play(planned, calls.endpoint, script)
        found.append((planned, calls, script))
    return found


def test_what_the_reference_does_is_what_it_does_again(recorded: list[Recorded]) -> None:
    for planned, _, script in recorded:
        assert mutants.behaves(planned, Endpoint, script)


def test_a_twin_that_does_the_same_in_each_call_does_the_same_throughout(recorded: list[Recorded]) -> None:
    same = 0
    for planned, calls, script in recorded:
        for mutant in MUTANTS.values():
            if calls.same(Kind(mutant.endpoint)):
                same += 1
                assert mutants.behaves(planned, mutant.endpoint, script), (mutant.name, planned.case.id)
    assert same > len(recorded) * len(MUTANTS) / 2


class SendsTwice(Endpoint):
    def acknowledge(self) -> None:
        super().acknowledge()
        super().acknowledge()


class ForgetsToSend(Endpoint):
    def acknowledge(self) -> None: ...


class SetsAnotherAttribute(Endpoint):
    later = 0

    def heard(self, segment: Segment) -> None:
        super().heard(segment)
        self.later += 1


class SetsWhatItIsAnyway(Endpoint):
    later = 0

    def heard(self, segment: Segment) -> None:
        super().heard(segment)
        self.later = 0


class ChangesTheSegmentsConnection(Endpoint):
    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        outcome.tcb.max_snd_wnd += 1
        return outcome


class ChangesTheOldConnection(Endpoint):
    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        before.max_snd_wnd += 1
        return outcome


class TakesACopy(Endpoint):
    def heard(self, segment: Segment) -> None:
        super().heard(segment)
        self.tcb = self.tcb.copy()


class KeepsWhatItReturns(Endpoint):
    def plain_options(self) -> list[Option]:
        self.found = super().plain_options()
        return self.found


class DrawsAnotherNumber(Endpoint):
    def initial_sequence_number(self) -> int:
        self.around.isn(self.around.flow, self.now)
        return super().initial_sequence_number()


class TakesLonger(Endpoint):
    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.rto = 2.0


class DoesItByHand(Endpoint):
    def process(self, before: Tcb, segment: Segment) -> Outcome:
        return super().process(before.copy(), replace(segment))


@pytest.mark.parametrize(
    ("endpoint", "same"),
    [
        (Endpoint, True),
        (SendsTwice, False),
        (ForgetsToSend, False),
        (SetsAnotherAttribute, False),
        (SetsWhatItIsAnyway, True),
        (ChangesTheSegmentsConnection, False),
        (ChangesTheOldConnection, False),
        (TakesACopy, False),
        (KeepsWhatItReturns, False),
        (DrawsAnotherNumber, False),
        (TakesLonger, False),
        (DoesItByHand, True),
    ],
)
def test_what_a_twin_is_told_apart_by(endpoint: type[Endpoint], same: bool) -> None:
    kind = Kind(endpoint)
    (planned,) = mutants.once(mutants.loaded(("data/in-order[server]",)), seed=0)
    calls = Calls({*kind.methods, "process"})
    mutants.play(planned, calls.endpoint)
    assert calls.same(kind) is same
    assert calls.same(kind) is same


def test_unknown_mutant() -> None:
    result = CliRunner().invoke(main, ["mutants", "no-backof"])
    assert result.exit_code == 2
    assert "did you mean no-backoff?" in result.output


@pytest.mark.parametrize("words", [["--remember"], ["--remember", "--all", "no-backoff"]])
def test_what_some_mutants_show_is_not_remembered_for_all(words: list[str]) -> None:
    result = CliRunner().invoke(main, ["mutants", *words])
    assert result.exit_code == 2
    assert "--remember is for --all of the mutants" in result.output


@pytest.mark.mutants
def test_every_mutant_is_killed_and_every_case_kills_one() -> None:
    result = CliRunner().invoke(main, ["mutants", "--json"])
    matrix = json.loads(result.stdout)
    assert [item["name"] for item in matrix["mutants"] if not item["killed_by"]] == []
    assert [item["id"] for item in matrix["cases"] if not item["kills"]] == []
    assert result.exit_code == 0


@pytest.mark.mutants
def test_what_is_not_yet_known_to_kill_is_asked(tmp_path: Path) -> None:
    """One case and one mutant that the hints do not have, and one pair that is not true."""
    rows = mutants.KILLS.read_text(encoding="utf-8").splitlines()
    case, mutant = rows[0].rsplit(",", 1)[0], rows[9].rsplit(",", 1)[1]
    left = [row for row in rows if not row.startswith(case + ",") and not row.endswith("," + mutant)]
    assert len(left) < len(rows) - 1
    hints = tmp_path / "hints.csv"
    hints.write_text("\n".join([*left, "data/in-order[server],no-backoff", ""]), encoding="utf-8")
    found = mutants.confirm(hints)
    assert not found.survivors
    assert all(found.kills().values())
    assert "data/in-order[server]" not in found.killers["no-backoff"]
