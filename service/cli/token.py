"""`orderhook token`: an API token for a program, or a link to the console for a person."""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

import click
import jwt

from service.app.process import clock
from service.cli.context import Context
from service.domain.errors import ConfigurationError
from service.settings import Auth, Server
from service.settings.values import parse_duration
from service.store.ids import new_id
from service.web.auth import Role
from service.web.console.sign_in import PAGE, audience

USUAL, USUAL_LINK = timedelta(hours=1), timedelta(minutes=10)
LONGEST_LINK = timedelta(hours=1)


class Length(click.ParamType[timedelta]):
    """A duration as in the configuration: 30m, 1h, 7d."""

    name = "DURATION"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError:
            self.fail("write a whole number and a unit (s, m, h, d), as in 1h", param, ctx)


@click.command(help="Print a bearer token for the internal API, or a link that signs in once.")
@click.option("--role", type=click.Choice([role.name.lower() for role in Role]), required=True)
@click.option("--subject", required=True, help="Who uses it; shown in the audit trail.")
@click.option("--ttl", type=Length(), help="How long it is good; 1h for a token, 10m for a link.")
@click.option("--console", is_flag=True, help="A link to the console, good for one sign-in.")
@click.pass_obj
def token(
    context: Context, *, role: str, subject: str, ttl: timedelta | None, console: bool
) -> None:
    settings = context.load()
    if not console:
        click.echo(issue(settings.auth, role=role, subject=subject, ttl=ttl or USUAL))
        return
    if ttl is not None and ttl > LONGEST_LINK:
        raise click.UsageError("A link to the console is good for 1h at most.")
    click.echo(
        link(settings.server, settings.auth, role=role, subject=subject, ttl=ttl or USUAL_LINK)
    )


def link(server: Server, auth: Auth, *, role: str, subject: str, ttl: timedelta) -> str:
    """Where a browser signs in to the console, once."""
    once = auth.model_copy(update={"audience": audience(auth)})
    more = {"jti": str(new_id())}
    token = issue(once, role=role, subject=subject, ttl=ttl, more=more)
    base = (server.internal_url or f"http://{server.internal}").rstrip("/")
    return f"{base}{PAGE}?{urlencode({'token': token})}"


def issue(
    auth: Auth, *, role: str, subject: str, ttl: timedelta, more: Mapping[str, str] | None = None
) -> str:
    """A token as the internal API takes it."""
    if auth.jwt_secret is None:
        raise ConfigurationError(
            'auth.jwt_secret is not set: add jwt_secret = "env:ORDERHOOK_JWT_SECRET" to [auth].'
        )
    now = clock()
    claims = {
        "iss": auth.issuer,
        "aud": auth.audience,
        "sub": subject,
        "role": role,
        "iat": now,
        "exp": now + ttl,
        **(more or {}),
    }
    return jwt.encode(claims, auth.jwt_secret.reveal(), algorithm=auth.algorithm)
