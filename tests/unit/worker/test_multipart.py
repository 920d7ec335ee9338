"""OData batches: what goes out is read back, and nonsense is told from an answer."""

import pytest

from service.worker.crms.multipart import Answered, Part, decode, encode

KIND = 'multipart/mixed; boundary="batchresponse_1"'
TWO = (
    b"--batchresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    b"\r\nHTTP/1.1 204 No Content\r\nOData-EntityId: https://x/salesorders(1)\r\n\r\n\r\n"
    b"--batchresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    b'\r\nHTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n\r\n{"error":{}}\r\n'
    b"--batchresponse_1--\r\n"
)


def test_a_batch_has_a_part_for_each_call_and_crlf_between_lines() -> None:
    kind, body = encode([Part("GET", "/a?b=%20c"), Part("PATCH", "/d", {"If-Match": "*"}, b"{}")])
    assert 'multipart/mixed; boundary="batch_orderhook"' == kind
    assert (
        b"--batch_orderhook\r\nContent-Type: application/http\r\n"
        b"Content-Transfer-Encoding: binary\r\n\r\nGET /a?b=%20c HTTP/1.1\r\n\r\n\r\n"
        b"--batch_orderhook\r\nContent-Type: application/http\r\n"
        b"Content-Transfer-Encoding: binary\r\n\r\nPATCH /d HTTP/1.1\r\nIf-Match: *\r\n\r\n{}\r\n"
        b"--batch_orderhook--\r\n"
    ) == body


def test_answers_are_read_in_their_order() -> None:
    assert [
        Answered(204, {"odata-entityid": "https://x/salesorders(1)"}, b""),
        Answered(404, {"content-type": "application/json"}, b'{"error":{}}'),
    ] == list(decode(KIND, TWO) or ())


def test_bare_line_feeds_are_read_as_well() -> None:
    assert decode(KIND, TWO) == decode(KIND, TWO.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("end", range(0, len(TWO) - 4, 7))
def test_a_body_that_does_not_come_whole_is_no_answer(end: int) -> None:
    assert decode(KIND, TWO[:end]) is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", TWO),
        ("multipart/mixed", TWO),
        ("multipart/mixed; boundary=other", TWO),
        ("", b""),
        (KIND, TWO.replace(b"HTTP/1.1 404", b"HTTP/1.1 9999")),
        (KIND, TWO.replace(b"HTTP/1.1 404 Not Found", b"")),
        (KIND, b"\x00\xff" * 100),
    ],
)
def test_what_is_no_batch_is_told_as_such(kind: str, body: bytes) -> None:
    assert decode(kind, body) is None
