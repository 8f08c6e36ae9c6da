"""What Schemathesis can't know by itself: formats of the document that are not part of JSON Schema, and how Rapport refuses
a request."""

import functools
import json
import zoneinfo
from pathlib import Path

import jsonschema_rs
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response
from schemathesis.core.parameters import ParameterLocation

COMPONENTS = json.loads((Path(__file__).resolve().parents[2] / "openapi/openapi.json").read_text())["components"]

COUNTRIES = ["AT", "BR", "CH", "DE", "FR", "GB", "IN", "JP", "US", "ZA"]
CURRENCIES = ["BRL", "CHF", "EUR", "GBP", "INR", "JPY", "KWD", "USD", "ZAR"]
LANGUAGES = ["de", "de-CH", "en", "en-GB", "fr", "ja", "pt-BR", "zh-Hant"]
ORDERS = ["created_at", "-created_at", "updated_at", "-updated_at"]
TIME_ZONES = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone and not zone.startswith(("posix", "right")))

for name, values in {
    "country-code": COUNTRIES,
    "currency-code": CURRENCIES,
    "language-tag": LANGUAGES,
    "sort-order": ORDERS,
    "time-zone": TIME_ZONES,
}.items():
    schemathesis.openapi.format(name, st.sampled_from(values))
schemathesis.openapi.format("uri", st.from_regex(r"\Ahttps://[a-z]{1,20}\.example(/[a-z0-9]{1,9}){0,2}\Z"))
schemathesis.openapi.format("password", st.text(min_size=12, max_size=40))

# What a request is refused with that does not fit the document. Other codes tell of what it means, or of both.
MISFITS = {"wrong_form", "unknown_parameter", "too_many", "too_few"}


@schemathesis.check
def requests_that_fit_are_understood(ctx: CheckContext, response: Response, case: Case) -> None:
    """A request that fits the document is refused for what it means, never for its form."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or response.status_code not in (400, 422):
        return
    problem = response.json()
    # Which custom fields there are is up to each workspace, not to the document.
    errors = [error for error in problem.get("errors", []) if "/custom/" not in error.get("pointer", "")]
    if problem["code"] == "malformed_request" or any(error["code"] in MISFITS for error in errors):
        raise AssertionError(f"A request that fits the document was refused: {response.text}")


@schemathesis.hook
def filter_case(_: HookContext, case: Case) -> bool:
    """Leaves out a body that was to break the document and does not, such as one whose broken list became null: it would have
    to be refused."""
    if case.meta is None or case.media_type != "application/json":
        return True
    broken = [location for location, component in case.meta.components.items() if component.mode.is_negative]
    if broken != [ParameterLocation.BODY]:
        return True
    try:
        body = json.loads(json.dumps(case.body))
    except TypeError:  # it is no JSON at all
        return True
    content = case.operation.definition.raw["requestBody"]["content"]
    return not body_validator(json.dumps(content[case.media_type]["schema"])).is_valid(body)


@functools.cache
def body_validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": COMPONENTS}, validate_formats=True)
