"""Payment gateways, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.payments import stripe

PRESETS: tuple[Preset, ...] = (stripe.PRESET,)
