"""Any system that signs by Standard Webhooks: its mapped body in, statements out.

The signature, and what it rests on, is in `standard`. The specification leaves what `data` holds to
the sender, so the source's own mapping reads it, as with the provider generic; `type`, `timestamp`
and the header `webhook-id` are where the specification puts them (read 2026-11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.domain.events import Statement
from service.intake.preset import Preset, Proof
from service.intake.provider import NO_KEYS, Forged, Genuine, Keys, Provider, RawRequest
from service.intake.providers.anyone import generic
from service.intake.verification import standard
from service.settings import BearerRule, Source

NAME = "standardwebhooks"
TITLE = "Any system that signs by Standard Webhooks (also Svix)"
SETUP = """\
1. Add an endpoint with this source's URL on the sender's side.
2. Put the endpoint's signing secret (`whsec_…`, taken as it stands) behind the reference in
   `secrets`. While you roll the secret, list the old and the new one.
3. Say in `subject.ref` where the order number is (JMESPath, as in "data.order_no"), and translate
   each `type` in `statuses`, as in "order.paid" = "payment.paid".
4. Where the sender does not follow the specification's body: `status`, `occurred_at` and `key` say
   where its word, its time and its id are."""

SECRET = "the endpoint's signing secret (whsec_…)"  # noqa: S105  # names it, is none
PLACES: Mapping[str, str] = {
    "status": "type",
    "occurred_at": "timestamp",
    "key": f"header:{standard.ID}",
}


@dataclass(frozen=True, slots=True)
class StandardWebhooks(Provider):
    """One configured sender."""

    guard: standard.Signature
    mapped: generic.Generic

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,  # noqa: ARG002
    ) -> Genuine | Forged:
        return self.guard.verify(request, now=now)

    def parse(self, request: RawRequest) -> Sequence[Statement]:
        return self.mapped.parse(standard.unbranded(request))


def build(source: Source) -> StandardWebhooks:
    return StandardWebhooks(standard.Signature.of(source, SECRET), generic.build(placed(source)))


def placed(source: Source) -> Source:
    """Fill in where the specification puts what the mapping looks for."""
    places = {name: getattr(source, name) or place for name, place in PLACES.items()}
    # The mapping asks for a rule of its own; it only reads here, and never judges.
    return source.model_copy(update={**places, "verify": BearerRule()})


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="any",
    setup=SETUP,
    build=build,
    scheme="Standard Webhooks",
    identity="webhook-id",
    proof=Proof("sdk", "standardwebhooks 1.1.0 and svix 2.9.1 (PyPI)"),
    mapped=True,
)
