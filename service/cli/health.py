"""`orderhook health`: asks the process that wrote a ready file; light, for it runs all the time.

`python -m service.cli.health` is the same without the rest of the program: 0.1 s instead of one.
"""

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import click

PATIENCE = 3.0
READY, NOT_READY, AWAY = 0, 1, 3


@click.command(help="Ask a running role whether it can do its work: exit 0 yes, 1 no, 3 no answer.")
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ORDERHOOK_READY_FILE",
    required=True,
    help="What `run --ready-file` writes; else $ORDERHOOK_READY_FILE.",
)
@click.pass_context
def health(ctx: click.Context, *, ready_file: Path) -> None:
    try:
        url = _url(ready_file)
        status, said = _ask(url)
    except (OSError, ValueError, HTTPException) as error:
        click.echo(f"orderhook: nothing answers for {ready_file} ({error}).", err=True)
        ctx.exit(AWAY)
    click.echo(said)
    ctx.exit(READY if status == 200 else NOT_READY)


def _url(ready_file: Path) -> str:
    """Where readiness is told; a role without an internal listener can only say it is alive."""
    urls = json.loads(ready_file.read_bytes())
    if urls["internal"] is not None:
        return f"{urls['internal']}/health/ready"
    if urls["public"] is not None:
        return f"{urls['public']}/health/live"
    raise ValueError("it has no listener")


def _ask(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        return answer.status, answer.read(4096).decode()
    finally:
        connection.close()


if __name__ == "__main__":
    health()
