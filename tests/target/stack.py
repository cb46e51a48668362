"""A Compose project for the tests of containers: names and addresses of its own, and the commands on it."""

import itertools
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.target.base import TargetError
from conformance.target.compose import compose_command
from tests import running
from tests.conftest import lacking

BASE = os.environ.get("BASE", "debian:12-slim")
PROJECT = Path(__file__).resolve().parent.parent.parent

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended; `out` is what it wrote, on stderr too."""

    code: int
    out: str


class Stack:
    """docker-compose.yml, or another file, as a project that no other tests share."""

    def __init__(self, name: str, file: Path = PROJECT / "docker-compose.yml") -> None:
        number = (os.getpid() + next(_numbers)) % 200 + 20
        self.name = f"{name}{os.getpid()}"
        self.folder = file.parent
        self.environment: Mapping[str, str] = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": str(file),
            "CONFORMANCE_BRIDGE": f"{name[:4]}{os.getpid()}",
            "CONFORMANCE_SUBNET4": f"198.18.{number}.0/24",
            "CONFORMANCE_RANGE4": f"198.18.{number}.0/25",
            "CONFORMANCE_SUBNET6": f"2001:db8:{number}::/64",
        }

    def compose(self, *words: str) -> Done:
        return self.command([*compose_command(), *words])

    def conformance(self, *words: str, environment: Mapping[str, str] | None = None) -> Done:
        return self.command(running.conformance(*words), environment)

    def command(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Done:
        with self.start(command, environment) as child:
            try:
                out = child.communicate(timeout=500)[0]
            finally:
                child.kill()
        return Done(child.returncode, out)

    def start(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self, service: str) -> str:
        """Have a service run; return its container."""
        done = self.compose("up", "-d", "--build", service)
        assert not done.code, done.out
        return self.container(service)

    def container(self, service: str) -> str:
        return self.compose("ps", "-q", service).out.strip().splitlines()[-1]

    def down(self) -> None:
        """End the project, and make sure that nothing of it is left, nor of the tester's."""
        done = self.compose("down", "--rmi", "local", "--volumes", "--timeout", "1")
        assert not done.code, done.out
        label = f"label=com.docker.compose.project={self.name}"
        for kind in (["ps", "--all"], ["network", "ls"], ["volume", "ls"]):
            left = self.command(["docker", *kind, "--quiet", "--filter", label])
            assert left == Done(0, "")


def docker_or_skip() -> None:
    """Skip the test, or fail it where CI requires Docker, unless there is what it needs."""
    try:
        compose_command()
        if os.geteuid():
            raise TargetError("only an administrator may attach to a bridge")
        known = ["docker", "image", "inspect", BASE]
        if subprocess.run(known, capture_output=True, check=False).returncode:
            pulled = subprocess.run(["docker", "pull", BASE], capture_output=True, text=True, check=False)
            if pulled.returncode:
                raise TargetError(f"there is no image {BASE}: {pulled.stderr.strip()}")
    except TargetError as error:
        lacking(str(error))


def results(reports: Path) -> dict[tuple[str, int], dict[str, object]]:
    """Return the results of the last run that has its reports here, by case and IP version."""
    return {(str(case["id"]), int(str(case["ip"]))): case for case in running.results(reports)}


def verdicts(reports: Path) -> dict[tuple[str, int], object]:
    return {name: result["verdict"] for name, result in results(reports).items()}
