"""`a2ia-cli` on Ollama and vLLM, over the wire: one sequence of events, and an exit code for what goes wrong."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.support import LIMIT, Done, Place
from tests.servers import ollama, vllm
from tests.servers.http import LoopbackServer, Reply, reply_json
from tests.servers.llama import LlamaCpp, running
from tests.servers.ollama import MODEL, Ollama, recorded
from tests.servers.vllm import VLLM

CALL = "Thought: I look into the folder.\nAction: list_directory\nAction Input: {}"
ANSWER = "Thought: That is all.\nFinal Answer: There is one file, notes.txt."
STEPS = {
    "ollama": (
        '{"reason": "I look into the folder.", "tool": "list_directory", "tool_input": {}}',
        '{"reason": "That is all.", "response": "There is one file, notes.txt."}',
    )
}
"""The steps in the form of a server that holds a reply to a JSON schema."""
LIST: list[tuple[str, dict[str, Any]]] = [("list_directory", {})]


def pieces(text: str) -> list[str]:
    """Return the text as a model streams it."""
    return [text[start : start + 7] for start in range(0, len(text), 7)]


def server_of(backend: str, protocol: str) -> Ollama | VLLM:
    """Return a server that calls a tool and then answers."""
    said = ollama.said if backend == "ollama" else vllm.said
    replies = [said([], calls=LIST), said(pieces("There is one file, notes.txt."))]
    if protocol == "react":
        replies = [said(pieces(step)) for step in STEPS.get(backend, (CALL, ANSWER))]
    made: dict[str, type[Ollama] | type[VLLM]] = {"ollama": Ollama, "vllm": VLLM, "embedded": LlamaCpp}
    return made[backend](*replies)


def events_of(done: Done) -> list[dict[str, Any]]:
    """Return a run's events without what is another every time: ids, times, token counts, names, where deltas end."""
    plain: list[dict[str, Any]] = []
    for event in done.events():
        named = {"thread_id", "id", "ms", "model", "backend", "usage", "steps"}
        if event["type"].endswith("_delta") and plain and plain[-1]["type"] == event["type"]:
            plain[-1]["text"] += event["text"]
        else:
            plain.append({key: value for key, value in event.items() if key not in named})
    return plain


def url_flags(server: LoopbackServer) -> list[str]:
    """Return the flags that lead to the server."""
    if isinstance(server, Ollama):
        return ["--backend", "ollama", "--ollama-url", server.url, "--model", MODEL]
    return ["--backend", "vllm", "--vllm-url", f"{server.url}/v1"]


def ask(cli: Cli, server: LoopbackServer, *options: str) -> tuple[int, dict[str, Any]]:
    done = cli("-p", "What is here?", "--output", "json", *url_flags(server), *options)
    return done.code, done.result()


@pytest.mark.parametrize("protocol", ["react", "native"])
def test_the_same_question_gives_the_same_events_on_every_backend(cli: Cli, place: Place, protocol: str) -> None:
    (place.workspace / "notes.txt").touch()
    first, last = ("I look into the folder.", "That is all.") if protocol == "react" else ("", "")
    place.say(
        {"calls": LIST, "thought": first},
        {"answer": "There is one file, notes.txt.", "thought": last},
        protocol=protocol,
    )
    flags = ["-p", "What is here?", "--output", "stream-json", "--react" if protocol == "react" else "--no-react"]
    seen = {"scripted": events_of(cli(*flags))}
    for backend in ("ollama", "vllm"):
        with server_of(backend, protocol) as server:
            seen[backend] = events_of(cli(*flags, *url_flags(server)))
    model = place.root / "tiny.gguf"
    with server_of("embedded", protocol) as server, running(server, model):
        seen["embedded"] = events_of(cli(*flags, "--backend", "embedded", "--model", str(model)))
    assert seen == dict.fromkeys(seen, seen["scripted"])
    kinds = [event["type"] for event in seen["scripted"] if not event["type"].endswith("_delta")]
    assert kinds == ["turn_started", "tool_started", "tool_finished", "result"]


