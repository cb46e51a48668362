import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sample
from hypothesis import given
from hypothesis import strategies as st

from conformance.model.case import Case, Needs
from conformance.model.segment import Control, Envelope, Segment
from conformance.model.trace import Kind, Record
from conformance.report import junit, run_json
from conformance.report.run_load import RunFileError, load, read

Golden = Callable[[str, str], None]
REQUIRED = {"id", "ip", "verdict", "level", "duration_s", "evidence", "reason", "title", "rfc", "covers"}


def _read_back(document: object) -> object:
    results, run = read(json.loads(json.dumps(document)))
    return run_json.document(results, run)


def test_the_document(golden: Golden) -> None:
    document = run_json.document(sample.ALL, sample.RUN)
    golden("run.json", json.dumps(document, indent=1) + "\n")


def test_what_others_rely_on_is_there() -> None:
    document = json.loads(json.dumps(run_json.document(sample.ALL, sample.RUN)))
    assert {"target", "seed", "started", "wall_s", "partial", "cases"} <= set(document)
    assert all(set(case) >= REQUIRED for case in document["cases"])
    assert document["cases"][1]["evidence"] == "OBSERVED"
    assert document["exit_code"] == 1


def test_it_is_read_back_to_the_same_document() -> None:
    document = run_json.document(sample.ALL, sample.RUN)
    assert _read_back(document) == json.loads(json.dumps(document))


def test_the_other_reports_can_be_made_from_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "run.json"
    run_json.write(path, sample.ALL, sample.RUN)
    results, run = load(path)
    assert run == sample.RUN
    assert junit.document(results, run) == junit.document(sample.ALL, sample.RUN)
    assert list(path.parent.iterdir()) == [path]


segments = st.builds(
    Segment,
    seq=st.integers(0, 2**32 - 1),
    ack=st.integers(0, 2**32 - 1),
    ctl=st.integers(0, 255).map(Control),
    wnd=st.integers(0, 65535),
    data=st.binary(max_size=20),
    options=st.binary(max_size=40),
    envelope=st.builds(
        Envelope,
        error=st.sampled_from(["", "net-unreachable"]),
        mtu=st.integers(0, 65535),
        source=st.sampled_from(["", "broadcast"]),
        destination=st.sampled_from(["", "multicast"]),
        options=st.binary(max_size=4),
        fragment=st.sampled_from([None, 8]),
    ),
    checksum_ok=st.booleans(),
    checksum=st.none() | st.integers(0, 65535),
    doff=st.none() | st.integers(0, 15),
    ttl=st.integers(0, 255),
    defect=st.text(max_size=5),
)


@given(segments)
def test_segments_come_back_as_they_were(segment: Segment) -> None:
    record = Record(0.25, Kind.SENT, 0, "", segment)
    results, _ = read(
        json.loads(json.dumps(run_json.document([replace(sample.FAILED, trace=(record,))], sample.RUN)))
    )
    assert results[0].trace == (record,)


def test_needs_come_back_as_they_were() -> None:
    needs = Needs({"net.ipv4.tcp_rfc1337": "1"}, exclusive=True, slow=True)
    case: Case = sample.case("a/b", needs=needs)
    results, _ = read(
        json.loads(json.dumps(run_json.document([replace(sample.FAILED, case=case)], sample.RUN)))
    )
    assert results[0].case.needs == needs


def _broken(change: Callable[[dict[str, object]], object]) -> object:
    document = json.loads(json.dumps(run_json.document(sample.ALL, sample.RUN)))
    change(document)
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the top level is not an object"),
        ({}, "format is missing"),
        (_broken(lambda top: top.update(format=99)), "format is 99; this version reads 1"),
        (_broken(lambda top: top.update(seed="7")), "seed is not a whole number"),
        (_broken(lambda top: top.update(partial=0)), "partial is not true or false"),
        (_broken(lambda top: top.update(cases="")), "cases is not a list"),
        (_broken(lambda top: top["cases"][1].pop("id")), "cases[1].id is missing"),  # type: ignore[index]
        (
            _broken(lambda top: top["cases"][1]["trace"][2].update(kind="guessed")),  # type: ignore[index]
            "cases[1].trace[2].kind is not one of sent, received, call, return, state, note",
        ),
    ],
)
def test_what_is_no_run_is_refused_with_the_place(document: object, message: str) -> None:
    with pytest.raises(RunFileError) as error:
        read(document)
    assert str(error.value) == message


def test_what_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("{")
    with pytest.raises(RunFileError, match="not JSON"):
        load(path)
