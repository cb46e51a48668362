"""The index of files known to be right: it may save work, and never hide anything."""

from pathlib import Path

from conformance.run.index import Index
from conformance.run.loading import load_cases

GOOD = """\
title: An ACK to a listener is reset
needs: [slow, sysctl net.ipv4.tcp_fin_timeout=5]
steps:
  - send:   <SEQ=x><ACK=7><CTL=ACK>
  - expect: <SEQ=7><CTL=RST>
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "cases" / "mine.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def load(path: Path, kept: Path, **how: bool):  # type: ignore[no-untyped-def]
    return load_cases([str(path)], path.parent, index=Index(kept), **how)


def test_a_known_file_is_listed_without_being_read(tmp_path: Path) -> None:
    path, kept = written(tmp_path, GOOD), tmp_path / "index.json"
    (first,), _ = load(path, kept, rehearsed=True)
    (again,), _ = load(path, kept, rehearsed=True, heads=True)
    assert again.steps == ()
    for name in ("id", "title", "level", "ip", "role", "needs", "covers"):
        assert getattr(again, name) == getattr(first, name)


def test_a_file_that_was_only_listed_is_rehearsed(tmp_path: Path) -> None:
    path, kept = written(tmp_path, GOOD.replace("SEQ=7", "SEQ=8")), tmp_path / "index.json"
    assert load(path, kept, heads=True)[1] == []
    for _ in range(2):
        assert [error.code for error in load(path, kept, rehearsed=True, heads=True)[1]] == [
            "impossible-segment"
        ]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path, kept = written(tmp_path, GOOD), tmp_path / "index.json"
    load(path, kept, rehearsed=True)
    written(tmp_path, GOOD.replace("SEQ=7", "SEQ=8"))
    assert [error.code for error in load(path, kept, rehearsed=True, heads=True)[1]] == ["impossible-segment"]


def test_an_index_that_is_damaged_or_cannot_be_kept_is_done_without(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    for text in ("", "{", "[]", '{"code": 1}'):
        (tmp_path / "index.json").write_text(text)
        assert len(load(path, tmp_path / "index.json", rehearsed=True)[0]) == 1
    assert len(load(path, path / "below-a-file" / "index.json", rehearsed=True)[0]) == 1
