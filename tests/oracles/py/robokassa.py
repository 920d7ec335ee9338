"""Two independent clients of Robokassa, which only verify: what they take of signed calls."""

import hashlib
from urllib.parse import parse_qsl, urlencode

import oracle
from aiorobokassa.utils.signature import verify_result_url_signature
from robokassa.hash import Hash, HashAlgorithm
from robokassa.signature import SignatureChecker

AIO = "aiorobokassa 1.1.4 (PyPI, unofficial), verify_result_url_signature"
OTHER = "robokassa 1.0.8 (PyPI, unofficial), SignatureChecker.result_url_signature_is_valid"


def aio_takes(fields, password, algorithm):
    own = {name[4:]: value for name, value in fields.items() if name.startswith("Shp_")}
    return verify_result_url_signature(
        fields["OutSum"], fields["InvId"], password, fields["SignatureValue"], algorithm, own
    )


def other_takes(fields, password, algorithm):
    own = {name: value for name, value in fields.items() if name.startswith("Shp_")}
    checker = SignatureChecker(Hash(HashAlgorithm(algorithm)), "password1", password)
    return checker.result_url_signature_is_valid(
        fields["SignatureValue"], fields["OutSum"], fields["InvId"], **own
    )


def signed(name, algorithm, own, *, by, takes, password="password2"):
    fields = {"OutSum": "100.000000", "InvId": "678", "EMail": "user@example.com", **own}
    extra = "".join(f":{key}={own[key]}" for key in sorted(own))
    text = f"100.000000:678:{password}{extra}".encode()
    fields["SignatureValue"] = hashlib.new(algorithm, text).hexdigest().upper()
    genuine = takes(fields, "password2", algorithm)
    source = {"secrets": ["password2"], "options": {"hash": algorithm}}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return oracle.vector(
        name, by=by, source=source, headers=headers, body=urlencode(fields), genuine=genuine
    )


def sign():
    own = {"Shp_user": "u1", "Shp_item": "1"}
    aio, other = {"by": AIO, "takes": aio_takes}, {"by": OTHER, "takes": other_takes}
    return [
        signed("md5", "md5", {}, **aio),
        signed("own fields", "md5", own, **aio),
        signed("sha256", "sha256", own, **aio),
        signed("sha512", "sha512", {}, **aio),
        signed("md5, the other client", "md5", own, **other),
        signed("sha1", "sha1", {}, **other),
        signed("sha384", "sha384", own, **other),
        signed("another password", "md5", own, password="other", **aio),
    ]


def check(each):
    fields = dict(parse_qsl(each["request"]["body"], keep_blank_values=True))
    password = each["source"]["secrets"][0]
    return aio_takes(fields, password, "md5") and other_takes(fields, password, "md5")


oracle.main(sign, check)
