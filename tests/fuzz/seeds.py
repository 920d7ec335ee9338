"""What a fuzzer begins with: golden requests in, files of inputs and a dictionary out."""

import re
from collections.abc import Iterator
from pathlib import Path

from service.domain import keys
from tests import internals
from tests.fuzz import entries

WORD = re.compile(rb"[A-Za-z][A-Za-z0-9_.:-]{2,30}")
WORDS = 600
LITERALS = (
    *(b"{", b"}", b"[", b"]", b'":', b'",', b"\\u0000", b"\\ud800", b"null", b"true", b"-0"),
    *(b"1e400", b"9007199254740993", b"NaN", b"\xef\xbb\xbf", b"%00", b"&", b"=", b"[]", b"[0]"),
    *(b"<!DOCTYPE", b"<![CDATA[", b"&#0;", b"]]>", b"xmlns:", b"</", b"/>", b'"alg":"none"'),
    *(b"v1,", b"v1a,", b"t=", b"sha256=", b"Bearer ", b"Basic ", b"eyJ", b"..", b"==", b"\n\n"),
    *(b"-----BEGIN CERTIFICATE-----", b"file://", b"https://", b"application/cloudevents+json"),
)


def seeds(entry: str) -> Iterator[bytes]:
    match entry:
        case "judging" | "reading":
            for number, case in enumerate(entries.cases()):
                yield entries.written(number, case.request)
        case "documents":
            for case in entries.cases():
                for kind in range(len(entries.KINDS)):
                    yield bytes([kind]) + case.request.body
        case "tokens":
            token = internals.token(sub="eve")
            yield f"Bearer {token}".encode()
            yield f"Bearer {token}\nBearer {token}".encode()
            yield b"Basic dXNlcjpzZWNyZXQ="
        case _:
            yield b"/webhooks/shop/a%20b?x=1&challenge=a\n203.0.113.9, 127.0.0.1:80\n[::1]:443"
            for case in entries.cases():
                target = f"/webhooks/tested/{case.request.tail}?{case.request.query}"
                yield target.encode("latin-1", "replace") + b"\n::ffff:10.0.0.1, 10.0.0.1"


def plant(entry: str, folder: Path) -> int:
    """Write the seeds into a corpus, and count them."""
    folder.mkdir(parents=True, exist_ok=True)
    found = set(seeds(entry))
    for seed in found:
        (folder / f"seed-{keys.body_key(seed)[:16]}").write_bytes(seed)
    return len(found)


def dictionary() -> str:
    """The words of all goldens that come most often, as libFuzzer reads them."""
    counted: dict[bytes, int] = {}
    for case in entries.cases():
        names = " ".join(name for name, _ in case.request.headers).encode("latin-1", "replace")
        for word in WORD.findall(names + b" " + case.request.body):
            counted[word] = counted.get(word, 0) + 1
    words = sorted(counted, key=lambda word: -counted[word])[:WORDS]
    return "".join(f'"{_escaped(word)}"\n' for word in (*LITERALS, *words))


def _escaped(word: bytes) -> str:
    return "".join(
        chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word
    )
