"""Any sender as simulated senders, as listed."""

from service.sandbox.senders.anyone import generic, standardwebhooks
from service.sandbox.senders.occasion import Sender

SENDERS: tuple[Sender, ...] = (standardwebhooks.SENDER, generic.SENDER)
