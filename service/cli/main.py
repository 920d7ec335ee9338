"""The command `orderhook`: words in, an exit code and sentences for people out."""

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import click

from service import __version__
from service.cli.context import Context
from service.domain.errors import (
    ConfigurationError,
    Conflict,
    DependencyUnavailable,
    Misnamed,
    OrderhookError,
)

CONFIG_FILE = click.Path(path_type=Path, dir_okay=False)
VERBS: Mapping[str, str] = {
    **{
        verb: verb
        for verb in (
            *("demo", "init", "run", "health", "migrate", "restored", "retention", "keys"),
            *("check", "verify", "send", "ledger", "orders", "events", "dead", "jobs"),
            *("attempts", "audit", "sources", "destinations", "reconcile", "spools"),
            *("providers", "crms", "lifecycle", "token"),
        )
    },
    "erase": "erasure",
}
"""Each with its module here, which has a command of that name."""


class Verbs(click.Group):
    """Imports a verb when it is asked for: all of them would be most of a start."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        if cmd_name not in self.commands:
            module = import_module(f"service.cli.{VERBS[cmd_name]}")
            self.commands[cmd_name] = _take_config(getattr(module, cmd_name))
        return self.commands[cmd_name]


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Signed webhooks in; the true status of every order in the CRM.",
)
@click.version_option(__version__, prog_name="orderhook")
@click.option(
    "--config",
    type=CONFIG_FILE,
    help="The configuration file; else $ORDERHOOK_CONFIG, else ./orderhook.toml.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    ctx.obj = Context(config)


def _choose(ctx: click.Context, _param: click.Parameter, config: Path | None) -> None:
    if config is not None:
        ctx.obj = Context(config)


def _take_config(verb: click.Command) -> click.Command:
    """Let `--config` stand behind the verb, too, and behind those of a group."""
    option = click.Option(
        ["--config"], type=CONFIG_FILE, expose_value=False, callback=_choose, hidden=True
    )
    verb.params.append(option)
    if isinstance(verb, click.Group):
        for each in verb.commands.values():
            _take_config(each)
    return verb


def exit_code(error: OrderhookError) -> int:
    """2: the user mends configuration or words; 3: something outside is missing or taken."""
    match error:
        case ConfigurationError() | Misnamed():
            return 2
        case DependencyUnavailable() | Conflict():
            return 3
        case _:
            return 1


def main() -> None:
    """Run one verb; whatever we raise ourselves ends as a sentence, never as a traceback."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except OrderhookError as error:
        click.echo(f"orderhook: {error}", err=True)
        sys.exit(exit_code(error))
    sys.exit(code if isinstance(code, int) else 0)
