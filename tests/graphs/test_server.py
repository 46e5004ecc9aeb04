"""The graphs of `langgraph.json`, driven by the SDK on a real `langgraph dev`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from graphs.state import Protocol
from tests.graphs.devserver import DevServer
from tests.graphs.prompted import prompt

pytestmark = pytest.mark.timeout(200)

MODES: Any = ["messages-tuple", "updates", "custom", "values"]
NODE = {"native": "llm", "react": "react"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """One server for all tests of this file."""
    with DevServer(tmp_path_factory.mktemp("devserver")) as running:
        running.workspace.joinpath("secret.txt").write_text("42\n")
        yield running


@pytest.fixture
async def client(server: DevServer) -> AsyncIterator[LangGraphClient]:
    """A client of the server."""
    async with server.client() as made:
        yield made


def ask(*replies: dict[str, Any]) -> dict[str, Any]:
    """Return the input of a run whose model replies so."""
    return {"messages": [{"role": "user", "content": prompt(*replies)}]}


async def new_thread(client: LangGraphClient) -> str:
    """Return the id of a new thread."""
    thread = await client.threads.create()
    return thread["thread_id"]


async def values_of(client: LangGraphClient, thread: str) -> dict[str, Any]:
    """Return what the thread holds, after making sure that every tool call in it has exactly one result."""
    state = await client.threads.get_state(thread)
    values: Any = state["values"]
    calls = [call["id"] for message in values["messages"] for call in message.get("tool_calls", [])]
    results = [message["tool_call_id"] for message in values["messages"] if message["type"] == "tool"]
    assert sorted(calls) == sorted(results)
    return dict(values)


READ = {"calls": [["read_file", {"path": "secret.txt"}]]}
WRITE = {"calls": [["write_file", {"path": "note.txt", "content": "first"}]]}


async def test_every_stream_shows_the_run_in_canonical_form(client: LangGraphClient, protocol: Protocol) -> None:
    thread, seen = await new_thread(client), list[tuple[str, Any]]()
    given = ask(READ, {"answer": "It is 42, I think, and I have looked twice."})
    async for part in client.runs.stream(thread, protocol, input=given, stream_mode=MODES):
        seen.append((part.event, part.data))
    messages = [data[0] for event, data in seen if event == "messages"]
    said = [message["content"] for message in messages if message["type"] == "AIMessageChunk"]
    assert "".join(said) == "It is 42, I think, and I have looked twice." and len([text for text in said if text]) > 1
    assert [node for event, data in seen if event == "updates" for node in data] == [
        "settle", NODE[protocol], "tools", NODE[protocol],
    ]  # fmt: skip
    (started,) = [data for event, data in seen if event == "custom"]
    assert (started["type"], started["tool"], started["args"]) == ("tool_started", "read_file", {"path": "secret.txt"})
    last = [data for event, data in seen if event == "values"][-1]
    assert [message["type"] for message in last["messages"]] == ["human", "ai", "tool", "ai"]
    assert (last["messages"][2]["content"], last["stop_reason"]) == ("42\n", "answered")
    assert last == await values_of(client, thread)


async def test_raw_react_text_is_never_the_content_of_a_streamed_message(client: LangGraphClient) -> None:
    thread, contents = await new_thread(client), list[str]()
    given = ask(READ, {"answer": "It is 42.", "thought": "I have read it."})
    async for part in client.runs.stream(thread, "react", input=given, stream_mode=["messages", "events"]):
        if part.event in ("messages/partial", "messages/complete"):
            contents += [message["content"] for message in part.data]
        elif part.event == "events" and part.data["event"] == "on_chat_model_stream":
            contents.append(part.data["data"]["chunk"]["content"])
    assert "It is 42." in contents
    assert [text for text in contents if "Thought" in text or "Action" in text or "I have read it" in text] == []


async def test_the_graph_agent_goes_by_the_evidence(client: LangGraphClient) -> None:
    nodes: list[str] = []
    thread = await new_thread(client)
    async for part in client.runs.stream(thread, "agent", input=ask({"answer": "Hi."}), stream_mode="updates"):
        nodes += part.data if part.event == "updates" else []
    assert nodes == ["settle", "react"]


@pytest.mark.parametrize(
    ("decision", "file", "told"),
    [
        ({"decision": "approve"}, "first", "Created note.txt"),
        ({"decision": "edit", "args": {"path": "note.txt", "content": "second"}}, "second", "Created note.txt"),
        ({"decision": "deny", "reason": "not today"}, None, "did not allow write_file: not today"),
        ({"decision": "yes, please"}, None, None),
    ],
)
async def test_a_call_waits_for_a_yes(
    client: LangGraphClient,
    server: DevServer,
    protocol: Protocol,
    decision: dict[str, Any],
    file: str | None,
    told: str | None,
) -> None:
    note = server.workspace / "note.txt"
    note.unlink(missing_ok=True)
    thread = await new_thread(client)
    await client.runs.wait(thread, protocol, input=ask(WRITE, {"answer": "Done."}))
    state = await client.threads.get_state(thread)
    (asked,) = state["interrupts"][0]["value"]["calls"]
    assert (state["next"], asked["name"], asked["args"]["content"]) == (["approve"], "write_file", "first")
    assert not note.exists()
    await client.runs.wait(thread, protocol, command={"resume": {asked["id"]: decision}})
    assert (note.read_text() if note.exists() else None) == file
    if told is None:
        state = await client.threads.get_state(thread)
        assert "nothing was run" in state["interrupts"][0]["value"]["error"]
        await client.runs.wait(thread, protocol, command={"resume": {asked["id"]: {"decision": "deny"}}})
    values = await values_of(client, thread)
    assert (told or "did not allow") in values["messages"][2]["content"]
    assert values["messages"][-1]["content"] == "Done."


async def cancel_at(
    event: str, client: LangGraphClient, thread: str, graph: str, given: dict[str, Any], of: str = ""
) -> None:
    """Start a run and cancel it at the first event of this kind, or at the first that has the field `of`."""
    run = ""
    async for part in client.runs.stream(thread, graph, input=given, stream_mode=MODES):
        run = part.data["run_id"] if part.event == "metadata" else run
        if part.event == event and (not of or of in part.data):
            break
    await client.runs.cancel(thread, run, wait=True)
    assert (await client.runs.get(thread, run))["status"] == "interrupted"


async def test_a_cancel_in_mid_call_settles_the_call_and_the_thread_goes_on(
    client: LangGraphClient, protocol: Protocol
) -> None:
    thread = await new_thread(client)
    await cancel_at("custom", client, thread, protocol, ask({"calls": [["wait", {"text": "ever"}]]}))
    await client.runs.wait(thread, protocol, input=ask({"answer": "Still here."}))
    values = await values_of(client, thread)
    assert [message["type"] for message in values["messages"]] == ["human", "ai", "tool", "human", "ai"]
    assert values["messages"][2]["artifact"]["status"] == "interrupted"
    assert values["messages"][-1]["content"] == "Still here."


async def test_a_cancel_keeps_what_a_sibling_call_had_finished(client: LangGraphClient) -> None:
    thread = await new_thread(client)
    calls = {"calls": [["wait", {"text": "ever"}], ["echo", {"text": "done"}]]}
    await cancel_at("updates", client, thread, "native", ask(calls), of="tools")
    await client.runs.wait(thread, "native", input=ask({"answer": "Still here."}))
    messages = (await values_of(client, thread))["messages"]
    assert [message["type"] for message in messages] == ["human", "ai", "tool", "tool", "human", "ai"]
    assert [message["artifact"]["status"] for message in messages[2:4]] == ["interrupted", "ok"]
    assert messages[3]["content"] == "echo done"


async def test_a_cancelled_model_call_leaves_a_usable_thread(client: LangGraphClient, protocol: Protocol) -> None:
    thread = await new_thread(client)
    await cancel_at("messages", client, thread, protocol, ask({"answer": "This never ends.", "waits": True}))
    await client.runs.wait(thread, protocol, input=ask({"answer": "Still here."}))
    assert (await values_of(client, thread))["messages"][-1]["content"] == "Still here."


async def test_a_second_run_on_a_thread_comes_after_the_first(client: LangGraphClient, protocol: Protocol) -> None:
    thread = await new_thread(client)
    runs = [
        await client.runs.create(thread, protocol, input=ask(READ, {"answer": name}), multitask_strategy="enqueue")
        for name in ("one", "two")
    ]
    await asyncio.gather(*(client.runs.join(thread, run["run_id"]) for run in runs))
    messages = (await values_of(client, thread))["messages"]
    assert [message["type"] for message in messages] == 2 * ["human", "ai", "tool", "ai"]
    assert [messages[3]["content"], messages[7]["content"]] == ["one", "two"]


async def test_a_second_run_can_take_the_place_of_the_first(client: LangGraphClient, protocol: Protocol) -> None:
    thread = await new_thread(client)
    given = ask({"answer": "This never ends.", "waits": True})
    first = await client.runs.create(thread, protocol, input=given)
    later = ask({"answer": "I was faster."})
    await client.runs.wait(thread, protocol, input=later, multitask_strategy="interrupt")
    assert (await client.runs.get(thread, first["run_id"]))["status"] == "interrupted"
    assert (await values_of(client, thread))["messages"][-1]["content"] == "I was faster."


async def test_twenty_runs_at_once_share_one_toolbox(client: LangGraphClient, server: DevServer) -> None:
    async def one(number: int) -> None:
        thread = await new_thread(client)
        call = {"calls": [["echo", {"text": str(number)}]], "meets": 20}
        given = ask(call, {"answer": f"I am {number}."})
        await client.runs.wait(thread, ("native", "react")[number % 2], input=given)
        messages = (await values_of(client, thread))["messages"]
        assert [message["content"] for message in messages[2:]] == [f"echo {number}", f"I am {number}."]

    await asyncio.gather(*map(one, range(20)))
    assert len(server.notes.joinpath("lives").read_text().splitlines()) == 1


async def test_a_long_turn_ends_by_the_step_limit_not_by_an_error(client: LangGraphClient, protocol: Protocol) -> None:
    thread = await new_thread(client)
    given = ask(*[{"calls": [["echo", {"text": str(step)}]]} for step in range(26)])
    await client.runs.wait(thread, protocol, input=given)
    values = await values_of(client, thread)
    assert (values["stop_reason"], values["model_calls"]) == ("step_limit", 25)


async def test_a_failing_model_server_is_named_with_what_to_do(client: LangGraphClient, protocol: Protocol) -> None:
    thread = await new_thread(client)
    given = ask({"fails": "The prompted server is gone."})
    failed: Any = await client.runs.wait(thread, protocol, input=given, raise_error=False)
    assert failed["__error__"] == {"error": "ModelServerError", "message": "The prompted server is gone. Start it."}
    await client.runs.wait(thread, protocol, input=ask({"answer": "Back again."}))
    assert (await values_of(client, thread))["messages"][-1]["content"] == "Back again."


async def test_the_three_graphs_can_be_looked_at(client: LangGraphClient) -> None:
    found = {assistant["graph_id"]: assistant for assistant in await client.assistants.search()}
    assert set(found) == {"agent", "native", "react"}
    for name in found:
        picture: Any = await client.assistants.get_graph(name)
        assert {node["id"] for node in picture["nodes"]} >= {"settle", "llm", "react", "approve", "tools"}


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("https://smith.langchain.com", 200),
        ("http://localhost:3000", 200),
    ],
)
async def test_a_strangers_page_cannot_start_a_run(server: DevServer, origin: str, status: int) -> None:
    body = {"assistant_id": "react", "input": ask({"answer": "Hi."})}
    async with httpx.AsyncClient(base_url=server.url) as browser:
        response = await browser.post("/runs/wait", json=body, headers={"Origin": origin}, timeout=60)
    assert response.status_code == status
    assert ("Hi." in response.text) == (status == 200)


def test_a_server_that_cannot_open_says_why_and_ends(tmp_path: Path) -> None:
    with DevServer(tmp_path, A2IA_BACKEND="nobody") as failed:
        pass
    assert "There is no backend 'nobody'. Choose one of: embedded" in failed.log
    assert "Uvicorn running on" not in failed.log
