"""Captures as files: reading them, `conformance check`, and traffic of real kernels without a false alarm."""

import gzip
import random
import struct
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.model.flow import Flow
from conformance.model.recorded import Checksum, Recorded
from conformance.model.segment import Control, Segment, mss_option
from conformance.run.checking import Checked, check
from conformance.wire.capture import write_pcapng
from conformance.wire.codec import encode
from conformance.wire.recording import Recording
from tests.running import succeeds

ACK, FIN, RST, SYN = Control.ACK, Control.FIN, Control.RST, Control.SYN
CLIENT, SERVER = "02:00:00:00:00:01", "02:00:00:00:00:02"
FLOWS = {
    4: Flow(("192.0.2.1", 40000), ("192.0.2.2", 80)),
    6: Flow(("2001:db8::1", 40000), ("2001:db8::2", 80)),
}
PROGRAM = Path(__file__).with_name("traffic.py")
GOLDEN = Path(__file__).parent / "golden"


def frame(segment: Segment, ip: int = 4, back: bool = False) -> bytes:
    flow = Flow(FLOWS[ip].target, FLOWS[ip].tester) if back else FLOWS[ip]
    return encode(flow, segment, CLIENT, SERVER)


def conversation(ip: int = 4) -> list[bytes]:
    """A connection of seven frames; in the sixth the server acknowledges what was not sent."""
    options = mss_option(1000).encode()
    return [
        frame(Segment(100, 0, SYN, options=options), ip),
        frame(Segment(500, 101, SYN | ACK, options=options), ip, True),
        frame(Segment(101, 501, ACK), ip),
        frame(Segment(101, 501, ACK, data=b"hello"), ip),
        frame(Segment(501, 106, ACK), ip, True),
        frame(Segment(501, 116, ACK), ip, True),
        frame(Segment(106, 501, FIN | ACK), ip),
    ]


def pcap(
    frames: Sequence[bytes], link_type: int = 1, magic: int = 0xA1B2C3D4, order: str = "<", snap: int = 65535
) -> bytes:
    """Return a capture file; frames are a millisecond apart."""
    unit = 1_000_000 if magic == 0xA1B23C4D else 1000
    octets = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, snap, link_type)
    for at, one in enumerate(frames):
        octets += struct.pack(order + "IIII", 1700000000, at * unit, len(one[:snap]), len(one)) + one[:snap]
    return octets


def read(path: Path) -> list[Recorded]:
    with Recording(path) as recording:
        return list(recording)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


# -- reading ------------------------------------------------------------------------------
LINKS: dict[int, Callable[[bytes, int], bytes]] = {
    0: lambda packet, ip: struct.pack("<I", 2 if ip == 4 else 30) + packet,
    1: lambda packet, ip: bytes(12) + bytes.fromhex("8100 0007") + kind(ip) + packet,
    12: lambda packet, ip: packet,
    101: lambda packet, ip: packet,
    108: lambda packet, ip: struct.pack(">I", 2 if ip == 4 else 24) + packet,
    113: lambda packet, ip: bytes(14) + kind(ip) + packet,
    276: lambda packet, ip: kind(ip) + bytes(18) + packet,
}


def kind(ip: int) -> bytes:
    return bytes.fromhex("0800" if ip == 4 else "86dd")


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("link_type", LINKS)
def test_link_types(tmp_path: Path, link_type: int, ip: int) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([LINKS[link_type](one[14:], ip) for one in conversation(ip)], link_type))
    found = read(path)
    assert [item.segment.seq for item in found] == [100, 500, 101, 101, 501, 501, 106]
    assert {item.checksum for item in found} == {Checksum.GOOD}
    assert found[0].source == FLOWS[ip].tester
    assert found[3].segment.data == b"hello"
    assert [item.code for item in check(path).flows[0].violations] == ["ack-beyond"]


