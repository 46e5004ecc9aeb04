"""A vLLM server: its OpenAI door in the form that vLLM 0.32 sends, Server-Sent Events included."""

from __future__ import annotations

import json
import zlib
from typing import Any

from tests.servers.http import Asked, LoopbackServer, Reply, reply_json

MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
USAGE: dict[str, Any] = {
    "prompt_tokens": 900,
    "total_tokens": 912,
    "completion_tokens": 12,
    "prompt_tokens_details": None,
}

DEAD_ENGINE = "EngineCore encountered an issue. See stack trace (above) for the root cause."
"""What vLLM 0.25 says inside the stream when its engine has died."""
NO_TOOL_PARSER = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
OVERFLOW = (
    "This model's maximum context length is 4096 tokens. However, you requested 1024 output tokens and your prompt "
    "contains at least 3500 input tokens, for a total of at least 4524 tokens. Please reduce the length."
)
LONG_OVERFLOW = (
    "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input tokens, "
    "which exceeds this limit even without any output tokens. Please reduce the length of the input prompt."
)
CHARACTERS_OVERFLOW = (
    "This model's maximum context length is 4096 tokens. However, your prompt contains 900000 characters (more than "
    "524288 characters, which is the upper bound for 4096 input tokens). Please reduce the length of the input prompt."
)
OLD_OVERFLOW = (
    "This model's maximum context length is 4096 tokens. However, you requested 5024 tokens (4000 in the messages, "
    "1024 in the completion). Please reduce the length of the messages or completion."
)


def refusal(message: str, status: int = 400, kind: str = "BadRequestError") -> Reply:
    """Return an error as vLLM words it."""
    return reply_json({"error": {"message": message, "type": kind, "param": None, "code": status}}, status)


def card(name: str, window: int | None = 4096, parent: str | None = None) -> dict[str, Any]:
    """Return an entry of `/v1/models`."""
    owner = {"id": name, "object": "model", "created": 1795381352, "owned_by": "vllm"}
    return {**owner, "root": name, "parent": parent, "max_model_len": window, "permission": []}


def _event(value: dict[str, Any] | str) -> list[str]:
    """Return an event's lines: the data, and the empty line that ends it."""
    return [f"data: {value if isinstance(value, str) else json.dumps(value)}", ""]


