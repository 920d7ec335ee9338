"""Shops as simulated senders, one file each."""
