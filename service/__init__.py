"""Orderhook: signed webhooks in, the true status of every order in the CRM."""

__version__ = "0.1.0"
