"""Starts the demo's installation: the wish for RabbitMQ comes in, running programs' URLs go out."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from service.sandbox import programs, stage
from service.sandbox.stage import Stage

START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Installation:
    """A sandbox CRM and `orderhook run all`, each a process of its own."""

    stage: Stage
    environ: Mapping[str, str]
    public: str
    internal: str
    crm: str

    def last_words(self) -> str:
        """What the service said last."""
        return programs.last_lines(self.stage.service_log)


@asynccontextmanager
async def running(environ: Mapping[str, str]) -> AsyncIterator[Installation]:
    """Run both in a folder of their own; nothing is left when the context ends."""
    ours = {name: value for name, value in environ.items() if not name.startswith("ORDERHOOK")}
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="orderhook-demo-"))
        scene = stage.prepare(Path(folder))
        crm = await _start_crm(scene, stack, ours)
        stage.configure(scene, crm=crm, rabbitmq="AMQP_URL" in ours)
        urls = await _start_service(scene, stack, ours)
        yield Installation(scene, ours, urls["public"], urls["internal"], crm)


async def _start_crm(scene: Stage, stack: AsyncExitStack, environ: Mapping[str, str]) -> str:
    log, ready = scene.folder / "crm.log", scene.folder / "crm.json"
    command = ["service.sandbox.crm", "--ready-file", str(ready)]
    secret = {"SANDBOX_CRM_SECRET": scene.crm_secret}
    program = programs.running(command, environ={**environ, **secret}, log=log)
    process = await stack.enter_async_context(program)
    return (await programs.ready(process, ready, log=log, within=START_SECONDS))["url"]


async def _start_service(
    scene: Stage, stack: AsyncExitStack, environ: Mapping[str, str]
) -> dict[str, str]:
    log, ready = scene.service_log, scene.folder / "ready.json"
    base = ["service", "--config", str(scene.configuration)]
    if "AMQP_URL" in environ:
        async with programs.running([*base, "migrate"], environ=environ, log=log) as migration:
            await programs.finished(migration, log=log, within=START_SECONDS)
    command = [*base, "run", "all", "--ready-file", str(ready)]
    process = await stack.enter_async_context(programs.running(command, environ=environ, log=log))
    return await programs.ready(process, ready, log=log, within=START_SECONDS)
