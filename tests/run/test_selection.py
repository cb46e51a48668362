from pathlib import Path

import pytest

from conformance.run.selection import UnknownCase, find

IDS = ["close/four-way", "close/rst", "close/rst-in-window", "data/urgent", "database/odd"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "package" / "_cases"
    for case_id in IDS:
        _make(root / f"{case_id}.yaml")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return root


def _make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def _ids(root: Path, *arguments: str) -> list[str]:
    return [file.id for file in find(arguments, root)]


@pytest.mark.parametrize(
    ("argument", "ids"),
    [
        ("close/rst", ["close/rst"]),
        ("close/rst-", ["close/rst-in-window"]),
        ("close/r", ["close/rst", "close/rst-in-window"]),
        ("close", ["close/four-way", "close/rst", "close/rst-in-window"]),
        ("close/", ["close/four-way", "close/rst", "close/rst-in-window"]),
        ("data", ["data/urgent"]),
        ("*/*o*", ["close/four-way", "close/rst-in-window", "database/odd"]),
        ("close/rst*", ["close/rst", "close/rst-in-window"]),
    ],
)
def test_an_id_its_beginning_a_theme_or_a_glob(root: Path, argument: str, ids: list[str]) -> None:
    assert _ids(root, argument) == ids


def test_all_of_them_if_none_is_named(root: Path) -> None:
    assert _ids(root) == IDS


def test_a_variant(root: Path) -> None:
    (file,) = find(["close/rst-in-window[FIN-WAIT-1]"], root)
    assert (file.id, file.variants) == ("close/rst-in-window", ("FIN-WAIT-1",))


def test_a_case_asked_for_twice_runs_once(root: Path) -> None:
    (file,) = find(["close/rst[A]", "close/rst[B*]"], root)
    assert file.variants == ("A", "B*")
    for arguments in (["close/rst[A]", "close/rst"], ["close/rst", "close/rst[A]"]):
        (file,) = find(arguments, root)
        assert file.variants == ()


@pytest.mark.parametrize(
    ("argument", "suggestion"),
    [
        ("close/rst-in-windo w", "did you mean close/rst-in-window?"),
        ("clsoe", "did you mean close?"),
        ("urgent", "did you mean data/urgent?"),
        ("zzz", "`conformance list` shows all of them"),
    ],
)
def test_an_unknown_one_is_refused_with_a_suggestion(root: Path, argument: str, suggestion: str) -> None:
    with pytest.raises(UnknownCase) as error:
        find([argument], root)
    assert str(error.value) == f"no case is called {argument}; {suggestion}"


def test_a_file_of_the_user_s(root: Path) -> None:
    path = _make(Path("mine.yaml"))
    assert [(file.path, file.id) for file in find(["mine.yaml"], root)] == [(path, "mine")]
    assert find(["mine.yaml[a b]"], root)[0].variants == ("a b",)


def test_a_directory_of_the_user_s(root: Path) -> None:
    _make(Path("more/close/one.yaml"))
    assert _ids(root, "more") == ["close/one"]


def test_ids_begin_below_a_directory_called_cases(root: Path) -> None:
    _make(Path("cases/close/one.yaml"))
    assert _ids(root, "cases/close/one.yaml") == ["close/one"]
    assert _ids(root, "cases/close") == ["close/one"]
    assert _ids(root, str(root / "data")) == ["data/urgent"]


def test_files_that_are_not_there(root: Path) -> None:
    with pytest.raises(UnknownCase, match=r"there is no file a/b\.yaml"):
        find(["a/b.yaml"], root)
    Path("empty").mkdir()
    with pytest.raises(UnknownCase, match=r"no case .* is in the directory empty"):
        find(["empty"], root)
