"""Whether an answer is what the published OpenAPI document describes: every field there, and none but those."""

from functools import lru_cache
from typing import Any

import httpx

KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def undescribed(server_url: str, verb: str, path: str, answer: object, status: int = 200) -> list[str]:
    """What of an answer is not described, a sentence each. Nothing where the path does not have the verb.

    ``path`` is the document's, with its parameters in braces.
    """
    document = _document(server_url)
    operation = document["paths"].get(path, {}).get(verb.lower())
    if operation is None:
        return []
    schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    return misfits(document, schema, answer, "answer")


@lru_cache(maxsize=1)
def _document(server_url: str) -> dict[str, Any]:
    document: dict[str, Any] = httpx.get(f"{server_url}/schema/openapi.json", timeout=40).json()
    return document


def misfits(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> list[str]:
    if "$ref" in schema:
        return misfits(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], value, where)
    if "anyOf" in schema:
        tried = [misfits(document, each, value, where) for each in schema["anyOf"]]
        return min(tried, key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where} is {value!r}, none of {schema['enum']}"]
    kind = schema.get("type")
    if kind is None:
        return []
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{where} is {value!r}, described as {kind}"]
    if kind == "array":
        inner = [*schema.get("prefixItems", []), *([schema.get("items") or {}] * len(value))]
        return [m for at, each in enumerate(value) for m in misfits(document, inner[at], each, f"{where}[{at}]")]
    return _of_object(document, schema, value, where) if kind == "object" else []


def _of_object(document: dict[str, Any], schema: dict[str, Any], value: dict[str, Any], where: str) -> list[str]:
    fields, further = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{where}.{name} is absent" for name in schema.get("required", []) if name not in value]
    for name, each in value.items():
        inner = fields.get(name, further)
        if inner is None or inner is False:
            found.append(f"{where}.{name} is not described")
        elif isinstance(inner, dict):
            found += misfits(document, inner, each, f"{where}.{name}")
    return found
