"""How simulated senders prove themselves: a scheme of the intake in, its other end out."""

from dataclasses import replace

from service.domain.errors import ConfigurationError
from service.intake.preset import Scheme
from service.intake.provider import SignedRequest
from service.intake.verification import certificates, sealed, shared
from service.intake.verification.combined import AllOf, AnyOf
from service.intake.verification.hashes import Digest, Fields
from service.intake.verification.hmacs import Hmac
from service.intake.verification.publickeys import PublicKey
from service.intake.verification.standard import StandardWebhooks
from service.intake.verification.tokens import Token
from service.sandbox.senders.occasion import Delivery, Signer
from service.sandbox.senders.signing import (
    certified,
    hashing,
    hmacs,
    publickeys,
    sealing,
    sharing,
    standard,
    tokens,
)
from service.settings import Source


def signer(scheme: Scheme) -> Signer:
    """Take the signer of a scheme that says all there is to say."""
    match scheme:
        case Hmac():
            return hmacs.signer(scheme)
        case Fields():
            return hashing.fields(scheme)
        case Digest():
            return hashing.digest(scheme)
        case StandardWebhooks():
            return standard.signer(scheme)
        case _:
            return _asymmetric(scheme)


def _asymmetric(scheme: Scheme) -> Signer:
    match scheme:
        case PublicKey():
            return publickeys.signer(scheme)
        case Token():
            return tokens.signer(scheme)
        case certificates.PayPal():
            return certified.paypal()
        case certificates.Sns():
            return certified.sns()
        case _:
            return _odd(scheme)


def _odd(scheme: Scheme) -> Signer:
    match scheme:
        case sealed.Envelope():
            return sealing.envelope(scheme)
        case sealed.Lark():
            return sealing.lark()
        case sealed.WeChatPay():
            return sealing.wechat_pay()
        case AllOf(schemes=several):
            return all_of(*map(signer, several))
        case AnyOf(schemes=several):
            # The first is the one to be preferred.
            return signer(several[0])
        case _:
            return _showing(scheme)


def _showing(scheme: Scheme) -> Signer:
    match scheme:
        case shared.HeaderSecret(header=header, prefix=prefix):
            return sharing.header(header, prefix)
        case shared.Bearer():
            return sharing.bearer()
        case shared.Basic():
            return sharing.basic()
        case shared.Query(parameter=parameter):
            return sharing.query(parameter)
        case shared.UrlToken():
            return sharing.url_token()
        case shared.BodySecret(where=where, place=place):
            return sharing.body(where, place)
        case _:
            raise ConfigurationError(
                f"No simulated sender knows how to prove itself by {scheme.summary}."
            )


def all_of(first: Signer, *others: Signer) -> Signer:
    """Prove in every way, one after another; the first one's proof stands for all."""
    every = (first, *others)

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        for each in every:
            draft = each.prove(source, draft, delivery)
        return draft

    also = [place for each in others for place in (each.proof_at, *each.also)]
    return replace(
        first,
        prove=prove,
        also=(*first.also, *also),
        signs_body=any(each.signs_body for each in every),
        timed=any(each.timed for each in every),
    )
