"""Couriers as simulated senders, as listed."""

from service.sandbox.senders.couriers import (
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
from service.sandbox.senders.occasion import Sender

SENDERS: tuple[Sender, ...] = (
    cdek.SENDER,
    easypost.SENDER,
    sendcloud.SENDER,
    aftership.SENDER,
    shipengine.SENDER,
    shipstation.SENDER,
    shippo.SENDER,
    ups.SENDER,
    fedex.SENDER,
    dhl.SENDER,
    seventeentrack.SENDER,
    trackingmore.SENDER,
    ship24.SENDER,
    kuaidi100.SENDER,
    sfexpress.SENDER,
    cainiao.SENDER,
    yandexdelivery.SENDER,
)
