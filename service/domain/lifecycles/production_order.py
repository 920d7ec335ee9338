"""The lifecycle `production_order`: what the shop floor makes, its material and its inspection."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule
from service.domain.lifecycles.shorthand import any_of, lane, lanes

WORK = lane(
    "work",
    ("planned", 10, "any"),
    ("released", 20, "any"),
    ("in_progress", 30, "any"),
    ("on_hold", 40, "any"),
    ("partially_completed", 50, "any"),
    ("completed", 60, ("in_progress", "closed")),
    ("closed", 80, ()),
    ("cancelled", 90, ("planned",)),
)
MATERIAL = lane(
    "material",
    ("short", 10, "any"),
    ("reserved", 20, "any"),
    ("issued", 30, "any"),
    ("consumed", 40, ("short",)),
)
QUALITY = lane(
    "quality",
    ("inspecting", 10, "any"),
    ("blocked", 20, "any"),
    ("rework", 30, "any"),
    ("passed", 40, ("inspecting", "blocked")),
    ("scrapped", 50, ()),
)
STOCK = lane(
    "stock",
    ("partially_received", 10, "any"),
    ("received", 20, ("partially_received",)),
)

IN_STOCK = any_of("stock.partially_received", "stock.received")

PRODUCTION_ORDER = Lifecycle(
    name="production_order",
    lanes=lanes(WORK, MATERIAL, QUALITY, STOCK),
    rules=(
        Rule((any_of("work.cancelled"),), "cancelled", unless=IN_STOCK),
        Rule((any_of("quality.scrapped"),), "scrapped"),
        Rule((any_of("work.closed"),), "closed"),
        Rule((any_of("quality.blocked"),), "quality_hold"),
        Rule((any_of("quality.rework"),), "rework"),
        Rule((any_of("stock.received"),), "in_stock"),
        Rule((any_of("work.completed"), any_of("quality.inspecting")), "inspecting"),
        Rule((any_of("work.completed"),), "completed"),
        Rule((any_of("work.on_hold"),), "on_hold"),
        Rule(
            (any_of("work.partially_completed", "stock.partially_received"),),
            "partially_completed",
        ),
        Rule((any_of("work.in_progress"),), "in_progress"),
        Rule((any_of("material.short"),), "waiting_for_material"),
        Rule((any_of("work.released"),), "released"),
    ),
    otherwise="planned",
    alarms=(
        Alarm(
            "stocked_blocked",
            "Goods are in stock although quality blocked or scrapped them.",
            when=(IN_STOCK, any_of("quality.blocked", "quality.scrapped")),
        ),
        Alarm(
            "stocked_cancelled",
            "Goods are in stock although their production order was cancelled.",
            when=(IN_STOCK, any_of("work.cancelled")),
        ),
        Alarm(
            "closed_in_inspection",
            "The order is closed although its goods are still with quality.",
            when=(
                any_of("work.closed"),
                any_of("quality.inspecting", "quality.blocked", "quality.rework"),
            ),
        ),
    ),
)
