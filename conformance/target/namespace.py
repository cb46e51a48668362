"""Network namespaces: entering one for good, and visiting another for a moment."""

import contextlib
import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from conformance.target.base import TargetError

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_SWITCH = Path("/proc/sys/kernel/unprivileged_userns_clone")
_LIMITS = (Path("/proc/sys/user/max_user_namespaces"), Path("/proc/sys/user/max_net_namespaces"))
_PLAIN = "run as root (sudo), or choose a target that needs no namespace (--target reference)"

_libc = ctypes.CDLL(None, use_errno=True)


def entered() -> bool:
    """Tell whether enter_namespace() has been called in this process."""
    return enter_namespace.cache_info().currsize > 0


@cache
def enter_namespace() -> None:
    """Put this process into a new network namespace of its own, where it is the administrator.

    As root without a user namespace, otherwise with one, in which the user's files stay the
    user's.  Must be called before any thread is started.  Raises TargetError with a remedy
    where the system forbids it.  Nothing happens the second time.
    """
    if os.geteuid() != 0 or not _unshare(_CLONE_NEWNET, permitted=True):
        _enter_user_namespace()
    _probe()


@contextlib.contextmanager
def new_namespace() -> Iterator[int]:
    """Let this thread be in a new network namespace, while the context lasts; yield its own, as a descriptor.

    Sockets and processes made meanwhile stay in it, and keep it alive.
    """
    with _returning() as home:
        _unshare(_CLONE_NEWNET)
        yield home


@contextlib.contextmanager
def visiting(pid: int) -> Iterator[None]:
    """Let this thread be in the network namespace of a process, while the context lasts.

    Raises OSError where the process is gone, or is not ours to visit.
    """
    with _returning(), open(f"/proc/{pid}/ns/net", "rb") as there:
        if _libc.setns(there.fileno(), _CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        yield


@contextlib.contextmanager
def _returning() -> Iterator[int]:
    """Bring this thread back to the network namespace that it is in."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield home
    finally:
        failed = _libc.setns(home, _CLONE_NEWNET)
        code = ctypes.get_errno()
        os.close(home)
        if failed:
            raise OSError(code, "cannot return to the tester's network namespace")


def _unshare(flags: int, permitted: bool = False) -> bool:
    """Call unshare(2); False for EPERM where `permitted`, TargetError for other failures."""
    if _libc.unshare(flags) == 0:
        return True
    code = ctypes.get_errno()
    if permitted and code == errno.EPERM:
        return False
    raise _refusal(code, "create a network namespace")


def _enter_user_namespace() -> None:
    # Read before: inside, the identifiers are unmapped until the maps are written.
    uid, gid = os.geteuid(), os.getegid()
    _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    try:
        # setgroups must be given up before an unprivileged process may map its group.
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            Path(f"/proc/self/{name}").write_text(text)
    except OSError as error:
        raise _refusal(error.errno or 0, "map the user into a user namespace") from error


def _probe() -> None:
    """Some systems hand out a user namespace without any power in it: find out at once."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        raise _refusal(error.errno or 0, "open a packet socket in a network namespace") from error


def _refusal(code: int, what: str) -> TargetError:
    return TargetError(f"this system does not let the tester {what}: {os.strerror(code)}", _remedy(code))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _remedy(code: int) -> str:
    if code == errno.ENOSPC:
        for limit in _LIMITS:
            if _read(limit) == "0":
                name = ".".join(limit.parts[3:])
                return f"{name} is 0; allow them with: sudo sysctl -w {name}=10000; or {_PLAIN}"
        return f"the limits in /proc/sys/user are reached; raise them, or {_PLAIN}"
    if code == errno.EUSERS:
        return "too many nested user namespaces: run the tester outside of them"
    if code == errno.EINVAL:
        return f"this kernel may be built without CONFIG_NET_NS or CONFIG_USER_NS; {_PLAIN}"
    if _read(_APPARMOR) == "1":
        setting = "kernel.apparmor_restrict_unprivileged_userns=0"
        return f"AppArmor restricts user namespaces; allow them with: sudo sysctl -w {setting}; or {_PLAIN}"
    if _read(_SWITCH) == "0":
        setting = "kernel.unprivileged_userns_clone=1"
        return f"user namespaces are switched off; allow them with: sudo sysctl -w {setting}; or {_PLAIN}"
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return (
            "in a container, start it with --privileged, or with --cap-add SYS_ADMIN --cap-add NET_ADMIN "
            "--security-opt seccomp=unconfined; or choose --target reference"
        )
    return _PLAIN
