"""Any system that signs by Standard Webhooks: its mapped body in, statements out.

The signature, and what it rests on, is in `standard`. The specification leaves what `data` holds to
the sender, so the source's own mapping reads it, as with the provider generic; `type`, `timestamp`
and the header `webhook-id` are where the specification puts them (read 2026-11).
"""

from collections.abc import Mapping

from service.intake.preset import Declared, Preset, Proof
from service.intake.providers.anyone import generic
from service.intake.verification import standard
from service.settings import Source

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

SCHEME = standard.StandardWebhooks()
PLACES: Mapping[str, str] = {
    "status": "type",
    "occurred_at": "timestamp",
    "key": f"header:{standard.ID}",
}


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), generic.reader(placed(source)))


def placed(source: Source) -> Source:
    """Fill in where the specification puts what the mapping looks for."""
    places = {name: getattr(source, name) or place for name, place in PLACES.items()}
    return source.model_copy(update=places)


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="any",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="webhook-id",
    proof=Proof("sdk", "standardwebhooks 1.1.0 and svix 2.9.1 (PyPI)"),
    mapped=True,
)