@pytest.mark.parametrize("calls_tools", [True, False])
def test_without_a_flag_the_probe_decides_the_protocol(cli: Cli, calls_tools: bool) -> None:
    protocol = "native" if calls_tools else "react"
    with server_of("vllm", protocol) as server:
        assert isinstance(server, VLLM)
        server.calls_tools = calls_tools
        code, result = ask(cli, server)
    assert (code, result["protocol"], len(result["steps"])) == (0, protocol, 1)
    with server_of("ollama", protocol) as server:
        assert isinstance(server, Ollama)
        server.probe = "calls_whole_real" if calls_tools else "tools_nostream"
        code, result = ask(cli, server)
    assert (code, result["protocol"], len(result["steps"])) == (0, protocol, 1)


def test_counts_are_the_servers_and_null_where_it_has_none(cli: Cli) -> None:
    with server_of("ollama", "react") as server:
        assert isinstance(server, Ollama)
        usage = ask(cli, server)[1]["usage"]
        read = sum(ollama.read_tokens(body) for body in server.posted("/api/chat") if body.get("stream"))
    assert usage == {"model_calls": 2, "prompt_tokens": read, "cached_tokens": None, "completion_tokens": 36}
    with server_of("vllm", "react") as server:
        usage = ask(cli, server)[1]["usage"]
    assert usage == {"model_calls": 2, "prompt_tokens": 1800, "cached_tokens": None, "completion_tokens": 24}


