"""Finds a target's description by its name."""

from functools import cache

from conformance.language.target_file import TargetFileError, read_target
from conformance.model.description import TargetDescription
from conformance.model.places import targets_root
from conformance.target.base import TargetError


@cache
def load_target(name: str) -> TargetDescription:
    """Return what targets/<name>/target.yaml says; TargetError if it cannot be read."""
    path = targets_root() / name / "target.yaml"
    try:
        return read_target(path)
    except OSError as error:
        known = sorted(entry.parent.name for entry in targets_root().glob("*/target.yaml"))
        raise TargetError(
            f"no target {name}: {path}: {error.strerror}", f"known targets: {', '.join(known) or 'none'}"
        ) from error
    except TargetFileError as error:
        raise TargetError(str(error), f"mend {path}") from error
