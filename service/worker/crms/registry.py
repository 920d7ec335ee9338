"""Every kind of destination there is, in one literal list."""

from collections.abc import Mapping

from service.worker.crms import (
    amocrm,
    bitrix24,
    callback,
    dynamics365,
    erpnext,
    espocrm,
    freshsales,
    hubspot,
    monday,
    odoo,
    pipedrive,
    rabbitmq,
    rest,
    retailcrm,
    salesforce,
    suitecrm,
    twenty,
    zoho,
)
from service.worker.crms.kind import Kind

CRMS: tuple[Kind, ...] = (
    amocrm.KIND,
    bitrix24.KIND,
    callback.KIND,
    dynamics365.KIND,
    erpnext.KIND,
    espocrm.KIND,
    freshsales.KIND,
    hubspot.KIND,
    monday.KIND,
    odoo.KIND,
    pipedrive.KIND,
    rabbitmq.KIND,
    rest.KIND,
    retailcrm.KIND,
    salesforce.KIND,
    suitecrm.KIND,
    twenty.KIND,
    zoho.KIND,
)


def crms_by_name() -> Mapping[str, Kind]:
    return {kind.name: kind for kind in CRMS}
