"""What the tester does to network interfaces, its own and those of targets on this machine."""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyroute2.ethtool.ioctl import IoctlEthtool, NotSupportedError
from pyroute2.iproute.linux import IPRoute

_LINK_GROUP = 1  # RTMGRP_LINK

# What the report says of the target, beside what target.yaml and the cases set.
TELLING = (
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
)


def sysctl_path(name: str) -> Path:
    """Return where the kernel has a parameter, as it is in this thread's network namespace."""
    return Path("/proc/sys") / name.replace(".", "/")


def has_ipv6() -> bool:
    """Tell whether this machine's kernel has IPv6."""
    return sysctl_path("net.ipv6").is_dir()


def link_news() -> socket.socket:
    """Return a socket that tells of links going up and down in this network namespace."""
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    news.bind((0, _LINK_GROUP))
    return news


def bring_up(interface: str) -> None:
    """Bring up the tester's end of a wire, with no address, not even a link-local one."""
    quiet = sysctl_path("net.ipv6.conf") / interface / "disable_ipv6"
    if quiet.exists():
        quiet.write_text("1")
    switch_offloads_off(interface)
    with IPRoute() as route:
        route.link("set", index=socket.if_nametoindex(interface), state="up")


def switch_offloads_off(interface: str) -> None:
    """Have every segment cross the wire as the target made it, with its checksum."""
    with contextlib.closing(IoctlEthtool(interface)) as ethtool:
        _switch(ethtool, on=False)


_MERGING = ("rx-gro", "rx-gro-hw", "rx-lro", "rx-gro-list")


@contextlib.contextmanager
def received_as_sent(interface: str) -> Iterator[None]:
    """Keep an interface of this machine from merging what it receives, while the context lasts.

    Merged, segments would look larger than the target made them.  One that cannot be told
    is left as it is: not every driver merges, nor lets itself be asked.
    """
    with contextlib.closing(IoctlEthtool(interface)) as ethtool:
        changed: list[str] = []
        with contextlib.suppress(OSError, NotSupportedError):
            changed = _switch(ethtool, _MERGING, on=False)
        try:
            yield
        finally:
            if changed:
                with contextlib.suppress(OSError, NotSupportedError):
                    _switch(ethtool, changed, on=True)


def _switch(ethtool: IoctlEthtool, names: Sequence[str] = (), *, on: bool) -> list[str]:
    """Switch these features of an interface, or all that can be; return those that were otherwise."""
    features = ethtool.get_features()
    changed = [
        name
        for name in features.keys() & (names or features.keys())
        if not features.is_never_changed(name) and features.is_active(name) != on
    ]
    for name in changed:
        features[name] = on
    if changed:
        ethtool.set_features(features)
    return changed
