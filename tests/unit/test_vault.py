"""The vault opens what it sealed, where it belongs, and nothing else."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.vault import Unopenable, Vault

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
RING = Vault([NEW, OLD])


@given(st.binary(max_size=2000), st.text(max_size=50))
def test_what_was_sealed_opens_again(plain: bytes, context: str) -> None:
    context = context.encode("utf-8", "replace").decode()
    assert plain == RING.open(RING.seal(plain, context=context), context=context)


def test_every_seal_of_the_same_text_is_another() -> None:
    assert RING.seal(b"token", context="a") != RING.seal(b"token", context="a")


@given(st.binary(max_size=64), st.data())
def test_no_changed_bit_opens(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(RING.seal(plain, context="tokens/crm"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Unopenable):
        RING.open(bytes(sealed), context="tokens/crm")


@given(st.data())
def test_no_shorter_text_opens(data: st.DataObject) -> None:
    sealed = RING.seal(b"0123456789", context="tokens/crm")
    with pytest.raises(Unopenable):
        RING.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))], context="tokens/crm")


def test_a_text_opens_only_where_it_belongs() -> None:
    sealed = RING.seal(b"token", context="tokens/crm")
    with pytest.raises(Unopenable, match="belongs elsewhere"):
        RING.open(sealed, context="tokens/other")


def test_a_new_first_key_opens_what_the_old_one_sealed_and_seals_anew() -> None:
    before = Vault([OLD]).seal(b"token", context="a")
    assert b"token" == RING.open(before, context="a")
    after = RING.seal(b"token", context="a")
    assert b"token" == Vault([NEW]).open(after, context="a")


def test_without_its_key_a_text_stays_shut_and_the_sentence_says_so() -> None:
    sealed = Vault([OLD]).seal(b"token", context="a")
    with pytest.raises(Unopenable, match=r"not among server\.keys"):
        Vault([NEW]).open(sealed, context="a")


def test_neither_key_nor_text_shows_in_what_is_sealed_or_printed() -> None:
    sealed = RING.seal(b"very-secret-token", context="a")
    assert b"very-secret" not in sealed
    assert NEW[:8] not in sealed
    assert NEW.hex() not in repr(RING)


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, secrets.token_bytes(31)]])
def test_a_ring_needs_keys_of_thirty_two_bytes(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(keys)
