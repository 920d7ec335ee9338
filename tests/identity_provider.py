"""Identity providers: one of another house as a program, and one of ours that can lie."""

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "orderhook", "a secret / of the client"
ANNA = {"sub": "anna", "email": "anna@example.com", "groups": ["platform", "everyone"]}


@asynccontextmanager
async def strangers(**claims: Any) -> AsyncIterator[str]:
    """The issuer of a provider made with Authlib, which knows Anna."""
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)),
        *("--user-claims", json.dumps(ANNA | claims)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listens(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


@dataclass
class Provider:
    """Does all that is asked of a provider, but for what a test tells it to do otherwise."""

    issuer: str = ""
    claims: Mapping[str, Any] = field(default_factory=lambda: dict(ANNA))
    lies: Mapping[str, Any] = field(default_factory=dict)
    """Claims of the token that are not as they should be; None leaves one out."""
    header: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    key: Any = None
    """What tokens are signed with, in place of our own key."""
    answer: Mapping[str, str] = field(default_factory=dict)
    """What the browser brings back besides; an empty text leaves a parameter out."""
    document: Mapping[str, Any] = field(default_factory=dict)
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    kid: str = "first"
    redeemed: int = 0

    def __post_init__(self) -> None:
        self.own = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self.discover),
                web.get("/keys", self.keys),
                web.get("/authorize", self.authorize),
                web.post("/token", self.token),
            ]
        )
        return app

    async def discover(self, _request: web.Request) -> web.Response:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
        return web.json_response({**said, **self.document})

    async def keys(self, _request: web.Request) -> web.Response:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.own.public_key(), as_dict=True)
        return web.json_response({"keys": [{**public, "kid": self.kid, "use": "sig"}]})

    async def authorize(self, request: web.Request) -> web.Response:
        """Lets Anna in without asking."""
        asked = dict(request.query)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        said = {"code": code, "state": asked["state"], **self.answer}
        back = urlencode({name: value for name, value in said.items() if value})
        return web.Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{back}"})

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        expected = f"{CLIENT}:{quote(SECRET, safe='')}"
        basic = f"Basic {base64.b64encode(expected.encode()).decode()}"
        good = (
            asked is not None
            and asked["code_challenge_method"] == "S256"
            and secrets.compare_digest(asked["code_challenge"], challenge)
            and asked["redirect_uri"] == form["redirect_uri"]
            and request.headers.get("Authorization") == basic
        )
        if not good or asked is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.redeemed += 1
        return web.json_response({"token_type": "Bearer", "id_token": self.made(asked["nonce"])})

    def made(self, nonce: str) -> str:
        now = datetime.now(UTC)
        said = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + timedelta(minutes=5),
            "nonce": nonce,
            **self.claims,
            **self.lies,
        }
        told = {name: value for name, value in said.items() if value is not None}
        key = self.own if self.key is None else self.key
        return jwt.encode(
            told, key, algorithm=self.algorithm, headers={"kid": self.kid, **self.header}
        )


@asynccontextmanager
async def running(provider: Provider) -> AsyncIterator[Provider]:
    runner = web.AppRunner(provider.application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        provider.issuer = f"http://{host}:{port}"
        yield provider
    finally:
        await runner.cleanup()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def _listens(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
    raise AssertionError("The provider ended before it listened.")
