"""Attacks that one connection can make: what is sent, what is answered, what is stored."""

import json
import time
from dataclasses import dataclass

from tests.acceptance.attacks.fortress import (
    MIB,
    NOTHING,
    QUARANTINED,
    READ,
    Rows,
    request,
    sign,
    signed,
)

GOOD = b'{"id":"a-1","order":"1001","state":"NEW"}'
HEAD = b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\n"
PROOF = f"X-Signature: {sign(GOOD)}\r\n".encode()
LENGTH = f"Content-Length: {len(GOOD)}\r\n".encode()
END = b"\r\n" + GOOD
CHUNKED = b"\r\n%x\r\n" % len(GOOD) + GOOD + b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Attack:
    """One row: the number of the list, what is special about it, and what must come of it."""

    number: int
    name: str
    raw: bytes
    status: int
    stored: Rows = NOTHING

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


def refused(status: int, number: int, **raws: bytes) -> list[Attack]:
    return [Attack(number, name.replace("_", " "), raw, status) for name, raw in raws.items()]


def head(*lines: bytes, end: bytes = END) -> bytes:
    return HEAD + b"".join(lines) + end


def in_chunks(coding: bytes, body: bytes = GOOD, *, size: int = 16) -> bytes:
    """Write a genuine request to the source that takes chunks."""
    pieces = (body[place : place + size] for place in range(0, len(body), size))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = b"POST /webhooks/wide HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    proof = f"X-Signature: {sign(body)}\r\n".encode()
    return head + proof + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + chunks + b"0\r\n\r\n"


