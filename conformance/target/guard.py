"""Keeps the tester's own kernel out of the tester's connections.

The tester speaks from an address that the kernel has, too.  A segment that came to it would
be answered with a RST, for the kernel knows no such connection.  So what comes from the
target to the tester's ports is dropped before the kernel's TCP, yet not before a packet socket
has seen it: a bridge's frames pass prerouting at the bridge's port already (br_netfilter, which
Docker switches on), and what is dropped there never reaches the bridge.  In prerouting it is
only kept from being tracked and translated, and dropped in input.  What is for a spare address
would be forwarded: it is made another station's, which the kernel lets pass.

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
from conformance.target.route import Way

_PREFIX = "conformance-"
_NAME = re.compile(_PREFIX + r"(\d+)-([0-9a-f]+)")
_TIMEOUT = 10.0
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_TOOLS = {4: "iptables", 6: "ip6tables"}
_HOOKS = {"raw": "PREROUTING", "mangle": "INPUT"}
"""Where the chains of iptables are called from, by table."""
_REMEDY = (
    "install nftables (or iptables) and run as root, or name a free address of the LAN: --tester-address"
)


class Guard:
    """The rule, from when it is made to close().  `how` says what does the guarding.

    `ports` are the tester's, None for all that comes to the tester's address, a spare one.
    """

    def __init__(self, ways: Sequence[Way], ports: range | None) -> None:
        sweep()
        self.name = _own_name()
        self._families = sorted({way.family for way in ways})
        self.how = ""
        refusals = []
        for tool, make in (("nft", self._nftables), ("iptables", self._iptables)):
            if _find(tool) is None:
                refusals.append(f"{tool} is not there")
                continue
            try:
                make(ways, ports)
            except _Refused as error:
                refusals.append(f"{tool}: {error}")
                continue
            self.how = {"nft": f"nftables table {self.name}", "iptables": f"iptables chain {self.name}"}[tool]
            return
        raise TargetError(f"the tester's kernel cannot be kept out: {'; '.join(refusals)}", _REMEDY)

    def _nftables(self, ways: Sequence[Way], ports: range | None) -> None:
        matches = []
        for way in ways:
            ip = "ip6" if way.family == 6 else "ip"
            narrowed = f" {ip} saddr {way.target} tcp dport {ports[0]}-{ports[-1]}" if ports else ""
            matches.append(f"{ip} daddr {way.source}{narrowed}")
        chains = ""
        for hook, verdict in (("prerouting", "notrack meta pkttype set other"), ("input", "drop")):
            rules = "\n".join(f"{match} {verdict}" for match in matches)
            chains += f"chain {hook} {{\ntype filter hook {hook} priority -300; policy accept;\n{rules}\n}}\n"
        _run("nft", "-f", "-", text=f"table inet {self.name} {{\n{chains}}}\n")

    def _iptables(self, ways: Sequence[Way], ports: range | None) -> None:
        if not ports and any(map(_seen_by_netfilter_first, ways)):
            # It cannot make a packet another station's.
            raise _Refused("it would drop a bridge's frames before the tester has seen them")
        verdicts = {"raw": ["CT", "--notrack"] if ports else ["DROP"], "mangle": ["DROP"]}
        try:
            for table, hook in _HOOKS.items():
                for family in self._families:
                    _run(_TOOLS[family], "-w", "-t", table, "-N", self.name)
                for way in ways:
                    rule = ["-d", way.source, "-j", *verdicts[table]]
                    if ports:
                        rule += ["-s", way.target, "-p", "tcp", "--dport", f"{ports[0]}:{ports[-1]}"]
                    _run(_TOOLS[way.family], "-w", "-t", table, "-A", self.name, *rule)
                for family in self._families:
                    _run(_TOOLS[family], "-w", "-t", table, "-I", hook, "-j", self.name)
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
        listed = "".join(_try(tool, "-w", "-t", table, "-S") for table in _HOOKS)
        for name in _stale(sorted(set(re.findall(r"^-N (\S+)", listed, re.MULTILINE)))):
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
        for table, hook in _HOOKS.items():
            _try(_TOOLS[family], "-w", "-t", table, "-D", hook, "-j", name)
            _try(_TOOLS[family], "-w", "-t", table, "-F", name)
            _try(_TOOLS[family], "-w", "-t", table, "-X", name)


def _seen_by_netfilter_first(way: Way) -> bool:
    """Tell whether the way leads over a bridge whose frames pass prerouting at its ports (br_netfilter)."""
    bridge = Path("/sys/class/net") / way.interface / "bridge"
    tool = _TOOLS[way.family]
    flags = [bridge / f"nf_call_{tool}", Path(f"/proc/sys/net/bridge/bridge-nf-call-{tool}")]
    return bridge.exists() and any(flag.exists() and flag.read_text().strip() != "0" for flag in flags)


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
