"""A run split over machines, and joined again: the same as if it had never been split."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main

RUN = ("run", "--target", "reference", "--seed", "5")


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def verdicts(path: Path) -> dict[tuple[str, int], tuple[str, str]]:
    found = json.loads((path / "run.json").read_text())["cases"]
    return {(case["id"], case["ip"]): (case["verdict"], case["reason"]) for case in found}


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Return the directories of three shards of one run."""
    found = []
    for number in (1, 2, 3):
        where = tmp_path / str(number)
        done = invoke(*RUN, "close", "handshake", "--shard", f"{number}/3", "--reports", str(where))
        assert done.exit_code == 0, done.output
        found += list(where.iterdir())
    return found


def test_the_shards_joined_are_the_whole_run(shards: list[Path], tmp_path: Path) -> None:
    whole = invoke(*RUN, "close", "handshake", "--reports", str(tmp_path / "whole"))
    assert whole.exit_code == 0, whole.output
    joined = invoke("report", *map(str, shards), "--merge", "--reports", str(tmp_path / "joined"))
    assert joined.exit_code == 0, joined.output
    (directory,) = (tmp_path / "whole").iterdir()
    expected = verdicts(directory)
    (whole_again,) = (tmp_path / "joined").iterdir()
    assert verdicts(whole_again) == expected
    sizes = [len(verdicts(shard)) for shard in shards]
    assert max(sizes) - min(sizes) <= 1
    assert (whole_again / "junit.xml").exists()
    again = invoke("report", str(whole_again))
    assert again.exit_code == 0
    assert "CONFORMING" in again.output


def test_a_missing_shard_is_not_overlooked(shards: list[Path], tmp_path: Path) -> None:
    joined = invoke("report", *map(str, shards[:2]), "--merge", "--reports", str(tmp_path / "joined"))
    assert joined.exit_code == 3
    told = "shards are missing: there is only 1/3, 2/3; these results are partial"
    assert told in joined.output
    (whole,) = (tmp_path / "joined").iterdir()
    assert told in (whole / "junit.xml").read_text()
    assert told in invoke("report", str(whole)).output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 6}, "not parts of one run: seed is 5 and 6"),
        ({"profile": "793"}, "not parts of one run: profile is 793 and 9293"),
        ({"target": "netns"}, "not parts of one run: target is netns and reference"),
        ({"shard": "1/4"}, "it was split by 3 and by 4"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    shards: list[Path], tmp_path: Path, change: dict[str, object], told: str
) -> None:
    path = shards[0] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    joined = invoke("report", *map(str, shards), "--merge", "--reports", str(tmp_path / "joined"))
    assert joined.exit_code == 2
    assert told in joined.output
    assert not (tmp_path / "joined").exists()


def test_run_json_has_the_profile_and_what_was_said_of_a_host(tmp_path: Path) -> None:
    done = invoke(*RUN, "handshake/three-way", "--profile", "793", "--reports", str(tmp_path))
    assert done.exit_code == 0, done.output
    run = json.loads(next(tmp_path.glob("*/run.json")).read_text())
    assert (run["profile"], run["host"]) == ("793", [])


def test_one_shard_cannot_be_in_it_twice(shards: list[Path], tmp_path: Path) -> None:
    joined = invoke(
        "report", *map(str, [*shards, shards[0]]), "--merge", "--reports", str(tmp_path / "joined")
    )
    assert joined.exit_code == 2
    assert "is in more than one of the runs" in joined.output


def test_several_runs_are_not_shown_as_one(shards: list[Path]) -> None:
    done = invoke("report", *map(str, shards))
    assert done.exit_code == 2
    assert "--merge joins the shards of one" in done.output


@pytest.mark.parametrize("part", ["0/3", "4/3", "3", "one/two", "1/", "-1/3"])
def test_what_is_no_part_is_refused(part: str) -> None:
    done = invoke(*RUN, "--shard", part)
    assert done.exit_code == 2
    assert f"{part} is no K/N with K from 1 to N" in done.output
