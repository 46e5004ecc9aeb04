"""What a JSON schema stands for: references within it, and an `allOf` of one, put in place."""

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 6
"""References in a row that are followed, and levels of objects that a grammar is made of."""


def resolved(schema: Any, root: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return a schema with what it stands for put in, beside its own keywords, and the references that led there.

    It stands for something by a reference within `root` (`#/$defs/name`) or by an `allOf` of one. What is no schema is
    empty.
    """
    found, led = schema if isinstance(schema, Mapping) else {}, list[str]()
    for _ in range(MAX_DEPTH):
        parts = found.get("allOf")
        if "$ref" in found:
            led.append(str(found["$ref"]))
            meant = _target(led[-1], root)
        elif isinstance(parts, list) and len(parts) == 1:
            meant = parts[0]
        else:
            break
        own = {key: value for key, value in found.items() if key not in ("$ref", "allOf")}
        found = _joined(meant, own) if isinstance(meant, Mapping) else own
    return found, tuple(led)


def is_open(schema: Mapping[str, Any]) -> bool:
    """Say whether an object schema means to take arguments that it does not name."""
    return schema.get("additionalProperties") not in (None, False)


def _joined(meant: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return two schemas that hold both as one: fields of their own stand beside those of a base."""
    both, properties, required = {**meant, **own}, "properties", "required"
    if isinstance(meant.get(properties), Mapping) and isinstance(own.get(properties), Mapping):
        both[properties] = {**meant[properties], **own[properties]}
    if isinstance(meant.get(required), list) and isinstance(own.get(required), list):
        both[required] = list(dict.fromkeys([*meant[required], *own[required]]))
    return both


def _target(reference: str, root: Mapping[str, Any]) -> Any:
    target: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        target = target.get(key) if isinstance(target, Mapping) else None
    return target
