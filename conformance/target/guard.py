"""Keeps the tester's own kernel out of the tester's connections.

The tester speaks from an address that the kernel has, too.  A segment that came to it would
be answered with a RST, for the kernel knows no such connection.  So what comes from the
target to the tester's ports is dropped before the kernel's TCP; packet sockets see it before.

The rule is in a table (nftables) or chain (iptables) that is named after this process and the
moment of its start: what a process that was killed has left is found, and taken away, by the next.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.target.base import TargetError

_PREFIX = "conformance-"
_NAME = re.compile(_PREFIX + r"(\d+)-([0-9a-f]+)")
_TIMEOUT = 10.0
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_TOOLS = {4: "iptables", 6: "ip6tables"}
_REMEDY = (
    "install nftables (or iptables) and run as root, or name a free address of the LAN: --tester-address"
)


class Guard:
    """The rule, from when it is made to close().  `how` says what does the guarding.

    `pairs` are (target's address, tester's address); `ports` the tester's, None for all that
    comes to the tester's address.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], ports: range | None) -> None:
        sweep()
        self.name = _own_name()
        self._families = sorted({6 if ":" in pair[0] else 4 for pair in pairs})
        self.how = ""
        refusals = []
        for tool, make in (("nft", self._nftables), ("iptables", self._iptables)):
            if _find(tool) is None:
                refusals.append(f"{tool} is not there")
                continue
            try:
                make(pairs, ports)
            except _Refused as error:
                refusals.append(f"{tool}: {error}")
                continue
            self.how = {"nft": f"nftables table {self.name}", "iptables": f"iptables chain {self.name}"}[tool]
            return
        raise TargetError(f"the tester's kernel cannot be kept out: {'; '.join(refusals)}", _REMEDY)

    def _nftables(self, pairs: Sequence[tuple[str, str]], ports: range | None) -> None:
        rules = []
        for target, tester in pairs:
            ip = "ip6" if ":" in target else "ip"
            narrowed = f" {ip} saddr {target} tcp dport {ports[0]}-{ports[-1]}" if ports else ""
            rules.append(f"{ip} daddr {tester}{narrowed} drop")
        chain = "type filter hook prerouting priority -300; policy accept;\n" + "\n".join(rules)
        _run("nft", "-f", "-", text=f"table inet {self.name} {{\nchain prerouting {{\n{chain}\n}}\n}}\n")

    def _iptables(self, pairs: Sequence[tuple[str, str]], ports: range | None) -> None:
        try:
            for family in self._families:
                _run(_TOOLS[family], "-w", "-t", "raw", "-N", self.name)
            for target, tester in pairs:
                narrowed = ["-s", target, "-p", "tcp", "--dport", f"{ports[0]}:{ports[-1]}"] if ports else []
                tool = _TOOLS[6 if ":" in target else 4]
                _run(tool, "-w", "-t", "raw", "-A", self.name, "-d", tester, *narrowed, "-j", "DROP")
            for family in self._families:
                _run(_TOOLS[family], "-w", "-t", "raw", "-I", "PREROUTING", "-j", self.name)
        except _Refused:
            _remove_chains(self.name, self._families)
            raise

    def close(self) -> None:
        """Take the rule away.  May be called twice."""
        how, self.how = self.how, ""
        if how.startswith("nftables"):
            _run("nft", "delete", "table", "inet", self.name)
        elif how:
            _remove_chains(self.name, self._families)


def sweep() -> list[str]:
    """Take away what processes that are no more have left; return the names."""
    swept = []
    if _find("nft") is not None:
        for name in _stale(_tables()):
            _try("nft", "delete", "table", "inet", name)
            swept.append(name)
    for family, tool in _TOOLS.items():
        if _find(tool) is None:
            continue
        names = re.findall(r"^-N (\S+)", _try(tool, "-w", "-t", "raw", "-S"), re.MULTILINE)
        for name in _stale(names):
            _remove_chains(name, [family])
            swept.append(name)
    return swept


def _tables() -> list[str]:
    listed = _try("nft", "-j", "list", "tables", "inet")
    try:
        entries = json.loads(listed)["nftables"]
    except (ValueError, KeyError):
        return []
    return [str(entry["table"]["name"]) for entry in entries if "table" in entry]


def _stale(names: Iterable[str]) -> list[str]:
    """Return those names that are of this program, but of no process that lives."""
    found = [(name, _NAME.fullmatch(name)) for name in names]
    return [name for name, match in found if match and _started(int(match[1])) != match[2]]


def _own_name() -> str:
    return f"{_PREFIX}{os.getpid()}-{_started(os.getpid())}"


def _started(pid: int) -> str:
    """Return when a process was started (proc(5), in ticks, hexadecimal), or nothing: it is no more."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return f"{int(text.rpartition(')')[2].split()[19]):x}"


def _remove_chains(name: str, families: Iterable[int]) -> None:
    for family in families:
        _try(_TOOLS[family], "-w", "-t", "raw", "-D", "PREROUTING", "-j", name)
        _try(_TOOLS[family], "-w", "-t", "raw", "-F", name)
        _try(_TOOLS[family], "-w", "-t", "raw", "-X", name)


class _Refused(Exception):
    """The tool did not do what it was asked."""


def _find(tool: str) -> str | None:
    return shutil.which(tool, path=_PLACES)


def _try(tool: str, *arguments: str) -> str:
    """Run a tool for its output; nothing where it fails."""
    try:
        return _run(tool, *arguments)
    except _Refused:
        return ""


def _run(tool: str, *arguments: str, text: str = "") -> str:
    path = _find(tool)
    if path is None:
        raise _Refused("it is not there")
    try:
        done = subprocess.run(
            [path, *arguments], input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Refused(str(error)) from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise _Refused(words[0] if words else f"exit code {done.returncode}")
    return done.stdout
