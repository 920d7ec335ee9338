"""Templates: what is a placeholder, what is refused, and what a filter makes of a value."""

import base64

import pytest

from service.domain import templates
from service.domain.templates import Slot, TemplateError


def test_a_template_is_taken_apart() -> None:
    assert ("/a/", Slot("id"), "/b") == templates.parse("/a/{id}/b")
    assert (Slot("field", "UF_1 x"),) == templates.parse("{field.UF_1 x}")
    assert (Slot("key", None, ("upper", "base64")),) == templates.parse("{key|upper|base64}")
    assert "{key|upper|base64}" == str(templates.parse("{key|upper|base64}")[0])
    assert ("{", "a", "}") == templates.parse("{{a}}")
    assert () == templates.parse("")


@pytest.mark.parametrize("text", ["{", "}", "{}", "{Id}", "{id", "id}", "{id|}", "{a b}", "{{a}"])
def test_what_is_no_placeholder_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match="no placeholder"):
        templates.parse(text)


def test_an_endless_template_is_refused() -> None:
    with pytest.raises(TemplateError, match="longer than"):
        templates.parse("x" * 5000)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{nothing}", "has no value here"),
        ("{key|rot13}", "no filter"),
        ("{field}", "no placeholder"),
        ("{key.member}", "no placeholder"),
        ("n eq '{key}'", "between quotes"),
        ('n = "{key|upper}"', "between quotes"),
    ],
)
def test_a_check_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(TemplateError) as caught:
        templates.check(text, {"key", "field"})
    assert says in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{key|doubled}", "O'Brien", "O''Brien"),
        ("{key|escaped}", "a'b\"c\\", "a\\'b\\\"c\\\\"),
        ("{key|upper}", "ä1", "Ä1"),
        ("{key|lower}", "Ä1", "ä1"),
        ("{key|base64}", "§§", base64.b64encode("§§".encode()).decode()),
        ("{key|base64url}", "§§", base64.urlsafe_b64encode("§§".encode()).decode()),
    ],
)
def test_a_filter_writes_a_value_in_another_way(template: str, value: str, expected: str) -> None:
    (slot,) = templates.slots(templates.check(template, {"key"}))
    assert expected == templates.filtered(slot, value)
