"""ERP and back office, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.backoffice import (
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

PRESETS: tuple[Preset, ...] = (
    businesscentral.PRESET,
    saps4.PRESET,
    erpnext.PRESET,
    odoo.PRESET,
    yonyou.PRESET,
    coupa.PRESET,
    jira.PRESET,
    zendesk.PRESET,
    bamboohr.PRESET,
    dingtalk.PRESET,
    lark.PRESET,
    wecom.PRESET,
)
