"""Warehouses as simulated senders, as listed."""

from service.sandbox.senders.occasion import Sender
from service.sandbox.senders.warehouses import cin7, moysklad, shipbob, shiphero

SENDERS: tuple[Sender, ...] = (shipbob.SENDER, shiphero.SENDER, moysklad.SENDER, cin7.SENDER)
