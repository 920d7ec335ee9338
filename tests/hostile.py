"""Every text that is stored becomes hostile: markup, templates, addresses, turned letters."""

from collections.abc import Mapping, Sequence

from service.store.pool import Connection

PAYLOADS = (
    "<svg onload=window.pwned=1>",
    '"><img src=x onerror=window.pwned=1>',
    "</script><script>window.pwned=1</script>",
    "</textarea></title></style><iframe srcdoc='<script>top.pwned=1</script>'>",
    "javascript:window.pwned=1//",
    "' onfocus=window.pwned=1 autofocus x='",
    "z{{7*7}}z z${7*7}z z<%= 7*7 %>z {% raw %} %(count)s {0}",
    "';-- \\u003cscript\\u003e &lt;b&gt; %3Cscript%3E",
    "\u202egnp.exe\u2066\u200b\u0301",
)
TEXT = " ".join(PAYLOADS)
LONGEST = (TEXT * 2).encode()[:256].decode("utf-8", "ignore")
"""A number as long as a number may be."""
EVALUATED = "z49z"
"""What a template would make of one of them: no id holds it by chance, as one could hold 49."""
SPARED: Mapping[str, Sequence[str]] = {
    # Words of ours: the database takes no others, or the code knows them all.
    "aliases": ("kind", "lifecycle"),
    "anomalies": ("kind",),
    "captures": ("sealed_with", "source"),
    "console_sessions": ("role",),
    "dead_letters": ("kind", "resolution", "destination"),
    "destinations": ("pause_cause", "breaker", "name"),
    "event_outcomes": ("outcome",),
    "events": ("fate", "lifecycle"),
    "jobs": ("kind", "state", "cursor", "request", "counts"),
    "refusals": ("cause",),
    "requests": ("sealed_with",),
    "subjects": ("lifecycle", "lifecycle_hash", "state"),
    "syncs": ("state", "held_for", "intent", "intent_key", "remote_token", "written"),
    "transitions": ("cause", "lanes"),
    "waiting": ("lifecycle",),
    "bases": ("state", "untimed", "claims"),
    "rhythms": ("learned", "source"),
    # Not shown, or what work goes by.
    "budgets": ("destination",),
    "console_departures": ("nonce", "verifier", "wanted"),
    "data_keys": ("name",),
    "dedupe_keys": ("source",),
    "ledger_totals": ("source",),
    "outbox": ("trace",),
    "owed_lookups": ("source",),
    "progress": ("queue",),
    "tokens": ("destination",),
    # Append-only: hostile people do these acts through the API.
    "operator_actions": ("actor", "action", "target", "detail"),
}
COLUMNS = """
    SELECT c.table_name, c.column_name, c.data_type
    FROM information_schema.columns c
    JOIN pg_class k ON k.relname = c.table_name AND k.relnamespace = 'public'::regnamespace
    WHERE c.table_schema = 'public' AND NOT k.relispartition
      AND c.table_name <> 'alembic_version'
      AND c.data_type IN ('text', 'jsonb', 'ARRAY') AND c.udt_name <> '_uuid'
    ORDER BY 1, 2
"""
NAMES = frozenset(
    {"ref", "scope", "value", "type", "parcel", "lane", "status", "dedupe_key", "code"}
)
"""What things are found by: as long as names may be, and the same one wherever it stands."""
VALUES: Mapping[str, str] = {
    "text": "$1::text || {name}",
    "ARRAY": "ARRAY[$1::text]",
    "jsonb": "jsonb_build_object($1::text, $1::text)",
}
SHORT = "left($1::text, 100) || ' ' || left({name}, 60)"
SHAPED: Mapping[tuple[str, str], str] = {
    ("captures", "headers"): "jsonb_build_array(jsonb_build_array($1::text, $1::text))",
    ("syncs", "difference"): """jsonb_build_object(
        $1::text, jsonb_build_object('ours', $1::text, 'theirs', $1::text))""",
}


async def poison(tx: Connection) -> int:
    """How many columns are hostile now; what is not text of others stays as it is."""
    columns = await tx.fetch(COLUMNS)
    chosen = [each for each in columns if each["column_name"] not in SPARED.get(each[0], ())]
    for table, name, kind in chosen:
        made = SHAPED.get((table, name)) or (SHORT if name in NAMES else VALUES[kind])
        await tx.execute(
            f"UPDATE {table} SET {name} = {made.format(name=name)}"
            f" WHERE {name} IS NOT NULL AND length($1) > 0",
            TEXT,
        )
    return len(chosen)


async def unknown(tx: Connection) -> list[str]:
    """Spared columns that are not there any more."""
    there = {(table, name) for table, name, _ in await tx.fetch(COLUMNS)}
    return [
        f"{table}.{name}"
        for table, names in SPARED.items()
        for name in names
        if (table, name) not in there
    ]
