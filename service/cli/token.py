"""`orderhook token`: an API token for a person or a program."""

from datetime import timedelta

import click
import jwt

from service import app
from service.cli.context import Context
from service.domain.errors import ConfigurationError
from service.settings import Auth
from service.settings.values import parse_duration
from service.web.auth import Role


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


@click.command(help="Print a bearer token for the internal API.")
@click.option("--role", type=click.Choice([role.name.lower() for role in Role]), required=True)
@click.option("--subject", required=True, help="Who uses it; shown in the audit trail.")
@click.option("--ttl", type=Length(), default="1h", show_default=True, help="How long it is good.")
@click.pass_obj
def token(context: Context, *, role: str, subject: str, ttl: timedelta) -> None:
    click.echo(issue(context.load().auth, role=role, subject=subject, ttl=ttl))


def issue(auth: Auth, *, role: str, subject: str, ttl: timedelta) -> str:
    """A token as the internal API takes it."""
    if auth.jwt_secret is None:
        raise ConfigurationError(
            'auth.jwt_secret is not set: add jwt_secret = "env:ORDERHOOK_JWT_SECRET" to [auth].'
        )
    now = app.clock()
    claims = {
        "iss": auth.issuer,
        "aud": auth.audience,
        "sub": subject,
        "role": role,
        "iat": now,
        "exp": now + ttl,
    }
    return jwt.encode(claims, auth.jwt_secret.reveal(), algorithm=auth.algorithm)