def said(
    pieces: list[str],
    *,
    calls: list[tuple[str, dict[str, Any]]] | None = None,
    finish: str | None = "stop",
    error: str | None = None,
    cut: bool = False,
    thoughts: list[str] | None = None,
    cached: int | None = None,
) -> Reply:
    """Return a streamed reply: the role, thoughts, pieces of text, calls in fragments, how it ended, the usage.

    Without `finish` the stream just ends; with `error` vLLM says so inside the stream.
    """
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning": thought} for thought in thoughts or []] + [{"content": piece} for piece in pieces]
    details = None if cached is None else {"cached_tokens": cached}
    for index, (name, arguments) in enumerate(calls or []):
        identity = {"id": f"chatcmpl-tool-{index}", "type": "function", "index": index}
        deltas.append({"tool_calls": [{**identity, "function": {"name": name}}]})
        text = json.dumps(arguments)
        for part in (text[: len(text) // 2], text[len(text) // 2 :]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1795381352, "model": MODEL}
    choice = {"index": 0, "logprobs": None, "finish_reason": None}
    lines = [line for delta in deltas for line in _event({**base, "choices": [{**choice, "delta": delta}]})]
    if error:
        lines += _event({"error": {"message": error, "type": "InternalServerError", "param": None, "code": 500}})
    if finish:
        end = {**choice, "delta": {"content": ""}, "finish_reason": "tool_calls" if calls else finish}
        lines += _event({**base, "choices": [{**end, "stop_reason": None}]})
        lines += _event({**base, "choices": [], "usage": {**USAGE, "prompt_tokens_details": details}}) + _event(
            "[DONE]"
        )
    return Reply(kind="text/event-stream; charset=utf-8", lines=lines, cut=cut)


class VLLM(LoopbackServer):
    """Each streamed chat request gets the next of `replies`; the attributes say what the server can do."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.replies = list(replies)
        self.cards = [card(MODEL)]
        self.key = ""
        self.tool_parser = True
        """Whether it was started with the flags for tool calls."""
        self.calls_tools = False
        self.version = "0.32.0"
        """What `/version` says; nothing: it is no vLLM, or a proxy hides it."""
        self.grammars = True
        """Whether it knows `structured_outputs`, and a Lark text in it."""
        self.schemas = True
        self.system_role = True
        self.tools_in_prompt = True
        """Whether the chat template writes tools into the prompt."""
        self.appends = True
        """Whether a longer conversation begins with the prompt of a shorter one."""
        self.tokenizes = True
        self.thought = ""
        """What the model thinks before each reply; it needs more than 64 tokens for it."""
        self.started = 0.0
        """When the process started, as `/metrics` says; 0: there are no metrics."""
        self.lost_metrics = 0
        """How many questions for `/metrics` are hung up on first."""
        self.queries, self.hits = 0, 0
        """The prefix cache's counters, in tokens."""
        self.cached = 0
        """How much of each prompt comes from the cache."""

    def answer(self, asked: Asked) -> Reply:
        if self.key and asked.path.startswith("/v1") and asked.headers.get("authorization") != f"Bearer {self.key}":
            return reply_json({"error": "Unauthorized"}, 401)
        if asked.path == "/v1/models":
            return reply_json({"object": "list", "data": self.cards})
        if asked.path != "/v1/chat/completions":
            return self._beside_the_door(asked)
        if self._refused(asked.body["messages"]):
            return refusal("Conversation roles must alternate user/assistant/user/assistant/...")
        if asked.body.get("stream"):
            self.queries, self.hits = self.queries + USAGE["prompt_tokens"], self.hits + self.cached
            return self.replies.pop(0)
        return self._whole(asked.body)

    def _beside_the_door(self, asked: Asked) -> Reply:
        """Answer what OpenAI's interface does not have."""
        if asked.path == "/version" and self.version:
            return reply_json({"version": self.version})
        if asked.path == "/tokenize" and self.tokenizes:
            return self._tokenize(asked.body)
        if asked.path == "/metrics" and self.started:
            self.lost_metrics -= 1
            return Reply(status=0) if self.lost_metrics >= 0 else self._metrics()
        return reply_json({"detail": "Not Found"}, 404)

    def _refused(self, messages: list[dict[str, Any]]) -> bool:
        return not self.system_role and any(message["role"] == "system" for message in messages)

    def _tokenize(self, body: dict[str, Any]) -> Reply:
        """Count words: as good a tokenizer as another."""
        messages = body["messages"]
        if self._refused(messages):
            return refusal("Conversation roles must alternate user/assistant/user/assistant/...")
        first = messages if self.appends else messages[::-1]
        words = [word for message in first for word in (message["role"], *str(message["content"]).split())]
        words += json.dumps(body["tools"]).split() if self.tools_in_prompt and "tools" in body else []
        tokens = [zlib.crc32(word.encode()) for word in words]
        return reply_json({"count": len(tokens), "max_model_len": 4096, "tokens": tokens})

    def _metrics(self) -> Reply:
        lines = ["# TYPE vllm:prefix_cache_queries_total counter", f"process_start_time_seconds {self.started}"]
        for name, value in (("queries", self.queries), ("hits", self.hits)):
            lines.append(f'vllm:prefix_cache_{name}_total{{engine="0",model_name="{MODEL}"}} {value:.1f}')
        return Reply(kind="text/plain; version=0.0.4", lines=lines)

    def _whole(self, body: dict[str, Any]) -> Reply:
        message: dict[str, Any] = {"role": "assistant", "content": '```json\n{"name": "read_file"}\n```'}
        if body.get("tools") and not self.tool_parser:
            return refusal(NO_TOOL_PARSER)
        if body.get("tools") and self.calls_tools:
            function = {"name": "read_file", "arguments": '{"path": "notes.txt"}'}
            call = {"id": "chatcmpl-tool-9", "type": "function", "function": function}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        constraint = body.get("structured_outputs", {})
        if self.grammars and "grammar" in constraint:
            message["content"] = _only_choice(json.loads(constraint["grammar"].partition("%json ")[2]))
        if self.schemas and "json" in constraint:
            message["content"] = _only_choice(constraint["json"])
        if self.thought:
            done = body["max_tokens"] > 64
            message = {**(message if done else {"role": "assistant", "content": None}), "reasoning": self.thought}
        told = {"content": [{"token": "yes", "top_logprobs": [{"token": "yes", "logprob": -0.1}]}]}
        odds = told if body.get("logprobs") else None
        choice = {"index": 0, "message": message, "logprobs": odds, "finish_reason": "stop", "stop_reason": None}
        return reply_json({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": USAGE})


def _only_choice(schema: dict[str, Any]) -> str:
    return json.dumps(schema["enum"][0])
