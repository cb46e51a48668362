"""Random walks: sound, the same for a seed, passed by the reference, and fatal to its mutants."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.language.loader import load_text
from conformance.model.case import Case
from conformance.model.state import State
from conformance.run import mutants
from conformance.run.walk import walk
from conformance.session.rehearsal import rehearse
from conformance.target.reference.endpoint import Endpoint

MOVES = 12


def written(directory: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["walk", str(directory), *options])


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def walks() -> list[Case]:
    """Two hundred walks, each with an id of its own."""

    def loaded() -> Iterator[Case]:
        for number in range(1, 201):
            cases, errors = load_text(walk(5, number, MOVES).encode(), "walk.yaml", f"walk/{number}")
            assert not errors, errors
            yield cases[0]

    return list(loaded())


def test_no_walk_contradicts_the_rfc(walks: list[Case]) -> None:
    assert [found for case in walks for found in rehearse(case)] == []


def test_the_reference_passes_and_is_led_everywhere(walks: list[Case]) -> None:
    visited: set[str] = set()
    cells: set[str] = set()
    for planned in mutants.once(walks, seed=0):
        result = mutants.play(planned, Endpoint)
        assert not mutants.departs(result), f"{planned.case.source}\n{result.reason}"
        visited |= {record.inferred for record in result.trace}
        cells |= {record.cell for record in result.trace if record.cell}
    assert visited == {str(state) for state in State}
    assert len(cells) > 120


def test_a_few_walks_kill_many_mutants(tmp_path: Path) -> None:
    assert written(tmp_path, "--seed", "1", "--count", "16").exit_code == 0
    found = mutants.matrix([str(tmp_path)], seed=0)
    assert len(found.mutants) - len(found.survivors) >= 60


def test_a_seed_gives_the_same_walks_however_many_there_are(tmp_path: Path) -> None:
    for name, options in {"few": ["--count", "3"], "many": ["--count", "5"]}.items():
        assert written(tmp_path / name, "--seed", "9", *options).exit_code == 0
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    assert sorted(few) == ["walk-9-0001.yaml", "walk-9-0002.yaml", "walk-9-0003.yaml"]
    assert few.items() <= many.items()
    assert len(set(many.values())) == 5


def test_what_is_written_has_no_errors_and_says_where_it_is_from(tmp_path: Path) -> None:
    done = written(tmp_path / "walks", "--seed", "3", "--count", "1", "--steps", "2")
    assert done.output == f"1 walk of seed 3 in {tmp_path / 'walks'}\n"
    (text,) = contents(tmp_path / "walks").values()
    assert "conformance walk --seed 3 --steps 2" in text
    linted = CliRunner().invoke(main, ["lint", str(tmp_path / "walks")])
    assert (linted.exit_code, linted.output) == (0, "1 variant of 1 case: no errors\n")


def test_the_walk_of_the_documentation_is_one(project: Path) -> None:
    text = (project / "docs" / "walks.md").read_text()
    assert f"```yaml\n{walk(7, 1682, 5)}```" in text


def test_a_drawn_seed_is_told(tmp_path: Path) -> None:
    done = written(tmp_path, "--count", "1")
    (name,) = contents(tmp_path)
    assert f"of seed {name.split('-')[1]} in" in done.output


def test_a_file_that_says_something_else_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    changed = tmp_path / "walk-3-0002.yaml"
    changed.write_text("title: shortened by hand\n")
    refused = written(tmp_path, "--seed", "3", "--count", "3")
    assert refused.exit_code == 2
    assert f"{changed} is there and says something else; --overwrite replaces 1 such file" in refused.output
    assert contents(tmp_path) == {changed.name: "title: shortened by hand\n"}
    assert written(tmp_path, "--seed", "3", "--count", "3", "--overwrite").exit_code == 0
    assert written(tmp_path, "--seed", "3", "--count", "3").exit_code == 0
    assert len(contents(tmp_path)) == 3


@pytest.mark.parametrize("options", [["--count", "0"], ["--steps", "0"], ["--seed", "-1"]])
def test_wrong_usage(tmp_path: Path, options: list[str]) -> None:
    assert written(tmp_path / "walks", *options).exit_code == 2
    assert not (tmp_path / "walks").exists()


def test_a_place_that_cannot_be_written_is_no_defect_of_the_tester(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = written(tmp_path / "file" / "walks", "--count", "1")
    assert refused.exit_code == 2
    assert "cannot be written" in refused.output
