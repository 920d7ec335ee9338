"""Couriers, one file each."""
