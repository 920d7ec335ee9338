"""The lifecycle `product`: what we design and sell, from the first idea to the last piece."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule
from service.domain.lifecycles.shorthand import any_of, lane, lanes

# A released design goes back to work for its next revision.
DESIGN = lane(
    "design",
    ("concept", 10, "any"),
    ("in_work", 20, "any"),
    ("in_review", 30, "any"),
    ("released", 40, ("in_work", "in_review", "superseded", "obsolete")),
    ("superseded", 50, ("released", "obsolete")),
    ("obsolete", 60, ()),
)
CHANGE = lane(
    "change",
    ("requested", 10, "any"),
    ("rejected", 20, "any"),
    ("approved", 30, "any"),
    ("in_progress", 40, "any"),
    ("implemented", 50, ("requested",)),
)
SALE = lane(
    "sale",
    ("planned", 10, "any"),
    ("on_sale", 20, "any"),
    ("out_of_stock", 30, "any"),
    ("suspended", 40, "any"),
    ("discontinued", 50, ("on_sale", "end_of_life")),
    ("end_of_life", 60, ()),
)

PRODUCT = Lifecycle(
    name="product",
    lanes=lanes(DESIGN, CHANGE, SALE),
    rules=(
        Rule((any_of("design.obsolete", "sale.end_of_life"),), "end_of_life"),
        Rule((any_of("sale.discontinued"),), "discontinued"),
        Rule((any_of("sale.suspended"),), "suspended"),
        Rule((any_of("sale.out_of_stock"),), "out_of_stock"),
        Rule((any_of("sale.on_sale"),), "on_sale"),
        Rule((any_of("design.superseded"),), "superseded"),
        Rule((any_of("change.approved", "change.in_progress"),), "in_change"),
        Rule((any_of("design.released"),), "released"),
        Rule((any_of("design.in_review"),), "in_review"),
        Rule((any_of("design.in_work"),), "in_work"),
    ),
    otherwise="concept",
    alarms=(
        Alarm(
            "sold_unreleased",
            "The product is on sale although its design is still a concept.",
            when=(any_of("sale.on_sale"), any_of("design.concept")),
        ),
        Alarm(
            "sold_obsolete",
            "The product is on sale although its design is obsolete.",
            when=(any_of("sale.on_sale"), any_of("design.obsolete")),
        ),
    ),
)
