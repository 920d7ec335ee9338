"""Bitrix24's error codes: an error comes in, what must happen next goes out.

The code decides and not the status: inside a batch there is none. System errors and the errors of
each method: b24-rest-docs @2ba8202, 2026-08; names of further codes: b24pysdk 1.3.2.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from pydantic import JsonValue

from service.worker.crms import reading
from service.worker.crms.base import Answer, Class
from service.worker.crms.client import Call, Reply

SHORT = timedelta(seconds=2)
LONG = timedelta(minutes=1)

CODES: Mapping[str, tuple[Class, str]] = {
    "QUERY_LIMIT_EXCEEDED": (Class.RATE, "too many requests"),
    "OPERATION_TIME_LIMIT": (Class.RATE, "the method has used up its time"),
    "INTERNAL_SERVER_ERROR": (Class.TRANSIENT, "an error inside Bitrix24"),
    "ERROR_UNEXPECTED_ANSWER": (Class.TRANSIENT, "an error inside Bitrix24"),
    "ERROR_BATCH_LENGTH_EXCEEDED": (Class.TRANSIENT, "the batch was too long"),
    "OVERLOAD_LIMIT": (Class.HUMAN, "the REST API is blocked by hand: ask Bitrix24 support"),
    "PORTAL_DELETED": (Class.HUMAN, "the site is closed or deleted: open it in its settings"),
    "PAYMENT_REQUIRED": (Class.HUMAN, "the app or the portal must be paid for"),
    "INVALID_CREDENTIALS": (Class.HUMAN, "the user of the webhook or app lacks rights"),
    "INSUFFICIENT_SCOPE": (Class.HUMAN, "give the webhook or app the rights crm and sale"),
    "USER_ACCESS_ERROR": (Class.HUMAN, "the app is not open to this user: allow it there"),
    "ALLOWED_ONLY_INTRANET_USER": (Class.HUMAN, "the user must be an employee of the portal"),
    "METHOD_CONFIRM_WAITING": (Class.HUMAN, "an administrator must confirm the method"),
    "METHOD_CONFIRM_DENIED": (Class.HUMAN, "an administrator denied the method"),
    "WRONG_AUTH_TYPE": (Class.HUMAN, "the method is not for this kind of credentials"),
    "INVALID_REQUEST": (Class.HUMAN, "it takes https only: change url"),
    "ERROR_METHOD_NOT_FOUND": (Class.HUMAN, "the portal lacks the method: update its modules"),
    "UPDATE_DYNAMIC_ITEM_RESTRICTED": (Class.HUMAN, "the plan forbids writing smart processes"),
    "200040300020": (Class.HUMAN, "orders may be written by an administrator only"),
    "NO_AUTH_FOUND": (Class.AUTH, "the webhook or token is not known: make a new one"),
    "EXPIRED_TOKEN": (Class.AUTH, "the token or webhook has expired: make a new one"),
    "INVALID_TOKEN": (Class.AUTH, "the token is not known: install the app again"),
    "NOT_INSTALLED": (Class.AUTH, "the app is not installed: install it again"),
    "APPLICATION_NOT_FOUND": (Class.AUTH, "the app is not known: install it again"),
    "ERROR_OAUTH": (Class.AUTH, "the token is refused: install the app again"),
    "AUTHORIZATION_ERROR": (Class.AUTH, "the token is refused: install the app again"),
    "NOT_FOUND": (Class.NOT_FOUND, "there is no such record"),
    "200540400001": (Class.NOT_FOUND, "there is no such order"),
    "CRM_FIELD_ERROR_VALUE_NOT_VALID": (
        Class.PERMANENT,
        "a value is not valid: look at statuses and attributes",
    ),
    "CRM_FIELD_ERROR_REQUIRED": (Class.PERMANENT, "the stage asks for a field that is empty"),
    "ACCESS_DENIED": (Class.PERMANENT, "no right to change this record"),
    "-": (Class.PERMANENT, "no right to move the record to this stage"),
}
"""All others are PERMANENT."""
NOT_ACCEPTED = (Class.PERMANENT, "the change is not accepted: look at statuses and attributes")
NO_PLAN = (Class.HUMAN, "the plan of the portal has no REST API, or the user has no rights")
"""ACCESS_DENIED where it stands for the whole request."""


def refused(error: JsonValue, operation: str, *, safe: bool, whole: bool = False) -> Answer:
    """An error by its code; `whole`: it stands for the request, not for one command."""
    code = (reading.text(reading.mapping(error).get("error")) or "").upper()
    kind, why = CODES.get(code, NOT_ACCEPTED)
    if whole and code == "ACCESS_DENIED":
        kind, why = NO_PLAN
    if kind is Class.TRANSIENT and not safe:
        kind = Class.UNKNOWN_OUTCOME
    detail = f"Bitrix24 says {reading.word(code) or 'something unknown'}: {why}."
    answer = Answer(kind, operation, http_status=200, detail=detail)
    if code == "QUERY_LIMIT_EXCEEDED":
        return replace(answer, after=SHORT, scope="requests")
    return answer


def judged(reply: Reply, operation: str, *, safe: bool) -> Answer:
    """A reply that brings no result."""
    body = reading.mapping(reply.json())
    error, fine = body.get("error"), 200 <= reply.status < 300
    known = (reading.text(error) or "").upper() in CODES
    # A code nobody knows says no more than the status it came with: trouble there, or ours.
    if known or (error and isinstance(error, str) and (fine or reply.status == 400)):
        answer = refused(dict(body), operation, safe=safe, whole=True)
        return replace(answer, http_status=reply.status, after=reply.after or answer.after)
    if fine:
        return replace(unreadable(operation, safe=safe), http_status=reply.status)
    kind = Class.HUMAN if reply.status == 404 else None
    call = Call("POST", "", operation, safe=safe)
    return reading.answered("Bitrix24", reply, call, code=reading.word(error), kind=kind)


def unreadable(operation: str, *, safe: bool = False) -> Answer:
    kind = Class.TRANSIENT if safe else Class.UNKNOWN_OUTCOME
    detail = "The answer of Bitrix24 does not say what became of it."
    return Answer(kind, operation, http_status=200, detail=detail)
