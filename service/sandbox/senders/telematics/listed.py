"""Transport and telematics as simulated senders, as listed."""

from service.sandbox.senders.occasion import Sender
from service.sandbox.senders.telematics import motive, project44, samsara

SENDERS: tuple[Sender, ...] = (samsara.SENDER, motive.SENDER, project44.SENDER)
