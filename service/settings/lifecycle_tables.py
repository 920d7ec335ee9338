"""The tables `[lifecycles.NAME]`: how people write a lifecycle down, typed and bounded."""

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, Strict

from service.settings.model import Model
from service.settings.problems import refusal
from service.settings.values import WORD, Word, matching

Exits = Literal["any", "higher"] | tuple[str, ...]


def parse_exits(value: object) -> Exits:
    match value:
        case "any" | "higher":
            return value
        case list() | tuple() if all(isinstance(word, str) for word in value):
            return tuple(value)
        case _:
            raise refusal(
                "This does not say where the status leads.",
                'Write "any", "higher" or a list of statuses; [] is final.',
            )


LANE_STATUS = rf"{WORD}\.{WORD}"
Condition = Annotated[
    str,
    matching(
        rf"{LANE_STATUS}( \| {LANE_STATUS})*",
        "This is not a condition.",
        'Write it like "work.done", or "work.done | work.closed" if either is enough.',
    ),
]
Named = Annotated[
    str,
    matching(LANE_STATUS, "This is not a lane.status.", 'Write it like "work.done".'),
]


class StatusTable(Model):
    """`[lifecycles.NAME.lanes.LANE.statuses]`: one status of a lane."""

    rank: int = Field(
        ge=1,
        le=9999,
        description="Its place in its lane, unlike any other's; decides between equal times.",
        examples=[10],
    )
    exits: Annotated[Exits, PlainValidator(parse_exits)] = Field(
        description='Where it leads: "any", "higher" (ranks), or a list; [] is final.',
        examples=[["in_progress", "done"]],
    )


class SettlementTable(Model):
    """`[lifecycles.NAME.lanes.LANE.settlement]`: how sums of money move the lane."""

    returned: Word = Field(
        default="refunded", description="The money that went back.", examples=["refunded"]
    )
    paid: Word = Field(
        default="paid",
        description="The money it is weighed against; without any, the attribute amount.",
        examples=["paid"],
    )
    partly: Word = Field(
        description="The status while part of it went back.", examples=["partially_refunded"]
    )
    fully: Word = Field(description="The status once all of it went back.", examples=["refunded"])
    restored: Word = Field(description="The status after every refund failed.", examples=["paid"])


class LaneTable(Model):
    """`[lifecycles.NAME.lanes.LANE]`: a strand that moves independently of the others."""

    statuses: dict[Word, StatusTable] = Field(
        max_length=48,
        description="The statuses, each with its rank and its exits.",
        examples=[{"new": {"rank": 10, "exits": "any"}}],
    )
    partly: dict[Word, Word] = Field(
        default={},
        description="What to show while some parcels, not all, have come as far as a status.",
        examples=[{"shipped": "partially_shipped"}],
    )
    backward: dict[Word, Word] = Field(
        default={},
        description="What the status of a return parcel means for the lane.",
        examples=[{"in_transit": "returning"}],
    )
    settlement: SettlementTable | None = Field(
        default=None,
        description="How sums of money move the lane.",
        examples=[{"partly": "partially_refunded", "fully": "refunded", "restored": "paid"}],
    )


class RuleTable(Model):
    """An element of `overall`: gives the overall status if it is the first that holds."""

    when: Annotated[tuple[Condition, ...], Strict(strict=False)] = Field(
        default=(),
        max_length=16,
        description='All of these must be so; "a | b" where either is enough.',
        examples=[["work.done", "billing.invoiced | billing.paid"]],
    )
    unless: Annotated[tuple[Named, ...], Strict(strict=False)] = Field(
        default=(),
        max_length=64,
        description="None of these may be so.",
        examples=[["billing.disputed"]],
    )
    status: Word = Field(description="The overall status it gives.", examples=["closed"])


class AlarmTable(Model):
    """An element of `alarms`: flags a subject whose lanes contradict each other."""

    flag: Word = Field(
        description="The word that lists and metrics show.", examples=["done_unpaid"]
    )
    sentence: str = Field(
        min_length=1,
        max_length=200,
        description="What is wrong, in words.",
        examples=["The work is done although nothing was paid."],
    )
    when: Annotated[tuple[Condition, ...], Strict(strict=False)] = Field(
        default=(),
        max_length=16,
        description='All of these must be so; "a | b" where either is enough.',
        examples=[["work.done", "billing.open"]],
    )
    unless: Annotated[tuple[Named, ...], Strict(strict=False)] = Field(
        default=(),
        max_length=64,
        description="None of these may be so.",
        examples=[["billing.paid"]],
    )


class LifecycleTable(Model):
    """`[lifecycles.NAME]`: a lifecycle of your own, or other rules for one that is shipped."""

    name: Word = Field(description="The table's own name.")
    lanes: dict[Word, LaneTable] = Field(
        default={},
        max_length=8,
        description="The lanes; those of a shipped lifecycle are fixed.",
        examples=[{}],
    )
    overall: Annotated[tuple[RuleTable, ...], Strict(strict=False)] | None = Field(
        default=None,
        max_length=100,
        description="The rules of the overall status; the first that holds wins.",
        examples=[[{"when": ["work.done"], "status": "closed"}]],
    )
    otherwise: Word | None = Field(
        default=None,
        description="The overall status when no rule holds.",
        examples=["new"],
    )
    alarms: Annotated[tuple[AlarmTable, ...], Strict(strict=False)] | None = Field(
        default=None,
        max_length=50,
        description="The contradictions to flag; [] is none.",
        examples=[[]],
    )
