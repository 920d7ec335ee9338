"""Shops and marketplaces, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.shops import shopify

PRESETS: tuple[Preset, ...] = (shopify.PRESET,)
