"""Keys are exact, bounded and never collide by construction."""

from hashlib import sha256

from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.events import Subject
from service.domain.keys import body_key, clean_text, dedupe_hash, idempotency_key

anything = st.text(st.characters(exclude_categories=()), max_size=300)
names = st.text(max_size=20)


def test_a_dedupe_hash_is_sixteen_bytes_and_stays_what_it_was() -> None:
    assert bytes.fromhex("d76a2c55edc23fc336be7c0b2f748efb") == dedupe_hash("stripe-eu", "evt_1")


@given(names, names, names, names)
@example("a", "bc", "ab", "c")
def test_dedupe_hashes_differ_when_source_or_key_differ(a: str, b: str, c: str, d: str) -> None:
    assert ((a, b) == (c, d)) == (dedupe_hash(a, b) == dedupe_hash(c, d))


def test_a_body_key_is_the_sha256_of_the_body() -> None:
    assert sha256(b"{}").hexdigest() == body_key(b"{}")


@given(anything, st.integers(0, 300))
@example("a\0b", 256)
@example("\ud800", 256)
@example("я" * 128, 256)
@example("я" * 128 + "a", 256)
def test_clean_text_passes_storable_text_unchanged_and_nothing_else(text: str, limit: int) -> None:
    storable = (
        "\0" not in text
        and not any("\ud800" <= letter <= "\udfff" for letter in text)
        and len(text.encode(errors="surrogatepass")) <= limit
    )
    assert (text if storable else None) == clean_text(text, limit)


def test_clean_text_allows_256_bytes_unless_told_otherwise() -> None:
    assert ["x" * 256, None] == [clean_text("x" * 256), clean_text("x" * 257)]


def test_an_idempotency_key_names_destination_subject_and_version() -> None:
    assert "crm:order/1001:7" == idempotency_key("crm", Subject("order", "", "1001"), 7)
    assert "crm:order/eu:1001:7" == idempotency_key("crm", Subject("order", "eu", "1001"), 7)


@given(names, names)
@example("\u0417\u041a-1", "")
@example("a%20b", "a b")
@example("a\r\nX-Evil: 1", "")
def test_idempotency_keys_fit_a_header_and_differ_for_different_refs(one: str, other: str) -> None:
    keys = [idempotency_key("crm", Subject("order", "eu", ref), 1) for ref in (one, other)]
    assert all(key.isascii() and key.isprintable() for key in keys)
    assert (one == other) == (keys[0] == keys[1])
