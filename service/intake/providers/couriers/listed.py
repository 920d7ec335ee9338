"""Couriers, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.couriers import (
    aftership,
    cainiao,
    cdek,
    dhl,
    easypost,
    fedex,
    kuaidi100,
    sendcloud,
    seventeentrack,
    sfexpress,
    ship24,
    shipengine,
    shippo,
    shipstation,
    trackingmore,
    ups,
    yandexdelivery,
)

PRESETS: tuple[Preset, ...] = (
    cdek.PRESET,
    easypost.PRESET,
    sendcloud.PRESET,
    aftership.PRESET,
    shipengine.PRESET,
    shipstation.PRESET,
    shippo.PRESET,
    ups.PRESET,
    fedex.PRESET,
    dhl.PRESET,
    seventeentrack.PRESET,
    trackingmore.PRESET,
    ship24.PRESET,
    kuaidi100.PRESET,
    sfexpress.PRESET,
    cainiao.PRESET,
    yandexdelivery.PRESET,
)
