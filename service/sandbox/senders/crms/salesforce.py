"""Salesforce as a sender: outbound messages with the chosen fields, at a secret address."""

from dataclasses import dataclass

from service.intake.provider import SignedRequest
from service.intake.providers.crms import salesforce
from service.intake.reading.paths import JSON
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes
from service.settings import Source

USER, OURS = "00540000000mBqsAAE", "00540000000lnc2AAA"


@dataclass(frozen=True, slots=True)
class Told:
    """An object and its stage, and who changed it."""

    kind: str
    stage: str
    user: str = USER


WORDS = {
    "new": Told("Opportunity", "Prospecting"),
    "won": Told("Opportunity", "Closed Won"),
    "lost": Told("Opportunity", "Closed Lost"),
    "activated": Told("Order", "Activated"),
    "own_write": Told("Opportunity", "Closed Won", OURS),
}


def dress(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    return SignedRequest(headers, body)


def _message(said: Told, occasion: Occasion) -> Object:
    order = said.kind == "Order"
    record: dict[str, JSON] = {
        "@xsi:type": f"sf:{said.kind}",
        "@xmlns:sf": "urn:sobject.enterprise.soap.sforce.com",
        "sf:Id": token("006", occasion.order)[:18],
        "sf:TotalAmount" if order else "sf:Amount": str(occasion.amount),
        "sf:CurrencyIsoCode": occasion.currency,
        "sf:LastModifiedById": said.user,
        "sf:LastModifiedDate": occasion.at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "sf:Name": f"Order {occasion.order}",
        f"sf:{salesforce.ORDER_NUMBER}": occasion.order,
        "sf:Status" if order else "sf:StageName": said.stage,
    }
    notifications: Object = {
        "@xmlns": "http://soap.sforce.com/2005/09/outbound",
        "OrganizationId": "00D24000000sandEAA",
        "ActionId": "04k000000004CCXIA2",
        "SessionId": {"@xsi:nil": "true"},
        "EnterpriseUrl": "https://sandbox.salesforce.example/services/Soap/c/65.0",
        "PartnerUrl": "https://sandbox.salesforce.example/services/Soap/u/65.0",
        "Notification": {"Id": token("04l", occasion.key)[:18], "sObject": record},
    }
    return {
        "soapenv:Envelope": {
            "@xmlns:soapenv": "http://schemas.xmlsoap.org/soap/envelope/",
            "@xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "soapenv:Body": {"notifications": notifications},
        }
    }


SENDER = Sender(
    salesforce.PRESET.name,
    schemes.signer(salesforce.SCHEME),
    told(_message, WORDS, form="xml"),
    usual="won",
    dress=dress,
    rules={"options": {"own_user": OURS}},
)
