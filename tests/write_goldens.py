"""Writes goldens of a provider from what its simulated sender posts, for a person to read over.

    .venv/bin/python -m tests.write_goldens PROVIDER [--only SAMPLE] [--body FILE --name NAME]

Existing files stay as they are, but with --again, which writes what the preset says now.
"""

import argparse
from pathlib import Path
from typing import Any

from service.intake.provider import Genuine, RawRequest
from service.intake.providers.registry import preset
from service.settings import Source
from tests import simulated, vectors


def golden(source: Source, request: RawRequest, about: str) -> dict[str, Any]:
    """Write down what the preset makes of a request it must take."""
    judged = simulated.judged(source, request)
    if judged != Genuine():
        raise SystemExit(f"{about}: not genuine: {judged}")
    built = preset(source.provider).build(source)
    said: dict[str, Any] = {"about": about, "source": written(source)}
    if served := simulated.documents(source.provider):
        said["keys"] = {url: document.decode() for url, document in served.items()}
    said["received_at"] = request.received_at.isoformat()
    said |= vectors.write_request(request)
    if reply := vectors.answer(built.acknowledge(request)):
        said["answer"] = reply
    redacted = built.redact(request)
    return said | {"statements": [vectors.canonical(each) for each in built.parse(redacted)]}


def written(source: Source) -> dict[str, Any]:
    secrets = [secret.reveal().decode() for secret in source.secrets]
    token = {"url_token": source.url_token.reveal().decode()} if source.url_token else {}
    return {"secrets": secrets, **token, **simulated.sender(source.provider).rules}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("provider")
    parser.add_argument("--only", default="")
    parser.add_argument("--body", type=Path)
    parser.add_argument("--name", default="")
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    source = simulated.source(asked.provider)
    said = simulated.sender(asked.provider)
    names = [asked.only or said.usual] if asked.body or asked.only else list(said.samples)
    for name in names:
        body = asked.body.read_bytes() if asked.body else None
        request = simulated.posted(source, sample=name, body=body)
        path = vectors.GOLDEN / asked.provider / f"{asked.name or name}.json"
        if path.exists() and not asked.again:
            continue
        about = f"The simulated sender's sample {name}." if body is None else asked.name
        vectors.save(path, golden(source, request, about))


if __name__ == "__main__":
    main()