FRAMING = [
    *refused(400, 1, length_and_chunked=head(PROOF, LENGTH, b"Transfer-Encoding: chunked\r\n")),
    *refused(400, 2, two_lengths=head(PROOF, LENGTH, b"Content-Length: 9\r\n")),
    *refused(
        400,
        3,
        plus=head(PROOF, b"Content-Length: +8\r\n"),
        hexadecimal=head(PROOF, b"Content-Length: 0x8\r\n"),
        arabic=head(PROOF, "Content-Length: ٨\r\n".encode()),
    ),
    *refused(
        400,
        4,
        xchunked=head(PROOF, b"Transfer-Encoding: xchunked\r\n", end=CHUNKED),
        chunked_twice_where_it_is_allowed=in_chunks(b"chunked\r\nTransfer-Encoding: chunked"),
        identity=head(PROOF, b"Transfer-Encoding: chunked, identity\r\n", end=CHUNKED),
    ),
    *refused(
        411,
        4,
        gzip_and_chunked=head(PROOF, b"Transfer-Encoding: gzip, chunked\r\n", end=CHUNKED),
        gzip_where_chunked_is_allowed=in_chunks(b"gzip, chunked"),
        chunked_with_HTTP_1_0=in_chunks(b"chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ),
    *refused(
        400,
        5,
        bare_line_feeds=head(PROOF, LENGTH).replace(b"\r\n", b"\n"),
        folded=head(b"X-Signature: a\r\n b\r\n", LENGTH),
    ),
    *refused(
        400, 6, nul=head(b"X-A: a\0b\r\n", PROOF, LENGTH), cr=head(b"X-A: a\rb\r\n", PROOF, LENGTH)
    ),
    *refused(400, 7, space_before_colon=head(b"X-A : a\r\n", PROOF, LENGTH)),
    *refused(
        400,
        8,
        two_hosts=head(b"Host: y\r\n", PROOF, LENGTH),
        no_host=head(PROOF, LENGTH).replace(b"Host: x\r\n", b""),
    ),
    *refused(
        400,
        9,
        absolute=head(PROOF, LENGTH).replace(b" /", b" http://evil.example/", 1),
        other_scheme=head(PROOF, LENGTH).replace(b" /", b" gopher://evil.example/", 1),
        authority=b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    ),
    *refused(
        400,
        10,
        version_0_9=head(PROOF, LENGTH).replace(b"HTTP/1.1", b"HTTP/0.9"),
        version_2=head(PROOF, LENGTH).replace(b"HTTP/1.1", b"HTTP/2.0"),
        preface=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        tls=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    ),
    *refused(
        400,
        11,
        header_of_9_KB=head(b"X-A: " + b"a" * 9000 + b"\r\n", PROOF, LENGTH),
        headers=head(b"X-A: a\r\n" * 200, PROOF, LENGTH),
        address_of_1_MB=b"POST /webhooks/" + b"a" * MIB + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ),
    *refused(
        411,
        13,
        chunks_of_one_byte=head(
            b"Transfer-Encoding: chunked\r\n\r\n", end=b"1\r\na\r\n" * 1_000_000 + b"0\r\n\r\n"
        ),
    ),
    *refused(
        400,
        14,
        huge_chunk=head(b"Transfer-Encoding: chunked\r\n", end=b"\r\nffffffffffffffffff\r\na"),
        negative_chunk=head(b"Transfer-Encoding: chunked\r\n", end=b"\r\n-1\r\na"),
        extension=head(b"Transfer-Encoding: chunked\r\n", end=b"\r\n1;\n\r\na\r\n"),
    ),
    *refused(
        400,
        14,
        trailers_of_10_MB=head(
            b"Transfer-Encoding: chunked\r\n", end=b"\r\n0\r\n" + b"X-A: a\r\n" * 1_250_000
        ),
    ),
    *refused(413, 15, too_long_without_body=head(b"Content-Length: 2097152\r\n", end=b"\r\n")),
    *refused(408, 15, shorter_than_it_says=request(GOOD, length=len(GOOD) + 1)),
    *refused(400, 15, longer_than_it_says=request(GOOD, length=len(GOOD) - 1)),
    *refused(
        413,
        16,
        expecting_to_continue=head(
            b"Expect: 100-continue\r\nContent-Length: 2097152\r\n", end=b"\r\n"
        ),
    ),
]


def twice(name: str) -> bytes:
    return request(GOOD, f"{name}: {sign(GOOD)}")


PROOFS = [
    *refused(
        401,
        20,
        forwarded=request(GOOD, "X-Forwarded-For: 127.0.0.1", signature="x"),
    ),
    *refused(401, 21, twice=twice("X-Signature"), in_two_cases=twice("x-sIGNATURE")),
    *refused(401, 21, underscore=request(GOOD).replace(b"X-Signature", b"X_Signature")),
    *refused(400, 21, underscore_besides=twice("X_Signature")),
    *refused(
        401,
        22,
        double_slash=request(GOOD, path="/webhooks//shop"),
        dots=request(GOOD, path="/webhooks/%2e%2e/shop"),
        encoded_slash=request(GOOD, path="/webhooks/shop%2fx"),
        semicolon=request(GOOD, path="/webhooks/shop;x"),
        encoded_nul=request(GOOD, path="/webhooks/shop%00"),
    ),
    *refused(400, 22, nul=request(GOOD, path="/webhooks/shop\0")),
    *refused(
        401,
        24,
        empty=request(GOOD, signature=""),
        truncated=request(GOOD, signature=sign(GOOD)[:-1]),
        of_another_length=request(GOOD, signature=sign(GOOD) + "00"),
    ),
    *refused(401, 24, missing=head(LENGTH)),
    *refused(400, 24, a_megabyte=request(GOOD, signature="v1," * (MIB // 3))),
    *refused(
        401,
        25,
        candidates=request(
            GOOD,
            f"Stripe-Signature: t={int(time.time())}," + ",".join(["v1=" + "a" * 8] * 300),
            path="/webhooks/stripe",
        ),
        of_standard=request(
            GOOD,
            "webhook-id: msg_1",
            f"webhook-timestamp: {int(time.time())}",
            "webhook-signature: " + " ".join(["v1,YWFh"] * 400),
            path="/webhooks/standard",
        ),
    ),
    *refused(401, 26, other_source=request(GOOD, path="/webhooks/other")),
    *refused(
        401,
        27,
        flipped_bit=request(GOOD[:-2] + bytes([GOOD[-2] ^ 1]) + b"}", signature=sign(GOOD)),
        written_anew=request(json.dumps(json.loads(GOOD)).encode(), signature=sign(GOOD)),
    ),
    *[
        Attack(28, f"time {stamp!r}", signed(stamp, GOOD), 401)
        for stamp in ("1", "-1", "NaN", "1e9", "1e400", "inf", "9" * 20, "0x6", "", " ", "+1")
    ],
    *refused(
        401,
        28,
        stale=signed(str(int(time.time()) - 100_000), GOOD),
        ahead=signed(str(int(time.time()) + 100_000), GOOD),
    ),
    *refused(
        401,
        28,
        arabic_digits=request(
            GOOD, "X-Timestamp: \xd9\xa1\xd9\xa2", path="/webhooks/timed", signature=sign(GOOD)
        ),
    ),
    *refused(
        401,
        29,
        boundary=request(
            b"5." + GOOD,
            f"X-Timestamp: {int(time.time())}",
            path="/webhooks/timed",
            signature=sign(b"%d.5." % int(time.time()) + GOOD[:-1]),
        ),
        dot_in_the_time=signed(f"{int(time.time())}.5", GOOD),
    ),
    *refused(
        401,
        32,
        upper_case=request(GOOD, signature=sign(GOOD).upper() + "="),
        whitespace=request(GOOD, signature=f"{sign(GOOD)[:32]} {sign(GOOD)[32:]}"),
        not_ascii=request(GOOD, signature="\xe9" * 64),
        base64=request(GOOD, signature="q83vEjRWeJA="),
    ),
    *refused(
        401,
        34,
        unknown=request(GOOD, path="/webhooks/nobody"),
        nearly=request(GOOD, path="/webhooks/SHOP"),
    ),
    *[
        Attack(38, name, request(body, "Content-Type: text/plain", path="/webhooks/sns"), 401)
        for name, body in {
            host: json.dumps(
                {
                    "Type": "SubscriptionConfirmation",
                    "MessageId": "1",
                    "Token": "t",
                    "TopicArn": "arn:aws:sns:eu-central-1:123456789012:orders",
                    "Message": "m",
                    "SubscribeURL": "http://169.254.169.254/latest/meta-data/",
                    "Timestamp": "2026-01-15T10:30:05.000Z",
                    "SignatureVersion": "1",
                    "Signature": "AAAA",
                    "SigningCertURL": host,
                }
            ).encode()
            for host in (
                "https://sns.s3.amazonaws.com/a.pem",
                "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem",
                "https://u@sns.eu-central-1.amazonaws.com/a.pem",
                "https://sns.eu-central-1.amazonaws.com:444/a.pem",
                "http://169.254.169.254/a.pem",
                "file:///etc/passwd",
            )
        }.items()
    ],
]


def genuine(number: int, name: str, body: bytes, *headers: str, **said: object) -> Attack:
    path = f"/webhooks/{said.get('to', 'shop')}"
    stored = said.get("stored", QUARANTINED)
    assert isinstance(stored, Rows)
    return Attack(number, name, request(body, *headers, path=path), 202, stored)


def event(key: str, **parts: object) -> bytes:
    return json.dumps({"id": key, "order": key, "state": "NEW", **parts}).encode()


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><event><id>&j;</id></event>"
)

BODIES = [
    Attack(13, "chunks where they are allowed", in_chunks(b"chunked"), 202, READ),
    Attack(
        13, "a million chunks", in_chunks(b"chunked", event("13", x="a" * 10**6), size=1), 202, READ
    ),
    Attack(13, "chunks beyond the limit", in_chunks(b"chunked", b"a" * 2 * MIB, size=4096), 413),
    genuine(18, "gzip", b"\x1f\x8b\x08" + bytes(200), "Content-Encoding: gzip"),
    genuine(18, "nested", b"\x1f\x8b\x09" + bytes(200), "Content-Encoding: gzip, br, zstd"),
    genuine(
        19,
        "multipart",
        b"--x\r\n\r\na\r\n" * 10_000,
        "Content-Type: multipart/form-data; boundary=x",
    ),
    genuine(23, "cookies", event("c-23"), "Cookie: " + "a=\x80[;" * 600, stored=READ),
    genuine(39, "key twice", b'{"id":"k","id":"39","order":"1","state":"NEW"}', stored=READ),
    genuine(
        39, "key escaped", b'{"id":"k","\\u0069d":"39b","order":"1","state":"NEW"}', stored=READ
    ),
    genuine(40, "NaN", b'{"id":NaN}'),
    genuine(40, "Infinity", b'{"id":Infinity}'),
    genuine(40, "1e131071", b'{"id":"b","x":[' + b",".join([b"1e131071"] * 2000) + b"]}"),
    genuine(41, "2^64", b'{"id":18446744073709551616}'),
    genuine(41, "5,000 digits", b'{"id":' + b"9" * 5000 + b"}"),
    genuine(42, "depth 1,000", b"[" * 1_000 + b"]" * 1_000),
    genuine(42, "depth 100,000", b"[" * 100_000),
    genuine(42, "keys", b"{" + b",".join(b'"%x":0' % n for n in range(20_000)) + b"}"),
    genuine(43, "lone surrogate", b'{"id":"\\ud800"}'),
    genuine(43, "overlong", b'{"id":"\xc0\xaf"}'),
    genuine(43, "byte order mark", b'\xef\xbb\xbf{"id":"43"}'),
    genuine(43, "UTF-16", '{"id":"43"}'.encode("utf-16")),
    genuine(43, "NUL in the key", b'{"id":"4\\u00003"}'),
    genuine(43, "NUL in a value", event("43-v", note="a\0b"), stored=READ),
    genuine(43, "NUL in a name", event("43-n")[:-1] + b',"\\u0000":"\\u0000"}', stored=READ),
    genuine(43, "NUL in the name of a field", b"a%00[x]=1&a%00=2", to="form"),
    genuine(44, "trailing data", b'{"id":"44"}{"id":"44"}'),
    genuine(44, "comment", b'{"id":"44"}//'),
    genuine(44, "empty", b""),
    genuine(44, "blank", b" \n"),
    genuine(45, "a list for the key", b'{"id":["45"]}'),
    genuine(45, "nothing for the key", b'{"id":null}'),
    genuine(45, "a key of 100 KB", event("x" * 100_000)),
    genuine(45, "SQL", event("'; DROP TABLE events; --"), stored=READ),
    genuine(45, "line feed and slash", event("../\r\na"), stored=READ),
    genuine(46, "composed", event("\u00e946"), stored=READ),
    genuine(46, "decomposed", event("e\u030146"), stored=READ),
    genuine(46, "upper case", event("\u00c946"), stored=READ),
    genuine(46, "look-alike", event("\u043546"), stored=READ),
    genuine(47, "laughs", BOMB, to="xml"),
    genuine(
        47,
        "entity",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><event><id>&x;</id></event>',
        to="xml",
    ),
    genuine(47, "UTF-7", b'<?xml version="1.0" encoding="utf-7"?>+ADw-a/+AD4-', to="xml"),
    genuine(
        47,
        "attributes",
        b"<event " + b" ".join(b'a%d="1"' % n for n in range(15_000)) + b"/>",
        to="xml",
    ),
    genuine(48, "fields", b"&".join(b"a%d=1" % n for n in range(20_000)), to="form"),
    genuine(49, "XML for JSON", b"<a/>", "Content-Type: application/json"),
    genuine(49, "JSON for XML", event("49"), "Content-Type: application/json", to="xml"),
    genuine(50, "script", event("50", note="<svg onload=alert(1)></script>"), stored=READ),
    genuine(51, "formula", event("=cmd|' /C calc'!A0", note="@SUM(1)"), stored=READ),
    genuine(52, "log lines", event("52\r\n{}\x1b[2J\u202e${jndi:ldap://x}"), stored=READ),
    genuine(53, "header of a call", event("53\r\nX-Evil: 1"), stored=READ),
    genuine(54, "routing key", event("#.*." + "a" * 240), stored=READ),
]

TABLE = [*FRAMING, *PROOFS, *BODIES]
