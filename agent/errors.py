"""Every error that A2IA raises on purpose.

    A2IAError                    exit  stop reason
    ├── UsageError                 2   error        a flag or value that cannot be used
    │   ├── ConfigError            2   error        a configuration file: names file, line and key
    │   └── ModelMissing           2   error        the server lacks the model: names those that could stand in
    ├── McpServerError             2   error        an MCP server that cannot be started or reached
    └── ModelServerError           3   error        the model server is unreachable or failed
        ├── WeightsUnavailable     3   error        the model's weights can be had from nowhere
        ├── ServerBusy             3   error        the server turned the request away, again and again
        ├── ToolCallUnreadable     3   error        the server cannot read a call that its own model wrote
        └── ContextOverflow        5   overflow     the prompt is longer than the served window
            └── HistoryDropped     5   overflow     the server dropped a part of the conversation in silence

Each carries one sentence that says what happened and to what, and one that says what to do next.
Exceptions of foreign libraries become one of these in `map_model_error` and nowhere else.
"""

import json
import re
from pathlib import Path
from typing import Any, ClassVar


class A2IAError(RuntimeError):
    """An expected failure: `message` says what happened to what, `hint` what to do next.

    A RuntimeError, since the LangGraph server hides from its clients what other exceptions say.
    """

    exit_code: ClassVar[int] = 1
    stop_reason: ClassVar[str] = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class UsageError(A2IAError):
    """A flag, a name or a value that cannot be used."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file that cannot be used; the message names the file, the line and the key."""

    def __init__(self, path: Path, problem: str, *, line: int | None = None, key: str = "", hint: str = "") -> None:
        where = f"{path}" + (f", line {line}" if line else "") + (f", key {key}" if key else "")
        super().__init__(f"{where}: {problem}", hint or f"Correct {path.name} and try again.")


class ModelMissing(UsageError):
    """The server does not have the model of the run; `choices` are models that it has and that fit, the best first."""

    def __init__(self, message: str, hint: str, choices: tuple[str, ...]) -> None:
        super().__init__(message, hint)
        self.choices = choices


class McpServerError(A2IAError):
    """An MCP server that could not be started, did not answer in time, or went away."""

    exit_code = 2


class ModelServerError(A2IAError):
    """The model server is unreachable, refused the request, or broke off."""

    exit_code = 3


class WeightsUnavailable(ModelServerError):
    """The weights of a model can be had neither from the cache, nor the hub, nor the mirror."""


class ServerBusy(ModelServerError):
    """The server turned a request away `tries` times; `words` are its own."""

    def __init__(self, server: str, tries: int, words: str) -> None:
        super().__init__(
            f"The {server} server is busy and turned the request away {tries} times: {' '.join(words.split())[:300]}",
            "Wait until its other work is done, or allow it more waiting requests (Ollama: OLLAMA_MAX_QUEUE).",
        )


