"""Every simulated CRM there is, in one literal list."""

from service.sandbox.dialects.amocrm import AmoCrm
from service.sandbox.dialects.base import Dialect
from service.sandbox.dialects.bitrix24 import Bitrix24
from service.sandbox.dialects.dynamics365 import Dynamics365
from service.sandbox.dialects.erpnext import ErpNext
from service.sandbox.dialects.espocrm import EspoCrm
from service.sandbox.dialects.freshsales import Freshsales
from service.sandbox.dialects.hubspot import HubSpot
from service.sandbox.dialects.monday import Monday
from service.sandbox.dialects.odoo import Odoo
from service.sandbox.dialects.pipedrive import Pipedrive
from service.sandbox.dialects.plainrest import PlainRest
from service.sandbox.dialects.retailcrm import RetailCrm
from service.sandbox.dialects.salesforce import Salesforce
from service.sandbox.dialects.suitecrm import SuiteCrm
from service.sandbox.dialects.twenty import Twenty
from service.sandbox.dialects.zoho import Zoho

DIALECTS: tuple[type[Dialect], ...] = (
    AmoCrm,
    Bitrix24,
    Dynamics365,
    ErpNext,
    EspoCrm,
    Freshsales,
    HubSpot,
    Monday,
    Odoo,
    Pipedrive,
    PlainRest,
    RetailCrm,
    Salesforce,
    SuiteCrm,
    Twenty,
    Zoho,
)
