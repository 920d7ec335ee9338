"""Salesforce: outbound messages (SOAP) about opportunities and orders in, order statements out.

Facts from the documentation (developer.salesforce.com, outbound messaging of the SOAP API; read
2026-11): up to 100 notifications in a message, each with an id to tell repeats by, the record as it
is when sent, repeats for 24 hours unless the Ack is right, no order of arrival. The exact Ack is
that of foxy-solutions.com and the WSDL. UNVERIFIED: the stages of a new organisation.

A message proves nothing itself but by the client certificate of its TLS, which a proxy in front can
ask for; so the token at the end of the URL proves who sends.
"""

import re
from dataclasses import replace

from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import RawRequest, Reply
from service.intake.reading import order_field
from service.intake.reading.layout import Layout, Says
from service.intake.reading.money import Amount
from service.intake.reading.reader import OWN_USER, Reader
from service.intake.verification.enclosed import REDACTED
from service.intake.verification.shared import UrlToken
from service.settings import Source

SETUP = """\
1. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`.
2. In Salesforce under Outbound Messages add one for Opportunity (or Order) with this source's URL,
   a slash and the token. Do not send the session id.
3. Its fields: Id, LastModifiedDate, LastModifiedById, StageName and Amount (for Order: Status and
   TotalAmount), CurrencyIsoCode where there are several, and the field with the order number.
4. That field is Order_Number__c; for another one set options = { order_field = "NAME__c" }.
5. Let a flow or a workflow rule send the message whenever the stage, the amount or the order number
   changes.
6. Set options.own_user to the id (18 characters) of the user we write as, so that our own writes
   are ignored when they come back.
7. Name stages of your own in `statuses`; until then each is a dead letter.
8. Salesforce offers its client certificate (Certificate and Key Management, API Client
   Certificate): let the proxy in front insist on it."""

SCHEME = UrlToken()
ACK = Reply(
    200,
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack>'
    b"</notificationsResponse></soapenv:Body></soapenv:Envelope>",
    {"Content-Type": "text/xml; charset=utf-8"},
)

STAGES = {
    **dict.fromkeys(
        (
            *("Prospecting", "Qualification", "Needs Analysis", "Value Proposition"),
            *("Id. Decision Makers", "Perception Analysis", "Proposal/Price Quote"),
            *("Negotiation/Review", "Draft"),
        ),
        "facts",
    ),
    "Closed Won": "order.confirmed",
    "Closed Lost": "order.cancelled",
    "Activated": "order.confirmed",
}
STAGE = "sObject.StageName || sObject.Status"
ORDER_NUMBER = "Order_Number__c"

LAYOUT = Layout(
    title="Salesforce",
    form="xml",
    items="[Envelope.Body.notifications.Notification][]",
    says=(Says(STAGE, STAGES),),
    ref=f"sObject.{ORDER_NUMBER}",
    key=("Id",),
    when="sObject.LastModifiedDate || sObject.SystemModstamp",
    author="sObject.LastModifiedById",
    aliases={"record:salesforce": "sObject.Id"},
    facts={"deal_name": "sObject.Name", "crm_stage": STAGE},
    amounts={"amount": Amount("sObject.Amount || sObject.TotalAmount", "sObject.CurrencyIsoCode")},
)

_OPENED = re.compile(
    rb"""<(?:[^\s<>/!?:"']+:)?SessionId(?:\s(?:[^<>"']|"[^"]*"|'[^']*')*)?(?<!/)>"""
)
_CLOSED = re.compile(rb"</(?:[^\s<>/!?:]+:)?SessionId\s*>")
MOST_SESSIONS = 8


class Messages(Declared):
    """One configured organisation."""

    __slots__ = ()

    def redact(self, request: RawRequest) -> RawRequest:
        """A session id opens the organisation to whoever reads it."""
        return super().redact(replace(request, body=_without_session(request.body)))


def _without_session(body: bytes) -> bytes:
    """Hide whatever stands in the element, markup and all; what is never closed is cut off."""
    kept = b""
    for _ in range(MOST_SESSIONS):
        opened = _OPENED.search(body)
        if opened is None:
            return kept + body
        closed = _CLOSED.search(body, opened.end())
        kept += body[: opened.end()] + REDACTED.encode()
        body = body[closed.start() :] if closed else b""
    return kept


def build(source: Source) -> Declared:
    field = order_field.named(source, usual=ORDER_NUMBER)
    reader = Reader.of(replace(LAYOUT, ref=f"sObject.{field}"), source)
    return Messages(SCHEME.guard(source), reader, Manners(answer=ACK))


PRESET = Preset(
    name="salesforce",
    title="Salesforce",
    category="crm",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the notification's Id",
    proof=Proof("none", "developer.salesforce.com"),
    doubts=(
        (
            "Nothing in a message proves its sender: keep the URL secret, and let the proxy ask "
            "for "
            "Salesforce's client certificate if you can: confirm that it does."
        ),
        (
            "The stages of opportunities and the statuses of orders are UNVERIFIED: compare with "
            "your "
            "organisation, and name others in statuses."
        ),
        (
            "A message carries the record as it is when sent: confirm that what must be told of "
            "each "
            "step (an order confirmed and cancelled within a minute, or an edit of a person that "
            "we wrote over before the message left) is told elsewhere too."
        ),
    ),
    url_token=True,
    options=(order_field.OPTION, OWN_USER),
)
