"""The kinds of senders we know: a name in, what to tell people and how to build it out."""

from collections.abc import Callable
from dataclasses import dataclass

from service.domain.errors import ConfigurationError
from service.intake.providers import (
    cdek,
    generic,
    samsara,
    shipbob,
    shopify,
    standardwebhooks,
    stripe,
)
from service.intake.providers.base import Provider
from service.settings import Source


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of sender."""

    name: str
    title: str
    category: str
    setup: str
    """What a person does on the sender's side, step by step."""
    build: Callable[[Source], Provider]
    """Raises ConfigurationError when the source cannot be judged or read as configured."""
    url_token: bool = False
    """Whether a secret in the URL proves who sends, in place of what signs."""
    options: tuple[str, ...] = ()
    """What a source may set under `options`."""
    mapped: bool = False
    """Whether the source's own mapping (status, statuses, …) reads the body."""


PRESETS: tuple[Preset, ...] = (
    Preset(stripe.NAME, stripe.TITLE, stripe.CATEGORY, stripe.SETUP, stripe.build),
    Preset(shopify.NAME, shopify.TITLE, shopify.CATEGORY, shopify.SETUP, shopify.build),
    Preset(shipbob.NAME, shipbob.TITLE, shipbob.CATEGORY, shipbob.SETUP, shipbob.build),
    Preset(cdek.NAME, cdek.TITLE, cdek.CATEGORY, cdek.SETUP, cdek.build, url_token=True),
    Preset(
        samsara.NAME,
        samsara.TITLE,
        samsara.CATEGORY,
        samsara.SETUP,
        samsara.build,
        options=samsara.OPTIONS,
    ),
    Preset(
        standardwebhooks.NAME,
        standardwebhooks.TITLE,
        standardwebhooks.CATEGORY,
        standardwebhooks.SETUP,
        standardwebhooks.build,
        mapped=True,
    ),
    Preset(
        generic.NAME,
        generic.TITLE,
        generic.CATEGORY,
        generic.SETUP,
        generic.build,
        mapped=True,
    ),
)


def preset(name: str) -> Preset:
    """Look a kind of sender up."""
    for candidate in PRESETS:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in PRESETS)
    raise ConfigurationError(f"There is no provider {name}; this version knows {known}.")
