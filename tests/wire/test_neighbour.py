"""The tester answers for its own addresses, and for no other."""

import pytest

from conformance.wire.neighbour import Neighbour
from conformance.wire.resolution import (
    Resolution,
    decode_resolution,
    encode_answer,
    encode_question,
    is_resolution,
    multicast_mac,
    solicited_node,
)

OURS, THEIRS = "02:00:00:00:00:01", "02:00:00:00:00:02"
OWN = {4: "192.0.2.1", 6: "2001:db8::1"}
OTHER = {4: "192.0.2.2", 6: "2001:db8::2"}


@pytest.mark.parametrize("ip", [4, 6])
def test_a_question_for_our_address_is_answered_and_teaches_us_the_asker(ip: int) -> None:
    neighbour = Neighbour(OURS, OWN.values())
    question = encode_question(OWN[ip], OTHER[ip], THEIRS)
    assert is_resolution(question)
    answer = neighbour.receive(question)
    assert answer is not None
    assert decode_resolution(answer) == Resolution(False, OWN[ip], OWN[ip], OURS)
    assert neighbour.lookup(OTHER[ip]) == THEIRS


@pytest.mark.parametrize("ip", [4, 6])
def test_we_learn_from_the_answer_to_our_question(ip: int) -> None:
    neighbour = Neighbour(OURS, OWN.values())
    question = decode_resolution(neighbour.ask(OTHER[ip]))
    assert question == Resolution(True, OTHER[ip], OWN[ip], OURS)
    assert neighbour.receive(encode_answer(question, THEIRS)) is None
    assert neighbour.lookup(OTHER[ip]) == THEIRS


@pytest.mark.parametrize("ip", [4, 6])
def test_questions_for_others_are_left_alone(ip: int) -> None:
    neighbour = Neighbour(OURS, OWN.values())
    assert neighbour.receive(encode_question(OTHER[ip], OTHER[ip], THEIRS)) is None


def test_duplicate_address_detection_finds_our_address_taken() -> None:
    neighbour = Neighbour(OURS, OWN.values())
    probe = encode_question(OWN[6], "::", THEIRS)
    answer = neighbour.receive(probe)
    assert answer is not None
    assert answer[:6] == bytes.fromhex("333300000001")  # to all nodes, for the asker has no address
    assert neighbour.lookup("::") is None


def test_a_solicitation_from_beyond_a_router_is_not_believed() -> None:
    neighbour = Neighbour(OURS, OWN.values())
    frame = bytearray(encode_question(OWN[6], OTHER[6], THEIRS))
    frame[14 + 7] = 254
    assert neighbour.receive(bytes(frame)) is None
    assert neighbour.lookup(OTHER[6]) is None


def test_truncated_frames_are_ignored() -> None:
    neighbour = Neighbour(OURS, OWN.values())
    for frame in (encode_question(OWN[4], OTHER[4], THEIRS), encode_question(OWN[6], OTHER[6], THEIRS)):
        for length in range(len(frame)):
            neighbour.receive(frame[:length])


def test_multicast_addresses() -> None:
    assert solicited_node("2001:db8::12:3456") == "ff02::1:ff12:3456"
    assert multicast_mac("ff02::1:ff12:3456") == "33:33:ff:12:34:56"


def test_without_an_address_of_its_kind_nothing_can_be_asked() -> None:
    with pytest.raises(ValueError, match="no address"):
        Neighbour(OURS, [OWN[4]]).ask(OTHER[6])
