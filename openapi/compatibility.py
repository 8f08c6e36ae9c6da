#!/usr/bin/env python3
"""Compares the document with that of the last release, and fails when something made for that release would break.
`make compatibility` runs the tests of this file and then it.

A break is: an operation, a parameter, a field, a header, a media type or a named schema is gone; a type or a format is another
one; a request refuses what it took; an answer holds what no answer held, such as a new value of an enumeration, a new form of
a union, or a field that can be null or absent now. Limits of answers may widen, because those of requests may."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
REQUEST, ANSWER = "in requests", "in answers"
AT_MOST = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"]
AT_LEAST = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"]
EXACTLY = ["pattern", "multipleOf", "uniqueItems"]

Object = dict[str, Any]


class Comparison:
    """What breaks between two documents: lines that say where and what, each once."""

    def __init__(self, old: Object, new: Object) -> None:
        self.old, self.new = old, new
        self.breaks: list[str] = []
        # Named schemas that were compared: they are met in many operations, and some contain themselves.
        self.met: set[tuple[str, str]] = set()

    def found(self, where: str, what: str) -> None:
        if (line := f"{where}: {what}") not in self.breaks:
            self.breaks.append(line)

    def run(self) -> list[str]:
        old, new = self.old.get("components", {}), self.new.get("components", {})
        for name in old.get("schemas", {}).keys() - new.get("schemas", {}).keys():
            self.found(name, "the schema is gone, and clients name their types after it")
        for name, scheme in old.get("securitySchemes", {}).items():
            if signing_in(scheme) != signing_in(new.get("securitySchemes", {}).get(name, {})):
                self.found(name, "the way of signing in has changed")
        for section in ["paths", "webhooks"]:
            changed = dict(operations(self.new, section))
            for where, operation in operations(self.old, section):
                if where not in changed:
                    self.found(where, "the operation is gone")
                else:
                    self.operation(where, operation, changed[where], section)
        return sorted(self.breaks)

    def operation(self, where: str, old: Object, new: Object, section: str) -> None:
        before, now = old.get("operationId"), new.get("operationId")
        if before != now:
            self.found(where, f"its id was {before} and is {now}, and clients name their functions after it")
        ways = new.get("security", self.new.get("security", [])) or [{}]
        for way in old.get("security", self.old.get("security", [])) or [{}]:
            enough = (all(scheme in way and set(scopes) <= set(way[scheme]) for scheme, scopes in other.items()) for other in ways)
            if not any(enough):
                self.found(where, f"it refuses callers with {json.dumps(way)}")
        self.parameters(where, named(self.old, old), named(self.new, new))
        # What a webhook carries is sent to the client.
        self.body(where, resolved(self.old, old.get("requestBody", {})), resolved(self.new, new.get("requestBody", {})), section)
        self.responses(where, old["responses"], new["responses"])

    def parameters(self, where: str, old: Object, new: Object) -> None:
        for name, parameter in new.items():
            if parameter.get("required") and not old.get(name, {}).get("required"):
                self.found(where, f"{name} is required")
        for name, parameter in old.items():
            if name not in new:
                self.found(where, f"{name} is gone")
                continue
            for style in ["style", "explode"]:
                if parameter.get(style) != new[name].get(style):
                    self.found(where, f"{style} of {name} has changed")
            self.schema(f"{where}, {name}", parameter.get("schema", {}), new[name].get("schema", {}), REQUEST)

    def body(self, where: str, old: Object, new: Object, section: str) -> None:
        if new.get("required") and not old.get("required"):
            self.found(where, "a body is required")
        if old and not new:
            self.found(where, "it takes no body")
        elif old:
            self.content(f"{where}, body", old, new, REQUEST if section == "paths" else ANSWER)

    def responses(self, where: str, old: Object, new: Object) -> None:
        for status in sorted(old.keys() | new.keys()):
            if status in old and status in new:
                before, now = resolved(self.old, old[status]), resolved(self.new, new[status])
                self.content(f"{where}, {status}", before, now, ANSWER)
                self.headers(f"{where}, {status}", before.get("headers", {}), now.get("headers", {}))
            # Every client knows what to do with a problem, whatever its status is.
            elif status.startswith("2"):
                self.found(where, f"the answer {status} is {'gone' if status in old else 'new'}")

    def headers(self, where: str, old: Object, new: Object) -> None:
        for name, header in old.items():
            if name not in new:
                self.found(where, f"the header {name} is gone")
            else:
                before, now = resolved(self.old, header), resolved(self.new, new[name])
                self.schema(f"{where}, header {name}", before.get("schema", {}), now.get("schema", {}), ANSWER)

    def content(self, where: str, old: Object, new: Object, direction: str) -> None:
        for kind, media in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                self.found(where, f"{kind} is gone")
            else:
                self.schema(where, media.get("schema", {}), new["content"][kind].get("schema", {}), direction)
        if direction == ANSWER:
            for kind in new.get("content", {}).keys() - old.get("content", {}).keys():
                self.found(where, f"{kind} is new {direction}")

    def schema(self, where: str, old: Object, new: Object, direction: str) -> None:
        olds, news = forms(old), forms(new)
        if direction == REQUEST and "null" in olds and "null" not in news:
            self.found(where, f"null is refused {direction}")
        if direction == ANSWER and "null" in news and "null" not in olds:
            self.found(where, f"it can be null {direction}")
        olds.pop("null", None)
        news.pop("null", None)
        if len(olds) == len(news) == 1:
            return self.form(where, next(iter(olds.values())), next(iter(news.values())), direction)
        for form in olds.keys() | news.keys():
            if form in olds and form in news:
                self.form(where, olds[form], news[form], direction)
            elif form in olds and direction == REQUEST:
                self.found(where, f"the form {form} is refused {direction}")
            elif form in news and direction == ANSWER:
                self.found(where, f"the form {form} is new {direction}")

    def form(self, where: str, old: Object, new: Object, direction: str) -> None:
        before, now = name_of(old), name_of(new)
        if before and now and before != now:
            return self.found(where, f"its schema was {before} and is {now} {direction}")
        if before and now:
            if (before, direction) in self.met:
                return None
            self.met.add((before, direction))
            where = before
        if before or now:
            return self.schema(where, resolved(self.old, old), resolved(self.new, new), direction)
        old, new = whole(self.old, old), whole(self.new, new)
        for word in ["type", "format"]:
            if old.get(word) != new.get(word):
                return self.found(where, f"its {word} was {old.get(word, 'open')} and is {new.get(word, 'open')} {direction}")
        self.values(where, old.get("enum"), new.get("enum"), direction)
        if direction == REQUEST:
            self.limits(where, old, new)
        if "items" in old or "items" in new:
            self.schema(f"{where}[]", old.get("items", {}), new.get("items", {}), direction)
        self.fields(where, old, new, direction)

    def values(self, where: str, old: list[Any] | None, new: list[Any] | None, direction: str) -> None:
        if direction == REQUEST and new is not None:
            if old is None:
                self.found(where, f"it takes certain values alone {direction}")
            for value in old or []:
                if value not in new:
                    self.found(where, f"the value {json.dumps(value)} is refused {direction}")
        if direction == ANSWER and old is not None:
            if new is None:
                self.found(where, f"it can be any value {direction}")
            for value in new or []:
                if value not in old:
                    self.found(where, f"the value {json.dumps(value)} is new {direction}")

    def limits(self, where: str, old: Object, new: Object) -> None:
        for word in AT_MOST + AT_LEAST + EXACTLY:
            before, now = old.get(word), new.get(word)
            if now is None or now is False or now == before:
                continue
            if word in AT_MOST and before is not None and now > before or word in AT_LEAST and before is not None and now < before:
                continue
            self.found(where, f"its {word} was {'open' if before is None else before} and is {now} {REQUEST}")

    def fields(self, where: str, old: Object, new: Object, direction: str) -> None:
        olds, news = old.get("properties", {}), new.get("properties", {})
        for name, field in olds.items():
            if name not in news:
                self.found(f"{where}.{name}", f"it is gone {direction}")
            else:
                self.schema(f"{where}.{name}", field, news[name], direction)
        before, now = set(old.get("required", [])), set(new.get("required", []))
        for name in now - before if direction == REQUEST else set():
            self.found(f"{where}.{name}", f"it is required {direction}")
        for name in before & news.keys() - now if direction == ANSWER else set():
            self.found(f"{where}.{name}", f"it can be absent {direction}")
        rest, rests = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(rest, dict) and isinstance(rests, dict):
            self.schema(f"{where}{{}}", rest, rests, direction)
        elif rests is not True and rest is not False and direction == REQUEST and rest != rests:
            self.found(where, f"it refuses other fields {direction}")
        elif rest is not True and rests is not False and direction == ANSWER and rest != rests:
            self.found(where, f"it can have other fields {direction}")


def operations(document: Object, section: str) -> Iterator[tuple[str, Object]]:
    """Each operation by method and path, with the parameters of its path."""
    for path, item in document.get(section, {}).items():
        for method in METHODS:
            if method in item:
                parameters = item.get("parameters", []) + item[method].get("parameters", [])
                yield f"{method.upper()} {path}", {**item[method], "parameters": parameters}


def named(document: Object, operation: Object) -> Object:
    """The parameters of an operation by place and name."""
    parameters = [resolved(document, parameter) for parameter in operation["parameters"]]
    return {f"{parameter['in']} parameter {parameter['name']}": parameter for parameter in parameters}


def resolved(document: Object, part: Object) -> Object:
    """What a reference refers to."""
    while "$ref" in part:
        reference = part["$ref"]
        part = document
        for step in reference.removeprefix("#/").split("/"):
            part = part[step.replace("~1", "/").replace("~0", "~")]
    return part


def name_of(schema: Object) -> str | None:
    return schema["$ref"].split("/")[-1] if "$ref" in schema else None


def forms(schema: Object) -> dict[str, Object]:
    """What a value can be, each by a name: `null`, a type, or a named schema."""
    if reference := name_of(schema):
        return {reference: schema}
    for word in ["oneOf", "anyOf"]:
        if word in schema:
            members = [form for member in schema[word] for form in forms(member).items()]
            # Two that have no names of their own are told apart by what they are.
            names = [name for name, _ in members]
            return {name if names.count(name) == 1 else f"{name} {json.dumps(form)}": form for name, form in members}
    types = schema.get("type", "value")
    if isinstance(types, list):
        return {kind: {**schema, "type": kind} for kind in types}
    return {types: schema}


def whole(document: Object, schema: Object) -> Object:
    """A schema with its constant as an enumeration, and with what `allOf` lends to it."""
    result = {**schema, "enum": [schema["const"]]} if "const" in schema else dict(schema)
    for part in result.pop("allOf", []):
        part = whole(document, resolved(document, part))
        properties = {**result.get("properties", {}), **part.get("properties", {})}
        required = [*result.get("required", []), *part.get("required", [])]
        result = {**part, **result, "properties": properties, "required": required}
    return result


def signing_in(scheme: Object) -> Object:
    """How a caller signs in by a scheme, without what is said of it and without the permissions that there are."""
    flows = {name: {word: flow[word] for word in flow.keys() - {"scopes"}} for name, flow in scheme.get("flows", {}).items()}
    return {**{word: scheme.get(word) for word in ["type", "in", "name", "scheme"]}, "flows": flows}


def main(current: Path, folder: Path) -> None:
    released, accepted = folder / "openapi.json", folder / "accepted.txt"
    if not released.exists():
        print(f"There is no released document yet, so there is nothing to compare with: {released}")
        return
    old, new = json.loads(released.read_text()), json.loads(current.read_text())
    breaks = Comparison(old, new).run()
    lines = [line for line in accepted.read_text().splitlines() if line and line[0] != "#"] if accepted.exists() else []
    refused = [line for line in breaks if line not in lines]
    stale = [line for line in lines if line not in breaks]
    for line in refused:
        print(line)
    for line in stale:
        print(f"{line} (this does not occur)")
    if refused or stale:
        sys.exit(
            f"These {len(refused)} changes break what was made for {old['info']['version']}: take them back. One that must be goes "
            f"into {accepted}, as it stands here, and {len(stale)} lines that do not occur have to go from there."
        )
    print(f"Nothing breaks what was made for {old['info']['version']}, but for {len(lines)} accepted changes.")


if __name__ == "__main__":
    main(HERE / "openapi.json", HERE / "released")
