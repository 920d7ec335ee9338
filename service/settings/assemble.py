"""A parsed document in; settings, or everything that is wrong with its tables, out.

Each table is read by itself, so that a slip in one hides nothing in another.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.domain.lifecycle import Lifecycle
from service.domain.lifecycles import LIFECYCLES
from service.settings import checks, complaints, destination_checks, lifecycles, source_checks
from service.settings.checks import Known
from service.settings.destination_table import (
    Destination,
)
from service.settings.lifecycle_tables import LifecycleTable
from service.settings.lifecycles import Vocabulary
from service.settings.model import Model
from service.settings.models import (
    Auth,
    BrokerSettings,
    Document,
    Retention,
    Route,
    Server,
    Settings,
    Store,
    Waiting,
)
from service.settings.problems import Issue, Place
from service.settings.secrets import References
from service.settings.source_table import (
    Source,
)
from service.settings.values import NAME, NAME_REMEDY, WORD, WORD_REMEDY

M = TypeVar("M", bound=Model)
Check = Callable[[M], Iterable[Issue]]


def assemble(
    document: Mapping[str, object], references: References, known: Known
) -> tuple[Settings | None, list[Issue]]:
    """Settings are there when, and only when, the list is empty."""
    work = _Assembly(document, references)
    vocabulary = work.vocabulary()
    parts = {
        "server": work.section(Server, "server", checks.check_server),
        "store": work.section(Store, "store", _nothing),
        "broker": work.section(BrokerSettings, "broker", _nothing),
        "auth": work.section(Auth, "auth", partial(checks.check_auth, sandbox=references.sandbox)),
        "sources": work.named(
            Source,
            "sources",
            partial(
                source_checks.check_source,
                known=known,
                vocabulary=vocabulary,
                sandbox=references.sandbox,
            ),
        ),
        "destinations": work.named(
            Destination,
            "destinations",
            partial(
                destination_checks.check_destination,
                known=known,
                vocabulary=vocabulary,
                sealing=work.has_keys(),
            ),
        ),
        "routes": work.routes(vocabulary),
        "lifecycles": vocabulary.lifecycles,
        "waiting": work.section(Waiting, "waiting", _nothing),
        "retention": work.section(Retention, "retention", checks.check_retention),
    }
    work.strangers()
    if work.issues:
        return None, work.issues
    return Settings.model_validate(parts), []


def assemble_lifecycles(
    document: Mapping[str, object], references: References
) -> tuple[Mapping[str, Lifecycle], list[Issue]]:
    """Only the lifecycles; they are all sound when the list is empty."""
    work = _Assembly(document, references)
    return work.vocabulary().lifecycles, work.issues


def _nothing(_table: Model) -> Iterable[Issue]:
    return ()


@dataclass(frozen=True, slots=True)
class _Assembly:
    document: Mapping[str, object] = field(repr=False)
    references: References
    issues: list[Issue] = field(default_factory=list)

    def strangers(self) -> None:
        for key in self.document.keys() - Document.model_fields.keys():
            self.issues.append(complaints.stranger((key,)))

    def section(self, model: type[M], name: str, check: Check[M]) -> M | None:
        return self.table(model, (name,), content=self.document.get(name, {}), check=check)

    def named(self, model: type[M], section: str, check: Check[M]) -> dict[str, M | None]:
        tables = self.document.get(section, {})
        if not isinstance(tables, dict):
            self.issues.append(complaints.not_a_table((section,)))
            return {}
        return {name: self.one(model, (section, name), tables[name], check) for name in tables}

    def one(self, model: type[M], place: Place, content: object, check: Check[M]) -> M | None:
        """Read a table whose name is one of its fields, though not one of its keys."""
        if isinstance(content, dict):
            if "name" in content:
                self.issues.append(complaints.stranger((*place, "name")))
            content = {**content, "name": self.name(place)}
        return self.table(model, place, content=content, check=check)

    def name(self, place: Place) -> str:
        """The table's name, or a sound one in its stead, so that its keys are still read."""
        name = str(place[-1])
        word = place[0] == "lifecycles"
        if re.fullmatch(WORD if word else NAME, name):
            return name
        remedy = WORD_REMEDY if word else NAME_REMEDY
        self.issues.append(Issue(place, "This is not a usable name.", remedy))
        return "unnamed"

    def vocabulary(self) -> Vocabulary:
        """The lifecycles, which come first: the other tables speak of them."""
        tables = self.named(LifecycleTable, "lifecycles", lifecycles.check_lifecycle)
        read = {name: table for name, table in tables.items() if table is not None}
        rest = {name: self.lanes_of(name) for name in tables if name not in read}
        return lifecycles.vocabulary(read, rest)

    def lanes_of(self, name: str) -> LifecycleTable | None:
        """A lifecycle without its rules, in which there is something to mend."""
        tables = self.document["lifecycles"]
        content = tables.get(name) if isinstance(tables, dict) else None
        if name in LIFECYCLES or not isinstance(content, dict) or "lanes" not in content:
            return None
        made, _ = self.validate(LifecycleTable, {"name": name, "lanes": content["lanes"]})
        return made

    def routes(self, vocabulary: Vocabulary) -> list[Route | None]:
        tables = self.document.get("routes", [])
        if not isinstance(tables, list):
            self.issues.append(complaints.not_a_list(("routes",)))
            return []
        check = partial(
            checks.check_route,
            sources=self.names("sources"),
            destinations=self.names("destinations"),
            vocabulary=vocabulary,
        )
        return [
            self.table(Route, ("routes", number), content=content, check=check)
            for number, content in enumerate(tables)
        ]

    def has_keys(self) -> bool:
        """Whether the server's table names keys, sound or not."""
        server = self.document.get("server")
        return isinstance(server, dict) and bool(server.get("keys"))

    def names(self, section: str) -> list[str]:
        """Names in the file, whether or not their tables are sound."""
        tables = self.document.get(section)
        return list(tables) if isinstance(tables, dict) else []

    def table(self, model: type[M], place: Place, *, content: object, check: Check[M]) -> M | None:
        if not isinstance(content, dict):
            self.issues.append(complaints.not_a_table(place))
            return None
        made, wrong = self.validate(model, content)
        self.issues.extend(complaints.complaint(place, detail) for detail in wrong)
        spoilt = {detail["loc"][0] for detail in wrong}
        if made is None:
            # The sound keys alone still show what does not fit together.
            rest = {key: value for key, value in content.items() if key not in spoilt}
            whole, _ = self.validate(model, rest)
        else:
            whole = made
        if whole is not None:
            self.relate(whole, place, spoilt=spoilt, check=check)
        return made

    def relate(self, table: M, place: Place, *, spoilt: set[int | str], check: Check[M]) -> None:
        for issue in (*check(table), *checks.missing_features(table)):
            if issue.place[0] not in spoilt:
                self.issues.append(Issue((*place, *issue.place), issue.what, issue.remedy))

    def validate(
        self, model: type[M], content: Mapping[str, object]
    ) -> tuple[M | None, list[ErrorDetails]]:
        try:
            return model.model_validate(content, context=self.references), []
        except ValidationError as error:
            return None, complaints.worth_telling(error)
