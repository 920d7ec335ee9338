"""Couriers, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.couriers import cdek

PRESETS: tuple[Preset, ...] = (cdek.PRESET,)
