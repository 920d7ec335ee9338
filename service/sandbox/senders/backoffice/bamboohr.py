"""BambooHR as a sender: changes of employees, signed with their time."""

from service.intake.providers.backoffice import bamboohr
from service.sandbox.senders.occasion import Object, Occasion, Sender, told
from service.sandbox.senders.signing import schemes

TOLD = {"created": "Created", "updated": "Updated", "deleted": "Deleted"}


def _change(action: str, occasion: Occasion) -> Object:
    return {
        "employees": [
            {
                "id": occasion.order,
                "action": action,
                "timestamp": occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "changedFields": ["Job Title"],
                "fields": {"Job Title": "Lead"},
            }
        ]
    }


SENDER = Sender(
    bamboohr.PRESET.name,
    schemes.signer(bamboohr.SCHEME),
    told(_change, TOLD),
    usual="created",
)
