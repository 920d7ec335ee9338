"""Settings: `orderhook.toml` and the environment in, one frozen typed tree out."""

from service.settings.checks import Known
from service.settings.load import environment, load, locate
from service.settings.models import (
    Auth,
    BasicRule,
    BearerRule,
    BrokerSettings,
    Destination,
    HmacRule,
    Retention,
    RetryRule,
    Route,
    Server,
    Settings,
    Source,
    Store,
    SubjectRule,
    VerifyRule,
    Waiting,
)
from service.settings.problems import ConfigurationProblems, Problem
from service.settings.secrets import Connection, Secret
from service.settings.values import Address

__all__ = [
    "Address",
    "Auth",
    "BasicRule",
    "BearerRule",
    "BrokerSettings",
    "ConfigurationProblems",
    "Connection",
    "Destination",
    "HmacRule",
    "Known",
    "Problem",
    "Retention",
    "RetryRule",
    "Route",
    "Secret",
    "Server",
    "Settings",
    "Source",
    "Store",
    "SubjectRule",
    "VerifyRule",
    "Waiting",
    "environment",
    "load",
    "locate",
]
