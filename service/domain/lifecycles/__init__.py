"""The lifecycles this version brings, by name."""

from collections.abc import Mapping

from service.domain.lifecycle import Lifecycle
from service.domain.lifecycles.approval import APPROVAL
from service.domain.lifecycles.invoice import INVOICE
from service.domain.lifecycles.order import ORDER
from service.domain.lifecycles.product import PRODUCT
from service.domain.lifecycles.production_order import PRODUCTION_ORDER
from service.domain.lifecycles.purchase_order import PURCHASE_ORDER
from service.domain.lifecycles.quality_case import QUALITY_CASE
from service.domain.lifecycles.returns import RETURN
from service.domain.lifecycles.service_order import SERVICE_ORDER
from service.domain.lifecycles.task import TASK
from service.domain.lifecycles.ticket import TICKET

LIFECYCLES: Mapping[str, Lifecycle] = {
    lifecycle.name: lifecycle
    for lifecycle in (
        ORDER,
        RETURN,
        INVOICE,
        TICKET,
        SERVICE_ORDER,
        PURCHASE_ORDER,
        PRODUCTION_ORDER,
        APPROVAL,
        TASK,
        QUALITY_CASE,
        PRODUCT,
    )
}

__all__ = ["LIFECYCLES", "ORDER"]
