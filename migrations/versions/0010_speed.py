"""A dead letter knows the source of its event; acceptance asks by function what it rarely asks."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE dead_letters ADD COLUMN source text",
    # Whoever buries an event, a worker of the release before too, need not think of it.
    """
    CREATE FUNCTION note_source() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.source := (SELECT source FROM events WHERE id = NEW.event_id);
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER of_source BEFORE INSERT ON dead_letters
        FOR EACH ROW WHEN (NEW.kind = 'event' AND NEW.source IS NULL)
        EXECUTE FUNCTION note_source()
    """,
    # Walked in the order of ids; what has another reason is passed over in the index. They are
    # made before the rows are filled, so that they serve at once.
    """
    CREATE INDEX dead_letters_source_open ON dead_letters (source, id, reason)
        WHERE resolved_at IS NULL AND source IS NOT NULL
    """,
    """
    CREATE INDEX dead_letters_source_closed ON dead_letters (source, resolution, id, reason)
        WHERE resolution IS NOT NULL AND source IS NOT NULL
    """,
    # Sealed bodies do not shrink, and trying it was an eighth of what a request cost PostgreSQL.
    "ALTER TABLE requests ALTER COLUMN body SET STORAGE EXTERNAL",
    # What acceptance asks only of what it knew before. Named in its statement itself, the tables
    # would be opened with all their partitions for every batch.
    """
    CREATE FUNCTION is_stored(request uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT EXISTS (SELECT FROM requests WHERE id = request)
    $$
    """,
    """
    CREATE FUNCTION contradicted(of_source text, of_hash bytea, said bytea, disputed boolean)
    RETURNS uuid LANGUAGE sql STABLE AS $$
        SELECT event_id FROM dedupe_keys
        WHERE source = of_source AND hash = of_hash AND (digest <> said OR disputed)
    $$
    """,
)
# Takes as long as there are dead letters, not as there are events.
BACKFILL = """
    UPDATE dead_letters d
    SET source = (SELECT e.source FROM events e WHERE e.id = d.event_id)
    WHERE d.kind = 'event'
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.execute(BACKFILL)
