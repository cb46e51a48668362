"""The default target, on this machine's kernel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from netns_scenarios import SCENARIOS

from conformance.target.base import TargetError
from conformance.target.namespace import _refusal
from tests.running import ENVIRONMENT, succeeds

PROGRAM = Path(__file__).with_name("netns_scenarios.py")


@pytest.mark.netns
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, tmp_path: Path) -> None:
    succeeds(PROGRAM, name, str(tmp_path / "file"))
    if name == "files_stay_ours":
        assert (tmp_path / "file").stat().st_uid == os.getuid()


@pytest.mark.netns
def test_a_lab_needs_the_testers_own_namespace() -> None:
    code = "from conformance.target.netns import NetnsLab; NetnsLab()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert "TargetError: the tester is not in a network namespace of its own" in done.stderr


@pytest.mark.netns
def test_where_namespaces_are_forbidden_there_is_one_message_with_a_remedy() -> None:
    """In a user namespace whose own limit is 0, as an administrator would have set it."""
    code = (
        "from pathlib import Path\n"
        "from conformance.target.base import TargetError\n"
        "from conformance.target.namespace import _enter_user_namespace, enter_namespace\n"
        "_enter_user_namespace()\n"
        "for name in ('user', 'net'): Path(f'/proc/sys/user/max_{name}_namespaces').write_text('0')\n"
        "try: enter_namespace()\n"
        "except TargetError as error: print(error); print(error.remedy)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    message, remedy = done.stdout.splitlines()
    assert message == (
        "this system does not let the tester create a network namespace: No space left on device"
    )
    assert remedy.startswith("user.max_user_namespaces is 0; allow them with: sudo sysctl -w ")


def test_a_refusal_says_what_to_do() -> None:
    refusal = _refusal(1, "create a network namespace")
    assert isinstance(refusal, TargetError)
    assert (
        str(refusal)
        == "this system does not let the tester create a network namespace: Operation not permitted"
    )
    assert "root" in refusal.remedy or "sudo" in refusal.remedy or "--privileged" in refusal.remedy
