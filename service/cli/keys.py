"""`orderhook keys status|rotate`: which key seals what, and sealing it by the first one."""

from collections import Counter

import click
from rich.console import Console

from service.cli.context import EXIT_NEGATIVE, Context, actor, reading, wait_for
from service.domain.errors import Misnamed
from service.settings import Settings
from service.store import data_keys
from service.store.data_keys import Held
from service.vault import Vault

NO_KEYS = (
    "No server.keys are configured: bodies of requests are kept as they came. Make a key with"
    " `openssl rand -base64 32`, put it where a file: or env: reference leads, and name that in"
    " [server] keys."
)


@click.group(help="Keys that requests and access tokens are sealed with.")
def keys() -> None:
    """Hold the verbs."""


@keys.command("status", help="Tell what each key seals; exit 1 if something cannot be opened.")
@click.pass_obj
def status(context: Context) -> int:
    settings = context.load()
    found = wait_for(_held(settings))
    if not found and not settings.server.ring:
        raise Misnamed(NO_KEYS)
    console = Console(highlight=False)
    by = Counter(each.by for each in found)
    console.print(
        f"{len(found):,} sealed: {by['first']:,} by the first key of server.keys, {by['older']:,}"
        f" by an older one, {by['none']:,} by none of them.",
        soft_wrap=True,
    )
    lost = [each for each in found if each.by == "none"]
    for each in lost:
        console.print(
            f"  the {each.kind} {each.name} (made {each.made_at:%F %T}) opens with no key of the"
            " ring: add the key that was there then.",
            soft_wrap=True,
        )
    if by["older"]:
        console.print("Older keys are needed until `orderhook keys rotate` has run.")
    return EXIT_NEGATIVE if lost else 0


@keys.command("rotate", help="Seal by the first key what an older one sealed.")
@click.pass_obj
def rotate(context: Context) -> int:
    settings = context.load()
    done = wait_for(_rotate(settings, _vault(settings)))
    Console(highlight=False).print(
        f"{len(done):,} sealed anew by the first key. An older key may go once every process runs"
        " with the new one and `orderhook keys status` names none by an older one; backups made"
        " until now need it still.",
        soft_wrap=True,
    )
    return 0


def _vault(settings: Settings) -> Vault:
    if not settings.server.ring:
        raise Misnamed(NO_KEYS)
    return Vault(settings.server.ring)


async def _held(settings: Settings) -> list[Held]:
    """What is sealed although there is no ring is what its lost keys sealed."""
    vault = Vault(settings.server.ring) if settings.server.ring else None
    async with reading(settings) as pool:
        return await data_keys.held(pool, vault)


async def _rotate(settings: Settings, vault: Vault) -> list[Held]:
    async with reading(settings) as pool:
        return list(await data_keys.rotate(pool, vault, actor=actor()))
