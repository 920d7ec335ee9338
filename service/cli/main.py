"""The command `orderhook`: words in, an exit code and sentences for people out."""

import sys
from pathlib import Path

import click

from service import __version__
from service.cli import (
    attempts,
    audit,
    check,
    crms,
    dead,
    demo,
    destinations,
    erasure,
    events,
    health,
    init,
    jobs,
    keys,
    ledger,
    lifecycle,
    migrate,
    orders,
    providers,
    reconcile,
    restored,
    retention,
    run,
    send,
    sources,
    spools,
    token,
    verify,
)
from service.cli.context import Context
from service.domain.errors import (
    ConfigurationError,
    Conflict,
    DependencyUnavailable,
    Misnamed,
    OrderhookError,
)

CONFIG_FILE = click.Path(path_type=Path, dir_okay=False)
VERBS: tuple[click.Command, ...] = (
    demo.demo,
    init.init,
    run.run,
    health.health,
    migrate.migrate,
    restored.restored,
    retention.retention,
    keys.keys,
    check.check,
    verify.verify,
    send.send,
    ledger.ledger,
    orders.orders,
    erasure.erase,
    events.events,
    dead.dead,
    jobs.jobs,
    attempts.attempts,
    audit.audit,
    sources.sources,
    destinations.destinations,
    reconcile.reconcile,
    spools.spools,
    providers.providers,
    crms.crms,
    lifecycle.lifecycle,
    token.token,
)


@click.group(
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
    """Let `--config` stand behind the verb, too."""
    option = click.Option(
        ["--config"], type=CONFIG_FILE, expose_value=False, callback=_choose, hidden=True
    )
    verb.params.append(option)
    return verb


for verb in VERBS:
    cli.add_command(_take_config(verb))
for group in (
    orders.orders,
    events.events,
    dead.dead,
    jobs.jobs,
    attempts.attempts,
    sources.sources,
    destinations.destinations,
    retention.retention,
    keys.keys,
    audit.audit,
    spools.spools,
):
    for verb in group.commands.values():
        _take_config(verb)


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
