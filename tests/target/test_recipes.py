"""docs/ci: the commands of each recipe, in their order, in a clean checkout, as CI would run them."""

import os
import re
import shutil
import subprocess
import venv
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from stack import PROJECT, Stack, docker_or_skip, results, verdicts

from conformance.target.compose import compose_command
from tests.running import last_run

RECIPES = PROJECT / "docs" / "ci"
# docker-compose 1.29 as the plugin that Compose v2 is, for recipes are written for v2.
PLUGIN = """\
#!/bin/sh
if [ "$1" = docker-cli-plugin-metadata ]; then
    echo '{"SchemaVersion": "0.1.0", "Vendor": "test", "Version": "1.29"}'
else
    shift
    exec docker-compose "$@"
fi
"""
BESIDE = ("not seen from a container", "no second address that the tester knows of")
"""Why cases are left out where the tester is in a container itself."""
LATE = 0.02
"""Seconds by which a tester that has the machine to itself is never late."""
Name, Found = tuple[str, int], Mapping[str, object]
SUDO = '#!/bin/sh\nexec "$@"\n'


def github() -> tuple[list[str], list[str]]:
    """Return the commands of the job, and those that run whatever has happened."""
    steps = yaml.safe_load((RECIPES / "github-actions.yml").read_text())["jobs"]["conformance"]["steps"]
    commands = [step for step in steps if "run" in step]
    return (
        [step["run"] for step in commands if step.get("if") != "always()"],
        [step["run"] for step in commands if step.get("if") == "always()"],
    )


def gitlab() -> tuple[list[str], list[str]]:
    job = yaml.safe_load((RECIPES / "gitlab-ci.yml").read_text())["conformance"]
    return job["script"], job["after_script"]


def jenkins() -> tuple[list[str], list[str]]:
    stages, _, post = (RECIPES / "Jenkinsfile").read_text().partition("post {")
    return re.findall(r"sh '([^']+)'", stages), re.findall(r"sh '([^']+)'", post)


COMMANDS: dict[str, Callable[[], tuple[list[str], list[str]]]] = {
    "github-actions.yml": github,
    "gitlab-ci.yml": gitlab,
}


def reported(recipe: str) -> str:
    """Return the JUnit file that the recipe publishes."""
    found = re.search(r"(?:report_paths: |junit: |junit ')([\w/.]+)", (RECIPES / recipe).read_text())
    assert found is not None
    return found[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clean checkout, and the packages without which an image cannot be made where no index is."""
    docker_or_skip()
    folder = tmp_path / "checkout"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0")[:-1]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, folder / name)
    if (PROJECT / "wheels").is_dir():
        shutil.copytree(PROJECT / "wheels", folder / "wheels")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return what makes this machine one as CI has: its own Python, docker compose, sudo."""
    venv.create(folder / "venv", with_pip=True)
    path = [str(folder / "venv" / "bin"), os.environ["PATH"]]
    found = {}
    if compose_command() == ("docker-compose",):
        place = folder / "docker" / "cli-plugins"
        place.mkdir(parents=True)
        script(place / "docker-compose", PLUGIN)
        found["DOCKER_CONFIG"] = str(place.parent)
    if shutil.which("sudo") is None:
        script(folder / "venv" / "bin" / "sudo", SUDO)
    return {**found, "PATH": os.pathsep.join(path)}


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.docker
@pytest.mark.parametrize("recipe", COMMANDS)
def test_a_recipe_does_what_it_says_and_finds_what_a_namespace_does(
    stack: Stack, checkout: Path, tmp_path: Path, recipe: str
) -> None:
    """All cases against a container, from the host and from the runner."""
    lines, after = COMMANDS[recipe]()
    tools = tmp_path / "tools"
    tools.mkdir()
    known = environment(tools)
    own = Stack("recipe", checkout / "docker-compose.yml")
    try:
        for line in lines:
            done = own.command(["sh", "-e", "-c", line], known)
            assert not done.code, done.out
        suites = ElementTree.parse(checkout / reported(recipe)).getroot()
        assert len(list(suites.iter("testcase"))) > 1000
        assert not list(suites.iter("failure"))
    finally:
        for line in after:
            done = own.command(["sh", "-e", "-c", line], known)
            assert not done.code, done.out
        own.down()
    found = results(checkout / "reports")
    unseen = {name for name, case in found.items() if any(why in str(case["reason"]) for why in BESIDE)}
    assert len(unseen) == 0 if recipe == "github-actions.yml" else 0 < len(unseen) < 100
    evidence = Counter(case["evidence"] for case in found.values() if case["verdict"] == "PASS")
    assert set(evidence) <= {"OBSERVED", "INFERRED"}
    assert evidence["OBSERVED"] > 1000
    seed = str(last_run(checkout / "reports")["seed"])
    agree(stack, tmp_path, seed, found, unseen)


def agree(
    stack: Stack, tmp_path: Path, seed: str, found: Mapping[Name, Found], unseen: Collection[Name]
) -> None:
    """Assert that in a namespace each case has the verdict that it had at the container, if seen there.

    Where the tester was late, and says so, a timer of the target's may have run out that should
    not have: such a case is tried again at both, alone.  All others must agree at once.
    """
    stack.conformance("run", "--seed", seed, "--reports", str(tmp_path / "netns"))
    there = results(tmp_path / "netns")
    assert found.keys() == there.keys()
    seen = found.keys() - unseen
    differ = {name for name in seen if found[name]["verdict"] != there[name]["verdict"]}
    late = {name for name in differ if max(lateness(found[name]), lateness(there[name])) > LATE}
    assert {name: (found[name]["verdict"], there[name]["verdict"]) for name in differ - late} == {}
    if late:
        alone = ["run", *sorted({case for case, _ in late}), "--jobs", "1", "--seed", seed]
        for target in ("netns", "container"):
            done = stack.conformance(
                *alone, "--target", target, "--reports", str(tmp_path / "alone" / target)
            )
            assert not done.code, done.out
        assert verdicts(tmp_path / "alone" / "netns") == verdicts(tmp_path / "alone" / "container")


def lateness(case: Found) -> float:
    return float(str(case["lateness_s"]))


def test_the_recipe_for_jenkins_runs_what_the_one_for_gitlab_does() -> None:
    assert jenkins() == gitlab()
    assert reported("Jenkinsfile") == reported("gitlab-ci.yml")
