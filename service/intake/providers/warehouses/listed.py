"""Warehouses, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.warehouses import shipbob

PRESETS: tuple[Preset, ...] = (shipbob.PRESET,)
