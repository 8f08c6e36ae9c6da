"""What `compatibility.py` must find, and what it must let pass: small changes to a small document."""

import contextlib
import copy
import io
import json
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compatibility import Comparison, main

# The steps to a place in a document.
Way = Sequence[str | int]

OLD: dict[str, Any] = {
    "info": {"version": "1.0.0"},
    "paths": {
        "/things": {
            "get": {
                "operationId": "list_things",
                "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 200}}],
                "security": [{"bearer": ["things:read"]}],
                "responses": {"200": {"$ref": "#/components/responses/Things"}, "404": {"description": "Not there"}},
            },
            "post": {
                "operationId": "create_thing",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}}},
                "security": [],
                "responses": {"201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
            },
        }
    },
    "webhooks": {
        "thing": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}},
                "responses": {"204": {"description": "Taken"}},
            }
        }
    },
    "components": {
        "responses": {
            "Things": {
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}}},
            }
        },
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "A token."},
            "oauth2": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/token", "scopes": {"things:read": "See"}}}},
        },
        "schemas": {
            "Color": {"type": "string", "enum": ["red", "green"]},
            "Event": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            "Thing": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "name": {"type": ["string", "null"], "maxLength": 10},
                    "color": {"oneOf": [{"$ref": "#/components/schemas/Color"}, {"type": "null"}]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    "shape": {"oneOf": [{"$ref": "#/components/schemas/Circle"}, {"$ref": "#/components/schemas/Square"}]},
                    "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
                },
            },
            "NewThing": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "name": {"type": ["string", "null"], "minLength": 1, "maxLength": 10},
                    "color": {"$ref": "#/components/schemas/Color"},
                    "shape": {"oneOf": [{"$ref": "#/components/schemas/Circle"}, {"$ref": "#/components/schemas/Square"}]},
                    "custom": {"type": "object", "additionalProperties": True},
                },
            },
            "Circle": {"type": "object", "properties": {"radius": {"type": "number"}}},
            "Square": {"allOf": [{"$ref": "#/components/schemas/Circle"}], "properties": {"side": {"type": "number"}}},
            "Line": {"type": "object"},
        },
    },
}

LIST, CREATE, EVENT = ["paths", "/things", "get"], ["paths", "/things", "post"], ["webhooks", "thing", "post"]
THING, NEW_THING = ["components", "schemas", "Thing"], ["components", "schemas", "NewThing"]
LINE = {"$ref": "#/components/schemas/Line"}
GONE: Any = object()

# Where, what is put there, and the lines that must be found.
BREAKS: list[tuple[Way, Any, list[str]]] = [
    (LIST, GONE, ["GET /things: the operation is gone"]),
    ([*LIST, "operationId"], "things", ["GET /things: its id was list_things and is things, and clients name their functions after it"]),
    ([*LIST, "parameters"], [], ["GET /things: query parameter limit is gone"]),
    ([*LIST, "parameters", 0, "required"], True, ["GET /things: query parameter limit is required"]),
    ([*LIST, "parameters", 0, "explode"], False, ["GET /things: explode of query parameter limit has changed"]),
    ([*LIST, "parameters", 0, "schema", "maximum"], 100, ["GET /things, query parameter limit: its maximum was 200 and is 100 in requests"]),
    ([*LIST, "security"], [{"bearer": ["things:all"]}], ['GET /things: it refuses callers with {"bearer": ["things:read"]}']),
    ([*CREATE, "security"], [{"bearer": []}], ["POST /things: it refuses callers with {}"]),
    ([*CREATE, "requestBody"], GONE, ["POST /things: it takes no body"]),
    ([*CREATE, "requestBody", "required"], True, ["POST /things: a body is required"]),
    ([*CREATE, "requestBody", "content"], {"text/csv": {}}, ["POST /things, body: application/json is gone"]),
    ([*CREATE, "responses"], {"202": {}}, ["POST /things: the answer 201 is gone", "POST /things: the answer 202 is new"]),
    ([*CREATE, "responses", "201", "content", "text/csv"], {}, ["POST /things, 201: text/csv is new in answers"]),
    (["components", "responses", "Things", "headers"], {}, ["GET /things, 200: the header ETag is gone"]),
    (["components", "securitySchemes", "bearer", "scheme"], "basic", ["bearer: the way of signing in has changed"]),
    (["components", "schemas", "Line"], GONE, ["Line: the schema is gone, and clients name their types after it"]),
    (["components", "schemas", "Color", "enum"], ["red"], ['Color: the value "green" is refused in requests']),
    (["components", "schemas", "Color", "enum"], ["red", "green", "blue"], ['Color: the value "blue" is new in answers']),
    (["components", "schemas", "Circle", "properties"], {}, [
        "Circle.radius: it is gone in answers", "Circle.radius: it is gone in requests",
        "Square.radius: it is gone in answers", "Square.radius: it is gone in requests",
    ]),
    ([*EVENT, "requestBody", "content", "application/json", "schema"], {"type": "array"}, ["POST thing, body: its type was object and is array in answers"]),
    (["components", "schemas", "Event", "required"], [], ["Event.name: it can be absent in answers"]),
    ([*THING, "required"], [], ["Thing.id: it can be absent in answers"]),
    ([*THING, "properties", "name"], GONE, ["Thing.name: it is gone in answers"]),
    ([*THING, "properties", "name", "type"], ["integer", "null"], ["Thing.name: its type was string and is integer in answers"]),
    ([*THING, "properties", "id", "format"], GONE, ["Thing.id: its format was uuid and is open in answers"]),
    ([*THING, "properties", "id", "type"], ["string", "null"], ["Thing.id: it can be null in answers"]),
    ([*THING, "properties", "id", "type"], ["string", "integer"], ["Thing.id: the form integer is new in answers"]),
    ([*THING, "properties", "shape", "oneOf", 2], LINE, ["Thing.shape: the form Line is new in answers"]),
    ([*THING, "properties", "parts", "items"], {"type": "string"}, ["Thing.parts[]: its type was object and is string in answers"]),
    ([*THING, "properties", "parts", "items"], LINE, ["Thing.parts[]: its schema was Thing and is Line in answers"]),
    ([*THING, "properties", "counts", "additionalProperties", "type"], "string", ["Thing.counts{}: its type was integer and is string in answers"]),
    ([*THING, "properties", "counts", "additionalProperties"], True, ["Thing.counts: it can have other fields in answers"]),
    ([*NEW_THING, "required"], ["name"], ["NewThing.name: it is required in requests"]),
    ([*NEW_THING, "properties", "color"], GONE, ["NewThing.color: it is gone in requests"]),
    ([*NEW_THING, "properties", "name", "type"], "string", ["NewThing.name: null is refused in requests"]),
    ([*NEW_THING, "properties", "name", "minLength"], 2, ["NewThing.name: its minLength was 1 and is 2 in requests"]),
    ([*NEW_THING, "properties", "name", "pattern"], "^a", ["NewThing.name: its pattern was open and is ^a in requests"]),
    ([*NEW_THING, "properties", "name", "enum"], ["Ada"], ["NewThing.name: it takes certain values alone in requests"]),
    ([*NEW_THING, "properties", "shape", "oneOf", 1], LINE, ["NewThing.shape: the form Square is refused in requests"]),
    ([*NEW_THING, "properties", "custom", "additionalProperties"], False, ["NewThing.custom: it refuses other fields in requests"]),
]

