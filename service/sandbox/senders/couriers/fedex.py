"""FedEx as a sender: shipments with all their scans, signed."""

from service.intake.providers.couriers import fedex
from service.intake.reading.paths import JSON
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": "OC",
    "in_transit": "AR",
    "ready_for_pickup": "HL",
    "out_for_delivery": "OD",
    "delivery_failed": "DE",
    "delivered": "DL",
}


def _event(word: str, occasion: Occasion) -> Object:
    scan: Object = {
        "date": occasion.at.isoformat(timespec="seconds"),
        "eventType": word,
        "derivedStatusCode": word,
        "scanLocation": {"city": "MEMPHIS"},
    }
    latest: JSON = {"code": word, "derivedCode": word}
    result: Object = {"latestStatusDetail": latest, "scanEvents": [scan]}
    number = str(int(token("", occasion.order)[:10], 16)).zfill(12)[:12]
    whole: Object = {"trackingNumber": number, "trackResults": [result]}
    return {
        "transactionId": token("", occasion.key),
        "outputMetaData": [],
        "output": {"completeTrackResults": [whole]},
    }


SENDER = Sender(
    fedex.PRESET.name,
    schemes.signer(fedex.SCHEME),
    told(_event, WORDS),
    usual="in_transit",
)
