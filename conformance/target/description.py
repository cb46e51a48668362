"""Finds a target's description by its name."""

from functools import cache
from pathlib import Path

from conformance.language.target_file import TargetFileError, read_target
from conformance.model.description import TargetDescription
from conformance.model.places import targets_root
from conformance.target.base import TargetError


@cache
def load_target(name: str) -> TargetDescription:
    """Return what targets/<name>/target.yaml says; TargetError if it cannot be read."""
    path = targets_root() / name / "target.yaml"
    if not path.exists():
        raise TargetError(
            f"there is no target {name}", f"known are {', '.join(known_targets())}, or a target.yaml"
        )
    return read_description(path)


def describe_container(service: str) -> TargetDescription:
    """Return what is said of a service: in targets/ here, or of the tester; nothing need be said.

    TargetError where the target of its name is of another kind, or the file cannot be read.
    """
    for root in (Path("targets"), targets_root()):
        path = root / service / "target.yaml"
        if path.exists():
            found = read_description(path)
            if found.kind != "container":
                raise TargetError(f"the target {service} is no container: {path}", f"try --target {service}")
            return found
    return TargetDescription(name=service, kind="container")


def known_targets() -> list[str]:
    """Return the names of the targets that come with the tester."""
    return sorted(entry.parent.name for entry in targets_root().glob("*/target.yaml"))


def read_description(path: Path) -> TargetDescription:
    """Return what a target.yaml anywhere says; TargetError if it cannot be read."""
    try:
        return read_target(path)
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}", "name a target.yaml that can be read") from error
    except TargetFileError as error:
        raise TargetError(str(error), f"mend {path}") from error
