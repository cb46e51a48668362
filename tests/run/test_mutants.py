"""The kill matrix: the reference passes, and each way of being wrong is found."""

import json

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.run import mutants
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants import MUTANTS


def test_there_are_enough_of_them_and_each_says_what_it_is() -> None:
    assert len(MUTANTS) >= 60
    for mutant in MUTANTS.values():
        assert mutant.clause.startswith("RFC ")
        assert mutant.what.endswith(".")
        assert mutants.overridden(mutant.endpoint), mutant.name


def test_a_mutant_is_killed_by_the_case_that_is_meant_for_it() -> None:
    found = mutants.matrix(["retransmission/timeout", "data/in-order"], ["no-backoff"], jobs=1)
    assert found.killers["no-backoff"] == (
        "retransmission/timeout[client]",
        "retransmission/timeout[server]",
    )
    assert found.kills()["data/in-order[server]"] == 0


def test_what_the_reference_does_is_what_it_does_again() -> None:
    suite = mutants.prepare(mutants.loaded(("data/in-order",)), seed=0)
    for item in suite.planned:
        assert mutants.behaves(item, Endpoint, suite.scripts[item.case.id])


def test_unknown_mutant() -> None:
    result = CliRunner().invoke(main, ["mutants", "no-backof"])
    assert result.exit_code == 2
    assert "did you mean no-backoff?" in result.output


@pytest.mark.mutants
def test_every_mutant_is_killed_and_every_case_kills_one() -> None:
    result = CliRunner().invoke(main, ["mutants", "--json"])
    matrix = json.loads(result.stdout)
    assert [item["name"] for item in matrix["mutants"] if not item["killed_by"]] == []
    assert [item["id"] for item in matrix["cases"] if not item["kills"]] == []
    assert result.exit_code == 0
