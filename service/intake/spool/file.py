"""The file of a spool: sealed requests in, on stable storage when `add` returns; the oldest out.

SQLite, write-ahead log, synchronous = FULL: every commit is synced before it counts. What a torn
write leaves behind is cut off by the log's own checksums when the file is opened again. A failed
sync is never tried again: nobody knows what the disk has then.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from service.domain.errors import OrderhookError

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    request BLOB NOT NULL,
    source TEXT NOT NULL,
    at REAL NOT NULL,
    sealed BLOB NOT NULL,
    damaged INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS names (id BLOB NOT NULL);
"""
FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG})


class SpoolFull(OrderhookError):
    """There is no room; what is in the spool stays."""


class SpoolBroken(OrderhookError):
    """The disk failed, so nothing more may be promised; the process must end."""


class SpoolTaken(OrderhookError):
    """Another process has this file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One sealed request."""

    number: int
    request: UUID
    source: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class New:
    """One sealed request to be added."""

    request: UUID
    source: str
    at: float
    """When it was received, in seconds since 1970."""
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Total:
    """What lies in a spool."""

    entries: int = 0
    size: int = 0
    """Bytes of sealed requests."""
    oldest: float | None = None
    damaged: int = 0
    """Entries that no key opens, or that no longer read; they are kept."""


class SpoolFile:
    """One process at a time; every method blocks, so call it from a thread of its own."""

    def __init__(self, path: Path, *, most: int) -> None:
        """Open or make it, readable for its owner alone; raises SpoolTaken, SpoolBroken."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SpoolBroken(f"The spool cannot be kept in {path.parent}: {error}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise SpoolTaken(f"Another process uses the spool {path.name}.") from None
        try:
            self._db = _opened(path)
            self.id = self._name()
            self.total = self._counted()
        except (sqlite3.Error, OSError) as error:
            os.close(self._lock)
            raise SpoolBroken(f"The spool {path.name} cannot be opened: {error}.") from error
        self._most = most

    @property
    def room(self) -> int:
        """Bytes of sealed requests that it may take yet; the disk may have fewer."""
        return self._most - self.total.size

    def add(self, entries: Sequence[New]) -> None:
        """Add all or none; durable when it returns. Raises SpoolFull, SpoolBroken."""
        size = sum(len(entry.sealed) for entry in entries)
        if self.total.size + size > self._most:
            raise SpoolFull("The spool has reached its limit.")
        rows = [(entry.request.bytes, entry.source, entry.at, entry.sealed) for entry in entries]
        self._write("INSERT INTO entries (request, source, at, sealed) VALUES (?, ?, ?, ?)", rows)
        oldest = min(entry.at for entry in entries)
        known = self.total.oldest
        self.total = Total(
            self.total.entries + len(entries),
            self.total.size + size,
            oldest if known is None else min(known, oldest),
            self.total.damaged,
        )

    def oldest(self, most: int) -> list[Entry]:
        """The next ones to be drained, in the order they came."""
        found = self._db.execute(
            "SELECT number, request, source, sealed FROM entries WHERE damaged = 0"
            " ORDER BY number LIMIT ?",
            (most,),
        )
        return [Entry(row[0], UUID(bytes=row[1]), row[2], row[3]) for row in found]

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget what PostgreSQL has."""
        gone = self._sized(numbers)
        self._write("DELETE FROM entries WHERE number = ?", [(number,) for number in numbers])
        known = self.total
        # To count a full spool anew takes longer than to drain a step of it.
        self.total = replace(
            known,
            entries=known.entries - gone.entries,
            size=known.size - gone.size,
            damaged=known.damaged - gone.damaged,
            oldest=self._first(),
        )

    def set_aside(self, numbers: Sequence[int]) -> None:
        """Keep what cannot be opened, and try it no more."""
        before = self._sized(numbers)
        self._write("UPDATE entries SET damaged = 1 WHERE number = ?", [(n,) for n in numbers])
        damaged = self.total.damaged - before.damaged + before.entries
        self.total = replace(self.total, damaged=damaged)

    def take_up(self) -> None:
        """Try again what was set aside: a key may be back."""
        self._write("UPDATE entries SET damaged = 0 WHERE damaged = ?", [(1,)])
        self.total = self._counted()

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            with self._db:
                self._db.executemany(statement, rows)
        except sqlite3.Error as error:
            if error.sqlite_errorcode in FULL:
                raise SpoolFull("There is no room left on the disk of the spool.") from error
            raise SpoolBroken(f"The disk of the spool failed: {error}.") from error

    def _sized(self, numbers: Sequence[int]) -> Total:
        """What these entries amount to."""
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(length(sealed)), 0), min(at), coalesce(sum(damaged), 0)"
            " FROM entries WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        ).fetchone()
        return Total(*row)

    def _first(self) -> float | None:
        """When the entry was received that has lain here longest."""
        row = self._db.execute("SELECT at FROM entries ORDER BY number LIMIT 1").fetchone()
        return None if row is None else float(row[0])

    def _counted(self) -> Total:
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(length(sealed)), 0), min(at), coalesce(sum(damaged), 0)"
            " FROM entries"
        ).fetchone()
        return Total(*row)

    def _name(self) -> UUID:
        """The name of this spool in the ledger, for as long as its file lives."""
        row = self._db.execute("SELECT id FROM names").fetchone()
        if row is None:
            row = (os.urandom(16),)
            self._write("INSERT INTO names (id) VALUES (?)", [row])
        return UUID(bytes=row[0])


def _opened(path: Path) -> sqlite3.Connection:
    fresh = not path.exists()
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.executescript(SCHEMA)
    if fresh:
        sync_directory(path.parent)
    return db


def sync_directory(path: Path) -> None:
    """Make the names of new files durable too."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
