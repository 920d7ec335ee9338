"""Addresses a request names: text comes in, an address of a host we trust or a refusal out."""

import re
from urllib.parse import urlsplit

from service.domain.refusals import Cause
from service.intake.provider import Forged

MAX_URL = 2048


def address(url: str, *, host: str, ending: str = "") -> str | Forged:
    """Take an https address whose host matches the expression in whole; nothing else rides along.

    Userinfo, ports, queries and fragments have been used to lead elsewhere, so none is taken.
    """
    refused = Forged("The address of the key is not of a host we trust.", cause=Cause.UNKNOWN_KEY)
    # What urlsplit drops or other readers take otherwise (tabs, backslashes, other scripts).
    if len(url) > MAX_URL or re.fullmatch(r"https://[!-~]+", url) is None or "\\" in url:
        return refused
    try:
        parts = urlsplit(url)
        plain = not (parts.query or parts.fragment or parts.port) and ":" not in parts.netloc
    except ValueError:
        return refused
    if not plain or "@" in parts.netloc or set(url) & {"?", "#"}:
        return refused
    if re.fullmatch(host, parts.netloc) is None or not parts.path.endswith(ending):
        return refused
    return url
