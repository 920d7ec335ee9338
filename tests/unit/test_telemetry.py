"""Logs that cannot be forged, and metrics with names and bounds."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson
import pytest
from prometheus_client import REGISTRY

from service import telemetry
from service.domain.events import Fate
from service.store.ids import new_id
from service.telemetry import LONGEST_FIELD, clean_text, json_line, name_request, tidy


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Grüße, 注文", "Grüße, 注文"),
        ("a\r\nlevel=error", "a\\r\\nlevel=error"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eevil", "\\u202eevil"),
        ("\u2028", "\\u2028"),
        ("a\0b", "a\\x00b"),
        ("\ud800", "\\ud800"),
        ("${jndi:ldap://x}", "${jndi:ldap://x}"),
    ],
)
def test_text_cannot_forge_a_line_or_repaint_a_terminal(text: str, shown: str) -> None:
    assert shown == clean_text(text)


def test_long_text_is_cut_and_says_so() -> None:
    shown = clean_text("a" * 1_000_000)
    assert shown.startswith("a" * LONGEST_FIELD + "…")
    assert shown.endswith("(1000000 characters)")


def test_every_field_is_bounded_at_any_depth() -> None:
    said = tidy(
        None,
        "info",
        {
            "event": "x",
            "list": list(range(1000)),
            "nested": {"a\n": ["\x1b" * 3]},
            "deep": [[[[["x"]]]]],
            "object": ValueError("a\nb"),
            "number": 1.5,
            "nothing": None,
            "exception": "Traceback\n  line\x1b[0m\nError: \u202e",
        },
    )
    assert {
        "event": "x",
        "list": list(range(32)),
        "nested": {"a\\n": ["\\x1b\\x1b\\x1b"]},
        "deep": [[["[['x']]"]]],
        "object": "a\\nb",
        "number": 1.5,
        "nothing": None,
        "exception": "Traceback\n  line\\x1b[0m\nError: \\u202e",
    } == said


@pytest.mark.parametrize(
    "said",
    [
        {"event": "request", "status": 202, "ms": 1.5, "peer": "192.0.2.1", "source": None},
        {"event": "accepted", "requests": {"01a2": ["01a3", "and 4 more"]}},
        {"event": "a moment", "at": datetime(2026, 11, 22, tzinfo=UTC)},
        {"event": "a number", "large": 2**63, "larger": 2**70, "least": -(2**63)},
        {"event": "an id", "id": new_id(), "ids": {UUID(int=1)}, "by": {UUID(int=2): "x"}},
        {"event": "a word of ours", "fate": Fate.IGNORED, "frozen": MappingProxyType({"a": 1})},
        {"event": "an error", "error": ValueError("a\nb"), "bytes": b"ab", "pair": (1, True)},
        {"event": "a forged line", "path": 'a\r\nlevel="error"', "key\n": "x"},
        {"event": "of a terminal", "path": "\x1b[31m", "deleted": "a\x7f", "turned": "\u202e"},
        {"event": "a half", "of": "\ud800"},
        {"event": "Grüße", "to": "注文"},
        {"event": "long", "text": "a" * (LONGEST_FIELD + 1)},
        {"event": "quoted", "text": 'a "word" and a \\'},
    ],
)
def test_a_line_tells_the_same_whether_or_not_it_had_to_be_made_tidy(said: dict[str, Any]) -> None:
    tidied = orjson.dumps(tidy(None, "info", dict(said)), default=str)
    assert json.loads(tidied) == json.loads(json_line(None, "info", dict(said)))


async def test_every_line_of_a_request_names_it_and_no_line_of_another() -> None:
    async def serve(request_id: UUID) -> str:
        telemetry.serve(request_id)
        await asyncio.sleep(0)
        return str(name_request(None, "info", {"event": "x"})["request_id"])

    ids = [new_id() for _ in range(3)]
    named = await asyncio.gather(*(asyncio.create_task(serve(each)) for each in ids))
    assert [str(each) for each in ids] == named
    assert {"event": "x"} == name_request(None, "info", {"event": "x"})


PROGRAM = """
import logging
import structlog
from service.telemetry import configure_logging
configure_logging({arguments})
log = structlog.get_logger()
log.debug("quiet")
log.warning("crm_throttled", crm="x\\ny")
secret = "s3cr3t"
try:
    int("x")
except ValueError:
    log.exception("request_crashed")
    logging.getLogger("library").exception("lib\\x1b[31m")
"""


def _logged(arguments: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(arguments=arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "" == ran.stdout
    return ran.stderr.splitlines()


@pytest.mark.parametrize("arguments", ["json=True", ""])
def test_logs_are_json_lines_unless_a_person_looks_on(arguments: str) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in _logged(arguments)]
    assert [
        ("crm_throttled", "warning"),
        ("request_crashed", "error"),
        ("lib\\x1b[31m", "error"),
    ] == [(line["event"], line["level"]) for line in lines]
    assert "x\\ny" == lines[0]["crm"]
    assert "ValueError" in lines[1]["exception"]
    assert "library" == lines[2]["logger"]
    assert "timestamp" in lines[0]


def test_a_terminal_gets_text_without_the_values_of_variables() -> None:
    text = "\n".join(_logged("json=False"))
    assert "crm_throttled" in text
    assert "ValueError" in text
    assert "s3cr3t" not in text
    assert "lib\x1b" not in text


def test_every_metric_has_a_name_of_ours_and_a_sentence_of_help() -> None:
    ours = [metric for metric in REGISTRY.collect() if metric.name.startswith("orderhook_")]
    assert len(ours) > 5
    for metric in ours:
        assert metric.documentation.endswith("."), metric.name


def test_metric_constants_are_sorted() -> None:
    names = [
        name
        for name, value in vars(telemetry).items()
        if name.isupper() and hasattr(value, "describe")
    ]
    assert sorted(names) == names
