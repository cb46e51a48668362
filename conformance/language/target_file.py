"""Reads targets/<name>/target.yaml; strict, and every error with its line."""

from pathlib import Path

import yaml

from conformance.model.description import Condition, Deviation, TargetDescription

_KEYS = ("name", "kind", "sysctl", "deviations")
_DEVIATION_KEYS = ("case", "reason", "reference", "when", "ip")


class TargetFileError(Exception):
    """What is wrong with a target.yaml, all of it, one error a paragraph."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n\n".join(errors))
        self.errors = errors


def read_target(path: Path) -> TargetDescription:
    """Read one target.yaml; raises TargetFileError, or OSError if it cannot be read."""
    return _Reader(path).read()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
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
        fields = self._mapping(root, _KEYS, required=("name", "kind"))
        sysctl = self._mapping(fields["sysctl"], None) if "sysctl" in fields else {}
        description = TargetDescription(
            name=self._scalar(fields.get("name")),
            kind=self._scalar(fields.get("kind")),
            sysctl={name: self._scalar(node) for name, node in sysctl.items()},
            deviations=self._deviations(fields.get("deviations")),
        )
        if self._errors:
            raise TargetFileError(self._errors)
        return description

    def _deviations(self, node: yaml.Node | None) -> tuple[Deviation, ...]:
        if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self._mark(node.start_mark, "a list is needed here")
            return ()
        return tuple(self._deviation(item) for item in node.value)

    def _deviation(self, node: yaml.Node) -> Deviation:
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
        return Deviation(
            case=self._scalar(fields.get("case")),
            reason=self._scalar(fields.get("reason")),
            reference=self._scalar(fields.get("reference")),
            when=when,
            ip=ip,
        )

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
