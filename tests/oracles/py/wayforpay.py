"""An independent client of WayForPay: what it signs, takes and refuses."""

import oracle
from wayforpay import verify_callback
from wayforpay._signature import SignatureContext, hmac_md5

BY = "pywayforpay 0.2.1 (PyPI), hmac_md5 and verify_callback"
ACCOUNT, SECRET = "test_merch_n1", "flk3409refn54t54t*FNJRET"
BODY = (
    '{{"merchantAccount":"test_merch_n1","orderReference":"DH783023",'
    '"merchantSignature":"{signature}","amount":{amount},"currency":"UAH","authCode":"{code}",'
    '"createdDate":1768472975,"processingDate":1768473005,"cardPan":"41****8217",'
    '"cardType":"visa","transactionStatus":"{status}","reason":"ok","reasonCode":1100,'
    '"fee":0,"paymentSystem":"card"}}'
)


def takes(body, secret):
    try:
        verify_callback(body, SignatureContext(ACCOUNT, secret))
    except Exception:
        return False
    return True


def signed(name, *, amount="1547.36", code="541963", status="Approved", secret=SECRET):
    values = (ACCOUNT, "DH783023", amount, "UAH", code, "41****8217", status, "1100")
    signature = hmac_md5(secret, *values)
    body = BODY.format(signature=signature, amount=amount, code=code, status=status)
    source = {"secrets": [SECRET]}
    return oracle.vector(
        name, by=BY, source=source, headers={}, body=body, genuine=takes(body, SECRET)
    )


def sign():
    return [
        signed("paid"),
        signed("zeros at the end", amount="1000.00"),
        signed("an empty field", code="", status="Declined"),
        signed("another key", secret="other"),
    ]


def check(each):
    return takes(each["request"]["body"], each["source"]["secrets"][0])


oracle.main(sign, check)
