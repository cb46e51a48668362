"""Whether a mutant can be told from the reference in one run, without a run of its own.

A mutant is the reference but for a few methods.  Wherever a run of the reference calls one
of these, the mutant's is called in its place on a copy of the connection, its twin.  If each
time it returns the same, sends the same and leaves the same connection behind, then, call
by call, the two do the same throughout, and nobody who talks to them can tell them apart.

The same means that nothing later could show a difference: equal values, and one object
where there was one, if it is one that can be changed (a TCB, a list).  Where that cannot be
decided the answer is no: the mutant has to be run.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache, partial
from operator import attrgetter, is_
from types import FunctionType, NoneType
from typing import NamedTuple, Protocol, cast

from conformance.model.case import CallError, UserCall
from conformance.model.flow import Flow
from conformance.model.segment import Control, Option, Segment
from conformance.model.state import State
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Form, Prediction
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import Alarm, Surroundings
from conformance.target.reference.endpoint import Endpoint

_VALUES = frozenset(
    {bool, bytes, float, frozenset, int, NoneType, str}
    | {Alarm, CallError, Control, Form, Option, Prediction, Segment, State, UserCall}
)
"""The kinds of what cannot be changed: it is shared with a copy, and equal is the same."""
_OBJECTS = frozenset({Tcb, bytearray, dict, list})
"""The kinds of what can be changed."""
_FIELDS = attrgetter(*(item.name for item in fields(Tcb)))
_REOPENED = [item.name for item in fields(Tcb)].index("reopened")
"""The only field of a Tcb that is no value."""


class _Undecided(Exception):
    """What there is cannot be shown to be the same."""


# -- pictures: what there is, so that it can be compared and made again ------------------
@dataclass(frozen=True, slots=True)
class _Ref:
    """Stands for an object, by the number that it got when it was first met."""

    number: int


_ref = cache(_Ref)
_Contents = tuple[list[type], list[object]]


def _fixed(value: object) -> bool:
    return type(value) in _VALUES or (type(value) is tuple and all(map(_fixed, value)))


class _Picture:
    """Numbers objects as they are met, from those on that are known from the beginning.

    Two pictures that know the same objects and are shown something in the same order say
    the same, `contents` included, if and only if what they were shown is the same.
    """

    def __init__(self, known: Iterable[object] = ()) -> None:
        self.objects = list(known)
        self._numbers = {id(item): number for number, item in enumerate(self.objects)}

    def of(self, value: object) -> object:
        """Return `value`, or a reference to it where it is an object."""
        if type(value) in _OBJECTS:
            number = self._numbers.setdefault(id(value), len(self.objects))
            if number == len(self.objects):
                self.objects.append(value)
            return _ref(number)
        if not _fixed(value):
            raise _Undecided(f"a {type(value).__name__} cannot be copied")
        return value

    def result(self, value: object) -> object:
        """Return what a method returned, with references in the place of objects."""
        if isinstance(value, Outcome):
            return Outcome, self.of(value.tcb), value.predictions, value.why
        return self.of(value)

    def attributes(self, endpoint: Endpoint) -> dict[str, object]:
        """Return the attributes of a connection, except for what a scene has put in."""
        found = vars(endpoint).copy()
        del found["around"]
        found.pop("outcomes", None)
        for name in [name for name, value in found.items() if type(value) not in _VALUES]:
            found[name] = self.of(found[name])
        return found

    def contents(self) -> _Contents:
        """Return the kinds of the objects, and what is in each."""
        # Some objects are met only here; they are appended, and have their turn.
        inside = [
            _FIELDS(item) if type(item) is Tcb and item.reopened is None else self._inside(item)
            for item in self.objects
        ]
        return list(map(type, self.objects)), inside

    def _inside(self, item: object) -> object:
        if type(item) is Tcb:
            values: tuple[object, ...] = _FIELDS(item)
            return (*values[:_REOPENED], self.of(item.reopened), *values[_REOPENED + 1 :])
        if type(item) is bytearray:
            return bytes(item)
        inside = tuple(item.items()) if isinstance(item, dict) else tuple(cast("list[object]", item))
        if inside and not _fixed(inside):
            raise _Undecided("an object that can be changed within another")
        return inside


def _made(contents: _Contents) -> list[object]:
    """Return new objects of these kinds, with the same in them."""
    made: list[object] = []
    for kind, inside in zip(*contents, strict=True):
        made.append(Tcb(*cast("tuple[object, ...]", inside)) if kind is Tcb else kind(inside))  # type: ignore[arg-type]
    for item in made:
        if type(item) is Tcb and item.reopened is not None:
            item.reopened = cast(Tcb, _filled(item.reopened, made))
    return made


def _filled(value: object, objects: list[object]) -> object:
    return objects[value.number] if isinstance(value, _Ref) else value


# -- kinds of connections ----------------------------------------------------------------
class Kind:
    """A kind of connection: the methods in which it differs from the reference."""

    def __init__(self, endpoint: type[Endpoint]) -> None:
        self.endpoint = endpoint
        own: dict[str, object] = {}
        for kind in reversed(endpoint.__mro__[: endpoint.__mro__.index(Endpoint)]):
            own |= vars(kind)
        self.methods = sorted(
            name
            for name, value in own.items()
            # What the reference has not, it does not call: only the methods here do.
            if isinstance(value, FunctionType | property) and hasattr(Endpoint, name)
        )
        self.defaults = {
            name: value for name, value in own.items() if _fixed(value) and not name.startswith("__")
        }
        """The values of attributes as long as they are not set."""


# -- calls -------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Said:
    """What a connection said to its surroundings, a segment or the wish for an ISN, and the answer."""

    flow: Flow
    what: Segment | float
    answer: int = 0


class _State(NamedTuple):
    """A connection before or after a call; `passed` are the arguments, or the result."""

    passed: object
    attributes: dict[str, object]
    contents: _Contents


class _Scene:
    """Copies of what a call found: the connection's attributes, the objects, the arguments."""

    def __init__(self, before: _State, around: Surroundings) -> None:
        self.objects = _made(before.contents)
        self.left: list[_Said] = []
        """What is still to be said, the next last."""
        self.attributes = before.attributes.copy()
        self._names = [name for name, value in self.attributes.items() if isinstance(value, _Ref)]
        for name in self._names:
            self.attributes[name] = _filled(self.attributes[name], self.objects)
        self.attributes["around"] = Surroundings(around.flow, self._emit, self._isn, around.settings)
        self.given = [_filled(value, self.objects) for value in cast("list[object]", before.passed)]
        self.twin: Endpoint | None = None

    def _isn(self, flow: Flow, what: Segment | float) -> int:
        if not self.left or (self.left[-1].flow, self.left[-1].what) != (flow, what):
            raise _Undecided("something else is said")
        return self.left.pop().answer

    def _emit(self, flow: Flow, segment: Segment) -> None:
        self._isn(flow, segment)

    def kept(self, attributes: dict[str, object]) -> bool:
        """Tell whether no attribute has become another."""
        same = map(is_, map(attributes.get, self._names), map(self.attributes.get, self._names))
        return attributes == self.attributes and all(same)


