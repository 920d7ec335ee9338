"""The destinations an installation begins with: `NAME=KIND` in, their tables and secrets out."""

import base64
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import JsonValue

from service.cli.crm_words import letting_in
from service.cli.first_sources import FOLDER
from service.domain.errors import ConfigurationError
from service.settings.schema import as_toml, suggest
from service.settings.values import NAME
from service.worker.crms.kind import Kind
from service.worker.crms.registry import crms_by_name


@dataclass(frozen=True, slots=True)
class Reached:
    """A destination with nothing but what every one of its kind has."""

    name: str
    kind: Kind

    @classmethod
    def of(cls, text: str) -> Self:
        """Read `NAME=KIND`; raises ConfigurationError where that names nothing."""
        name, equals, word = text.partition("=")
        if not equals or not re.fullmatch(NAME, name):
            raise ConfigurationError(
                f"--destination {text!r} is not NAME=KIND, as in --destination crm=hubspot; a name "
                "is a lower-case letter, then up to 39 lower-case letters, digits or hyphens."
            )
        kinds = crms_by_name()
        if word not in kinds:
            raise ConfigurationError(
                f"There is no kind of destination {word!r}. {suggest(word, kinds)}"
            )
        return cls(name, kinds[word])

    def table(self) -> str:
        """Write its table; what only its owner can know is there as an example."""
        lines = [
            f"[destinations.{self.name}]   # {self.kind.title}",
            f"crm = {as_toml(self.kind.name)}",
            *(f"{key} = {as_toml(value)}   # an example" for key, value in self._examples()),
            *(f"{key} = {as_toml(value)}" for key, value in self._given().items()),
        ]
        if self.kind.targets is not None:
            lines.append("shadow = true   # reads only, until you remove this line")
            lines.append("statuses = {}   # our overall status = their stage")
        return "\n".join((*lines, ""))

    def made(self) -> Mapping[str, str]:
        """Secrets that are made up here, by the name of their file."""
        if not self._is_signed:
            return {}
        value = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        return {self._file("secret"): value}

    def wanted(self) -> Sequence[str]:
        """Files for the secrets that come from the other side."""
        texts = re.findall(rf"file:{FOLDER}/([a-z0-9_-]+)", self.table())
        return [file for file in texts if file not in self.made()]

    def steps(self) -> str:
        """Say what a person does on the system's side, and here."""
        lines = [f"{self.name}: {self.kind.title}"]
        lines += [f"  {line}" for line in self.kind.setup.strip().splitlines()]
        if self._is_signed:
            lines.append(
                f"  The receiver verifies with the text of {FOLDER}/{self._file('secret')}."
            )
        if files := self.wanted():
            into = " and ".join(f"{FOLDER}/{file}" for file in files)
            lines.append(f"  Put into {into} what lets us in there.")
        return "\n".join((*lines, ""))

    @property
    def _is_signed(self) -> bool:
        return self.kind.name == "callback"

    def _file(self, what: str) -> str:
        return f"{self.name}-destination-{what}"

    def _given(self) -> dict[str, JsonValue]:
        """References to secrets."""
        given = letting_in(self.kind, self._reference)
        if "secret" in self.kind.example:
            given["secret"] = self._reference("secret")
        return given

    def _reference(self, what: str) -> str:
        return f"file:{FOLDER}/{self._file(what)}"

    def _examples(self) -> Iterator[tuple[str, JsonValue]]:
        for key, value in self.kind.example.items():
            if key not in self._given():
                yield key, value