def test_formats_give_the_same(tmp_path: Path) -> None:
    frames = conversation()
    files = {
        "little": pcap(frames),
        "big": pcap(frames, order=">"),
        "nano": pcap(frames, magic=0xA1B23C4D),
        "gzip": gzip.compress(pcap(frames)),
    }
    path = tmp_path / "ng"
    write_pcapng(path, [(1700000000 + at / 1000, one, True) for at, one in enumerate(frames)])
    expected = [(item.frame, round(item.time, 6), item.segment) for item in read(path)]
    assert [time for _, time, _ in expected] == [0, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006]
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
        found = [(item.frame, round(item.time, 6), item.segment) for item in read(tmp_path / name)]
        assert found == expected, name


def test_a_file_that_ends_early_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_pcapng(path, [(1700000000 + at, one, True) for at, one in enumerate(conversation())])
    for octets in (pcap(conversation()), path.read_bytes()):
        path.write_bytes(octets)
        assert not check(path).notes
        path.write_bytes(octets[:-10])
        assert "ends in the middle" in check(path).notes[0]


def test_no_octets_make_it_raise(tmp_path: Path) -> None:
    chance = random.Random(1)
    frames = [bytearray(one) for one in conversation() + conversation(6)] * 20
    for one in frames:
        for _ in range(chance.randrange(4)):
            one[chance.randrange(12, len(one))] = chance.randrange(256)
        del one[chance.randrange(14, len(one) + 1) :]
    path = tmp_path / "a"
    for link_type in LINKS:
        path.write_bytes(pcap([bytes(one) for one in frames], link_type))
        run(path)
        assert run(path).exit_code in (0, 1, 3)


def test_a_snap_length_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap(conversation(), snap=56))
    (flow,) = check(path).flows
    assert "1 segments were cut by the recording" in flow.notes[0]
    assert [item.code for item in flow.violations] == ["ack-beyond"]


# -- the command --------------------------------------------------------------------------
def test_golden(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seen.pcap").write_bytes(pcap(conversation()))
    result = run("seen.pcap")
    assert result.exit_code == 1
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / "check.txt").write_text(result.output, encoding="utf-8")
    assert result.output == (GOLDEN / "check.txt").read_text(encoding="utf-8")


def test_exit_codes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap(conversation()))
    assert run(path, "--end", "server").exit_code == 1
    assert run(path, "--end", "client").exit_code == 0
    assert run(path, "--flow", 0, "--json").exit_code == 1
    missing = run(path, "--flow", 1)
    assert (missing.exit_code, "has no flow 1; it has 0 to 0" in missing.output) == (2, True)
    assert run(tmp_path / "nothing").exit_code == 2
    path.write_bytes(b"not a capture")
    assert "neither pcap nor pcapng" in run(path).output
    path.write_bytes(pcap([]))
    assert run(path).exit_code == 3
    path.write_bytes(pcap(conversation(), 147))
    unknown = run(path)
    assert (unknown.exit_code, "link type 147, which cannot be read" in unknown.output) == (3, True)


# -- two kernels --------------------------------------------------------------------------
@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def made(name: str) -> Path:
        directory = tmp_path_factory.mktemp(name)
        succeeds(PROGRAM, name, str(directory))
        return directory

    return made


CAPTURES = [
    ("bulk", "client", "client"),
    ("bulk", "server", "server"),
    ("short", "client", "client"),
    ("short", "server", "server"),
    ("fast-open", "client", "client"),
    ("fast-open", "server", "server"),
    ("offload", "client", "both"),
]


@pytest.mark.netns
@pytest.mark.parametrize(("name", "point", "near"), CAPTURES)
def test_no_false_alarm(traffic: Callable[[str], Path], name: str, point: str, near: str) -> None:
    found = check(traffic(name) / f"{point}.pcapng")
    for flow in found.flows:
        assert (flow.violations, flow.warnings, flow.inconclusive) == ((), (), ()), flow.number
    assert len(found.flows) == {"bulk": 5, "short": 240, "fast-open": 240, "offload": 62}[name]
    inferred = [str(flow.position.near) for flow in found.flows]
    assert inferred.count(near) > len(inferred) / 2
    notes = {note for flow in found.flows for note in flow.notes}
    assert any("leaves checksums to its network card" in note for note in notes) == (name == "offload")


