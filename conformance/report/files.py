"""Writing a report so that a reader finds the whole of it or none of it."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write `text` at `path`, making its directory, by way of a file beside it.

    A path that is no plain file (/dev/stdout, a pipe) is written to directly.  Raises OSError.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
