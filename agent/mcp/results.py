"""What a tool gave back, as text of bounded length for the model."""

import json
from collections.abc import Iterator, Sequence

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

_RANGE_WORDS = ("start_line", "end_line", "offset", "limit", "page", "cursor", "start_index", "head", "tail", "lines")


def render(result: CallToolResult, max_chars: int, parameters: Sequence[str] = ()) -> tuple[str, bool]:
    """Return the text of a result and whether it was cut; `parameters` are the tool's, for the hint how to go on."""
    parts = list(_parts(result))
    if not any(isinstance(block, TextContent) and block.text for block in result.content):
        structured = result.structured_content
        if structured is not None:
            parts = [json.dumps(structured, ensure_ascii=False), *parts]
    return _cut(parts, max_chars, parameters)


def _parts(result: CallToolResult) -> Iterator[str]:
    for block in result.content:
        match block:
            case TextContent(text=text):
                yield text
            case ImageContent(data=data, mime_type=kind):
                yield f"[image {kind}, {_size(data)}]"
            case AudioContent(data=data, mime_type=kind):
                yield f"[audio {kind}, {_size(data)}]"
            case ResourceLink(uri=uri, name=name):
                yield f"[resource link {name}: {uri}]"
            case EmbeddedResource(resource=BlobResourceContents() as resource):
                yield f"[resource {resource.uri}, {resource.mime_type or 'binary'}, {_size(resource.blob)}]"
            case EmbeddedResource(resource=TextResourceContents() as resource):
                yield f"[resource {resource.uri}]\n{resource.text}"


def _size(base64_text: str) -> str:
    octets = len(base64_text) * 3 // 4
    return f"{octets} bytes" if octets < 1000 else f"{octets / 1000:.0f} kB"


def _cut(parts: list[str], max_chars: int, parameters: Sequence[str]) -> tuple[str, bool]:
    """Keep head and tail. Long parts are sliced before they are joined: one result may be 100 MB."""
    total = sum(map(len, parts)) + max(0, len(parts) - 1)
    if total <= max_chars:
        return "\n".join(parts), False
    tail_size = max_chars // 3
    head_size = max_chars - tail_size
    head = "\n".join(_first(parts, head_size))[:head_size]
    tail = "\n".join(reversed([part[-tail_size:] for part in _last(parts, tail_size)]))[-tail_size:]
    notice = f"[... {total - max_chars} of {total} characters left out here; {_how_to_go_on(parameters)} ...]"
    return f"{head}\n{notice}\n{tail}", True


def _first(parts: list[str], size: int) -> Iterator[str]:
    held = 0
    for part in parts:
        if held > size:
            return
        yield part[:size]
        held += len(part) + 1


def _last(parts: list[str], size: int) -> Iterator[str]:
    held = 0
    for part in reversed(parts):
        if held > size:
            return
        yield part[-size:]
        held += len(part) + 1


def _how_to_go_on(parameters: Sequence[str]) -> str:
    ranges = [name for name in parameters if name in _RANGE_WORDS]
    if ranges:
        return f"to see them, call again with {' and '.join(ranges[:2])}"
    return "to see them, ask for a smaller part"
