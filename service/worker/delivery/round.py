"""One batch of errands at one CRM: what is not known is asked, what differs is written."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from service import telemetry, tracing
from service.domain.events import Subject
from service.domain.verdict import Retry, Verdict
from service.settings import Destination
from service.worker import sync
from service.worker.crms.base import Answer, Class, Crm, Record, Records
from service.worker.delivery import cleaning, errands, planning
from service.worker.delivery.calls import Calls
from service.worker.delivery.errands import Errand, Step
from service.worker.delivery.ports import Gate
from service.worker.roads import Memory

PAUSING = (Class.AUTH, Class.HUMAN)

ALONE = "Others of the same call went well: mend this record or its rights there, then redrive."

Answers = Sequence[tuple[Subject, Answer]]


@dataclass(slots=True)
class Round:
    """What one batch goes by; a reload does not change it under way."""

    rule: Destination
    crm: Crm
    calls: Calls
    memory: Memory
    gate: Gate
    said: list[Answers] = field(default_factory=list)
    """What each call was answered, in the order they came."""

    async def look(self, going: Sequence[Errand], *, until: float) -> None:
        """Ask what must be known before anything is written; some errands end here."""
        if not isinstance(self.crm, Records):
            return
        if reading := [errand for errand in going if errand.step is Step.READ]:
            await self._read(self.crm, reading, until)
        if finding := [errand for errand in going if errand.step is Step.FIND]:
            await self._find(self.crm, finding, until)
        self._stop(going)

    async def write(self, going: Sequence[Errand], *, until: float) -> None:
        """Write them in one batch; each has an end afterwards."""
        writes = [errand.write for errand in going]
        said = self._told(going)
        with tracing.joining("call", "client", self._traces(going), attributes=said) as span:
            answers, ms = await self.calls.write(self.crm, writes, until=until)
            answers = for_itself([cleaning.answer(answer) for answer in answers])
            _tell(span, answers)
        others_tried = _any_tried(answers)
        for errand, answer in zip(going, answers, strict=True):
            errand.answers.append((answer, ms))
            errand.sent = answer.tried and answer.kind not in errands.REFUSED
            self._end(errand, answer, others_tried=others_tried)
        self._heard(going, answers)

    async def note(self, crm: Records, errand: Errand, remote_id: str, *, until: float) -> None:
        """Leave an entry in the time line; whatever comes of it is only kept as an attempt."""
        before, after = errand.owed.previous, errand.owed.status
        moved = f"{before} → {after}" if before else after
        text = f"{errand.owed.subject}: {moved} (version {errand.owed.version})"
        said, ms = await self.calls.note(crm, errand.known(remote_id), text, until=until)
        answer = cleaning.answer(said)
        errand.answers.append((answer, ms))
        self._heard([errand], [answer])

    def fail(self, going: Sequence[Errand]) -> None:
        """Something of ours failed: nobody knows how far these came."""
        answer = Answer(Class.UNKNOWN_OUTCOME, "write", detail="It failed here; see the log.")
        for errand in going:
            errand.answers.append((answer, 0))
            errand.sent = True
            self._end(errand, answer, others_tried=True)

    async def _read(self, crm: Records, going: Sequence[Errand], until: float) -> None:
        known = [errand.known(errand.write.remote_id or "") for errand in going]
        read, ms = await self.calls.read(crm, known, until=until)
        came = [cleaning.seen(each) for each in read]
        answers = [each if isinstance(each, Answer) else Answer(Class.OK, "read") for each in came]
        for errand, record, answer in zip(going, came, answers, strict=True):
            errand.answers.append((answer, ms))
            if not isinstance(record, Answer):
                errand.step = planning.compared(errand, record, rule=self.rule, crm=self.crm)
            elif answer.kind is Class.NOT_FOUND and answer.tried:
                errand.step = planning.gone(errand)
            else:
                self._end(errand, answer, others_tried=_any_tried(answers))
        self._heard(going, answers)

    async def _find(self, crm: Records, going: Sequence[Errand], until: float) -> None:
        found, ms = await self.calls.find(crm, [errand.wanted for errand in going], until=until)
        came = [cleaning.seen(each) for each in found]
        answers = [each if isinstance(each, Answer) else Answer(Class.OK, "find") for each in came]
        for errand, records, answer in zip(going, came, answers, strict=True):
            if not isinstance(records, Answer):
                self._found(errand, records, ms)
            elif answer.kind is Class.NOT_FOUND and answer.tried:
                self._found(errand, [], ms)
            else:
                errand.answers.append((answer, ms))
                self._end(errand, answer, others_tried=_any_tried(answers))
        self._heard(going, answers)

    def _found(self, errand: Errand, records: Sequence[Record], ms: int) -> None:
        answer = planning.counted(errand, records, rule=self.rule)
        errand.answers.append((answer, ms))
        errand.step = planning.found(errand, records, rule=self.rule, crm=self.crm)
        if errand.step is Step.NOTHING and errand.end is None:
            self._end(errand, answer, others_tried=True)

    def _heard(self, going: Sequence[Errand], answers: Sequence[Answer]) -> None:
        """Keep how one call ended, for the gate and the budget."""
        pairs = zip(going, answers, strict=True)
        self.said.append([(errand.owed.subject, answer) for errand, answer in pairs])
        for kind, count in Counter(answer.kind for answer in answers).items():
            telemetry.CRM_CALLS.labels(self.rule.name, kind.value).inc(count)

    def _stop(self, going: Sequence[Errand]) -> None:
        """The credentials or the account failed while something was asked: write nothing."""
        why = (answer for said in self.said for _, answer in said if answer.kind in PAUSING)
        answer = next(why, None)
        for errand in going:
            if answer is not None and errand.step is Step.WRITE:
                said = replace(answer, tried=False)
                errand.answers.append((said, 0))
                self._end(errand, said, others_tried=False)

    def _end(self, errand: Errand, answer: Answer, *, others_tried: bool) -> None:
        errand.step = Step.NOTHING
        errand.end = self._judged(errand, answer, others_tried=others_tried)

    def _judged(self, errand: Errand, answer: Answer, *, others_tried: bool) -> Verdict:
        if _was_stale(errand, answer, self.crm):
            errand.forget = True
            return Retry(timedelta())
        if answer.kind is Class.UNKNOWN_OUTCOME and errand.write.create:
            answer = replace(answer, after=max(answer.after or timedelta(), sync.CREATED_LATER))
        return sync.judge(
            answer,
            errand.owed,
            rule=self.rule,
            jitter=random.random(),  # noqa: S311
            others_tried=others_tried,
            shut=self.gate.shut,
        )

    def _traces(self, going: Sequence[Errand]) -> list[tracing.Context]:
        return [trace for errand in going for trace in self.memory.traces(errand.owed)]

    def _told(self, going: Sequence[Errand]) -> dict[str, tracing.Value]:
        said: dict[str, tracing.Value] = {"orderhook.destination": self.rule.name}
        if len(going) > 1:
            return {**said, "orderhook.batch.syncs": len(going)}
        owed = going[0].owed
        return {**said, "orderhook.subject": str(owed.subject), "orderhook.version": owed.version}


def _any_tried(answers: Sequence[Answer]) -> bool:
    return any(answer.tried for answer in answers)


def for_itself(answers: Sequence[Answer]) -> Sequence[Answer]:
    """Where others of the same call went well, what a person must do is about this record alone."""
    if not any(answer.kind is Class.OK and answer.http_status is not None for answer in answers):
        return answers
    return [
        replace(answer, kind=Class.PERMANENT, detail=f"{answer.detail} {ALONE}")
        if answer.kind is Class.HUMAN and answer.tried
        else answer
        for answer in answers
    ]


def _was_stale(errand: Errand, answer: Answer, crm: Crm) -> bool:
    """Whether the record is gone that an earlier errand knew: it may be there by another id."""
    return (
        answer.kind is Class.NOT_FOUND
        and answer.tried
        and errand.write.remote_id is not None
        and errand.record is None
        and not crm.capabilities.keyed
    )


def _tell(span: tracing.Span, answers: Sequence[Answer]) -> None:
    """What a trace says of a batch is what it says of the first that went wrong in it."""
    worst = next((answer for answer in answers if answer.kind is not Class.OK), answers[0])
    span.set({"orderhook.answer": worst.kind.value})
    if worst.http_status is not None:
        span.set({"http.response.status_code": worst.http_status})
    if worst.kind is not Class.OK:
        span.fail(worst.kind.value)
