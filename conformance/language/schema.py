"""The keys of a mapping: unknown ones refused, known ones read by kind."""

from collections.abc import Sequence

from conformance.language.source import Log, Mapping, Node, Scalar
from conformance.language.source import Sequence as NodeList
from conformance.language.values import listing, stripped, suggestion
from conformance.model.source import SourceText

FILE_KEYS = (
    "title", "rfc", "covers", "level", "about", "target", "from", "ip", "with", "needs", "for", "steps",
)  # fmt: skip
ACTION_KEYS = ("send", "raw", "expect", "call", "return", "wait", "stream")
STEP_KEYS = (
    *ACTION_KEYS, "state", "check", "within", "after", "count", "at", "error", "queued", "connection",
    "despite", "steps",
)  # fmt: skip
WITH_KEYS = ("mss", "window-scale", "timestamps", "sack", "isn", "window", "port", "target-port")
_NICKNAMES = {
    "recv": "expect", "receive": "expect", "inject": "send", "sleep": "wait", "pause": "wait",
    "assert": "check", "timeout": "within", "role": "target", "description": "about", "name": "title",
    "options": "with", "requires": "needs", "parameters": "for", "window_scale": "window-scale",
}  # fmt: skip
"""What other languages call our keys."""
_KINDS = {Scalar: "a value", NodeList: "a list", Mapping: "a mapping"}


class Fields:
    """The entries of one mapping whose keys are `known`; `what` names it in messages."""

    def __init__(self, mapping: Mapping, known: Sequence[str], what: str, log: Log) -> None:
        self.log = log
        self.text = mapping.text
        self.keys: dict[str, SourceText] = {}
        self.nodes: dict[str, Node] = {}
        self.unknown = False
        """Whether there are keys that are not known."""
        self._meant: set[str] = set()
        for key, node in mapping.entries:
            if key.text.text not in known:
                self._unknown(key.text, known, what)
                continue
            self.keys[key.text.text] = key.text
            self.nodes[key.text.text] = node

    def _unknown(self, key: SourceText, known: Sequence[str], what: str) -> None:
        word = key.text
        label = suggestion(word, known)
        if _NICKNAMES.get(word) in known:
            label = f"did you mean {_NICKNAMES[word]}?"
        elif word in FILE_KEYS:
            label = "this belongs at the top of the file"
        elif word in STEP_KEYS:
            label = "this belongs in a step"
        self.unknown = True
        self._meant.update(name for name in known if label == f"did you mean {name}?")
        message = f"{what} has no key {word}"
        self.log.error("unknown-key", message, key.span(), label, () if label else listing(known))

    def __contains__(self, name: str) -> bool:
        return name in self.nodes

    def scalar(self, name: str) -> Scalar | None:
        """Return the one value of a key, which may not be empty; None where it is not given."""
        node = self.nodes.get(name)
        return None if node is None else scalar(node, self.keys[name], self.log)

    def value(self, name: str) -> SourceText | None:
        """Return the text of a value, without white space around it."""
        if name not in self.nodes:
            return None
        found = self.scalar(name)
        return None if found is None else stripped(found.text)

    def scalars(self, name: str) -> list[Scalar]:
        """Return the values of a key that takes one or a list of them."""
        node = self.nodes.get(name)
        if node is None:
            return []
        if isinstance(node, NodeList):
            if not node.items:
                self.log.error(
                    "empty-value", f"{name} has no value", self.keys[name].span(), "this list is empty"
                )
            found = [scalar(item, self.keys[name], self.log) for item in node.items]
        else:
            found = [scalar(node, self.keys[name], self.log, "one value, or a list of them")]
        return [item for item in found if item is not None]

    def values(self, name: str) -> list[SourceText]:
        """Return the texts of `scalars`, each only once."""
        found: dict[str, SourceText] = {}
        for item in self.scalars(name):
            text = stripped(item.text)
            if text.text in found:
                self.log.error("duplicate-value", f"{text.text} is written twice", text.span(), "remove one")
            found.setdefault(text.text, text)
        return list(found.values())

    def mapping(self, name: str, known: Sequence[str]) -> "Fields | None":
        """Return the entries of a mapping under a key."""
        node = self.nodes.get(name)
        if node is None:
            return None
        if not isinstance(node, Mapping):
            wrong_kind(node, "a mapping", name, self.log)
            return None
        return Fields(node, known, name, self.log)

    def misplaced(self, name: str, why: str) -> None:
        """Report a key that goes with something else."""
        self.log.error("misplaced-key", f"{name} means nothing here", self.keys[name].span(), why)

    def required(self, name: str, label: str) -> bool:
        """Report a key that is missing."""
        if name not in self.nodes and name not in self._meant:
            self.log.error("missing-key", f"a case needs {name}", self.text.span(), label)
        return name in self.nodes


def scalar(node: Node, key: SourceText, log: Log, wanted: str = "one value") -> Scalar | None:
    """Return a node that is one value and not empty."""
    if not isinstance(node, Scalar):
        wrong_kind(node, wanted, key.text, log)
        return None
    if not node.text.text.strip() and not node.quoted:
        log.error("empty-value", f"{key.text} has no value", key.span(), "write one, or remove the key")
        return None
    if not node.text.text.strip():
        log.error(
            "empty-value", f"{key.text} is empty", node.written.span(), "write a value, or remove the key"
        )
        return None
    return node


def wrong_kind(node: Node, wanted: str, name: str, log: Log) -> None:
    """Report a list where a value belongs, and the like."""
    label = f"this is {_KINDS[type(node)]}"
    log.error("wrong-kind", f"{name} takes {wanted}", node.text.span(), label)
