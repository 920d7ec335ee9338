"""Warehouses, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.warehouses import cin7, moysklad, shipbob, shiphero

PRESETS: tuple[Preset, ...] = (
    shipbob.PRESET,
    shiphero.PRESET,
    moysklad.PRESET,
    cin7.PRESET,
)
