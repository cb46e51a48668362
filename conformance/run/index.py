"""What earlier runs learnt of case files that have not changed: their listing, and that they are right.

Reading and rehearsing hundreds of cases takes seconds, and is the same each time.  A file
is known by its content and by the tester's own code: whichever changes, it is read anew.
Only what had no error is remembered.  Where there is no place for the index, it is not kept.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import conformance
from conformance.model.case import Case, Needs
from conformance.model.places import cache_root
from conformance.model.source import Span
from conformance.model.state import Role
from conformance.model.verdict import Level

_JUDGING = ("data", "language", "model", "oracle", "run", "session")
Row = Mapping[str, object]


class Index:
    """The index of one user; `save` keeps what `learn` has added."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or _default_path()
        self._code = _code()
        self._new = False
        self._files: dict[str, dict[str, object]] = {}
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(kept, dict) and kept.get("code") == self._code:
                self._files = kept["files"]

    def rehearsed(self, key: str) -> bool:
        """Tell whether all variants of a file are known to keep to the RFC."""
        return bool(self._files.get(key, {}).get("rehearsed"))

    def heads(self, key: str, path: Path) -> list[Case] | None:
        """Return the variants of a file without their steps, or None if it is not known."""
        rows = self._files.get(key, {}).get("rows")
        return [_head(row, path) for row in rows] if isinstance(rows, list) else None

    def learn(self, key: str, cases: Sequence[Case], *, rehearsed: bool) -> None:
        """Remember a file that has no error."""
        entry = {"rows": [_row(case) for case in cases], "rehearsed": rehearsed or self.rehearsed(key)}
        if self._files.get(key) != entry:
            self._files[key] = entry
            self._new = True

    def save(self) -> None:
        """Write the index, whole or not at all; a place that cannot be written is no error."""
        if not self._new:
            return
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"code": self._code, "files": self._files}), encoding="utf-8")
            part.replace(self._path)


def key_of(case_id: str, octets: bytes) -> str:
    """Return by what a file is known."""
    return hashlib.sha256(case_id.encode() + b"\0" + octets).hexdigest()


def _default_path() -> Path:
    return cache_root() / "cases.json"


def _code() -> str:
    """Return a fingerprint of all code that reads and rehearses cases."""
    root = Path(conformance.__file__).parent
    digest = hashlib.sha256(str(root).encode())
    for package in _JUDGING:
        for entry in sorted(os.scandir(root / package), key=lambda entry: entry.name):
            if entry.is_file():
                found = entry.stat()
                digest.update(f"{package}/{entry.name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _row(case: Case) -> Row:
    return {
        "id": case.id,
        "title": case.title,
        "rfc": case.rfc,
        "covers": list(case.covers),
        "level": case.level.value,
        "ip": list(case.ip),
        "role": case.role.value,
        "sysctl": dict(case.needs.sysctl),
        "flags": [case.needs.exclusive, case.needs.slow, case.needs.http, case.needs.disruptive],
    }


def _head(row: Mapping[str, object], path: Path) -> Case:
    flags, sysctl = row["flags"], row["sysctl"]
    covers, ip = row["covers"], row["ip"]
    assert isinstance(flags, list)
    assert isinstance(sysctl, dict)
    assert isinstance(covers, list)
    assert isinstance(ip, list)
    return Case(
        id=str(row["id"]),
        title=str(row["title"]),
        steps=(),
        span=Span(str(path), 1, 1, 2),
        source="",
        rfc=str(row["rfc"]),
        covers=tuple(covers),
        level=Level(row["level"]),
        role=Role(row["role"]),
        ip=tuple(ip),
        needs=Needs(sysctl, *flags),
    )
