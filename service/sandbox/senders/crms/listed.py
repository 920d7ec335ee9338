"""CRMs as simulated senders, as listed."""

from service.sandbox.senders.crms import (
    amocrm,
    bitrix24,
    hubspot,
    pipedrive,
    retailcrm,
    salesforce,
    zoho,
)
from service.sandbox.senders.occasion import Sender

SENDERS: tuple[Sender, ...] = (
    hubspot.SENDER,
    bitrix24.SENDER,
    amocrm.SENDER,
    pipedrive.SENDER,
    zoho.SENDER,
    salesforce.SENDER,
    retailcrm.SENDER,
)
