"""`orderhook providers`: the kinds of senders, and how each is set up."""

from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.cli.context import as_json, print_json
from service.domain.errors import ConfigurationError
from service.intake.preset import Preset
from service.intake.providers import registry as senders
from service.sandbox.senders import SAMPLES

PROOFS = {
    "sdk": "the vendor's own code",
    "vector": "a signed request the vendor published",
    "foreign": "independent code of others",
    "none": "its documentation only",
}


@click.command(help="The kinds of senders; with a NAME, how to set that sender up.")
@click.argument("name", required=False)
@click.option("--category", help="Only those of this category.")
@as_json
def providers(*, name: str | None, category: str | None, as_json: bool) -> None:
    if name is not None:
        _show(senders.preset(name), as_json=as_json)
        return
    chosen = _chosen(category)
    if as_json:
        print_json({"items": [row(preset) for preset in chosen], "next": None})
        return
    table = Table()
    table.add_column("provider", no_wrap=True)
    for heading in ("system", "category", "proves itself by", "identity", "proof"):
        table.add_column(heading)
    for preset in chosen:
        shown = (preset.title, preset.category, preset.scheme, preset.identity, preset.proof.kind)
        table.add_row(preset.name, *map(escape, shown))
    Console().print(table)


def _chosen(category: str | None) -> list[Preset]:
    known = list(dict.fromkeys(preset.category for preset in senders.PRESETS))
    if category is not None and category not in known:
        raise ConfigurationError(
            f"There is no category {category}; there is: {', '.join(sorted(known))}."
        )
    return [each for each in senders.PRESETS if category in (None, each.category)]


def row(preset: Preset) -> dict[str, Any]:
    """What a list says of a kind of sender."""
    return {
        "name": preset.name,
        "title": preset.title,
        "category": preset.category,
        "scheme": preset.scheme,
        "identity": preset.identity,
        "proof": {"kind": preset.proof.kind, "by": preset.proof.by},
    }


def page(preset: Preset) -> dict[str, Any]:
    """All there is to say of one."""
    return row(preset) | {
        "setup": preset.setup.strip().splitlines(),
        "doubts": list(preset.doubts),
        "options": list(preset.options),
        "samples": list(SAMPLES.get(preset.name, {})),
    }


def _show(preset: Preset, *, as_json: bool) -> None:
    if as_json:
        print_json(page(preset))
        return
    proof = PROOFS[preset.proof.kind] + (f": {preset.proof.by}" if preset.proof.by else "")
    click.echo(f"{preset.title} ({preset.category})\n")
    click.echo(f"Proves itself by: {preset.scheme}")
    click.echo(f"The same event:   {preset.identity}")
    click.echo(f"We agree with:    {proof}\n")
    click.echo(preset.setup.strip())
    if preset.doubts:
        click.echo("\nTo confirm on a live delivery:")
        click.echo("\n".join(f"- {doubt}" for doubt in preset.doubts))
    if preset.options:
        click.echo(f"\nOptions: {', '.join(preset.options)}")
    samples = ", ".join(SAMPLES.get(preset.name, {})) or "none"
    click.echo(f"\nSamples (orderhook send SOURCE --sample NAME): {samples}")
