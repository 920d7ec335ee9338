"""The sources an installation begins with: `NAME=PROVIDER` in, their tables and secrets out."""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from service.domain.errors import ConfigurationError
from service.intake.preset import Preset
from service.intake.providers import registry
from service.sandbox.senders import SENDERS
from service.settings.schema import as_toml
from service.settings.values import NAME

FOLDER = "secrets"
TAKEN = ("jwt", "crm", "server-key")
"""Files of secrets that are no source's."""
API = "https://api.example.com"
COUNTED = "any"
"""A word to make keys of that are counted and thrown away."""
TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class First:
    """A source with nothing but what every source of its kind has."""

    name: str
    preset: Preset

    @classmethod
    def of(cls, text: str) -> Self:
        """Read `NAME=PROVIDER`; raises ConfigurationError where that names nothing."""
        name, equals, provider = text.partition("=")
        if not equals or not re.fullmatch(NAME, name):
            raise ConfigurationError(
                f"--source {text!r} is not NAME=PROVIDER, as in --source shop=shopify; a name is a "
                "lower-case letter, then up to 39 lower-case letters, digits or hyphens."
            )
        return cls(name, registry.preset(provider))

    @property
    def file(self) -> str:
        return f"{self.name}-source" if self.name in TAKEN else self.name

    def table(self) -> str:
        """Write its table; what only its owner can know is there as an example."""
        examples = dict(SENDERS[self.preset.name].rules)
        examples.pop("token", None)
        if self.preset.asks and not self.preset.api:
            examples["api"] = API
        lines = [
            f"[sources.{self.name}]   # {self.preset.title}",
            f"provider = {as_toml(self.preset.name)}",
            *self._references(),
            *(f"{key} = {as_toml(value)}   # an example" for key, value in examples.items()),
        ]
        return "\n".join((*lines, ""))

    def _references(self) -> Iterator[str]:
        if self.preset.url_token:
            yield f"url_token = {_file(self.file)}"
        elif given := self.given():
            yield f"secrets = [{', '.join(map(_file, given))}]"
        if self._shows_token:
            yield f"token = {_file(self._token)}"

    def made(self) -> Mapping[str, str]:
        """Secrets that are made up here, by the name of their file."""
        return {self.file: secrets.token_hex(TOKEN_BYTES)} if self.preset.url_token else {}

    def given(self) -> Sequence[str]:
        """Files for the secrets that both the sender and its owner have."""
        if self.preset.url_token:
            return ()
        ends = SENDERS[self.preset.name].signer.keys(COUNTED)
        known = [each for each in (ends.verify_with, *ends.besides) if each is not None]
        return [
            self.file + (f"-{number}" if number > 1 else "") for number in range(1, len(known) + 1)
        ]

    @property
    def _shows_token(self) -> bool:
        return self.preset.asks or "token" in SENDERS[self.preset.name].rules

    @property
    def _token(self) -> str:
        return f"{self.name}-token"

    def steps(self, base: str) -> str:
        """Say what a person does on the sender's side, and here."""
        tail = f"/(the text of {FOLDER}/{self.file})" if self.preset.url_token else ""
        lines = [f"{self.name}: POST to {base}/webhooks/{self.name}{tail}"]
        lines += [f"  {line}" for line in self.preset.setup.strip().splitlines()]
        if files := self.given():
            into = " and ".join(f"{FOLDER}/{file}" for file in files)
            lines.append(f"  Put into {into} what the sender proves itself by.")
        if self._shows_token:
            lines.append(f"  Put into {FOLDER}/{self._token} what its API is to be shown.")
        return "\n".join((*lines, ""))


def _file(name: str) -> str:
    return as_toml(f"file:{FOLDER}/{name}")
