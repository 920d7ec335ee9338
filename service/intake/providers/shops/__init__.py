"""Shops and marketplaces, one file each."""
