"""BambooHR: webhooks of employees in, task statements out.

Facts: the signature from a sample of the vendor, quoted by a third party (guides that sign the time
first, or the body alone, contradict it); the rest PARTIAL (read 2026-11): `employees` with action,
changed fields and a time, as JSON or as a form. There is no id of an event. An employee is no
order: a task named after the employee is told of, which a new one opens and one who is removed
cancels.
"""

from dataclasses import replace

from service.intake.preset import Declared, Preset, Proof
from service.intake.reading.kinds import Kinds, writing
from service.intake.reading.layout import Layout, Says
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. In BambooHR create a webhook (Account, Webhooks, or by the API) with this source's URL, the
   format JSON, and as few fields to post as the task needs.
2. Its private key is shown once, in the answer that creates it: put it behind the reference in
   `secrets`.
3. A task `employee-123` stands for employee 123. Say in `statuses` what Created, Updated and
   Deleted mean for you, and in subject.ref where the task is if you keep its number in a field.
4. What is posted is stored whole: leave out salaries and whatever else nobody needs here."""

SCHEME = Hmac(
    "X-BambooHR-Signature",
    message="{body}{time}",
    time="header:X-BambooHR-Timestamp",
    what="the webhook's private key",
)

LAYOUT = Layout(
    title="BambooHR",
    says=(
        Says(
            "action",
            {"Created": "work.open", "Updated": "facts", "Deleted": "work.cancelled"},
        ),
    ),
    ref="join('-', ['employee', to_string(id)])",
    key=("id && timestamp && to_string(id)", "action", "timestamp", "join(',', changedFields)"),
    items="employees",
    when="timestamp",
    zone="UTC",
    lifecycle="task",
    facts={"employee": "id", "change": "action", "changed_fields": "join(', ', changedFields)"},
)

KINDS = Kinds(writing, {"form": replace(LAYOUT, form="form")}, usual=LAYOUT)


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), KINDS.reader(source))


PRESET = Preset(
    name="bamboohr",
    title="BambooHR",
    category="back office",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="employee, action, time and changed fields",
    proof=Proof("none", "the vendor's sample, quoted by a third party"),
    doubts=(
        (
            "The signature (body first, then the time, nothing between) is PARTIAL: confirm on a "
            "live delivery."
        ),
        (
            "That `timestamp` of an employee stays the same when the webhook is sent again is "
            "PARTIAL: confirm in its delivery log."
        ),
        (
            "The words of `action` and the other fields are PARTIAL: confirm an employee who is "
            "new, changed and removed."
        ),
        "How a form lists the employees is UNVERIFIED: choose JSON.",
    ),
)
