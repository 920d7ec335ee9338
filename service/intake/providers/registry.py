"""The kinds of senders we know: a name in, what to tell people and how to build it out."""

from collections.abc import Callable
from dataclasses import dataclass

from service.domain.errors import ConfigurationError
from service.intake.providers import generic, stripe
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


PRESETS: tuple[Preset, ...] = (
    Preset(stripe.NAME, stripe.TITLE, stripe.CATEGORY, stripe.SETUP, stripe.build),
    Preset(generic.NAME, generic.TITLE, generic.CATEGORY, generic.SETUP, generic.build),
)


def preset(name: str) -> Preset:
    """Look a kind of sender up."""
    for candidate in PRESETS:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in PRESETS)
    raise ConfigurationError(f"There is no provider {name}; this version knows {known}.")
