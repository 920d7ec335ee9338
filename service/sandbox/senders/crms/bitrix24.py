"""Bitrix24 as a sender: events that name a deal, with the application's token in the form."""

from service.intake.providers.crms import bitrix24
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_form, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "new": "ONCRMDEALADD",
    "changed": "ONCRMDEALUPDATE",
    "process_changed": "ONCRMDYNAMICITEMUPDATE_128",
    "deleted": "ONCRMDEALDELETE",
}
PORTAL = "sandbox.bitrix24.example"


def _event(word: str, occasion: Occasion) -> Object:
    fields: Object = {"ID": str(int(token("", occasion.order)[:6], 16))}
    if "DYNAMIC" in word:
        fields["ENTITY_TYPE_ID"] = "128"
    return {
        "event": word,
        "event_handler_id": "975",
        "data": {"FIELDS": fields},
        "ts": str(int(occasion.at.timestamp())),
        "auth": {
            "domain": PORTAL,
            "client_endpoint": f"https://{PORTAL}/rest/",
            "server_endpoint": "https://oauth.bitrix24.example/rest/",
            "member_id": token("", PORTAL),
        },
    }


SENDER = Sender(
    bitrix24.PRESET.name,
    schemes.signer(bitrix24.SCHEME),
    told(_event, WORDS, form="form"),
    usual="changed",
    dress=as_form,
    rules={"options": {"own_user": "17"}},
)
