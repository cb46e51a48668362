"""What runs where: what a target lacks, what it does anyway, and what had better be alone."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from conformance.model.case import Case
from conformance.run.options import RunOptions
from conformance.run.plan import CLOSED_PORTS, plan
from conformance.target.base import Facts
from tests.session.target import case

OPTIONS = RunOptions(ip=(4,))
LACKS = {
    "timestamps": "no clock",
    "sack": "no memory",
    "window-scale": "no need",
    "path-mtu-discovery": "no routers",
    "sysctl": "it is no kernel",
}


def facts(settled: Mapping[str, str] | None = None) -> Facts:
    addresses = {4: ("192.0.2.1", "192.0.2.2")}
    ops = frozenset({"listen"})
    return Facts("small", "", ops, frozenset(), addresses, lacks=LACKS, settled=settled or {})


def answered(*alternatives: str, offer: str = "MSS 1000") -> Case:
    answers = "".join(f"\n          - <SEQ=y><ACK=x+1><CTL=SYN,ACK>{options}" for options in alternatives)
    return case(f"""
    title: An answer
    steps:
      - send: <SEQ=x><CTL=SYN><OPT={offer}>
      - expect:{answers}
    """)


def reason(case: Case, settled: Mapping[str, str] | None = None) -> str:
    """Return why the case is skipped; empty if it runs."""
    planned, skipped = plan([case], facts(settled), OPTIONS)
    assert len(planned) + len(skipped) == 1
    return skipped[0].reason if skipped else ""


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("<OPT=TS * 7>", "no clock"),
        ("<OPT=SACK-PERMITTED>", "no memory"),
        ("<OPT=SACK x+1 x+2>", "no memory"),
        ("<OPT=MSS *,WS *>", "no need"),
        ("<OPT!=TS>", ""),
        ("<OPT=MSS *>", ""),
        ("", ""),
    ],
)
def test_what_only_a_target_with_an_option_can_answer_is_skipped(options: str, why: str) -> None:
    offer = "TS 7 0,SACK-PERMITTED,WS 1"
    assert reason(answered(options, offer=offer)).endswith(why)
    assert bool(reason(answered(options, offer=offer))) is bool(why)


def test_an_option_that_one_alternative_is_without_is_not_needed() -> None:
    assert reason(answered("<OPT=TS * 7>", "", offer="TS 7 0")) == ""


@pytest.mark.parametrize(
    ("error", "why"), [("fragmentation-needed><MTU=600", "no routers"), ("net-unreachable", "")]
)
def test_a_target_without_path_mtu_discovery_is_told_no_path_mtu(error: str, why: str) -> None:
    told = reason(
        case(f"""
        title: An ICMP error
        steps:
          - send: <SEQ=x><CTL=SYN>
          - expect: <SEQ=y><ACK=x+1><CTL=SYN,ACK>
          - send: <ICMP={error}><SEQ=y>
        """)
    )
    assert told.endswith(why)
    assert bool(told) is bool(why)


NEEDS = """
    title: A setting
    needs: [sysctl net.ipv4.a=1, sysctl net.ipv4.b=2]
    steps:
      - send: <SEQ=x><CTL=RST>
"""


def test_a_setting_that_is_the_targets_anyway_needs_no_setting() -> None:
    needing = case(NEEDS)
    assert reason(needing).endswith("it is no kernel")
    assert reason(needing, {"net.ipv4.a": "1"}).endswith("it is no kernel")
    assert reason(needing, {"net.ipv4.a": "1", "net.ipv4.b": "3"}).endswith("it is no kernel")
    settled = facts({"net.ipv4.a": "1", "net.ipv4.b": "2"})
    planned, _ = plan([needing], settled, OPTIONS)
    assert (planned[0].sysctl, planned[0].lab) == ({}, "")


def test_a_target_with_one_address_is_not_asked_for_another() -> None:
    opened = case("""
        title: Opened
        target: client
        steps:
          - call: OPEN local other
        """)
    one = replace(facts(), ops=frozenset({"connect"}))
    (skipped,) = plan([opened], one, OPTIONS)[1]
    assert "no second address" in skipped.reason
    assert plan([opened], replace(one, multihomed=True), OPTIONS)[1] == []


@pytest.mark.parametrize("steps", ["", '- call: RECEIVE urgent "c"'])
def test_an_agent_that_gives_no_octet_out_of_band_is_not_asked_for_one(steps: str) -> None:
    apart = case(f"""
        title: Apart
        from: ESTABLISHED
        steps:
          - call: OPTION oob_inline off
          - send: <CTL=URG,ACK><DATA="c">
          {steps}
        """)
    able = replace(facts(), ops=frozenset({"listen", "accept", "set_option", "receive"}))
    (skipped,) = plan([apart], able, OPTIONS)[1]
    assert skipped.reason == "the target's agent does not offer receive_urgent"
    both = replace(able, ops=able.ops | {"receive_urgent"})
    assert plan([apart], both, OPTIONS)[1] == []


def test_what_is_known_to_crash_the_target_is_alone_on_it() -> None:
    calm, wild = answered(""), case(NEEDS.replace("needs: [sysctl net.ipv4.a=1, sysctl net.ipv4.b=2]", ""))
    planned, _ = plan([calm, wild], facts(), OPTIONS, lambda case, ip: case is wild)
    assert {item.case.title: item.lab for item in planned} == {"An answer": "", "A setting": "test/case/4"}


def test_a_case_with_equal_ports_takes_one_that_the_target_does_not_hand_out() -> None:
    same = case("""
        title: The same port
        with: {port: same}
        steps:
          - send: <SEQ=x><CTL=SYN>
        """)
    planned, _ = plan([same], facts(), OPTIONS)
    assert all(item.endpoints.tester_ports[1] in CLOSED_PORTS for item in planned)
