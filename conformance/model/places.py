"""Where the cases and the targets are: in the installed package, or in the repository."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def cases_root() -> Path:
    """Return the folder of the cases that come with the tester."""
    return _data("cases")


def targets_root() -> Path:
    """Return the folder of the targets that come with the tester."""
    return _data("targets")


def cache_root() -> Path:
    """Return the folder of what can be made again, in the user's cache (XDG Base Directory)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "conformance"


def _data(name: str) -> Path:
    """Return the copy that the wheel has, or else the repository's own folder."""
    packaged = _PACKAGE / f"_{name}"
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
