// Writes the published operations as a collection for Postman, Bruno, Insomnia and others that import its format (2.1), with the
// examples of the document: `make collection`. With --check it only says whether the one that is checked in is current.
import { readFileSync, writeFileSync } from "node:fs";
import { sample } from "openapi-sampler";

const DOCUMENT = new URL("../openapi/openapi.json", import.meta.url);
const COLLECTION = new URL("../openapi/rapport.postman_collection.json", import.meta.url);
const document = JSON.parse(readFileSync(DOCUMENT, "utf8"));

const example = (part) => part.example ?? sample(part.schema, {}, document);

/** A parameter with its example; of a list, which is sent by repeating it, the first value. What is optional starts switched off. */
function parameter({ name, description, required, ...part }) {
  const [value] = [example(part)].flat();
  return { key: name, value: String(value ?? ""), description, ...(required ? {} : { disabled: true }) };
}

function body(content) {
  const [[kind, media]] = Object.entries(content);
  const value = example(media);
  if (kind === "application/x-www-form-urlencoded") {
    return { mode: "urlencoded", urlencoded: Object.entries(value).map(([key, field]) => ({ key, value: String(field) })) };
  }
  return { mode: "raw", raw: JSON.stringify(value, null, 2), options: { raw: { language: "json" } } };
}

function request(path, method, { summary, description, parameters = [], requestBody, security = document.security }) {
  const of = (place) => parameters.filter((one) => one.in === place).map(parameter);
  const steps = path.slice(1).replaceAll(/{(\w+)}/g, ":$1").split("/");
  const [kind] = Object.keys(requestBody?.content ?? {});
  return {
    name: summary,
    request: {
      method: method.toUpperCase(),
      description,
      ...(security?.length ? {} : { auth: { type: "noauth" } }),
      header: [...(kind ? [{ key: "Content-Type", value: kind }] : []), ...of("header")],
      url: {
        raw: `{{baseUrl}}/${steps.join("/")}`,
        host: ["{{baseUrl}}"],
        path: steps,
        query: of("query"),
        variable: of("path"),
      },
      ...(kind ? { body: body(requestBody.content) } : {}),
    },
  };
}

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ tag: operation.tags[0], item: request(path, method, operation) })),
);
const collection = {
  info: {
    name: document.info.title,
    version: document.info.version,
    description: document.info.description,
    schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
  },
  auth: { type: "bearer", bearer: [{ key: "token", value: "{{token}}", type: "string" }] },
  variable: [
    { key: "baseUrl", value: "http://127.0.0.1:8080", description: "Where Rapport listens." },
    { key: "token", value: "", description: "An API key, or the `access_token` of the answer of `POST /v1/auth/login`." },
  ],
  item: document.tags.map(({ name, description }) => ({
    name,
    description,
    item: operations.filter(({ tag }) => tag === name).map(({ item }) => item),
  })),
};

const text = `${JSON.stringify(collection, null, 2)}\n`;
if (!process.argv.includes("--check")) {
  writeFileSync(COLLECTION, text);
} else if (readFileSync(COLLECTION, "utf8") !== text) {
  throw new Error("openapi/rapport.postman_collection.json is not current: run `make collection` and commit what it wrote.");
}
