"""DingTalk (钉钉): HTTP callbacks of approvals in, approval statements out.

Facts from DingTalk's documentation and open-dingtalk/DingTalk-Callback-Crypto (read 2026-11): the
envelope with its published example, the encrypted answer, `check_url`; fields and words of
bpms_instance_change as of 2026-07 (start, finish, terminate, delete; agree, refuse), among them an
`eventId` that older callbacks lack. UNVERIFIED: timeout and retries, bpms_task_change.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.verification.sealed import DINGTALK

SETUP = """\
1. In DingTalk's developer console under Event subscriptions, choose HTTP push and take the token
   and the AES key (43 characters).
2. Put them as TOKEN:AESKEY behind the reference in `secrets`, and set options = { receiver = "…" }
   to the app key (or the corp id or suite key, whichever the console names), so that nobody else's
   callback is taken. The answer is sealed for it, too.
3. Enter this source's URL and save: DingTalk tests it with check_url.
4. Subscribe to bpms_instance_change of the approvals that matter.
5. The approval is named by its instance. An order number in its form is not in the callback: let
   businessId carry it and set subject.ref = "businessId", or link the two by an alias."""

SCHEME = DINGTALK

INSTANCE = Branch(
    "type",
    {
        "start": "decision.submitted",
        "finish": Branch("result", {"agree": "decision.approved", "refuse": "decision.rejected"}),
        "terminate": "decision.withdrawn",
        "delete": "decision.withdrawn",
    },
)

LAYOUT = Layout(
    title="DingTalk",
    says=(
        Says(
            "EventType",
            {
                "bpms_instance_change": INSTANCE,
                "bpms_task_change": "ignore: one step of an approval is not its decision",
                "check_url": "ignore: a test of the address",
            },
            ours=("bpms_instance_change",),
        ),
    ),
    ref="processInstanceId",
    key=(
        "EventType",
        "processInstanceId || eventId || BizId || to_string(TimeStamp)",
        "taskId",
        "type",
        "result",
    ),
    when="finishTime || EventTime || createTime",
    lifecycle="approval",
    aliases={"approval:dingtalk": "businessId"},
    facts={"title": "title", "process_code": "processCode", "form": "url"},
)

PRESET = Preset(
    name="dingtalk",
    title="DingTalk (钉钉)",
    category="back office",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="approval, what happened to it, its result",
    proof=Proof("vector", "DingTalk's documentation of callbacks; and dingtalk-sdk 1.3.8 (PyPI)"),
    doubts=(
        (
            "An approval that was deleted is read as withdrawn: confirm that an approved one is "
            "never deleted, or set statuses."
        ),
        "Timeout and retries are UNVERIFIED: confirm that a refused callback comes again.",
    ),
    options=("receiver",),
)
