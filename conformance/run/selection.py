"""Which cases the command line names: files, directories, ids, their beginnings, and globs."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.model.case import Case

SUFFIXES = (".yaml", ".yml")


class UnknownCase(Exception):
    """An argument names no case; the message says which, and what is near."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case file: its path as the user is to see it, its id, and which variants are wanted.

    `variants` are globs of variants' names; empty stands for all of them.
    """

    path: Path
    id: str
    variants: tuple[str, ...] = ()

    def wants(self, case: Case) -> bool:
        name = case.id.removeprefix(case.file_id).strip("[]")
        return not self.variants or any(_matches(name, glob) for glob in self.variants)


def _matches(name: str, glob: str) -> bool:
    # A variant's name may itself have brackets, which fnmatch would take for a set.
    return fnmatchcase(name, glob.replace("[", "[[]"))


def find(arguments: Sequence[str], root: Path) -> list[CaseFile]:
    """Return the files that `arguments` name, each once; all those under `root` for none.

    Raises UnknownCase.
    """
    packaged = [CaseFile(path, _id(path, root)) for path in _files(shown(root))]
    found: dict[Path, CaseFile] = {}
    for argument in arguments:
        for file in _named(argument, packaged):
            known = found.setdefault(file.path.resolve(), file)
            # Asked for as a whole once is asked for as a whole.
            whole = not (known.variants and file.variants)
            variants = () if whole else tuple(dict.fromkeys(known.variants + file.variants))
            found[file.path.resolve()] = replace(known, variants=variants)
    return list(found.values()) if arguments else packaged


def _named(argument: str, packaged: Sequence[CaseFile]) -> list[CaseFile]:
    name, bracket, rest = argument.partition("[")
    variants = (rest.removesuffix("]"),) if bracket else ()
    if Path(argument).exists():
        name, variants = argument, ()
    path = Path(name)
    if path.is_file():
        return [CaseFile(path, _id(path, _root_of(path.parent)), variants)]
    if path.is_dir() and not variants:
        files = _files(path)
        if not files:
            raise UnknownCase(f"no case (*{SUFFIXES[0]}) is in the directory {argument}")
        return [CaseFile(file, _id(file, _root_of(path))) for file in files]
    if name.endswith(SUFFIXES):
        raise UnknownCase(f"there is no file {name}")
    chosen = _by_id(name.strip("/"), packaged)
    if not chosen:
        raise UnknownCase(f"no case is called {argument}{_suggestion(name, packaged)}")
    return [CaseFile(file.path, file.id, variants) for file in chosen]


def _by_id(name: str, files: Sequence[CaseFile]) -> list[CaseFile]:
    """An id means itself; else a theme; else whatever begins so; a glob whatever it matches."""
    if any(character in name for character in "*?"):
        return [file for file in files if fnmatchcase(file.id, name)]
    for fits in (
        name.__eq__,
        lambda case_id: case_id.startswith(f"{name}/"),
        lambda case_id: case_id.startswith(name),
    ):
        chosen = [file for file in files if fits(file.id)]
        if chosen:
            return chosen
    return []


def _suggestion(name: str, files: Iterable[CaseFile]) -> str:
    ids = [file.id for file in files]
    themes = sorted({case_id.rpartition("/")[0] for case_id in ids} - {""})
    near = difflib.get_close_matches(name, [*themes, *ids], 1, 0.5)
    if not near:
        # Without the theme, or with the wrong one, the rest of an id may still be right.
        tails = {case_id.rpartition("/")[2]: case_id for case_id in ids}
        near = [tails[tail] for tail in difflib.get_close_matches(name.rpartition("/")[2], tails, 1)]
    return f"; did you mean {near[0]}?" if near else "; `conformance list` shows all of them"


def _files(directory: Path) -> list[Path]:
    """Return the case files below a directory, but for what is hidden there."""
    files = (path for path in directory.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    seen = (path for path in files if not any(map(_hidden, path.relative_to(directory).parts)))
    return sorted(seen, key=lambda path: path.with_suffix("").as_posix())


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _id(path: Path, root: Path) -> str:
    return path.resolve().relative_to(root.resolve()).with_suffix("").as_posix()


def _root_of(directory: Path) -> Path:
    """Ids begin below the nearest directory called `cases`; else at the one that was named."""
    resolved = directory.resolve()
    for candidate in (resolved, *resolved.parents):
        if candidate.name in ("cases", "_cases"):
            return candidate
    return directory


def shown(root: Path) -> Path:
    """Return how the user is to see a directory: relative to the working one, if it is below it."""
    here = Path.cwd()
    return root.relative_to(here) if root.is_relative_to(here) else root


def by_theme(cases: Iterable[Case], words: Sequence[str]) -> list[Case]:
    """Return the cases that fit one of `words`: a theme, else any part of an id; all for none."""
    known = list(cases)
    if not words:
        return known
    themes = {case.theme for case in known}
    return [case for case in known if any(_fits(case, word, themes) for word in words)]


def _fits(case: Case, word: str, themes: set[str]) -> bool:
    if word in themes:
        return case.theme == word
    return word in case.id or fnmatchcase(case.id, word)
