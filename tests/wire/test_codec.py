"""What is sent can be read back, whatever is wrong with it; what comes in never raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.model.flow import Flow
from conformance.model.segment import Control, Segment, mss_option
from conformance.wire.codec import decode, encode, encode_raw

TESTER, TARGET = "02:00:00:00:00:01", "02:00:00:00:00:02"
FLOWS = {
    4: Flow(("192.0.2.1", 40000), ("192.0.2.2", 80)),
    6: Flow(("2001:db8::1", 40000), ("2001:db8::2", 80)),
}
IP_LENGTH = {4: 20, 6: 40}
words = st.integers(0, 2**16 - 1)
numbers = st.integers(0, 2**32 - 1)
octets = st.integers(0, 255)


def there(flow: Flow) -> Flow:
    """The flow as the receiver of our own frame sees it."""
    return Flow(flow.target, flow.tester)


def segments() -> st.SearchStrategy[Segment]:
    return st.builds(
        Segment,
        seq=numbers,
        ack=numbers,
        ctl=octets.map(Control),
        wnd=words,
        urp=words,
        data=st.binary(max_size=64),
        options=st.integers(0, 10).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)),
        checksum_ok=st.booleans(),
        rsv=st.integers(0, 15),
        ttl=octets,
        tos=octets,
    )


@pytest.mark.parametrize("ip", [4, 6])
@settings(max_examples=60, deadline=None, database=None)
@given(segment=segments())
def test_round_trip(ip: int, segment: Segment) -> None:
    decoded = decode(encode(FLOWS[ip], segment, TESTER, TARGET))
    assert decoded is not None
    flow, back = decoded
    assert flow == there(FLOWS[ip])
    assert back.doff == 5 + len(segment.options) // 4
    for name in ("seq", "ack", "ctl", "wnd", "urp", "data", "options", "checksum_ok", "rsv", "ttl", "tos"):
        assert getattr(back, name) == getattr(segment, name), name
    assert back.defect == ""


@pytest.mark.parametrize("ip", [4, 6])
@settings(max_examples=100, deadline=None, database=None)
@given(data=st.data())
def test_mangled_frames_never_raise(ip: int, data: st.DataObject) -> None:
    frame = bytearray(encode(FLOWS[ip], Segment(1, 2, Control.ACK, data=b"hello"), TESTER, TARGET))
    for _ in range(data.draw(st.integers(0, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(octets)
    decode(bytes(frame[: data.draw(st.integers(0, len(frame)))]))


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None, database=None)
def test_noise_never_raises(noise: bytes) -> None:
    for ethertype in (b"\x08\x00", b"\x86\xdd", b"\x08\x06"):
        decode(bytes(12) + ethertype + noise)


@pytest.mark.parametrize("ip", [4, 6])
def test_options_are_padded_to_the_data_offset(ip: int) -> None:
    segment = Segment(1, 0, Control.SYN, options=b"\x03\x00\xff")
    decoded = decode(encode(FLOWS[ip], segment, TESTER, TARGET))
    assert decoded is not None
    assert (decoded[1].options, decoded[1].doff) == (b"\x03\x00\xff\x00", 6)


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize(
    ("doff", "defect"),
    [(0, "data offset 0, less"), (4, "data offset 4, less"), (15, "data offset 15, beyond")],
)
def test_a_lying_data_offset_is_sent_and_named(ip: int, doff: int, defect: str) -> None:
    segment = Segment(1, 0, Control.SYN, options=mss_option(536).encode(), doff=doff)
    frame = encode(FLOWS[ip], segment, TESTER, TARGET)
    assert frame[14 + IP_LENGTH[ip] + 12] >> 4 == doff
    decoded = decode(frame)
    assert decoded is not None
    assert decoded[1].defect.startswith(defect)
    assert decoded[1].checksum_ok


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("checksum", [0, 0x1234])
def test_a_given_checksum_is_sent_as_it_is(ip: int, checksum: int) -> None:
    frame = encode(FLOWS[ip], Segment(1, 0, Control.SYN, checksum=checksum), TESTER, TARGET)
    at = 14 + IP_LENGTH[ip] + 16
    assert int.from_bytes(frame[at : at + 2], "big") == checksum


@pytest.mark.parametrize("ip", [4, 6])
def test_raw_octets_are_the_whole_ip_payload(ip: int) -> None:
    frame = encode_raw(FLOWS[ip], b"\x9c\x40\x00", TESTER, TARGET)
    assert frame[14 + IP_LENGTH[ip] :] == b"\x9c\x40\x00"
    decoded = decode(frame)
    assert decoded is not None
    assert decoded[1].defect == "truncated TCP header: 3 octets"


@pytest.mark.parametrize("ip", [4, 6])
def test_ethernet_padding_is_not_data(ip: int) -> None:
    frame = encode(FLOWS[ip], Segment(1, 2, Control.ACK), TESTER, TARGET) + bytes(6)
    decoded = decode(frame)
    assert decoded is not None
    assert decoded[1].data == b""
    assert decoded[1].checksum_ok


def test_too_many_options_are_refused() -> None:
    with pytest.raises(ValueError, match="44 octets of options"):
        encode(FLOWS[4], Segment(1, 0, Control.SYN, options=bytes(44)), TESTER, TARGET)


def test_fragments_and_damage_are_named() -> None:
    frame = bytearray(encode(FLOWS[4], Segment(1, 2, Control.ACK, data=bytes(32)), TESTER, TARGET))
    frame[14 + 6] = 0x20  # more fragments
    first = decode(bytes(frame))
    frame[14 + 7] = 3
    later = decode(bytes(frame))
    assert first is not None
    assert later is not None
    assert (first[1].defect, first[0].target[1]) == ("IPv4 fragment (offset 0)", 40000)
    assert (later[1].defect, later[0].target[1]) == ("IPv4 fragment (offset 24)", 0)
    frame[14 + 6 : 14 + 8] = b"\x40\x01"
    frame[14 + 7] = 0
    frame[14 + 8] ^= 1  # the time to live, which the header's checksum covers
    damaged = decode(bytes(frame))
    assert damaged is not None
    assert damaged[1].defect == "IPv4 header checksum"


def test_what_is_not_tcp_is_nobodys() -> None:
    frame = bytearray(encode(FLOWS[4], Segment(1, 2, Control.ACK), TESTER, TARGET))
    frame[14 + 9] = 17
    assert decode(bytes(frame)) is None
    assert decode(b"") is None