class ToolCallUnreadable(ModelServerError):
    """The server failed at a tool call that its own model wrote; spoken to in ReAct the model can still call."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "Run it with --react, which does without the server's reading of calls.")


class ContextOverflow(ModelServerError):
    """The prompt does not fit the window that the server was started with; sizes in tokens."""

    exit_code = 5
    stop_reason = "overflow"

    def __init__(self, prompt_tokens: int | None, window: int | None) -> None:
        sizes = f" ({prompt_tokens} tokens into {window})" if prompt_tokens and window else ""
        super().__init__(
            f"The conversation no longer fits the model's window{sizes}.",
            "Ask for a smaller part (a line range, a narrower search), start a new thread, or use fewer MCP servers.",
        )


class HistoryDropped(ContextOverflow):
    """The server dropped a part of the conversation in silence: it read `read` tokens of at least `least`."""

    def __init__(self, server: str, read: int, least: int, window: int) -> None:
        super().__init__(None, None)
        self.message = (
            f"The {server} server dropped a part of the conversation without a word: it read {read} tokens of a text "
            f"of at least {least} (window {window}), so its reply was not used."
        )
        self.args = (f"{self.message} {self.hint}",)


_OVERFLOW_WORDS = re.compile(
    r"exceed\w* (the )?(available |maximum )?context|maximum context length|context size", re.I
)
_OVERFLOW_NUMBERS = (
    re.compile(r"\((?P<prompt>\d+) tokens\).{0,60}?\((?P<window>\d+) tokens\)", re.S),  # llama.cpp, Ollama
    re.compile(
        r"length is (?P<window>\d+) tokens.*?(prompt contains( at least)?|resulted in) (?P<prompt>\d+)\b(?! char)", re.S
    ),
    re.compile(r"length is (?P<window>\d+) tokens.*?\((?P<prompt>\d+) in the messages", re.S),  # vLLM, of old
)

_OWN_PARSER = re.compile(
    r"error parsing tool call|tool call parsing failed|XML syntax error|failed to parse (XML|JSON|input|tool)"
    r"|^invalid character .* (looking for|after|in) |^unexpected end of JSON input|^EOF$|expected element type <"
    r"|^element <.*> closed by </|failed to produce valid JSON",
    re.I,
)
"""Ollama's words for a call of its own model that it cannot read (ollama/ollama#12884, #14492, #14834, #14986, #17638,
#17647); often they are those of Go's readers of JSON and XML alone."""
_MODEL_DIED = re.compile(
    r"error was encountered while running the model|model runner has unexpectedly stopped|runner process (has )?termin"
    r"|EngineCore encountered an issue|EngineDeadError",
    re.I,
)
HUNG_UP = "Server disconnected without sending a response"
"""What httpx says of a connection that was closed before an answer began."""
_REFUSES_TOOLS = re.compile(r"does not support tools|--enable-auto-tool-choice|--tool-call-parser")
_NO_MODEL = re.compile(r"model .* (not found|does not exist)", re.I)
_START = {
    "ollama": "Start it with `ollama serve`, or say where it is with --ollama-url URL.",
    "vllm": "Start it with `a2ia-cli vllm start` (or `vllm serve MODEL`), or say where it is with --vllm-url URL.",
}
_KEY = {"ollama": "Give it as OLLAMA_API_KEY.", "vllm": "Give it with --api-key KEY, or as A2IA_API_KEY."}
_MEMORY = "Run the same command again, which starts it anew; if it dies again, it may not fit into the memory."
_ENGINE = "Its log says why (a2ia-cli vllm logs); start it again: a2ia-cli vllm start."
_AGAIN = "Run the same command again; if it happens twice, look at the server's log."


def map_model_error(error: Exception, server: str) -> A2IAError:
    """Turn an exception of openai, httpx or ollama, raised while asking `server`, into one of ours.

    Errors of ours pass through. An exception that no known library raises is returned as `ModelServerError`
    only if it is a transport error; anything else is a bug and is raised again.
    """
    if isinstance(error, A2IAError):
        return error
    kind = type(error)
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    text, status = _flat(_said(error)), _status(error)
    if named := _by_words(text, server, status):
        return named
    if any(type(cause).__name__ in {"ConnectError", "ConnectTimeout", "ConnectionError"} for cause in _chain(error)):
        return ModelServerError(
            f"The {server} server cannot be reached{_where(error)}: {text or kind.__name__}.",
            _START.get(server, _AGAIN),
        )
    if "timeout" in kind.__name__.lower() or isinstance(error, TimeoutError):
        return ModelServerError(
            f"The {server} server did not answer in time.", "Give it longer with --timeout SECONDS, or ask for less."
        )
    if status is None and getattr(error, "body", None) is not None:  # openai's, for an error inside the stream
        return told_in_reply(text, server)
    if status is not None:
        return _moved(error, status, server) if 300 <= status < 400 else _refusal(status, text, server)
    if roots & {"httpx", "httpcore", "openai", "ollama"} or isinstance(error, ConnectionError):
        early = any(HUNG_UP in str(cause) for cause in _chain(error))
        how = "hung up before its answer began" if early else "broke off or could not be reached"
        return ModelServerError(f"The {server} server {how}: {text or kind.__name__}.", _AGAIN)
    if isinstance(error, ValueError) and roots & {"json", "pydantic_core"}:
        return ModelServerError(f"The {server} server's answer is broken: {text}.", _AGAIN)
    raise error


def told_in_reply(line: object, server: str) -> A2IAError:
    """Return the error that a server tells in the middle of its reply, by a JSON value of whatever form."""
    text = _flat(_words(line))
    failed = ModelServerError(f"The {server} server failed in the middle of its reply: {text}.", _AGAIN)
    return _by_words(text, server, None) or failed


