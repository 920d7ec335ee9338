"""A small disk of its own: a file mounted as one, filled up and freed at will."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Disk:
    mount: Path

    async def fill(self) -> None:
        """Take nearly all at once, and write until nothing is left."""
        filler, rest = self.mount / "filler", self.mount / "filler.rest"
        free = os.statvfs(self.mount)
        await _run("fallocate", "-l", str(int(free.f_bavail * free.f_bsize * 0.98)), str(filler))
        await _run("sh", "-c", f"cat /dev/zero > {rest} 2>/dev/null; true")

    async def free(self) -> None:
        await _run("rm", "-f", str(self.mount / "filler"), str(self.mount / "filler.rest"))


@asynccontextmanager
async def mounted(image: Path, mount: Path, *, megabytes: int) -> AsyncIterator[Disk]:
    mount.mkdir()
    await _run("truncate", "-s", f"{megabytes}M", str(image))
    await _run("mkfs.ext4", "-q", "-m", "0", str(image))
    await _run("mount", "-o", "loop", str(image), str(mount))
    mount.chmod(0o755)
    try:
        yield Disk(mount)
    finally:
        await _run("umount", "-l", str(mount))
        image.unlink()


async def _run(*words: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run, words, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, (words, done.stderr)
