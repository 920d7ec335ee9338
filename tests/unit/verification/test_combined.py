"""Two proofs at once: all of them, or any of them."""

import hmac
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.refusals import Cause
from service.intake.preset import Scheme
from service.intake.provider import (
    NO_KEYS,
    Forged,
    Genuine,
    Guard,
    Keys,
    RawRequest,
    Reply,
    Undecided,
    Verification,
    Wanted,
)
from service.intake.reading.mapping import Unreadable
from service.intake.verification.combined import all_of, any_of
from service.intake.verification.hmacs import Hmac
from service.intake.verification.shared import HeaderSecret, UrlToken
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
SOURCE = Source(
    name="x",
    provider="generic",
    secrets=(Secret.plain("key"),),
    url_token=Secret.plain("token"),
)
MISSING = Forged("It is missing.", cause=Cause.MISSING)
WRONG = Forged("It is wrong.", cause=Cause.WRONG_SECRET)
WANTED = Wanted("https://keys.example.com/1")
LATER = Undecided("The keys are away.", timedelta(seconds=5))


@dataclass(frozen=True, slots=True)
class Fixed(Guard):
    """Always judges the same; opens a body that starts with its letter."""

    judgement: Verification
    letter: bytes = b""

    @property
    def summary(self) -> str:
        return "fixed"

    def guard(self, _: Source) -> Guard:
        return self

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        return self.judgement

    def open(self, request: RawRequest) -> RawRequest:
        if not request.body.startswith(self.letter):
            raise Unreadable(f"It does not start with {self.letter!r}.")
        return replace(request, body=request.body.removeprefix(self.letter))


def request(body: bytes = b"{}", tail: str = "", **headers: str) -> RawRequest:
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return RawRequest("POST", f"/webhooks/x/{tail}", "", given, body, NOW, tail=tail)


def judge(scheme: Scheme, asked: RawRequest) -> Verification:
    return scheme.guard(SOURCE).verify(asked, now=NOW, keys=NO_KEYS)


@pytest.mark.parametrize(
    ("answers", "every", "either"),
    [
        ((Genuine(), Genuine()), Genuine(), Genuine()),
        ((Genuine(), WRONG), WRONG, Genuine()),
        ((MISSING, Genuine()), MISSING, Genuine()),
        ((MISSING, WRONG), MISSING, WRONG),
        ((WRONG, MISSING), WRONG, WRONG),
        ((MISSING, MISSING), MISSING, MISSING),
        ((WANTED, Genuine()), WANTED, Genuine()),
        ((WANTED, WRONG), WRONG, WANTED),
        ((LATER, WANTED), LATER, WANTED),
        ((LATER, WRONG), WRONG, LATER),
    ],
)
def test_all_must_agree_or_one_is_enough(
    answers: tuple[Verification, ...], every: Verification, either: Verification
) -> None:
    schemes = [Fixed(answer) for answer in answers]
    assert every == judge(all_of(*schemes), request())
    assert either == judge(any_of(*schemes), request())


def test_a_token_and_a_signature_are_both_asked_for_and_the_token_is_taken_out() -> None:
    scheme = all_of(UrlToken(), Hmac("X-Sign"))
    right = request(tail="token", x_sign=hmac.digest(b"key", b"{}", "sha256").hex())
    assert Genuine() == judge(scheme, right)
    assert isinstance(judge(scheme, replace(right, headers=())), Forged)
    assert isinstance(judge(scheme, replace(right, tail="")), Forged)
    assert "redacted" == scheme.guard(SOURCE).redact(right).tail


def test_either_of_two_proofs_is_taken_and_both_are_taken_out() -> None:
    scheme = any_of(Hmac("X-Sign"), HeaderSecret("X-Key"))
    assert Genuine() == judge(scheme, request(x_key="key"))
    assert Genuine() == judge(scheme, request(x_sign=hmac.digest(b"key", b"{}", "sha256").hex()))
    answer = judge(scheme, request(x_key="other"))
    assert isinstance(answer, Forged)
    assert Cause.WRONG_SECRET is answer.cause
    assert () == scheme.guard(SOURCE).redact(request(x_key="key")).headers


def test_a_source_may_say_which_proof_it_wants() -> None:
    scheme = any_of(Fixed(WRONG), Fixed(Genuine()), when=lambda _: 0)
    assert WRONG == judge(scheme, request())
    undecided = any_of(Fixed(WRONG), Fixed(Genuine()), when=lambda _: None)
    assert Genuine() == judge(undecided, request())


def test_a_body_is_opened_by_all_or_by_the_one_that_can() -> None:
    first, second = Fixed(Genuine(), b"a"), Fixed(Genuine(), b"b")
    assert b"c" == all_of(first, second).guard(SOURCE).open(request(b"abc")).body
    either = any_of(first, second).guard(SOURCE)
    assert b"bc" == either.open(request(b"abc")).body
    assert b"c" == either.open(request(b"bc")).body
    with pytest.raises(Unreadable, match="does not start with b'b'"):
        either.open(request(b"c"))


@dataclass(frozen=True, slots=True)
class Polite(Fixed):
    """Answers for itself."""

    def greet(self, request: RawRequest) -> Reply | None:
        return Reply(200, request.body)

    def answer(self, request: RawRequest) -> Reply | None:
        return Reply(202, request.body)


def test_the_guard_that_has_an_answer_gives_it() -> None:
    for combine in (all_of, any_of):
        guard = combine(Fixed(Genuine()), Polite(Genuine())).guard(SOURCE)
        assert Reply(200, b"{}") == guard.greet(request())
        assert Reply(202, b"{}") == guard.answer(request())
        silent = combine(Fixed(Genuine())).guard(SOURCE)
        assert (None, None) == (silent.greet(request()), silent.answer(request()))


def test_the_phrases_are_joined_and_nothing_is_no_proof() -> None:
    both = (UrlToken(), Hmac("X-Sign"))
    assert "token in the URL and HMAC-SHA256 of the body, hex" == all_of(*both).summary
    assert "token in the URL or HMAC-SHA256 of the body, hex" == any_of(*both).summary
    for combine in (all_of, any_of):
        with pytest.raises(ValueError, match="Of no schemes"):
            combine()
