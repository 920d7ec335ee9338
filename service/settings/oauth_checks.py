"""Rules between the keys of `oauth`: a valid table in, what is missing for its grant out."""

from collections.abc import Collection, Iterable, Iterator
from typing import assert_never

from service.settings.checks import KnownKind
from service.settings.destination_rules import OAuthRule
from service.settings.destination_table import Destination
from service.settings.keys import MAKE, signs
from service.settings.problems import Issue


def check_oauth(
    rule: OAuthRule, destination: Destination, kind: KnownKind | None, *, sealing: bool
) -> Iterator[Issue]:
    if kind is not None and rule.grant not in kind.grants:
        yield from _check_grant(rule, destination.crm, kind.grants)
        return
    if destination.token is not None:
        what = "Both token and oauth say how we are let in."
        yield Issue(("token",), what, "Remove one of them.")
    if kind is not None:
        yield from _check_account(rule, destination.crm, kind)
    for name in _wanted(rule):
        what = f"The grant {rule.grant} needs {name}."
        yield Issue(("oauth", name), what, "Add it to oauth.")
    if rule.key is not None and not signs(rule.key.reveal(), "RS256"):
        what = "The key is not an RSA private key in PEM, of 2048 bits or more."
        yield Issue(("oauth", "key"), what, MAKE["RS"])
    if not sealing:
        yield Issue(
            ("oauth",),
            "Tokens are kept sealed in the database, and there is no key to seal them with.",
            "Make one with: openssl rand -base64 32; then refer to it in [server], "
            'as in keys = ["env:ORDERHOOK_KEY"].',
        )


def _check_account(rule: OAuthRule, crm: str, kind: KnownKind) -> Iterator[Issue]:
    """What differs from one account of the vendor to the other."""
    if not kind.token_url and not rule.url:
        what = f"Where {crm} gives tokens differs by account, and it is missing."
        yield Issue(("oauth", "url"), what, "Add it to oauth.")
    for name in kind.needs:
        if name not in rule.extra:
            what = f"{crm} wants {name} when a token is asked for."
            yield Issue(("oauth", "extra"), what, f'Add it, as in extra = {{ {name} = "…" }}.')


def _check_grant(rule: OAuthRule, crm: str, grants: Collection[str]) -> Iterator[Issue]:
    if grants:
        remedy = f"Write {' or '.join(repr(grant) for grant in grants)}."
        yield Issue(("oauth", "grant"), f"{crm} gives no tokens for {rule.grant}.", remedy)
    else:
        remedy = f"Remove it; `orderhook crms {crm}` says what {crm} takes instead."
        yield Issue(("oauth",), f"{crm} takes no oauth.", remedy)


def _wanted(rule: OAuthRule) -> Iterable[str]:
    """Keys that are missing for the grant."""
    needed: tuple[str, ...]
    match rule.grant:
        case "refresh_token":
            needed = ("client_id", "client_secret", "refresh_token")
        case "client_credentials":
            needed = ("client_id", "client_secret")
        case "jwt_bearer":
            needed = ("client_id", "key", "subject")
        case other:
            assert_never(other)
    return [name for name in needed if not getattr(rule, name)]
