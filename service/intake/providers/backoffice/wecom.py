"""WeCom (企业微信): callbacks of approvals in, approval statements out.

Facts from WeCom's documentation (read 2026-11): the XML envelope, its signature and cipher, the
test of an address by GET, `MsgId` of messages and none of events. PARTIAL: five seconds of patience
and three retries, the words of SpStatus (1 in review, 2 approved, 3 rejected, 4 withdrawn, 6
withdrawn after approval, 7 deleted, 10 paid) and those of a third party's approval.

ToUserName and AgentID outside the cipher are not signed, and therefore not read.
"""

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.verification.sealed import WECOM

SETUP = """\
1. In WeCom's admin console open the self-built app that may call the approval interface (or the
   approval app), Receive messages, and generate a Token and an EncodingAESKey (43 characters).
2. Put them as TOKEN:AESKEY behind the reference in `secrets`, and set options = { receiver = "…" }
   to the corp id, so that nobody else's callback is taken.
3. Enter this source's URL and save: WeCom tests it with a GET.
4. Enable approval status changes. The approval is named by SpNo (or ThirdNo). An order number in
   its form is not in the callback: link the two by an alias."""

SCHEME = WECOM

DECISIONS = {
    "1": "decision.in_review",
    "2": "decision.approved",
    "3": "decision.rejected",
    "4": "decision.withdrawn",
}
INFO = "xml.ApprovalInfo"

LAYOUT = Layout(
    title="WeCom",
    says=(
        Says(
            "xml.Event || xml.MsgType",
            {
                "sys_approval_change": Branch(
                    f"{INFO}.SpStatus",
                    DECISIONS
                    | {
                        "6": "decision.revoked",
                        "7": "decision.withdrawn",
                        "10": "execution.carried_out",
                    },
                ),
                "open_approval_change": Branch(f"{INFO}.OpenSpStatus", DECISIONS),
            },
            ours=("sys_approval_", "open_approval_"),
        ),
    ),
    ref=f"{INFO}.SpNo || {INFO}.ThirdNo",
    key=(
        "xml.MsgId || xml.Event",
        f"{INFO}.SpNo || {INFO}.ThirdNo || xml.FromUserName",
        f"{INFO}.SpStatus || {INFO}.OpenSpStatus || xml.EventKey",
        f"{INFO}.StatuChangeEvent",
        "xml.CreateTime",
    ),
    form="xml",
    when="xml.CreateTime",
    lifecycle="approval",
    facts={
        "title": f"{INFO}.SpName || {INFO}.OpenSpName",
        "template": f"{INFO}.TemplateId || {INFO}.OpenTemplateId",
        "change": f"{INFO}.StatuChangeEvent",
    },
)

PRESET = Preset(
    name="wecom",
    title="WeCom (企业微信)",
    category="back office",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.text("success"))),
    scheme=SCHEME.summary,
    identity="approval, its status, the change and its time; of messages MsgId",
    proof=Proof("sdk", "@wecom/crypto 1.0.1 (npm)"),
    doubts=(
        "The words of SpStatus are PARTIAL (above all 6, 7, 10): an unknown one is a dead letter.",
        "Retries are PARTIAL (three): confirm that CreateTime stays the same in them.",
        "That events take the answer `success` is PARTIAL: confirm that none is repeated.",
    ),
    options=("receiver",),
)
