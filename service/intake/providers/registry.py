"""The kinds of senders we know: a name in, what to tell people and how to build it out."""

from service.domain.errors import ConfigurationError
from service.intake.preset import Preset
from service.intake.providers.anyone import listed as anyone
from service.intake.providers.backoffice import listed as backoffice
from service.intake.providers.couriers import listed as couriers
from service.intake.providers.crms import listed as crms
from service.intake.providers.payments import listed as payments
from service.intake.providers.shops import listed as shops
from service.intake.providers.telematics import listed as telematics
from service.intake.providers.warehouses import listed as warehouses

PRESETS: tuple[Preset, ...] = (
    *payments.PRESETS,
    *shops.PRESETS,
    *warehouses.PRESETS,
    *couriers.PRESETS,
    *telematics.PRESETS,
    *backoffice.PRESETS,
    *crms.PRESETS,
    *anyone.PRESETS,
)


def preset(name: str) -> Preset:
    """Look a kind of sender up."""
    for candidate in PRESETS:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in PRESETS)
    raise ConfigurationError(f"There is no provider {name}; this version knows {known}.")
