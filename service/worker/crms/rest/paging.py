"""A page of a feed goes in; where the next one is comes out, or that there is none."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from service.settings.rest_table import RestPaging
from service.worker.crms import reading as plain
from service.worker.crms.base import Record
from service.worker.crms.client import Reply
from service.worker.crms.rest.reading import look

LINK = re.compile(r'<([^<>]{1,2000})>\s*;[^,]*rel="?next"?')
MOST_CURSOR = 2000


class Astray(Exception):
    """A sentence: the answer leads somewhere it must not."""


@dataclass(frozen=True, slots=True)
class Read:
    """One page as it came."""

    asked: str
    """The URL it was asked at."""
    cursor: str | None
    """With which it was asked."""
    reply: Reply
    rows: int
    last: Record | None


def first(rule: RestPaging) -> str | None:
    """The cursor of the first page; None leaves its parameter out."""
    match rule.by:
        case "page":
            return str(rule.first)
        case "offset":
            return "0"
        case "cursor" | "last_id" | "link":
            return None


def following(rule: RestPaging, page: Read) -> str | None:
    """The next cursor; None at the end; raises Astray."""
    found = _next(rule, page)
    if found is not None and (found == page.cursor or len(found) > MOST_CURSOR):
        raise Astray("The feed leads back to the same page: look at rest.feed.paging.")
    return found


def _next(rule: RestPaging, page: Read) -> str | None:
    whole = page.rows >= rule.size
    present = page.cursor or first(rule) or "0"
    match rule.by:
        case "page":
            return str(_number(present) + 1) if whole else None
        case "offset":
            return str(_number(present) + page.rows) if whole else None
        case "last_id":
            return page.last.remote_id if whole and page.last else None
        case "cursor":
            return plain.text(look(rule.next, page.reply.json()))
        case "link":
            return _link(rule, page)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _link(rule: RestPaging, page: Read) -> str | None:
    if rule.next:
        found = plain.text(look(rule.next, page.reply.json()))
    else:
        header = LINK.search(page.reply.headers.get("link", ""))
        found = header[1] if header else None
    if found is None:
        return None
    url = urljoin(page.asked, found)
    if not same_origin(url, page.asked) or re.search(r"[\s\x00-\x1f]", url):
        # What an answer says must not send our credentials elsewhere.
        raise Astray("The link to the next page leads to another host.")
    return url


def same_origin(one: str, other: str) -> bool:
    try:
        left, right = urlsplit(one), urlsplit(other)
    except ValueError:
        return False
    return (left.scheme, left.netloc) == (right.scheme, right.netloc)
