"""A callback carries a token of ours that any JWT library verifies, new on every attempt."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service.domain.errors import ConfigurationError
from service.domain.events import Subject
from service.settings import Destination, JwtRule, Secret
from service.worker.crms import callback
from service.worker.crms.base import Change, Class, Crm, Target, Write
from service.worker.crms.client import open_session
from service.worker.crms.kind import Tools
from tests import keyserver

AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EC, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Secret:
    return Secret.plain(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class Unlimited:
    async def spend(self, costs: object) -> None:
        return None

    def learn(self, hints: object) -> None:
        return None


@dataclass
class Time:
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Receiver:
    server: keyserver.Server
    time: Time
    tools: Tools

    def crm(self, **overrides: Any) -> Crm:
        usual: dict[str, Any] = {
            "name": "wms",
            "crm": "callback",
            "url": self.server.url,
            "secret": Secret.plain(SECRET),
        }
        return callback.build(Destination(**{**usual, **overrides}), self.tools)

    @property
    def tokens(self) -> list[str]:
        return [sent["authorization"].removeprefix("Bearer ") for sent in self.server.headers]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    time = Time()
    async with keyserver.serving() as server, open_session(2) as session:
        yield Receiver(server, time, Tools(session, time, Unlimited()))


def write(version: int = 1) -> Write:
    subject = Subject("order", "", "№ 1001")
    change = Change(
        subject=subject,
        status="paid",
        previous=None,
        lanes={},
        attributes={},
        version=version,
        event_ids=[UUID(int=version)],
        occurred_at=AT,
        changed_at=AT,
        key=f"wms:{subject}:{version}",
    )
    return Write(change, Target("", "", ""), key="1001", status="paid")


@pytest.mark.parametrize(
    ("algorithm", "key", "checks"),
    [
        ("ES256", pem(EC), EC.public_key()),
        ("RS256", pem(RSA), RSA.public_key()),
        ("HS256", Secret.plain("k" * 32), b"k" * 32),
    ],
)
async def test_the_token_is_verified_by_the_receiver(
    receiver: Receiver, algorithm: Any, key: Secret, checks: Any
) -> None:
    rule = JwtRule(key=key, algorithm=algorithm, audience="wms", ttl=timedelta(seconds=90))
    [answer] = await receiver.crm(jwt=rule).write_batch([write()])
    assert Class.OK is answer.kind
    [token] = receiver.tokens
    claims = jwt.decode(
        token,
        checks,
        algorithms=[algorithm],
        audience="wms",
        issuer="orderhook",
        options={"require": ["iss", "aud", "iat", "exp", "jti"]},
    )
    assert 90 == claims["exp"] - claims["iat"]
    assert claims["jti"] == receiver.server.headers[0]["idempotency-key"]


async def test_each_attempt_has_its_own_times_and_the_same_name(receiver: Receiver) -> None:
    crm = receiver.crm(jwt=JwtRule(key=pem(EC), audience="wms"))
    await crm.write_batch([write()])
    receiver.time.at += timedelta(minutes=5)
    await crm.write_batch([write()])
    first, second = (
        jwt.decode(token, options={"verify_signature": False}) for token in receiver.tokens
    )
    assert first["jti"] == second["jti"]
    assert 300 == second["iat"] - first["iat"]


async def test_without_the_table_the_fixed_token_is_shown(receiver: Receiver) -> None:
    await receiver.crm(token=Secret.plain("fixed")).write_batch([write()])
    assert ["fixed"] == receiver.tokens


async def test_a_key_of_another_kind_is_a_mistake_of_the_configuration(receiver: Receiver) -> None:
    with pytest.raises(ConfigurationError, match=r"jwt\.key"):
        receiver.crm(jwt=JwtRule(key=Secret.plain("no key"), audience="wms"))
