"""The field of a CRM's record that carries the order number: a source in, the field's name out."""

import re

from service.domain.errors import ConfigurationError
from service.settings import Source

OPTION = "order_field"
_FIELD = re.compile(r"\w{1,100}", re.ASCII)


def named(source: Source, *, usual: str = "") -> str:
    """Take the field a source names; `usual` where it names none."""
    found = source.options.get(OPTION, usual)
    name = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else "?"
    if name and _FIELD.fullmatch(name) is None:
        raise ConfigurationError(
            f"The option {OPTION} of the source {source.name} is not the name of a field; take it "
            "from the CRM's settings of fields, letters, digits and _ only."
        )
    return name
