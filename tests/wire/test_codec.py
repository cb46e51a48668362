"""What is sent can be read back, whatever is wrong with it; what comes in never raises."""

import socket
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.model.flow import (
    INVALID,
    RECORDS,
    ROUTES,
    SOURCES,
    Flow,
    carried,
    other,
    route_ahead,
    route_taken,
)
from conformance.model.icmp import ERRORS
from conformance.model.segment import Control, Envelope, Segment, mss_option
from conformance.wire.codec import decode, encode, encode_all, encode_raw
from conformance.wire.scapy_setup import checksum

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


def checksum_of_icmp(ip: int, message: bytes) -> int:
    """Return 0 where the checksum of an ICMP message from the tester is right."""
    if ip == 4:
        return int(checksum(message))
    ends = [socket.inet_pton(socket.AF_INET6, end[0]) for end in (FLOWS[6].tester, FLOWS[6].target)]
    return int(checksum(b"".join(ends) + len(message).to_bytes(4, "big") + bytes([0, 0, 0, 58]) + message))


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("name", list(ERRORS))
def test_an_icmp_error_returns_a_segment_of_the_target(ip: int, name: str) -> None:
    envelope = Envelope(error=name, mtu=1300)
    segment = Segment(0x01020304, 7, Control.ACK, data=bytes(100), envelope=envelope)
    code = ERRORS[name].code(ip)
    if code is None:
        with pytest.raises(ValueError, match=f"IPv{ip} has no {name}"):
            encode(FLOWS[ip], segment, TESTER, TARGET)
        return
    frame = encode(FLOWS[ip], segment, TESTER, TARGET)
    message = frame[14 + IP_LENGTH[ip] :]
    assert tuple(message[:2]) == code
    assert checksum_of_icmp(ip, message) == 0
    rest = int.from_bytes(message[4:8], "big")
    assert rest == (1300 if name == "fragmentation-needed" else 0)
    quoted = message[8:]
    assert len(quoted) == IP_LENGTH[ip] + 20
    assert quoted[IP_LENGTH[ip] :][:8] == b"\x00\x50\x9c\x40\x01\x02\x03\x04"
    length = int.from_bytes(quoted[2:4] if ip == 4 else quoted[4:6], "big")
    assert length == (140 if ip == 4 else 120)
    spoilt = replace(segment, checksum_ok=False)
    assert checksum_of_icmp(ip, encode(FLOWS[ip], spoilt, TESTER, TARGET)[14 + IP_LENGTH[ip] :]) != 0


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("size", [8, 24, 64, 1024])
def test_fragments_are_the_whole_in_order(ip: int, size: int) -> None:
    segment = Segment(1, 2, Control.ACK, data=bytes(range(100)))
    pieces = encode_all(FLOWS[ip], replace(segment, envelope=Envelope(fragment=size)), TESTER, TARGET)
    whole = encode(FLOWS[ip], segment, TESTER, TARGET)[14 + IP_LENGTH[ip] :]
    extension = 0 if ip == 4 else 8
    got, at = b"", 14 + IP_LENGTH[ip]
    for piece in pieces:
        # Offset in octets, and whether more follow, by the layout of RFC 791 3.1 and RFC 8200 4.5.
        word = int.from_bytes(piece[20:22] if ip == 4 else piece[at + 2 : at + 4], "big")
        offset, more = ((word & 0x1FFF) * 8, word >> 13) if ip == 4 else (word & 0xFFF8, word & 1)
        assert offset == len(got)
        assert more == (piece is not pieces[-1])
        assert ip == 6 or checksum(piece[14:at]) == 0
        got += piece[at + extension :]
    assert got == whole
    assert len(pieces) == -(-len(whole) // size)


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("word", SOURCES)
def test_a_forged_source_has_a_right_checksum(ip: int, word: str) -> None:
    segment = Segment(1, 0, Control.SYN, envelope=Envelope(source=word))
    if word in INVALID and ip not in INVALID[word]:
        with pytest.raises(ValueError, match=f"IPv{ip} has no {word} address"):
            encode(FLOWS[ip], segment, TESTER, TARGET)
        return
    decoded = decode(encode(FLOWS[ip], segment, TESTER, TARGET))
    assert decoded is not None
    assert decoded[0] == there(carried(FLOWS[ip], segment.envelope))
    assert decoded[0].target[0] != FLOWS[ip].tester[0]
    assert decoded[1].checksum_ok


def test_ip_options_are_padded_and_skipped() -> None:
    segment = Segment(1, 2, Control.ACK, data=b"hello", envelope=Envelope(options=b"\x07\x07\x04"))
    frame = encode(FLOWS[4], segment, TESTER, TARGET)
    assert frame[14] == 0x46
    assert frame[34:38] == b"\x07\x07\x04\x00"
    decoded = decode(frame)
    assert decoded is not None
    assert (decoded[1].data, decoded[1].defect, decoded[1].checksum_ok) == (b"hello", "", True)
    with pytest.raises(ValueError, match="IPv6 has no IP options"):
        encode(FLOWS[6], segment, TESTER, TARGET)


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_known_when_the_first_station_is_in_it(record: str) -> None:
    sent = route_ahead(record, "192.0.2.1")
    assert route_taken(sent, "192.0.2.1") == ("record-route" if record == "record-route" else "", "192.0.2.1")
    begun = sent[:2] + bytes([sent[2] + 4]) + sent[3:]
    assert route_taken(b"\x01" + begun, "192.0.2.1") == (record, "192.0.2.1")
    frame = encode(FLOWS[4], Segment(1, 0, Control.SYN, envelope=Envelope(route=record)), TESTER, TARGET)
    assert frame[14 + IP_LENGTH[4] :].startswith(sent)


@pytest.mark.parametrize(("route", "kind"), ROUTES.items())
def test_a_source_route_has_led_to_the_target_and_is_to_lead_back(route: str, kind: int) -> None:
    tester, target = (FLOWS[4].tester[0], FLOWS[4].target[0])
    sent = encode(FLOWS[4], Segment(1, 0, Control.SYN, envelope=Envelope(route=route)), TESTER, TARGET)
    gateway = socket.inet_aton(other(tester))
    assert sent[30:42] == socket.inet_aton(target) + bytes([kind, 7, 8]) + gateway + b"\0"
    # What comes back is addressed to the gateway, and its checksum reckons with the end of the route.
    header = bytearray(encode(there(FLOWS[4]), Segment(5, 2, Control.ACK), TARGET, TESTER))
    option = bytes([kind, 7, 4]) + socket.inet_aton(tester) + b"\0"
    header[14], header[30:34], header[24:26] = 0x47, gateway, bytes(2)
    header[16:18] = (len(header) - 14 + len(option)).to_bytes(2, "big")
    header[24:26] = checksum(bytes(header[14:34]) + option).to_bytes(2, "big")
    came = decode(bytes(header[:34]) + option + bytes(header[34:]))
    assert came is not None
    assert came[0] == FLOWS[4]
    assert (came[1].envelope.route, came[1].checksum_ok, came[1].defect) == (route, True, "")


def test_the_identification_of_what_comes_is_kept() -> None:
    frame = bytearray(encode(FLOWS[4], Segment(1, 0, Control.SYN), TESTER, TARGET))
    frame[18:20], frame[24:26] = b"\x12\x34", bytes(2)
    frame[24:26] = checksum(bytes(frame[14:34])).to_bytes(2, "big")
    came = decode(bytes(frame))
    assert came is not None
    assert (came[1].ident, came[1].defect, came[1].checksum_ok) == (0x1234, "", True)
