"""Simulated CRMs that are set up in another way than usual; they keep the same contract."""

from collections.abc import Mapping

from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.hubspot import HubSpot
from service.sandbox.dialects.odoo import Odoo
from service.sandbox.dialects.salesforce import Salesforce


class HubSpotWithOAuth(HubSpot):
    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock, oauth=True)


class HubSpotWithWholeBatches(HubSpot):
    """It refuses a batch for one bad row, and does not say which."""

    whole = True


class HubSpotWithoutUniqueNumbers(HubSpot):
    unique = False

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        return {**super().destination(url), "options": {"unique": False}}


class SalesforceAccounts(Salesforce):
    kind = "Account"


class OdooOverJsonRpc(Odoo):
    api = "json-rpc"


VARIANTS: tuple[type[Dialect], ...] = (
    HubSpotWithOAuth,
    HubSpotWithWholeBatches,
    HubSpotWithoutUniqueNumbers,
    OdooOverJsonRpc,
    SalesforceAccounts,
)
