"""An Ollama server that answers with the recorded traffic of a real one (`tests/data/ollama/`)."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tests.servers.http import Asked, LoopbackServer, Reply, reply_json

DATA = Path(__file__).parents[1] / "data" / "ollama"
MODEL = "qwen2.5-coder:1.5b"


_COUNT = "as many as it reads"
"""Stands in a reply's last line until the server knows the request."""


def read_tokens(body: dict[str, Any]) -> int:
    """Return how many tokens the server says it read: one for each word, with a template's around them."""
    return 172 + sum(len((message.get("content") or "").split()) for message in body["messages"])


def counted(reply: Reply, tokens: int) -> Reply:
    """Return the reply with the number of tokens that the server read."""
    return replace(reply, lines=[line.replace(json.dumps(_COUNT), str(tokens)) for line in reply.lines])


@cache
def recordings() -> dict[str, dict[str, Any]]:
    """Return every recorded exchange by its name."""
    rows = [json.loads(line) for path in sorted(DATA.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    return {row["name"]: row for row in rows}


def recorded(name: str, *, cut: bool = False) -> Reply:
    """Return a recorded answer, its lines as they came."""
    row = recordings()[name]
    return Reply(row["status"], row["content_type"], [line for _, line in row["lines"]], cut)


def said(
    pieces: list[str],
    *,
    calls: list[tuple[str, dict[str, Any]]] = [],  # noqa: B006  never changed
    thinking: tuple[str, ...] = (),
) -> Reply:
    """Return a streamed reply in the form of the recorded ones, for texts that no recording has."""
    *_, first, last = (json.loads(line) for line in recorded("calls_stream_real").lines)
    last["prompt_eval_count"] = _COUNT
    lines = [{**first, "message": {"role": "assistant", "content": "", "thinking": piece}} for piece in thinking]
    lines += [{**first, "message": {"role": "assistant", "content": piece}} for piece in pieces]
    for index, (name, arguments) in enumerate(calls):
        call = {"id": f"call_{index}", "function": {"index": index, "name": name, "arguments": arguments}}
        lines.append({**first, "message": {"role": "assistant", "content": "", "tool_calls": [call]}})
    return Reply(kind="application/x-ndjson", lines=[json.dumps(line) for line in [*lines, last]])


class Ollama(LoopbackServer):
    """Serves `models`; each streamed chat request gets the next of `replies`, everything else what was recorded.

    `probe` names the recorded answer to the question that is asked with a tool and not streamed.
    """

    def __init__(self, *replies: Reply, probe: str = "tools_nostream", show: str = "show_jinja") -> None:
        super().__init__()
        self.replies = list(replies)
        self.probe = probe
        self.show = show
        self.loaded = False
        self.models: list[str] | None = None
        self.window: int | None = None
        """The served window; what was recorded where None."""
        self.drops_system = False
        self.drops_tools = False
        self.drops_results = False
        self.refuses_roles = False
        self.folds_system = False
        self.moves_system = False

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/api/chat":
            return self._chat(asked.body)
        if asked.path == "/api/show":
            known = self.models is None or asked.body["model"] in self.models
            return recorded(self.show) if known else _missing(asked.body["model"])
        if asked.path == "/api/tags" and self.models is not None:
            return reply_json({"models": [{"name": name} for name in self.models]})
        if asked.path == "/api/ps" and self.loaded and self.window:
            return reply_json({"models": [{"name": MODEL, "context_length": self.window}]})
        names = {"/api/version": "version", "/api/tags": "tags", "/api/ps": "ps_loaded" if self.loaded else "ps_empty"}
        return recorded(names.get(asked.path, "path_unknown"))

    def _chat(self, body: dict[str, Any]) -> Reply:
        if not body["messages"]:
            self.loaded = True
            return recorded("chat_load_only")
        if body.get("_debug_render_only"):
            return self._rendered(body)
        if body.get("stream") is False:
            return recorded(self.probe)
        reply = self.replies.pop(0)
        return counted(reply, read_tokens(body))

    def _rendered(self, body: dict[str, Any]) -> Reply:
        """Return the prompt: the recorded one where tools are in it, else one in the form of the recorded ones."""
        messages = body["messages"]
        if body.get("tools") and not self.drops_tools:
            has_result = messages[-1]["role"] == "tool" and not self.drops_results
            return recorded("tool_result_rendered" if has_result else "debug_render_tools")
        if self.refuses_roles and messages[0]["role"] == "system":
            return reply_json({"error": "Conversation roles must alternate user/assistant/user/assistant/..."}, 500)
        system = [m for m in messages if m["role"] == "system"]
        rest = [m for m in messages if m["role"] != "system"]
        kept = rest if self.drops_system else [*rest, *system] if self.moves_system else messages
        if system and self.folds_system:
            kept = [{**rest[0], "content": f"{system[0]['content']}\n\n{rest[0]['content']}"}, *rest[1:]]
        turns = [f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in kept]
        whole = json.loads(recorded("debug_render_tools").lines[0])
        return reply_json({**whole, "_debug_info": {"rendered_template": "".join(turns)}})


def _missing(model: str) -> Reply:
    return Reply(404, lines=[recorded("show_missing").lines[0].replace("nope:1b", model)])
