"""Warehouses as simulated senders, one file each."""
