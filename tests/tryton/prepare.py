"""Makes what a shop has before its first order: a company, a customer, a user's key for REST.

Run by the interpreter of Tryton's own environment: CONFIG DATABASE; prints the ids and the key.
"""

import json
import sys
from datetime import date
from decimal import Decimal

from proteus import Model, Wizard, config
from trytond.pool import Pool
from trytond.transaction import Transaction


def company() -> dict[str, int]:
    currency = Model.get("currency.currency")(name="Euro", symbol="€", code="EUR")
    rate = currency.rates.new()
    rate.date, rate.rate = date(2026, 1, 1), Decimal(1)
    currency.save()
    party = Model.get("party.party")(name="The Shop")
    party.save()
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party, wizard.form.currency = party, currency
    wizard.execute("add")
    customer = Model.get("party.party")(name="Käthe O'Brien")
    customer.save()
    (made,) = Model.get("company.company").find([])
    return {"company": made.id, "currency": currency.id, "party": customer.id}


def key(database: str, company_id: int) -> str:
    with Transaction().start(database, 0, context={"_check_access": False}) as transaction:
        pool = Pool()
        users, groups = pool.get("res.user"), pool.get("res.group")
        (admin,) = users.search([("login", "=", "admin")])
        selling = groups.search([("name", "in", ["Sales", "Sales Administrator"])])
        wanted = {
            "companies": [("add", [company_id])],
            "company": company_id,
            "groups": [("add", [each.id for each in selling])],
        }
        users.write([admin], wanted)
        applications = pool.get("res.user.application")
        (made,) = applications.create([{"user": admin.id, "application": "rest"}])
        applications.validate_([made])
        transaction.commit()
        return str(made.key)


def main() -> None:
    file, database = sys.argv[1:]
    config.set_trytond(database=f"sqlite:///{database}", config_file=file)
    made = company()
    print(json.dumps({**made, "key": key(database, made["company"])}))  # noqa: T201


if __name__ == "__main__":
    main()
