"""What this machine is and which tools for faults it has."""

import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)


@dataclass(frozen=True, slots=True)
class Machine:
    cores: int
    memory_gb: int
    kernel: str
    python: str
    root: bool
    strace: bool
    loop: bool
    """A file can be mounted as a disk."""
    cgroup: bool
    """Memory and processor time of one process can be limited."""
    nft: bool
    faketime: str

    def __str__(self) -> str:
        tools = [name for name in ("strace", "loop", "cgroup", "nft") if asdict(self)[name]]
        tools += ["libfaketime"] if self.faketime else []
        return (
            f"{self.cores} cores, {self.memory_gb} GB, Linux {self.kernel}, "
            f"Python {self.python}; tools: {', '.join(tools) or 'none'}"
        )


def look() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    root = os.geteuid() == 0
    return Machine(
        cores=os.cpu_count() or 1,
        memory_gb=round(memory / 2**30),
        kernel=platform.release(),
        python=platform.python_version(),
        root=root,
        strace=root and shutil.which("strace") is not None,
        loop=root and _has_loop(),
        cgroup=root and Path("/sys/fs/cgroup/memory/cgroup.procs").exists(),
        nft=root and shutil.which("nft") is not None,
        faketime=next((path for path in FAKETIME if Path(path).exists()), ""),
    )


def _has_loop() -> bool:
    if shutil.which("mkfs.ext4") is None:
        return False
    free = subprocess.run(["losetup", "-f"], capture_output=True, check=False)
    return free.returncode == 0
