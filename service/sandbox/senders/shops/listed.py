"""Shops as simulated senders, as listed."""

from service.sandbox.senders.occasion import Sender
from service.sandbox.senders.shops import (
    adobecommerce,
    amazonsns,
    bigcommerce,
    ebay,
    ecwid,
    etsy,
    ozon,
    saleor,
    salla,
    shopify,
    shopware,
    squarespace,
    tilda,
    wix,
    woocommerce,
)

SENDERS: tuple[Sender, ...] = (
    shopify.SENDER,
    woocommerce.SENDER,
    bigcommerce.SENDER,
    shopware.SENDER,
    saleor.SENDER,
    adobecommerce.SENDER,
    ebay.SENDER,
    amazonsns.SENDER,
    wix.SENDER,
    ecwid.SENDER,
    squarespace.SENDER,
    etsy.SENDER,
    ozon.SENDER,
    salla.SENDER,
    tilda.SENDER,
)
