"""Settings: `orderhook.toml` and the environment in, one frozen typed tree out."""

from service.settings.checks import Known, KnownKind
from service.settings.destination_rules import (
    FieldRule,
    JwtRule,
    LimitRule,
    OAuthRule,
    ObjectRule,
    RetryRule,
)
from service.settings.destination_table import Destination
from service.settings.load import environment, load, load_lifecycles, locate
from service.settings.models import (
    Auth,
    BrokerSettings,
    Retention,
    Route,
    Server,
    Settings,
    Store,
    Waiting,
)
from service.settings.oidc_table import Oidc
from service.settings.problems import ConfigurationProblems, Problem
from service.settings.secrets import Connection, Secret
from service.settings.source_rules import (
    AnswerRule,
    BasicRule,
    BearerRule,
    EchoRule,
    HandshakeRule,
    HeaderRule,
    HmacRule,
    JsonEchoRule,
    OriginRule,
    QueryRule,
    SharedRule,
    TextRule,
    UrlTokenRule,
    VerifyRule,
)
from service.settings.source_table import (
    MoneyRule,
    Source,
    SubjectRule,
)
from service.settings.values import Address

__all__ = [
    "Address",
    "AnswerRule",
    "Auth",
    "BasicRule",
    "BearerRule",
    "BrokerSettings",
    "ConfigurationProblems",
    "Connection",
    "Destination",
    "EchoRule",
    "FieldRule",
    "HandshakeRule",
    "HeaderRule",
    "HmacRule",
    "JsonEchoRule",
    "JwtRule",
    "Known",
    "KnownKind",
    "LimitRule",
    "MoneyRule",
    "OAuthRule",
    "ObjectRule",
    "Oidc",
    "OriginRule",
    "Problem",
    "QueryRule",
    "Retention",
    "RetryRule",
    "Route",
    "Secret",
    "Server",
    "Settings",
    "SharedRule",
    "Source",
    "Store",
    "SubjectRule",
    "TextRule",
    "UrlTokenRule",
    "VerifyRule",
    "Waiting",
    "environment",
    "load",
    "load_lifecycles",
    "locate",
]
