"""A whole run: target up, cases planned and run, results judged, target down."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from conformance.model.case import Case
from conformance.model.description import Deviation
from conformance.model.run import USUAL_PROFILE
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.oracle.latitude import PROFILES
from conformance.run.engine import Engine
from conformance.run.judgement import between, judge
from conformance.run.observer import Observer
from conformance.run.options import RunOptions
from conformance.run.plan import Planned, plan
from conformance.target.base import Facts, Lab
from conformance.target.registry import Target, open_target

_CAPTURED = {
    "none": frozenset[Verdict](),
    "failed": frozenset({Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.WARN, Verdict.XFAIL}),
    "all": frozenset(Verdict),
}


class Suite:
    """One run of some cases against one target.  Use as a context manager: it ends the target."""

    def __init__(self, options: RunOptions) -> None:
        """Start the target.  Raises TargetError, with a remedy."""
        profile = PROFILES[options.profile]
        self.target: Target = open_target(options.target, options.host, profile)
        if self.target.virtual:
            options = replace(options, slow=True, max_active=1)
        if not self.target.fragile:
            options = replace(options, disruptive=True)
        most = self.target.description.parallel or options.max_active
        self.options = replace(options, max_active=min(most, options.max_active))
        self._lab = self.target.lab({})
        self._engine: Engine | None = None

    def __enter__(self) -> "Suite":
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.close()
        self._lab.close()

    @property
    def facts(self) -> Facts:
        """What is known of the target by now, and what its description says of it."""
        known, said = self._lab.facts, self.target.description
        return replace(known, lacks={**said.lacks, **known.lacks}, timing=said.timing)

    def plan(self, cases: Sequence[Case]) -> tuple[list[Planned], list[Result]]:
        """Return what would run, and the results of what would be skipped."""
        planned, skipped = plan(cases, self.facts, self.options, self._crashes)
        if self.options.profile == USUAL_PROFILE:
            return planned, skipped
        # Here, because it takes the reference, which few runs need.
        from conformance.run.profiles import sorted_out

        known = lambda case, ip: self._deviation(case.id, ip) is not None  # noqa: E731
        kept, against = sorted_out(planned, self.options.profile, known)
        return kept, skipped + against

    def run(self, cases: Sequence[Case], observer: Observer) -> list[Result]:
        """Run the cases; the observer hears of each as it ends, also of those skipped."""
        planned, skipped = self.plan(cases)
        observer.started(len(planned) + len(skipped))
        for result in skipped:
            observer.case_ended(result)
        engine = Engine(
            lambda item: self.target.lab(item.sysctl),
            self._finish,
            observer,
            max_active=self.options.max_active,
            tolerance=self.facts.timing.rto_min / 2,
            crossing=max(self.target.crossing, self.facts.round_trip),
            profile=PROFILES[self.options.profile],
            one_lab=self.target.one,
            known=lambda result: self._deviation(result.id, result.ip) is not None,
        )
        self._engine = engine
        engine.adopt("", self._lab)
        engine.run(planned)
        results = sorted([*skipped, *engine.results], key=lambda result: (result.id, result.ip))
        observer.ended(results)
        return results

    def _deviation(self, case_id: str, ip: int) -> Deviation | None:
        release = self.facts.details.get("kernel", "")
        return self.target.description.deviation(case_id, ip, release)

    def _crashes(self, case: Case, ip: int) -> bool:
        deviation = self._deviation(case.id, ip)
        return deviation is not None and deviation.crash

    def _finish(self, result: Result, lab: Lab | None) -> Result:
        result = between(result, self.facts.ttls.get(result.ip, frozenset()))
        judged = judge(result, self._deviation(result.id, result.ip), strict=self.options.strict)
        if lab is None or not self.options.directory or judged.verdict not in _CAPTURED[self.options.capture]:
            return judged
        return replace(judged, capture=self._capture(judged, lab))

    def _capture(self, result: Result, lab: Lab) -> str:
        """Write the frames of a case; return the file's name."""
        frames = lab.frames(result.ports[:-1])
        if not frames:
            return ""
        name = re.sub(r"[^\w.-]+", "-", f"{result.id}-ipv{result.ip}").strip("-") + ".pcapng"
        # Here, because a target without a wire needs no Scapy.
        from conformance.wire.capture import write_pcapng

        directory = Path(self.options.directory)
        directory.mkdir(parents=True, exist_ok=True)
        write_pcapng(directory / name, frames, _comments(result, frames))
        return name


def _comments(result: Result, frames: Iterable[tuple[float, bytes, bool]]) -> list[str]:
    """Say of each frame which step it belongs to, matching frames and records in their order."""
    records = [record for record in result.trace if record.segment is not None]
    sent = iter([record for record in records if record.kind.value == "sent"])
    received = iter([record for record in records if record.kind.value == "received"])
    comments = []
    for _, _, ours in frames:
        record = next(sent if ours else received, None)
        if record is None:
            comments.append("")
            continue
        place = "after the last step" if record.step is None else f"step {record.step + 1}"
        place = "preamble" if record.step == -1 else place
        comments.append(" | ".join(part for part in (place, record.shown, record.why, record.clause) if part))
    return comments