@pytest.mark.netns
def test_of_the_traffic_some_is_acknowledged_with_the_syn(traffic: Callable[[str], Path]) -> None:
    brought: dict[object, int] = {}
    accepted = 0
    with Recording(traffic("fast-open") / "server.pcapng") as recording:
        for item in recording:
            ends = frozenset((item.source, item.destination))
            if item.segment.has(SYN) and not item.segment.has(ACK) and item.length:
                brought[ends] = item.segment.end
            elif item.segment.has(SYN):
                accepted += brought.get(ends) == item.segment.ack
    assert accepted > 50


def sealed(octets: bytes) -> bytes:
    """Return an Ethernet frame with its TCP checksum made right."""
    ipv4 = octets[12:14] == bytes.fromhex("0800")
    at = 34 if ipv4 else 54
    end = 14 + int.from_bytes(octets[16:18], "big") if ipv4 else len(octets)
    body = octets[at : at + 16] + bytes(2) + octets[at + 18 : end]
    addresses = octets[26:34] if ipv4 else octets[22:54]
    pseudo = int.from_bytes(addresses, "big") + 6 + len(body)
    total = (pseudo + int.from_bytes(body + bytes(len(body) % 2), "big")) % 0xFFFF
    return octets[: at + 16] + (0xFFFF - total).to_bytes(2, "big") + octets[at + 18 :]


def put(octets: bytes, at: int, value: int, size: int = 4) -> bytes:
    """Return the frame with a field of its TCP header changed, by the offset from that header."""
    start = (34 if octets[12:14] == bytes.fromhex("0800") else 54) + at
    old = int.from_bytes(octets[start : start + size], "big")
    new = ((old + value) % (1 << 8 * size)).to_bytes(size, "big")
    return octets[:start] + new + octets[start + size :]


def candidates(path: Path) -> dict[str, list[int]]:
    """Return which frames each alteration can be made in."""
    sent: set[tuple[object, ...]] = set()
    found: dict[str, list[int]] = {"ack": [], "octets": [], "checksum": [], "window": []}
    for item in read(path):
        segment = item.segment
        if segment.ctl & (SYN | RST | FIN):
            continue
        found["checksum"].append(item.frame)
        if not item.length:
            found["ack"].append(item.frame)
            continue
        found["window"].append(item.frame)
        key = item.source, item.destination, segment.seq
        if key in sent:
            found["octets"].append(item.frame)
        sent.add(key)
    return found


ALTERATIONS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    # Farther than any window: of a bulk transfer megabytes may be in flight.
    "ack": (lambda octets: sealed(put(octets, 8, 50_000_000)), "ack-beyond"),
    "octets": (lambda octets: sealed(octets[:-1] + bytes([octets[-1] ^ 1])), "other-octets"),
    "checksum": (lambda octets: put(octets, 16, 1, 2), "checksum"),
    "window": (lambda octets: sealed(put(octets, 4, 50_000_000)), "beyond-window"),
}


def alter(source: Path, target: Path, number: int, change: Callable[[bytes], bytes]) -> Checked:
    """Write the capture with one frame changed, and check it."""
    from scapy.utils import RawPcapNgReader

    with RawPcapNgReader(str(source)) as reader:
        frames = [(((meta.tshigh << 32) + meta.tslow) / meta.tsresol, octets) for octets, meta in reader]
    frames[number - 1] = frames[number - 1][0], change(frames[number - 1][1])
    write_pcapng(target, [(wall, octets, True) for wall, octets in frames])
    return check(target)


@pytest.mark.netns
@pytest.mark.parametrize(
    ("name", "point", "kind"),
    [
        ("bulk", "client", "ack"),
        ("short", "server", "ack"),
        ("bulk", "server", "octets"),
        ("short", "client", "checksum"),
        ("bulk", "client", "window"),
        ("short", "server", "window"),
    ],
)
def test_one_field_altered_is_found(
    traffic: Callable[[str], Path], tmp_path: Path, name: str, point: str, kind: str
) -> None:
    source = traffic(name) / f"{point}.pcapng"
    change, code = ALTERATIONS[kind]
    frames = candidates(source)[kind]
    number = frames[len(frames) // 2]
    found = alter(source, tmp_path / "altered.pcapng", number, change)
    assert (code, number) in {(item.code, item.frame) for flow in found.flows for item in flow.violations}
