"""Why a dead letter is dead goes in; what that means and how to mend it come out, in sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from service.domain.verdict import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    summary: str
    """What all dead letters of this reason have in common."""
    remedy: str


_REPLAY = (
    "then replay its stored requests (`orderhook events replay`). "
    "A plain redrive folds the event as it was read then, and it dies again."
)

EXPLANATIONS: Mapping[Reason, Explanation] = {
    Reason.UNREADABLE: Explanation(
        "The body could not be read in the format of its source.",
        f"Compare the request with the source's format, items and key; mend the source, {_REPLAY}",
    ),
    Reason.UNMAPPED: Explanation(
        "The event carries a word that its source does not map to a status of ours.",
        "Add the word to the source's statuses (or map it to ignore), " + _REPLAY,
    ),
    Reason.UNRESOLVED_SUBJECT: Explanation(
        "The event does not say which order it is about, or knows it by a name nobody linked.",
        "If it knows the order by another name, link that (`orderhook orders alias`), and the "
        "event comes back by itself. Else mend subject.ref of the source, " + _REPLAY,
    ),
    Reason.LOOKUP_FAILED: Explanation(
        "The event only points at an object, and the sender's API would not tell its state.",
        "Mend token or api of the source (or the access rights behind the token), reload, then "
        "redrive; the object is then looked up again.",
    ),
    Reason.POISON: Explanation(
        "Folding the event failed, or ended its worker, each time it was tried alone.",
        "Find the failure in the workers' log by the event's id; after the upgrade that "
        "mends it, redrive. An event that is not worth it can be discarded.",
    ),
    Reason.REFUSED: Explanation(
        "The destination refuses the change and would refuse it again.",
        "Read the answer in the attempts; mend the destination's configuration, its "
        "access rights or the record there, then redrive.",
    ),
    Reason.NOT_FOUND: Explanation(
        "The destination has no record for the subject.",
        "Create the record there, then redrive; or set on_missing to wait.",
    ),
    Reason.AMBIGUOUS_RECORD: Explanation(
        "More than one record of the destination carries the number of the subject.",
        "Merge the records named in the summary there, or take the number out of all but one, "
        "then redrive.",
    ),
    Reason.NOT_CONFIGURED: Explanation(
        "The configuration of the destination cannot express the change; nothing was sent.",
        "Mend what the summary names (objects, attributes and their types), reload, then redrive.",
    ),
    Reason.GONE: Explanation(
        "The destination says that its address is gone for good.",
        "Set the new url of the destination, reload, then redrive.",
    ),
    Reason.RETRIES_EXHAUSTED: Explanation(
        "The destination kept failing until the limit of its retry rule.",
        "See in the attempts what failed; when the destination is well again, redrive.",
    ),
    Reason.UNKNOWN_OUTCOME: Explanation(
        "Nobody knows whether the destination took the change: no answer came, time and again.",
        "Look at the record there: if it shows the status, discard; if not, redrive. A redrive "
        "reads the record first, where the destination can be read.",
    ),
}


def link(lifecycle: str, names: Sequence[str]) -> str:
    """The remedy for one event that waited in vain for one of these names."""
    of_other = "" if lifecycle == "order" else f" --lifecycle {quote(lifecycle)}"
    commands = [f"`orderhook orders alias REF {quote(name)}{of_other}`" for name in names]
    return f"Link it to what it belongs to: {' or '.join(commands)}. Then it comes back by itself."


def explain(reason: str) -> Explanation:
    """The reason in words; one of another release is shown as it is."""
    if reason in set(Reason):
        return EXPLANATIONS[Reason(reason)]
    return Explanation(
        f"This release does not know the reason {reason}.",
        "Look at the summary; redrive with the release that wrote it.",
    )