# Where, and what is put there: nothing of this breaks a client.
PASSES: list[tuple[Way, Any]] = [
    ([*LIST, "description"], "All of them."),
    ([*LIST, "parameters", 1], {"in": "query", "name": "q", "schema": {"type": "string"}}),
    ([*LIST, "parameters", 0, "schema", "maximum"], 500),
    ([*LIST, "security"], [{"bearer": []}]),
    ([*LIST, "responses", "404"], GONE),
    ([*LIST, "responses", "429"], {"description": "Too many"}),
    (["paths", "/others"], {"get": {"operationId": "list_others", "responses": {}}}),
    (["components", "responses", "Things", "headers", "Location"], {"schema": {"type": "string"}}),
    (["components", "schemas", "Other"], {"type": "object"}),
    (["components", "securitySchemes", "bearer", "description"], "Another word."),
    (["components", "securitySchemes", "oauth2", "flows", "clientCredentials", "scopes", "others:read"], "See others"),
    ([*THING, "required"], ["id", "name"]),
    ([*THING, "properties", "size"], {"type": "number"}),
    ([*THING, "properties", "name", "type"], "string"),
    ([*THING, "properties", "name", "maxLength"], 20),
    ([*THING, "properties", "color"], {"$ref": "#/components/schemas/Color"}),
    ([*THING, "properties", "color"], {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/Color"}]}),
    ([*THING, "properties", "shape", "oneOf", 1], GONE),
    ([*NEW_THING, "properties", "size"], {"type": "number"}),
    ([*NEW_THING, "properties", "name", "minLength"], 0),
    ([*NEW_THING, "properties", "name", "maxLength"], GONE),
    ([*NEW_THING, "properties", "shape", "oneOf", 2], LINE),
    ([*NEW_THING, "properties", "color"], {"oneOf": [{"$ref": "#/components/schemas/Color"}, {"type": "null"}]}),
    ([*NEW_THING, "additionalProperties"], GONE),
]


def changed(where: Way, what: Any) -> dict[str, Any]:
    """The document with one thing put into it, or taken out of it."""
    document = copy.deepcopy(OLD)
    *way, last = where
    place: Any = document
    for step in way:
        place = place[step]
    if what is GONE:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(what)
    else:
        place[last] = what
    return document


class Compatibility(unittest.TestCase):
    def test_the_same_document_breaks_nothing(self) -> None:
        self.assertEqual(Comparison(OLD, OLD).run(), [])

    def test_what_breaks_clients_is_found(self) -> None:
        for where, what, lines in BREAKS:
            with self.subTest(where=where, what=what):
                self.assertEqual(Comparison(OLD, changed(where, what)).run(), lines)

    def test_what_breaks_nobody_passes(self) -> None:
        for where, what in PASSES:
            with self.subTest(where=where, what=what):
                self.assertEqual(Comparison(OLD, changed(where, what)).run(), [])

    def test_only_accepted_breaks_pass_and_only_while_they_occur(self) -> None:
        breaking, line = changed([*THING, "required"], []), "Thing.id: it can be absent in answers"
        self.assertEqual(self.compared(OLD, ""), "")
        self.assertIn(line, self.compared(breaking, ""))
        self.assertEqual(self.compared(breaking, f"# Why it must be.\n{line}\n"), "")
        self.assertIn("this does not occur", self.compared(OLD, line))

    def test_before_the_first_release_there_is_nothing_to_compare_with(self) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
            main(Path(folder) / "openapi.json", Path(folder))
        self.assertIn("no released document yet", said.getvalue())

    def compared(self, new: dict[str, Any], accepted: str) -> str:
        """What is said of a document that fails, or nothing."""
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()) as said:
            folder = Path(name)
            (folder / "openapi.json").write_text(json.dumps(OLD))
            (folder / "accepted.txt").write_text(accepted)
            (folder / "new.json").write_text(json.dumps(new))
            try:
                main(folder / "new.json", folder)
            except SystemExit as failure:
                return f"{said.getvalue()}{failure}"
        return ""


if __name__ == "__main__":
    unittest.main()
