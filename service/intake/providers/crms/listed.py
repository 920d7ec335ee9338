"""CRMs as senders, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.crms import (
    amocrm,
    bitrix24,
    hubspot,
    pipedrive,
    retailcrm,
    salesforce,
    zoho,
)

PRESETS: tuple[Preset, ...] = (
    hubspot.PRESET,
    bitrix24.PRESET,
    amocrm.PRESET,
    pipedrive.PRESET,
    zoho.PRESET,
    salesforce.PRESET,
    retailcrm.PRESET,
)
