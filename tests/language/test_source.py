"""Each character of a scalar knows the place in the file that it comes from."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conformance.language.source import LOADERS, Log, Mapping, Node, Scalar, Sequence, read
from conformance.model.source import SourceText

FILE = """\
plain: one  two
folded plain: one
  two

  three
single: 'it''s
  so'
double: "a\\tb\\u0041\\
  c \\x41"
literal: |
  <SEQ=x>

    <CTL=SYN>
kept: |+
  a

block: >-
  one
  two

  <DATA="a: b # c">
list: [<CTL=SYN,ACK>, 'b', "c"]
masked: <DATA="a: b # c, {d}">   # a comment
"""


def scalars(node: Node | None) -> dict[str, list[SourceText]]:
    assert isinstance(node, Mapping)
    found: dict[str, list[SourceText]] = {}
    for key, value in node.entries:
        items = value.items if isinstance(value, Sequence) else (value,)
        found[key.text.text] = [item.text for item in items if isinstance(item, Scalar)]
    return found


@pytest.fixture(params=LOADERS, ids=["first", "pure"])
def found(request: pytest.FixtureRequest) -> dict[str, list[SourceText]]:
    return scalars(read(FILE, Log("f", FILE), request.param))


def test_values(found: dict[str, list[SourceText]]) -> None:
    expected = {
        key: value if isinstance(value, list) else [value] for key, value in yaml.safe_load(_quoted()).items()
    }
    assert {key: [text.text for text in texts] for key, texts in found.items()} == expected


def _quoted() -> str:
    """The same file with quotes where YAML needs them."""
    text = FILE.replace("[<CTL=SYN,ACK>,", "['<CTL=SYN,ACK>',")
    return text.replace('<DATA="a: b # c, {d}">   ', "'<DATA=\"a: b # c, {d}\">'   ")


def test_places(found: dict[str, list[SourceText]]) -> None:
    lines = FILE.splitlines()
    for texts in found.values():
        for text in texts:
            assert len(text.places) == len(text.text)
            for character, place in zip(text.text, text.places, strict=True):
                line = lines[place.line - 1]
                there = line[place.column - 1 : place.end - 1]
                expected = {"\t": "\\t", "\n": "", " ": " "}.get(character, character)
                if character == "'":
                    expected = "''"
                elif character == "A" and there != "A":
                    expected = "\\u0041" if "\\u" in there else "\\x41"
                elif character == " " and place.column > len(line):
                    expected = ""
                assert there == expected


def test_deep_nesting_is_refused() -> None:
    log = Log("f", "")
    assert read("[" * 5000, log) is None
    assert [item.code for item in log.diagnostics] == ["too-deep"]


@given(st.text(st.sampled_from("ab <>=:#'\"\\\n\t-[]{},&*!|>%@é$"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    log = Log("f", text)
    node = read(text, log)
    assert node is not None or log.diagnostics or not text.strip() or text.lstrip()[0] in "#%"


@given(
    st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0x17F, exclude_categories=["Cc", "Cf"]), min_size=1
    )
)
def test_single_quoted_text_is_read_as_it_stands(value: str) -> None:
    text = "a: '" + value.replace("'", "''") + "'\n"
    read_back = scalars(read(text, Log("f", text)))["a"][0]
    assert read_back.text == value
    assert [text[place.column - 1] for place in read_back.places] == list(value)
