"""`orderhook crms`: the kinds of destinations, and how each is set up."""

from collections.abc import Iterator

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.cli.context import as_json, print_json
from service.cli.crm_words import abilities, example, kept_as, page, quotas, row
from service.domain.errors import ConfigurationError
from service.settings.schema import suggest
from service.worker.crms.kind import Kind
from service.worker.crms.registry import CRMS, crms_by_name


@click.command(help="The kinds of destinations; with a NAME, how to set that one up.")
@click.argument("name", required=False)
@as_json
def crms(*, name: str | None, as_json: bool) -> None:
    if name is not None:
        _show(_kind(name), as_json=as_json)
        return
    if as_json:
        print_json({"items": [row(kind) for kind in CRMS], "next": None})
        return
    table = Table()
    table.add_column("crm", no_wrap=True)
    for heading in ("system", "promise"):
        table.add_column(heading)
    for kind in CRMS:
        table.add_row(kind.name, escape(kind.title), kind.promise)
    Console().print(table)


def _kind(name: str) -> Kind:
    known = crms_by_name()
    if name not in known:
        raise ConfigurationError(
            f"There is no kind of destination {name!r}. {suggest(name, known)}"
        )
    return known[name]


def _show(kind: Kind, *, as_json: bool) -> None:
    if as_json:
        print_json(page(kind))
        return
    click.echo(f"{kind.title}\n")
    click.echo(f"Promise: each effect {kind.promise}")
    if kind.default_url:
        click.echo(f"Address: {kind.default_url}")
    click.echo(f"\n{kind.setup.strip()}\n")
    click.echo("\n".join(f"    {line}".rstrip() for line in example(kind)))
    for heading, lines in _lists(kind):
        if lines:
            click.echo(f"\n{heading}")
            click.echo("\n".join(f"- {line}" for line in lines))


def _lists(kind: Kind) -> Iterator[tuple[str, list[str]]]:
    yield "It:", abilities(kind)
    yield (
        "Objects:",
        [f"{lifecycle}: {kept_as(target)}" for lifecycle, target in (kind.targets or {}).items()],
    )
    yield (
        "Options:",
        [
            f"{option.name}{' (required)' if option.required else ''}: {option.what}"
            f" For example {option.example}."
            for option in kind.options
        ],
    )
    yield "Grants of oauth:", list(kind.oauth.grants) if kind.oauth else []
    yield "Quotas (limits):", [f"{', '.join(names)}: {said}" for names, said in quotas(kind)]
    yield "To confirm on a live account:", list(kind.doubts)