def _by_words(text: str, server: str, status: int | None) -> A2IAError | None:
    """Return the error that the server's own words name; `status`: of a refusal, None where a reply had begun."""
    if (status is None or status >= 500) and _OWN_PARSER.search(text):
        return ToolCallUnreadable(f"The {server} server could not read its own model's tool call: {text}.")
    if _OVERFLOW_WORDS.search(text):
        return _overflow(text)
    if _MODEL_DIED.search(text):
        hint = _ENGINE if server == "vllm" else _MEMORY
        return ModelServerError(f"The {server} server's model died during its reply: {text}.", hint)
    return None


def _overflow(text: str) -> ContextOverflow:
    numbers = next((found for form in _OVERFLOW_NUMBERS if (found := form.search(text))), None)
    return ContextOverflow(int(numbers["prompt"]), int(numbers["window"])) if numbers else ContextOverflow(None, None)


def _refusal(status: int, text: str, server: str) -> A2IAError:
    """Return the error for an answer with this HTTP status, by what is the user's to mend."""
    if status in {401, 403}:
        return UsageError(
            f"The {server} server asks for another API key (HTTP {status}): {text}",
            _KEY.get(server, "Give it the key that it was started with."),
        )
    if _REFUSES_TOOLS.search(text):
        return UsageError(f"The {server} server takes no native tool calls: {text}", "Leave --no-react out.")
    if status == 404 and _NO_MODEL.search(text):
        return UsageError(f"The {server} server has no such model: {text}", "Name one that it has with --model NAME.")
    if status == 404:
        return ModelServerError(
            f"The {server} server does not know this address (HTTP 404): {text}", _START.get(server, _AGAIN)
        )
    if status in {429, 503}:
        return ModelServerError(
            f"The {server} server is busy, or its model is down (HTTP {status}): {text}",
            "Wait a little and run the same command again; if it stays so, restart the server.",
        )
    if status >= 500:
        return ModelServerError(f"The {server} server failed (HTTP {status}): {text}", _AGAIN)
    return ModelServerError(
        f"The {server} server refused the request (HTTP {status}): {text}",
        "Run again with --debug to see what it was sent.",
    )


def _moved(error: Exception, status: int, server: str) -> ModelServerError:
    """Return the error for an answer that sends its client elsewhere, where the conversation must not go unasked."""
    to = getattr(getattr(error, "response", None), "headers", {}).get("location") or "nowhere"
    hint = f"If that is where the model is, give its address{f' with --{server}-url' if server in _START else ''}."
    return ModelServerError(f"The {server} server{_where(error)} sends its clients on to {to} (HTTP {status}).", hint)


def _status(error: Exception) -> int | None:
    """Return the HTTP status of the refusal that `error` is; None where a reply had begun (Ollama says -1 then)."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    return status if isinstance(status, int) and status > 0 else None


def _said(error: Exception) -> str:
    """Return the server's own words in `error`."""
    words = getattr(error, "body", None) or getattr(error, "error", None)
    return _words(words or getattr(getattr(error, "response", None), "text", "")) or str(error)


def _words(value: Any) -> str:
    """Return the text of an error, out of however many layers of JSON (Ollama quotes llama.cpp's)."""
    for _ in range(4):
        if isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                value = json.loads(value)
            except ValueError:
                break
        if not isinstance(value, dict):
            break
        sizes = [f" ({value[key]} tokens)" for key in ("n_prompt_tokens", "n_ctx") if key in value]
        value = value.get("error") or value.get("message") or value.get("detail") or str(value)
        value = "".join([value, *sizes]) if isinstance(value, str) else value
    return str(value or "")


def _flat(text: str) -> str:
    return " ".join(text.split()).rstrip(".")[:500]


def _chain(error: BaseException) -> list[BaseException]:
    """Return `error` and what led to it, outermost first."""
    cause = error.__cause__
    return [error, *(_chain(cause) if cause else [])]


def _where(error: Exception) -> str:
    """Return the server's address as httpx and openai note it, without its path and credentials."""
    for cause in _chain(error):
        request = getattr(cause, "_request", None) or getattr(cause, "request", None)
        if request is not None:
            return f" at {request.url.scheme}://{request.url.netloc.decode()}"
    return ""
