"""The cause of a refusal comes in; what a person may do about it goes out."""

from enum import StrEnum


class Cause(StrEnum):
    """The kinds of refusals, by what a person does about them."""

    UNKNOWN_SOURCE = "unknown_source"
    WRONG_ADDRESS = "wrong_address"
    STALE_CLOCK = "stale_clock"
    MISSING = "missing"
    REPEATED = "repeated"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SECRET = "wrong_secret"  # noqa: S105  # a word for people
    MALFORMED = "malformed"


def remedy(cause: Cause, *, source: str) -> str:
    """What to do about it."""
    return REMEDIES[cause].format(source=source)


def clock(seconds: float) -> str:
    """A difference of clocks for people: the sender's minus ours."""
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"


REMEDIES = {
    Cause.UNKNOWN_SOURCE: (
        "Compare the address at the sender with `orderhook sources list`; "
        "if the source is new, add it and reload (SIGHUP)."
    ),
    Cause.WRONG_ADDRESS: (
        "If this is the sender, add its network to allow_from; "
        "if it is your proxy, name that in server.trusted_proxies."
    ),
    Cause.STALE_CLOCK: (
        "Set both clocks by NTP; if the sender repeats old requests on purpose, raise tolerance."
    ),
    Cause.MISSING: (
        "Switch signing on at the sender, see whether a proxy in between drops headers, "
        "and compare with what the provider of [sources.{source}] expects."
    ),
    Cause.REPEATED: "Find what adds it a second time: the sender, or a proxy in between.",
    Cause.UNKNOWN_KEY: "Take over the sender's present keys; one of them is not configured here.",
    Cause.WRONG_SECRET: (
        "Copy the secret from the sender into secrets of [sources.{source}] anew (while it is "
        "changed, list both) and reload; and let nothing in between rewrite the body. "
        "`orderhook verify` tries a captured request."
    ),
    Cause.MALFORMED: (
        "Compare the headers with what the sender's own documentation shows; "
        "the source may have the wrong provider or verify rule."
    ),
}