class _Rules:
    """What RFC 9293 3.10.7 has the segment of one call do, worked out once for all twins."""

    def __init__(self) -> None:
        self._before: tuple[object, ...] = ()
        self._outcomes: list[Outcome] = []

    def outcomes(self, scene: _Scene, before: Tcb, segment: Segment) -> list[Outcome]:
        """Return what Endpoint.outcomes would."""
        twin = cast("Endpoint", scene.twin)
        original = before is scene.given[0] and segment is scene.given[1]
        if not original or before.reopened is not None or twin.now != scene.attributes["now"]:
            return Endpoint.outcomes(twin, before, segment)
        fields = _FIELDS(before)
        if fields != self._before:
            found = Endpoint.outcomes(twin, before, segment)
            if any(outcome.tcb.reopened is not None for outcome in found):
                return found
            self._before, self._outcomes = fields, found
        # Each has TCBs of its own: they can be changed.
        return [Outcome(known.tcb.copy(), known.predictions, known.why) for known in self._outcomes]


class _Call:
    """One call of a method, or the reading of a property."""

    def __init__(
        self, before: _State, said: list[_Said], after: _State, around: Surroundings, rules: _Rules | None
    ) -> None:
        self._rules = rules
        self._before, self._said, self._after, self._around = before, said[::-1], after, around
        self._keeps = before.attributes == after.attributes
        known = len(before.contents[0])
        self._quiet = self._keeps and before.contents[1] == after.contents[1][:known]
        self._scene: _Scene | None = None
        """What nobody has changed so far."""

    def same(self, kind: Kind, name: str) -> bool:
        """Tell whether the method called `name` of this kind of connection does the same."""
        scene, self._scene = self._scene or self._set(), None
        scene.left[:] = self._said
        scene.twin = twin = object.__new__(kind.endpoint)
        twin.__dict__ = scene.attributes.copy()
        try:
            result = _call(getattr(kind.endpoint, name), twin, scene.given)
            same = not scene.left and self._ends(scene, twin, result, kind.defaults)
        except _Undecided:
            return False
        if same and self._quiet:
            self._scene = scene
        return same

    def _set(self) -> _Scene:
        scene = _Scene(self._before, self._around)
        if self._rules is not None:
            scene.attributes["outcomes"] = partial(self._rules.outcomes, scene)
        return scene

    def _ends(self, scene: _Scene, twin: Endpoint, result: object, defaults: dict[str, object]) -> bool:
        attributes = vars(twin)
        for name in [name for name in defaults if name in attributes and name not in scene.attributes]:
            # To set what it is anyway is no change.
            if _fixed(attributes[name]) and attributes[name] == defaults[name]:
                del attributes[name]
        picture = _Picture(scene.objects)
        if picture.result(result) != self._after.passed:
            return False
        if self._keeps:
            kept = scene.kept(attributes)
        else:
            kept = twin.around is scene.attributes["around"]
            kept = kept and picture.attributes(twin) == self._after.attributes
        return kept and picture.contents() == self._after.contents


