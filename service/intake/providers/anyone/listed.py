"""Any sender, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.anyone import generic, standardwebhooks

PRESETS: tuple[Preset, ...] = (
    generic.PRESET,
    standardwebhooks.PRESET,
)
