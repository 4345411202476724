"""What is the diagnosis? A ``Report`` for programs, for a terminal and for a notebook."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from course_utils.doctor.diagnosis import diagnose, ranked
from course_utils.doctor.finding import Finding
from course_utils.doctor.ground import judged, not_judged
from course_utils.doctor.html import page
from course_utils.doctor.proving import Proof, demoted, prove
from course_utils.doctor.recording import Recording
from course_utils.doctor.rules import PROBED, RULES
from course_utils.doctor.tape import Tape
from course_utils.doctor.words import count

__all__ = ["Report"]


class Report:
    """What the doctor found in one block; empty until the block has ended.

    ``findings`` are sorted: most severe first, and among equals causes before effects. As the last line of a cell
    the report shows itself; ``print(report)`` gives it as text. Equal runs give equal text.
    """

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.failures: tuple[str, ...] = ()
        self.recording: Recording | None = None
        self.proofs: tuple[Proof, ...] = ()
        self._tape: Tape | None = None

    def __str__(self) -> str:
        """The diagnosis as text."""
        if self.recording is None:
            return "The doctor is still observing; the report is ready after the block."
        parts = [
            self.headline,
            *(_as_text(finding) for finding in self.findings),
            *map(str, self.proofs),
            *self.remarks,
        ]
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The diagnosis as HTML."""
        if self.recording is None:
            return f"<p>{self}</p>"
        shown = page(self.headline, strip=self.recording.strip, findings=self.findings, remarks=self.remarks)
        return "".join([shown, *(proof._repr_html_() for proof in self.proofs)])

    def assert_healthy(self, *, allow: Iterable[str] = ()) -> None:
        """Pass if nothing is wrong; notes are allowed, and so are the findings named in ``allow``.

        Raises:
            ValueError: ``allow`` has a name that is no finding's.
            AssertionError: there is an error or a warning, or nothing was judged; its text is the report.
            RuntimeError: the block has not ended yet.
        """
        if self.recording is None:
            raise RuntimeError("the block has not ended; call assert_healthy() after it")
        allowed = {allow} if isinstance(allow, str) else set(allow)
        known = {rule.name for rule in (*RULES, *PROBED)}
        if allowed - known:
            raise ValueError(f"allow must name findings, got {sorted(allowed - known)}; doctor.rules() lists all names")
        wrong = any(finding.severity != "note" and finding.name not in allowed for finding in self.findings)
        if wrong or self.recording.stumble or not (self.findings or self._observed):
            raise AssertionError(str(self))

    def prove(self, name: str | None = None, *, passes: int = 60) -> Proof:
        """Do the first steps of the block again on copies, with and without the cure of a finding.

        Both replays start from the weights that the block started from, and take its batches and random numbers. The
        proof shows itself in a notebook, and stands in the report from then on. A finding whose cure changes nothing
        goes down by one severity. Where a replay is not possible, or says nothing, the proof's ``holds`` is None and
        its ``reason`` says why. The training is not touched.

        Args:
            name: of the finding, such as ``"learning-rate-too-high"``; the first finding without one.
            passes: backward passes in each replay; the batches that were kept come again where it is more. Three
                times as many are made before a cure is said to change nothing.

        Raises:
            RuntimeError: the block has not ended yet, or nothing was kept, because it was not ``watch(prove=True)``.
            TypeError: ``passes`` is not an int.
            ValueError: ``passes`` is below 10, or there is no finding of this name.
        """
        if self.recording is None:
            raise RuntimeError("the block has not ended; call prove() after it")
        if isinstance(passes, bool) or not isinstance(passes, int):
            raise TypeError(f"passes must be an int, got {passes!r}; try passes=60")
        if passes < 10:
            raise ValueError(f"passes must be 10 or more, got {passes}; try passes=60")
        if self._tape is None:
            raise RuntimeError("no batches were kept for a replay; try doctor.watch(prove=True)")
        proof = prove(self._tape, self._named(name), self.recording, passes=passes)
        finding = proof.finding
        self.proofs = (*(old for old in self.proofs if old.finding.name != finding.name), proof)
        self.findings = ranked(demoted(finding, proof) if one.name == finding.name else one for one in self.findings)
        return proof

    def _named(self, name: str | None) -> Finding:
        names = [finding.name for finding in self.findings]
        if not names:
            raise ValueError("there is no finding to prove; the report says what was looked at")
        if name is not None and name not in names:
            raise ValueError(f"name must be one of the findings {names}, got {name!r}; try {names[0]!r}")
        found = self.findings[0 if name is None else names.index(name)]
        # As it was before an earlier proof, which may have demoted it.
        return next((proof.finding for proof in self.proofs if proof.finding.name == found.name), found)

    def as_dict(self) -> dict[str, Any]:
        """The report for programs: only dicts, lists, strings and numbers, so that ``json.dumps`` takes it.

        ``version`` rises when a key changes its meaning or goes. ``steps`` is the number of updates observed,
        ``complete`` whether the whole block was; ``findings`` are dicts with the fields of a ``Finding``; ``judged``
        and ``not_judged`` say what was looked at and what could not be; ``proofs`` are dicts with the fields of a
        ``Proof``, and the name of its finding; ``stop`` is the exception that ended the block,
        as ``{"kind", "message"}``, or None; ``failures`` are rules that could not be applied.

        Raises:
            RuntimeError: the block has not ended yet.
        """
        recording = self.recording
        if recording is None:
            raise RuntimeError("the block has not ended; call as_dict() after it")
        return {
            "version": 1,
            "headline": self.headline,
            "severity": self.findings[0].severity if self.findings else None,
            "steps": len(recording.updates),
            "complete": recording.complete,
            "findings": [asdict(finding) for finding in self.findings],
            "judged": list(judged(recording)),
            "not_judged": list(not_judged(recording)),
            "proofs": [proof.as_dict() for proof in self.proofs],
            "stop": None if recording.stop is None else asdict(recording.stop),
            "failures": list(self.failures),
        }

    def fill(self, recording: Recording, tape: Tape | None = None) -> None:
        """Judge ``recording``: called once, at the end of the block; ``tape`` is what was kept for a replay."""
        self.recording, self._tape = recording, tape
        diagnosis = diagnose(recording)
        self.findings, self.failures = diagnosis.findings, diagnosis.failures

    @property
    def _observed(self) -> bool:
        """Whether there was anything to judge: a step, or an experiment."""
        probed = None if self.recording is None else self.recording.probed
        return bool(_steps(self.recording) or (probed is not None and probed.made))

    @property
    def headline(self) -> str:
        """One line: what was observed, and how it looks."""
        recording = self.recording
        observed = f"{count(_steps(recording), 'step')} observed"
        if recording is not None and recording.probed is not None and not recording.updates:
            observed = f"{count(len(recording.probed.made), 'experiment')} on copies"
        if self.findings:
            return f"Doctor: {count(len(self.findings), 'finding')}. {observed}."
        if recording is not None and recording.stop is not None:
            return f"Doctor: no known fault explains the {recording.stop.kind} that ended the block. {observed}."
        if recording is not None and recording.stumble:
            return f"Doctor: no judgement, the observation broke off. {observed}."
        probed = None if recording is None else recording.probed
        if probed is not None and probed.made and not _steps(recording):
            return f"Doctor: healthy. {observed}, none of {len(PROBED)} known faults found."
        if not self._observed:
            return f"Doctor: nothing to judge. {observed}."
        return f"Doctor: healthy. {observed}, none of {len(RULES)} known faults found."

    @property
    def remarks(self) -> list[str]:
        """What else should be known about the observation itself."""
        recording = self.recording
        said = []
        if recording is not None and (recording.updates or recording.probed) and not self.findings:
            said.append(f"Checked: {', '.join(judged(recording))}.")
            if missing := not_judged(recording):
                said.append(f"Not judged: {'; '.join(missing)}.")
            if recording.probed is None:
                said.append("Not tried: the model itself; watch(probe=True) makes experiments on copies of it.")
        if recording is not None and recording.stop is not None:
            said.append(f"The block ended with {recording.stop.kind}: {recording.stop.message}".rstrip(": .") + ".")
        if recording is not None and recording.stumble:
            said.append(f"The doctor stopped observing because of an error of its own: {recording.stumble}")
        said += [f"A rule could not be applied: {failure}." for failure in self.failures]
        return said


def _steps(recording: Recording | None) -> int:
    return len(recording.updates) if recording else 0


def _as_text(finding: Finding) -> str:
    code = "\n".join(f"        {line}" for line in finding.fix.splitlines())
    return (
        f"{finding.severity.upper()} {finding.name}\n    {finding.title}\n    Seen: {finding.seen.rstrip('.')}.\n"
        f"    Why it hurts: {finding.why}\n    Fix:\n{code}\n    Lesson: {finding.lesson}"
    )