class _Method(Protocol):
    def __call__(self, endpoint: Endpoint, /, *given: object) -> object: ...


def _call(member: object, endpoint: Endpoint, given: Iterable[object]) -> object:
    if isinstance(member, property):
        return member.__get__(endpoint)
    return cast("_Method", member)(endpoint, *given)


class Calls:
    """The calls of the methods `names` in one run of the reference, whose connections are `endpoint`s."""

    def __init__(self, names: Iterable[str]) -> None:
        self._said: list[_Said] = []
        # What Python calls by itself is not seen.
        self._calls: dict[str, list[_Call]] = {name: [] for name in names if not name.startswith("__")}
        self._undecided: set[str] = set()
        members = {name: self._noting(name) for name in self._calls} | {"__init__": self._begin()}
        self.endpoint: type[Endpoint] = type("Noting", (Endpoint,), members)

    def same(self, kind: Kind) -> bool:
        """Tell whether a kind of connection would have done all the same in this run."""
        return all(
            name in self._calls
            and name not in self._undecided
            and all(call.same(kind, name) for call in self._calls[name])
            for name in kind.methods
        )

    def _begin(self) -> object:
        def begin(endpoint: Endpoint, tcb: Tcb, around: Surroundings) -> None:
            def emit(flow: Flow, segment: Segment) -> None:
                self._said.append(_Said(flow, segment))
                around.emit(flow, segment)

            def isn(flow: Flow, now: float) -> int:
                self._said.append(_Said(flow, now, around.isn(flow, now)))
                return self._said[-1].answer

            Endpoint.__init__(endpoint, tcb, Surroundings(around.flow, emit, isn, around.settings))

        return begin

    def _noting(self, name: str) -> object:
        """Return the reference's method, but one that notes its calls."""
        member = getattr(Endpoint, name)

        def noting(endpoint: Endpoint, *given: object) -> object:
            picture = _Picture()
            try:
                passed = [picture.of(value) for value in given]
                before = _State(passed, picture.attributes(endpoint), picture.contents())
            except _Undecided:
                self._undecided.add(name)
                return _call(member, endpoint, given)
            around, start = endpoint.around, len(self._said)
            rules = _Rules() if name == "process" and "outcomes" not in self._calls else None
            result = _call(member, endpoint, given)
            try:
                shown = _Picture(picture.objects)
                after = _State(shown.result(result), shown.attributes(endpoint), shown.contents())
            except _Undecided:
                self._undecided.add(name)
            else:
                self._calls[name].append(_Call(before, self._said[start:], after, around, rules))
            return result

        return property(noting) if isinstance(member, property) else noting
