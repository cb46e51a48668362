"""Reads targets/<name>/target.yaml; strict, and every error with its line."""

import re
import shlex
from dataclasses import replace
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path

import yaml

from conformance.language.values import FLAGS
from conformance.model.description import (
    FEATURES,
    Condition,
    Deviation,
    Host,
    Process,
    TargetDescription,
    Timing,
)
from conformance.model.places import targets_root
from conformance.model.service import ServiceKind

_KEYS = ("name", "kind", "inherits", "sysctl", "lacks", "timing", "parallel", "deviations")
_KEYS_OF = {
    "netns": (),
    "reference": (),
    "container": (),
    "host": ("address", "port", "service", "agent", "tester-address", "rate"),
    "tap": ("build", "start", "agent", "layer", "clock"),
}
"""The kinds of target, and what only one of them has."""
_CLOCKS = {"real": False, "turned": True}
_TIMERS = {"2msl": "twice_msl", "rto-min": "rto_min"}
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
_DEVIATION_KEYS = ("case", "reason", "reference", "source", "crash", "when", "ip")


class TargetFileError(Exception):
    """What is wrong with a target.yaml, all of it, one error a paragraph."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n\n".join(errors))
        self.errors = errors


def read_target(path: Path, heirs: tuple[Path, ...] = ()) -> TargetDescription:
    """Read one target.yaml, from which `heirs` inherit.

    Raises TargetFileError, or OSError if it cannot be read.
    """
    return _Reader(path, heirs).read()


class _Reader:
    def __init__(self, path: Path, heirs: tuple[Path, ...]) -> None:
        self._path = path
        self._heirs = (*heirs, path.resolve())
        self._text = path.read_text(encoding="utf-8")
        self._errors: list[str] = []

    def read(self) -> TargetDescription:
        try:
            root = yaml.compose(self._text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            self._mark(error.problem_mark, str(error.problem))
            root = None
        if root is None:
            raise TargetFileError(self._errors or [f"error: {self._path} is empty"])
        kind = self._kind(root)
        fields = self._mapping(root, _KEYS + _KEYS_OF.get(kind, ()), required=("name", "kind"))
        parent = self._parent(fields.get("inherits"))
        description = TargetDescription(
            name=self._scalar(fields.get("name")),
            kind=kind,
            directory=str(self._path.resolve().parent),
            sysctl={**parent.sysctl, **self._scalars(fields.get("sysctl"))},
            deviations=(*self._deviations(fields.get("deviations")), *parent.deviations),
            lacks={**parent.lacks, **self._lacks(fields.get("lacks"))},
            timing=self._timing(fields.get("timing"), parent.timing),
            parallel=self._number(fields.get("parallel"), 1, 65535),
            process=self._process(root, fields) if kind == "tap" else None,
            host=self._host(fields) if kind == "host" else None,
        )
        if self._errors:
            raise TargetFileError(self._errors)
        return description

    def _kind(self, root: yaml.Node) -> str:
        """Return the kind, on which it depends what else may be there."""
        pairs = root.value if isinstance(root, yaml.MappingNode) else []
        for key, value in pairs:
            if key.value == "kind":
                if value.value not in _KEYS_OF:
                    known = ", ".join(_KEYS_OF)
                    self._mark(value.start_mark, f"there is no such kind of target; known are {known}")
                return self._scalar(value)
        return ""

    def _parent(self, node: yaml.Node | None) -> TargetDescription:
        """Read the target whose sysctls, lacks and deviations this one has, too."""
        name = self._scalar(node)
        if node is None or not name:
            return TargetDescription("", "")
        path = self._path.resolve().parent.parent / name / "target.yaml"
        if not path.exists():  # beside a user's own are only his
            path = targets_root() / name / "target.yaml"
        if path.resolve() in self._heirs:
            self._mark(node.start_mark, f"a target cannot inherit itself: {path}")
            return TargetDescription("", "")
        try:
            return read_target(path, self._heirs)
        except OSError as error:
            self._mark(node.start_mark, f"{path}: {error.strerror}")
        except TargetFileError as error:
            self._errors += error.errors
        return TargetDescription("", "")

    def _process(self, root: yaml.Node, fields: dict[str, yaml.Node]) -> Process:
        if "start" not in fields:
            self._mark(root.start_mark, "start is missing: the command that runs the stack")
        layer = self._number(fields.get("layer"), 2, 3)
        commands = {name: self._command(fields.get(name)) for name in ("start", "agent", "build")}
        clock = self._scalar(fields.get("clock"))
        if "clock" in fields and clock not in _CLOCKS:
            self._mark(fields["clock"].start_mark, "real or turned is needed here")
        return Process(**commands, layer=layer or 2, turned=_CLOCKS.get(clock, False))

    def _host(self, fields: dict[str, yaml.Node]) -> Host:
        service = self._scalar(fields.get("service"))
        if service and service not in set(map(str, ServiceKind)):
            known = ", ".join(map(str, ServiceKind))
            self._mark(fields["service"].start_mark, f"no service is called {service}; known are {known}")
        return Host(
            addresses=self._addresses(fields.get("address")),
            port=self._number(fields.get("port"), 1, 65535),
            service=service,
            agent=self._scalar(fields.get("agent")),
            tester_address="".join(self._addresses(fields.get("tester-address"))[:1]),
            rate=self._number(fields.get("rate"), 1, 1_000_000),
        )

    def _addresses(self, node: yaml.Node | None) -> tuple[str, ...]:
        """Return one address, or one of each IP version."""
        found = []
        for word in self._scalar(node).split():
            try:
                found.append(ip_address(word))
            except ValueError:
                if node is not None:
                    self._mark(node.start_mark, f"{word} is no IPv4 or IPv6 address")
        if node is not None and len({item.version for item in found}) < len(found):
            self._mark(node.start_mark, "at most one address of each IP version")
        return tuple(map(str, found))

    def _command(self, node: yaml.Node | None) -> tuple[str, ...]:
        try:
            return tuple(shlex.split(self._scalar(node)))
        except ValueError as error:
            if node is not None:
                self._mark(node.start_mark, f"this is no command: {error}")
            return ()

    def _lacks(self, node: yaml.Node | None) -> dict[str, str]:
        found = self._mapping(node, None) if node is not None else {}
        for name, value in found.items():
            if name not in FEATURES:
                close = get_close_matches(name, FEATURES, 1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(FEATURES)}"
                self._mark(value.start_mark, f"no feature is called {name}; {hint}")
        return {name: self._scalar(value) for name, value in found.items()}

    def _timing(self, node: yaml.Node | None, usual: Timing) -> Timing:
        found = self._mapping(node, tuple(_TIMERS)) if node is not None else {}
        said = {}
        for name, value in found.items():
            match = _SECONDS.fullmatch(self._scalar(value))
            if match and float(match[1]) and name in _TIMERS:
                said[_TIMERS[name]] = float(match[1]) * (0.001 if match[2] == "ms" else 1.0)
            elif name in _TIMERS:
                self._mark(value.start_mark, "a time is needed here, such as 200ms or 60s")
        return replace(usual, **said)

    def _scalars(self, node: yaml.Node | None) -> dict[str, str]:
        found = self._mapping(node, None) if node is not None else {}
        return {name: self._scalar(value) for name, value in found.items()}

    def _number(self, node: yaml.Node | None, least: int, most: int) -> int | None:
        if node is None:
            return None
        text = self._scalar(node)
        if not text.isdecimal() or not least <= int(text) <= most:
            self._mark(node.start_mark, f"a number from {least} to {most} is needed here")
            return None
        return int(text)

    def _flag(self, node: yaml.Node | None) -> bool:
        word = self._scalar(node).lower()
        if node is not None and word not in FLAGS:
            self._mark(node.start_mark, "yes or no is needed here")
        return FLAGS.get(word, False)

    def _deviations(self, node: yaml.Node | None) -> tuple[Deviation, ...]:
        if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self._mark(node.start_mark, "a list is needed here")
            return ()
        return tuple(deviation for item in node.value for deviation in self._deviation(item))

    def _deviation(self, node: yaml.Node) -> list[Deviation]:
        """Read one entry; under `case` it has one case, or a list of those that show it."""
        fields = self._mapping(node, _DEVIATION_KEYS, required=("case", "reason"))
        when, ip = None, None
        if "when" in fields:
            try:
                when = Condition.parse(self._scalar(fields["when"]))
            except ValueError as error:
                self._mark(fields["when"].start_mark, str(error))
        if "ip" in fields:
            text = self._scalar(fields["ip"])
            ip = int(text) if text in ("4", "6") else None
            if ip is None:
                self._mark(fields["ip"].start_mark, "4 or 6 is needed here")
        crash = self._flag(fields.get("crash"))
        cases = fields.get("case")
        return [
            Deviation(
                case=self._scalar(case),
                reason=self._scalar(fields.get("reason")),
                reference=self._scalar(fields.get("reference")),
                source=self._scalar(fields.get("source")),
                crash=crash,
                when=when,
                ip=ip,
            )
            for case in (cases.value if isinstance(cases, yaml.SequenceNode) else [cases])
        ]

    def _mapping(
        self, node: yaml.Node, keys: tuple[str, ...] | None, required: tuple[str, ...] = ()
    ) -> dict[str, yaml.Node]:
        """Return a mapping's values by key; `keys` None allows any."""
        found: dict[str, yaml.Node] = {}
        if not isinstance(node, yaml.MappingNode):
            self._mark(node.start_mark, "a mapping is needed here")
            return found
        for key, value in node.value:
            name = self._scalar(key)
            if name in found:
                self._mark(key.start_mark, f"{name} is given twice")
            elif keys is not None and name not in keys:
                self._mark(key.start_mark, f"{name} is unknown here; known are {', '.join(keys)}")
            found[name] = value
        for name in required:
            if name not in found:
                self._mark(node.start_mark, f"{name} is missing")
        return found

    def _scalar(self, node: yaml.Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self._mark(node.start_mark, "one value is needed here")
            return ""
        return " ".join(str(node.value).split())

    def _mark(self, mark: yaml.Mark | None, message: str) -> None:
        if mark is None:
            self._errors.append(f"error: {message}\n  --> {self._path}")
            return
        lines = self._text.splitlines()
        line = lines[mark.line] if mark.line < len(lines) else ""
        number = str(mark.line + 1)
        margin = " " * len(number)
        self._errors.append(
            f"error: {message}\n"
            f"{margin}--> {self._path}:{number}:{mark.column + 1}\n"
            f"{margin} |\n{number} | {line}\n{margin} | {' ' * mark.column}^"
        )
