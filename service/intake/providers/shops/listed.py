"""Shops and marketplaces, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.shops import (
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

PRESETS: tuple[Preset, ...] = (
    shopify.PRESET,
    woocommerce.PRESET,
    bigcommerce.PRESET,
    shopware.PRESET,
    saleor.PRESET,
    adobecommerce.PRESET,
    ebay.PRESET,
    amazonsns.PRESET,
    wix.PRESET,
    ecwid.PRESET,
    squarespace.PRESET,
    etsy.PRESET,
    ozon.PRESET,
    salla.PRESET,
    tilda.PRESET,
)
