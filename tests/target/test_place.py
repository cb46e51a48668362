"""The tester's own addresses on a network that it shares, and the settings of the container there."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from conformance.model.description import TargetDescription
from conformance.target.agent_client import AgentClient, local_agent
from conformance.target.base import TargetError
from conformance.target.container import _configure
from conformance.target.description import describe_container
from conformance.target.place import Network, spare, spare_mac


@pytest.mark.parametrize(
    ("subnet", "target", "taken", "skip", "found"),
    [
        ("198.18.53.0/24", "198.18.53.2", (), 0, "198.18.53.254"),
        ("198.18.53.0/24", "198.18.53.2", (), 3, "198.18.53.251"),
        ("198.18.53.0/24", "198.18.53.254", ("198.18.53.253",), 0, "198.18.53.252"),
        ("198.18.0.0/15", "198.18.0.2", (), 0, "198.19.255.254"),
        ("198.18.53.0/29", "198.18.53.6", ("198.18.53.1", "198.18.53.5"), 0, "198.18.53.4"),
        ("2001:db8:53::/64", "2001:db8:53::2", (), 0, "2001:db8:53::fffe"),
        ("2001:db8:53::/120", "2001:db8:53::2", (), 1, "2001:db8:53::fd"),
    ],
)
def test_an_address_is_taken_that_nobody_has(
    subnet: str, target: str, taken: tuple[str, ...], skip: int, found: str
) -> None:
    assert spare(Network(target, subnet, frozenset(taken)), skip) == found


def test_a_full_subnet_is_said_to_be_full() -> None:
    with pytest.raises(TargetError, match=r"the subnet 198\.18\.53\.0/30 has no address left"):
        spare(Network("198.18.53.2", "198.18.53.0/30", frozenset({"198.18.53.1"})))


def test_who_has_other_addresses_has_another_mac() -> None:
    one, other = (
        spare_mac(["198.18.53.254", "2001:db8::fffe"]),
        spare_mac(["198.18.53.251", "2001:db8::fffb"]),
    )
    assert (one, other) == ("02:fe:c6:12:35:fe", "02:fe:c6:12:35:fb")
    assert int(one[:2], 16) & 3 == 2  # locally administered, and no group's


def test_a_service_is_described_beside_the_compose_file_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert describe_container("mine").sysctl == {}
    folder = tmp_path / "targets" / "mine"
    folder.mkdir(parents=True)
    (folder / "target.yaml").write_text("name: mine\nkind: container\ninherits: netns\n")
    found = describe_container("mine")
    assert found.sysctl["net.ipv4.tcp_invalid_ratelimit"] == "0"
    assert found.deviations
    with pytest.raises(TargetError, match="the target netns is no container"):
        describe_container("netns")


def test_a_described_setting_that_the_kernel_lacks_is_left_out_and_a_wrong_one_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net" / "wrong").mkdir(parents=True)
    (tmp_path / "net" / "known").write_text("0")
    monkeypatch.setenv("CONFORMANCE_SYSCTL", str(tmp_path))
    with ExitStack() as undo:
        agent = AgentClient(local_agent())
        undo.callback(agent.close)

        def configure(**sysctl: str) -> dict[str, str]:
            own = {f"net.{name}": value for name, value in sysctl.items()}
            return _configure(agent, agent, TargetDescription("mine", "container", sysctl=own), {}, undo)[1]

        assert configure(absent="1", known="2") == {}
        assert (tmp_path / "net" / "known").read_text() == "2"
        with pytest.raises(TargetError, match=r"cannot set sysctl net\.wrong to 1: EISDIR"):
            configure(wrong="1")
    assert (tmp_path / "net" / "known").read_text() == "0"
