"""`orderhook lifecycle`: lanes, ranks, exits and rules, as tables, as JSON, TOML or a picture."""

from collections.abc import Mapping

import click
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from service.cli.context import Context, as_json, print_json
from service.cli.picture import plain, svg, words
from service.domain.errors import NotFound
from service.domain.lifecycle import Lane, Lifecycle
from service.domain.lifecycles import LIFECYCLES
from service.settings import environment, load_lifecycles
from service.settings.schema import suggest


@click.command(help="The lifecycles; with a NAME, its lanes, exits and rules.")
@click.argument("name", required=False)
@as_json
@click.option("--svg", "as_svg", is_flag=True, help="Draw it: an SVG on stdout.")
@click.option("--toml", "as_toml", is_flag=True, help="Write it as the configuration would.")
@click.pass_obj
def lifecycle(
    context: Context, *, name: str | None, as_json: bool, as_svg: bool, as_toml: bool
) -> None:
    if as_json + as_svg + as_toml > 1:
        raise click.UsageError("--json, --svg and --toml are three ways to write; choose one.")
    known = load_lifecycles(context.config, environment())
    if name is None:
        if as_svg or as_toml:
            raise click.UsageError("Name the lifecycle, as in: orderhook lifecycle order --svg")
        _list(known, as_json=as_json)
        return
    one = _find(known, name)
    if as_svg:
        click.echo(svg.draw(one), nl=False)
    elif as_toml:
        click.echo(plain.toml(one, lanes=name not in LIFECYCLES))
    elif as_json:
        print_json(plain.body(one))
    else:
        _show(one, Console())


def _find(known: Mapping[str, Lifecycle], name: str) -> Lifecycle:
    if name not in known:
        raise NotFound(f"There is no lifecycle {name!r}. {suggest(name, known)}")
    return known[name]


def _list(known: Mapping[str, Lifecycle], *, as_json: bool) -> None:
    if as_json:
        print_json({"items": [plain.body(each) for each in known.values()], "next": None})
        return
    table = Table("lifecycle", "lanes", "overall statuses")
    for each in known.values():
        table.add_row(each.name, ", ".join(each.lanes), str(len(each.overall_statuses)))
    Console().print(table)


def _show(one: Lifecycle, console: Console) -> None:
    console.print(f"[bold]{one.name}[/]")
    for lane in one.lanes.values():
        console.print(_lane(lane))
        for note in words.notes(lane):
            console.print(Padding(escape(note), (0, 0, 0, 2)))
    console.print(_overall(one))
    if one.alarms:
        console.print(_alarms(one))


def _lane(lane: Lane) -> RenderableType:
    table = Table(title=f"\nLane {lane.name}", title_justify="left")
    table.add_column("rank", justify="right")
    table.add_column("status", no_wrap=True)
    table.add_column("leads to")
    for status in sorted(lane.statuses.values(), key=lambda each: each.rank):
        table.add_row(str(status.rank), status.name, words.exits(lane, status))
    return table


def _overall(one: Lifecycle) -> RenderableType:
    table = Table(title="\nOverall status: the first rule that holds", title_justify="left")
    table.add_column("", justify="right")
    table.add_column("status", no_wrap=True)
    table.add_column("when")
    for number, rule in enumerate(one.rules, start=1):
        table.add_row(str(number), rule.status, words.sentence(one, rule))
    table.add_row("", one.otherwise, "otherwise")
    return table


def _alarms(one: Lifecycle) -> RenderableType:
    table = Table(title="\nAlarms: contradictions that flag the subject", title_justify="left")
    table.add_column("flag", no_wrap=True)
    table.add_column("what is wrong")
    table.add_column("when")
    for alarm in one.alarms:
        table.add_row(alarm.flag, escape(alarm.sentence), words.sentence(one, alarm))
    return table
