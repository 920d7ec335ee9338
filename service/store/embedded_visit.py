"""A data directory in, the DSN of the server that runs there out, else of one run for the visit."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.domain.errors import ConfigurationError
from service.store import embedded
from service.store.embedded_claim import runtime_of, sentences
from service.store.embedded_cluster import dsn_at


@asynccontextmanager
async def visited(data_dir: Path) -> AsyncIterator[str]:
    """For a look from the command line; never makes a new cluster."""
    data_dir = await asyncio.to_thread(data_dir.absolute)
    if not (data_dir / "postgresql").is_dir():
        raise ConfigurationError(
            f"There is no data in {data_dir} yet: start with `orderhook run all`, "
            "or mend server.data_dir."
        )
    if _is_claimed(data_dir):
        with sentences(data_dir):
            dsn = dsn_at(data_dir, runtime_of(data_dir))
        yield dsn
    else:
        async with embedded.running(data_dir) as dsn:
            yield dsn


def _is_claimed(data_dir: Path) -> bool:
    with sentences(data_dir):
        descriptor = os.open(data_dir / "lock", os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
