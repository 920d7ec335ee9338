"""Couriers as simulated senders, one file each."""