def test_without_a_backend_the_first_that_answers_is_used(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A2IA_BACKEND")
    with ExitStack() as stack:
        first = stack.enter_context(server_of("ollama", "react"))
        second = stack.enter_context(server_of("vllm", "react"))
        flags = ["-p", "go", "--output", "json", "--vllm-url", second.url]
        done = cli(*flags, "--ollama-url", first.url, "--model", MODEL)
        assert (done.code, done.result()["backend"]) == (0, "ollama")
        assert "Using ollama, which answers" in done.err
        done = cli(*flags, "--ollama-url", "http://127.0.0.1:9")
        assert (done.code, done.result()["backend"]) == (0, "vllm")
    done = cli(*flags)
    assert (done.code, done.result()["error"]["type"]) == (3, "ModelServerError")
    assert f"cannot be reached at {second.url}" in done.result()["error"]["message"]


def test_ollama_is_found_where_its_own_variable_says(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A2IA_BACKEND")
    with server_of("ollama", "react") as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        done = cli("-p", "go", "--output", "json", "--model", MODEL)
    assert (done.code, done.result()["backend"]) == (0, "ollama")


def test_a_model_file_needs_no_server_of_others(cli: Cli, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A2IA_BACKEND")
    with server_of("ollama", "react") as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        done = cli("-p", "go", "--output", "json", "--model", str(place.root / "none.gguf"))
        assert server.asked == []
    assert (done.code, done.result()["error"]["type"]) == (2, "UsageError")


def test_the_vllm_command_is_the_vllm_backend(place: Place) -> None:
    program = Path(sys.executable).parent / "a2ia-cli-vllm"
    with server_of("vllm", "react") as server:
        done = subprocess.run(
            [program, "-p", "go", "--output", "json", "--vllm-url", server.url],
            cwd=place.workspace,
            env=place.environment(A2IA_BACKEND="", OLLAMA_HOST="http://127.0.0.1:9"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    result = Done(done.returncode, done.stdout, done.stderr).result()
    assert (done.returncode, result["backend"], result["model"]) == (0, "vllm", vllm.MODEL)


def test_addresses_and_the_key_can_stand_in_variables(place: Place) -> None:
    with server_of("vllm", "react") as server:
        assert isinstance(server, VLLM)
        server.key = "secret"
        place.env |= {"A2IA_BACKEND": "vllm", "A2IA_VLLM_URL": server.url, "A2IA_API_KEY": "secret"}
        done = place.debug_run("-p", "go", "--output", "json")
    assert (done.code, done.result()["backend"]) == (0, "vllm")
    assert "sent to the model" in done.err
    assert "Asked with one tool, the model made no call" in done.err
    assert "secret" not in done.out + done.err


CUT = [line for line in ollama.said([], calls=LIST).lines if '"done_reason"' not in line]
OLLAMA_FAULTS = [
    ("an overflow", recorded("history_truncate_false_stream"), 5, "ContextOverflow", "586 tokens into 512"),
    ("a busy server", recorded("busy_2"), 3, "ServerBusy", "busy and turned the request away 2 times"),
    ("a killed model", recorded("runner_killed_midstream"), 3, "ModelServerError", "model died during its reply"),
    ("no done line", recorded("repeat_stops_go"), 3, "ModelServerError", "before it was complete"),
    ("a call without a done line", Reply(lines=CUT), 3, "ModelServerError", "before it was complete"),
    ("a hang-up", Reply(lines=CUT, cut=True), 3, "ModelServerError", "broke off"),
    ("a hang-up before the reply", Reply(cut=True), 3, "ModelServerError", "broke off"),
    ("a hang-up before the headers", Reply(0), 3, "ModelServerError", "hung up before its answer began"),
    ("a reply that only loads", recorded("chat_load_only"), 3, "ModelServerError", "wrote no reply"),
    ("an error object", Reply(lines=[*CUT, '{"error": {"code": 5}}']), 3, "ModelServerError", "middle of its reply"),
    ("a line that is none", Reply(lines=[*CUT, "null"]), 3, "ModelServerError", "no JSON object, 'null'"),
    ("a redirection", Reply(302, to="https://other.invalid/"), 3, "ModelServerError", "on to https://other.invalid/"),
    ("replies that are cut short", recorded("length"), 5, "FormatErrors", "cut off at the token limit"),
    ("no tools", recorded("tools_refused"), 2, "UsageError", "does not support tools"),
    ("a lost model", recorded("model_missing"), 2, "UsageError", "'nope:1b' not found"),
]
VLLM_FAULTS = [
    ("an overflow", vllm.refusal(vllm.OVERFLOW), 5, "ContextOverflow", "3500 tokens into 4096"),
    ("no tool parser", vllm.refusal(vllm.NO_TOOL_PARSER), 2, "UsageError", "--enable-auto-tool-choice"),
    ("a dead engine", Reply(503), 3, "ModelServerError", "model is down"),
    ("a call that was cut", vllm.said([], calls=LIST, finish=None), 3, "ModelServerError", "before it was complete"),
    ("a hang-up", vllm.said([], calls=LIST, finish=None, cut=True), 3, "ModelServerError", "broke off"),
    (
        "an error inside",
        vllm.said([], calls=LIST, finish=None, error="it died"),
        3,
        "ModelServerError",
        "reply: it died",
    ),
]


@pytest.mark.parametrize(
    ("made", "reply", "code", "kind", "said"),
    [
        pytest.param(made, reply, code, kind, said, id=f"{made.__name__}: {name}")
        for made, faults in ((Ollama, OLLAMA_FAULTS), (VLLM, VLLM_FAULTS))
        for name, reply, code, kind, said in faults
    ],
)
def test_a_fault_is_one_sentence_one_hint_and_its_exit_code(
    cli: Cli, made: type[Ollama] | type[VLLM], reply: Reply, code: int, kind: str, said: str
) -> None:
    with made(*[reply] * 3) as server:
        ended, result = ask(cli, server, "--no-react", "--timeout", "0.3" if reply.status == 503 else "20")
    assert (ended, result["error"]["type"]) == (code, kind)
    assert said in result["error"]["message"]
    assert result["error"]["hint"]
    reason = "format_errors" if kind == "FormatErrors" else "overflow" if code == 5 else "error"
    assert (result["steps"], result["stop_reason"]) == ([], reason)


def test_replies_that_are_cut_short_end_a_run_in_react_too(cli: Cli) -> None:
    with Ollama(*[recorded("length")] * 3) as server:
        ended, result = ask(cli, server, "--react")
    assert (ended, result["stop_reason"], result["steps"]) == (5, "format_errors", [])
    assert "cut off at the token limit" in result["error"]["message"]


@pytest.mark.parametrize(
    ("made", "reply"),
    [
        pytest.param(Ollama, Reply(silent=True), id="Ollama: at once"),
        pytest.param(Ollama, Reply(lines=CUT, silent=True), id="Ollama: after a call"),
        pytest.param(VLLM, Reply(silent=True), id="VLLM: at once"),
        pytest.param(VLLM, replace(vllm.said([], calls=LIST, finish=None), silent=True), id="VLLM: after a call"),
    ],
)
def test_a_server_that_falls_silent_ends_the_run_after_the_timeout(
    cli: Cli, made: type[Ollama] | type[VLLM], reply: Reply
) -> None:
    with made(reply) as server:
        ended, result = ask(cli, server, "--no-react", "--timeout", "2")
    assert (ended, result["error"]["type"], result["steps"]) == (3, "ModelServerError", [])
    assert "did not answer in time" in result["error"]["message"]
    assert "--timeout" in result["error"]["hint"]


UNREADABLE = "error parsing tool call: raw='{\"path\": ', err=unexpected end of JSON input"
"""What Ollama says of its own model's call, with HTTP 500 or inside the stream (ollama/ollama#17638)."""


@pytest.mark.parametrize(
    "failure",
    [reply_json({"error": UNREADABLE}, 500), Reply(lines=[json.dumps({"error": UNREADABLE})])],
    ids=["as status", "inside the stream"],
)
def test_a_call_that_ollama_itself_cannot_read_is_made_once_more_in_react(cli: Cli, failure: Reply) -> None:
    call = ollama.said(pieces(STEPS["ollama"][0]))
    with Ollama(failure, call, ollama.said(["One file."])) as server:
        code, result = ask(cli, server, "--no-react")
        bodies = [body for body in server.posted("/api/chat") if body.get("stream")]
    assert (code, result["answer"], len(result["steps"])) == (0, "One file.", 1)
    assert ["format" in body for body in bodies] == [False, True, False]
    with Ollama(failure, failure) as server:
        code, result = ask(cli, server, "--no-react")
    assert (code, result["error"]["type"]) == (3, "ToolCallUnreadable")
    assert "--react" in result["error"]["hint"]


def test_a_server_that_is_not_there_is_exit_3_and_an_address_that_is_none_exit_2(cli: Cli) -> None:
    for backend in ("ollama", "vllm"):
        flags = ["-p", "go", "--output", "json", "--backend", backend]
        done = cli(*flags, f"--{backend}-url", "http://127.0.0.1:9")
        assert (done.code, done.result()["error"]["type"]) == (3, "ModelServerError")
        assert "http://127.0.0.1:9" in done.result()["error"]["message"]
        done = cli(*flags, f"--{backend}-url", "ftp://box")
        assert (done.code, done.result()["error"]["type"]) == (2, "UsageError")
        assert f"--{backend}-url" in done.result()["error"]["message"]


def test_a_wrong_key_and_an_unknown_model_are_exit_2(cli: Cli) -> None:
    with VLLM() as server:
        assert ask(cli, server, "--model", "nope")[0] == 2
        server.key = "secret"
        assert ask(cli, server, "--api-key", "wrong")[0] == 2
    with Ollama() as other:
        other.models = ["a:1b"]
        code, result = ask(cli, other)
    assert code == 2 and "a:1b" in result["error"]["hint"]
