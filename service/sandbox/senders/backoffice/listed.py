"""Back offices as simulated senders, as listed."""

from service.sandbox.senders.backoffice import (
    bamboohr,
    businesscentral,
    coupa,
    dingtalk,
    erpnext,
    jira,
    lark,
    odoo,
    saps4,
    wecom,
    yonyou,
    zendesk,
)
from service.sandbox.senders.occasion import Sender

SENDERS: tuple[Sender, ...] = (
    businesscentral.SENDER,
    saps4.SENDER,
    erpnext.SENDER,
    odoo.SENDER,
    yonyou.SENDER,
    coupa.SENDER,
    jira.SENDER,
    zendesk.SENDER,
    bamboohr.SENDER,
    dingtalk.SENDER,
    lark.SENDER,
    wecom.SENDER,
)
