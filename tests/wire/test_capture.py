"""Captured frames are found by the tester's port, and written with their comments."""

from pathlib import Path

import pytest
from scapy.utils import RawPcapNgReader

from conformance.model.flow import Flow
from conformance.model.segment import Control, Envelope, Segment
from conformance.wire.capture import port_of_tester, write_pcapng
from conformance.wire.codec import encode, encode_all
from conformance.wire.filter import incoming, tcp

MACS = "02:00:00:00:00:01", "02:00:00:00:00:02"
FLOWS = {
    4: Flow(("192.0.2.1", 40000), ("192.0.2.2", 80)),
    6: Flow(("2001:db8::1", 40000), ("2001:db8::2", 80)),
}
ADDRESSES = ["192.0.2.1", "2001:db8::1"]


def frame(ip: int, back: bool = False) -> bytes:
    flow = Flow(FLOWS[ip].target, FLOWS[ip].tester) if back else FLOWS[ip]
    return encode(flow, Segment(1, 2, Control.ACK, data=b"data"), *MACS)


@pytest.mark.parametrize("ip", [4, 6])
def test_the_testers_port_is_found_in_both_directions(ip: int) -> None:
    assert port_of_tester(frame(ip), sent=True) == 40000
    assert port_of_tester(frame(ip, back=True), sent=False) == 40000
    for length in range(14, 54):
        port_of_tester(frame(ip)[:length], sent=True)


@pytest.mark.parametrize("ip", [4, 6])
def test_an_icmp_error_belongs_to_the_port_in_it(ip: int) -> None:
    error = Segment(1, 2, Control.ACK, envelope=Envelope(error="host-unreachable"))
    octets = encode(FLOWS[ip], error, *MACS)
    assert port_of_tester(octets, sent=True) == 40000
    assert run_filter(tcp(ADDRESSES), octets)
    assert not run_filter(tcp(["198.51.100.1", "2001:db8::9"]), octets)


@pytest.mark.parametrize("ip", [4, 6])
def test_our_fragments_have_the_port_in_their_identification(ip: int) -> None:
    segment = Segment(1, 2, Control.ACK, data=bytes(100), envelope=Envelope(fragment=24))
    found = [port_of_tester(piece, sent=True) for piece in encode_all(FLOWS[ip], segment, *MACS)]
    assert found == [40000] * 5


def test_later_fragments_of_the_target_have_no_port() -> None:
    fragment = bytearray(frame(4, back=True))
    fragment[14 + 7] = 2
    assert port_of_tester(bytes(fragment), sent=False) == 0


def test_a_capture_file_keeps_octets_times_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "case.pcapng"
    frames = [(1700000000.25, frame(4), True), (1700000000.5, frame(4, back=True), False)]
    write_pcapng(path, frames, ["step 1: send <CTL=SYN>"])
    with RawPcapNgReader(str(path)) as reader:
        read = list(reader)
    assert [octets for octets, _ in read] == [octets for _, octets, _ in frames]
    times = [((meta.tshigh << 32) + meta.tslow) / meta.tsresol for _, meta in read]
    assert times == [wall for wall, _, _ in frames]
    assert [meta.comments for _, meta in read] == [[b"step 1: send <CTL=SYN>"], None]


def run_filter(program: list[tuple[int, int, int, int]], octets: bytes) -> bool:
    """Interpret the few instructions that our filters use."""
    at, value = 0, 0
    while True:
        code, yes, no, operand = program[at]
        at += 1
        if code == 0x06:
            return operand > 0
        if code == 0x15:
            at += yes if value == operand else no
            continue
        size = {0x30: 1, 0x28: 2, 0x20: 4}[code]
        if operand + size > len(octets):
            return False
        value = int.from_bytes(octets[operand : operand + size], "big")


@pytest.mark.parametrize("ip", [4, 6])
def test_the_filters_let_through_what_is_the_testers(ip: int) -> None:
    ours, theirs = frame(ip), frame(ip, back=True)
    assert run_filter(incoming(ADDRESSES), theirs)
    assert not run_filter(incoming(ADDRESSES), ours)
    assert not run_filter(incoming(["192.0.2.9", "2001:db8::9"]), theirs)
    assert run_filter(tcp(ADDRESSES), ours)
    assert run_filter(tcp(ADDRESSES), theirs)
    assert not run_filter(tcp(["192.0.2.9", "2001:db8::9"]), theirs)


def test_the_filters_tell_protocols_apart() -> None:
    udp = bytearray(frame(4))
    udp[14 + 9] = 17
    assert not run_filter(tcp(ADDRESSES), bytes(udp))
    icmpv6 = bytearray(frame(6))
    icmpv6[14 + 6] = 58
    assert not run_filter(tcp(ADDRESSES), bytes(icmpv6))
    multicast = bytearray(frame(6))
    multicast[14 + 24] = 0xFF
    assert run_filter(incoming(ADDRESSES), bytes(multicast))
    assert run_filter(incoming(ADDRESSES), bytes(12) + b"\x08\x06" + bytes(28))
    assert not run_filter(incoming(ADDRESSES), bytes(12) + b"\x88\xcc" + bytes(28))
