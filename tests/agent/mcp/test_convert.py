"""MCP tools as LangChain tools: names, hints, arguments, results, and where the line between errors runs."""

import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)

from agent.mcp.convert import unknown_tool
from tests.agent.mcp.support import inside, session


def files() -> MCPServer:
    server = MCPServer("files")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def read_file(path: str, start_line: int = 1) -> str:
        if path == "secret":
            raise ToolError("There is no file 'secret'; the folder has a.txt.")
        return f"{path} from {start_line}"

    return server


class Raw(MCPServer):
    """A server with exactly these tools, whatever their schema says, and one result for all."""

    def __init__(self, *tools: Tool, result: CallToolResult | None = None) -> None:
        super().__init__("raw")
        self._listed = list(tools)
        self._result = result

    async def list_tools(self) -> list[Tool]:
        return self._listed

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult:
        return self._result or CallToolResult(content=[TextContent(text=f"{name} {arguments}")])


def tool(name: str, properties: dict[str, Any] | None = None, **schema: Any) -> Tool:
    return Tool(name=name, input_schema={"type": "object", "properties": properties or {}, **schema})


async def names(tmp_path: Path, *specs: Any) -> list[str]:
    async with session(tmp_path, *specs) as open_session:
        return [one.name for one in await open_session.toolbox.tools()]


async def test_hints_of_strangers_are_kept_but_marked_as_theirs(tmp_path: Path) -> None:
    async with session(tmp_path, inside(files(), "theirs")) as open_session:
        metadata = (await open_session.tool("read_file")).metadata
    assert metadata == {
        "server": "theirs",
        "mcp_name": "read_file",
        "read_only": True,
        "idempotent": False,
        "open_world": False,
        "destructive": False,
        "builtin": False,
    }


async def test_a_tool_without_annotations_is_taken_for_destructive(tmp_path: Path) -> None:
    async with session(tmp_path, inside(Raw(tool("act")), builtin=True)) as open_session:
        metadata = (await open_session.tool("act")).metadata
    assert metadata is not None
    assert (metadata["read_only"], metadata["destructive"], metadata["builtin"]) == (False, True, True)


async def test_names_that_collide_get_the_servers_name(tmp_path: Path) -> None:
    assert await names(tmp_path, inside(files(), "a"), inside(files(), "b b")) == ["a_read_file", "b_b_read_file"]


async def test_our_own_tool_keeps_its_name_in_a_collision(tmp_path: Path) -> None:
    own = inside(files(), "a2ia", builtin=True)
    assert await names(tmp_path, inside(files(), "other"), own) == ["other_read_file", "read_file"]


async def test_a_name_that_no_model_server_takes_is_made_valid_and_mapped_back(tmp_path: Path) -> None:
    server = Raw(tool("git/log äö"), tool("x" * 80), tool("x" * 90), tool("a.b"), tool("a b"))
    async with session(tmp_path, inside(server, "s")) as open_session:
        tools = await open_session.toolbox.tools()
        assert (await open_session.call("git_log___")).content == "git/log äö {}"
    found = [one.name for one in tools]
    assert found == ["git_log___", "s_" + "x" * 62, "s_" + "x" * 60 + "_2", "s_a_b", "s_a_b_2"]


@pytest.mark.parametrize("name", ["self", "config", "run_manager", "callbacks", "args", "kwargs", "tool_call_id"])
async def test_an_argument_may_have_any_name(tmp_path: Path, name: str) -> None:
    async with session(tmp_path, inside(Raw(tool("act", {name: {"type": "string"}})))) as open_session:
        assert (await open_session.call("act", **{name: "x"})).content == f"act {{'{name}': 'x'}}"


TAKES = "read_file takes path: string, start_line?: integer."


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, f"Argument 'path' is missing; {TAKES}"),
        ({"path": 3}, f"Argument 'path' must be string, not 3; {TAKES}"),
        ({"path": "a", "start_line": "one"}, f"Argument 'start_line' must be integer, not 'one'; {TAKES}"),
    ],
)
async def test_bad_arguments_are_told_with_what_was_expected(
    tmp_path: Path, arguments: dict[str, Any], problem: str
) -> None:
    async with session(tmp_path, inside(files())) as open_session:
        message = await open_session.call("read_file", **arguments)
    assert (message.content, message.status) == (problem, "error")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"mode": "z"}, "Argument 'mode' must be one of 'a', 'b', not 'z'"),
        ({"where": {"x": "far"}}, "Argument 'where.x' must be number, not 'far'"),
        ({"where": {}}, "Argument 'where.x' is missing"),
        ({"other": 1}, "There is no argument 'other'"),
        ({"count": 99}, "Argument 'count' cannot be 99 (99 is greater than the maximum of 9)"),
    ],
)
async def test_one_mistake_is_named(tmp_path: Path, arguments: dict[str, Any], problem: str) -> None:
    where = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
    schema = {"mode": {"enum": ["a", "b"]}, "where": where, "count": {"type": "integer", "maximum": 9}}
    async with session(tmp_path, inside(Raw(tool("act", schema, additionalProperties=False)))) as open_session:
        message = await open_session.call("act", **arguments)
    assert message.content == f"{problem}; act takes mode?: a|b, where?: object, count?: integer."


@pytest.mark.parametrize(
    "schema",
    [{"properties": {"a": {"type": "strin"}}}, {"properties": {"a": {"pattern": 3}}}, {"allOf": 3}],
)
async def test_a_tool_with_an_invalid_schema_works_unchecked_with_a_warning(
    tmp_path: Path, schema: dict[str, Any]
) -> None:
    async with session(
        tmp_path, inside(Raw(Tool(name="act", input_schema={"type": "object", **schema})))
    ) as open_session:
        assert (await open_session.call("act", a=1)).content == "act {'a': 1}"
        assert len(open_session.warnings) == 1
        assert "'act' of MCP server 'inside' has an invalid schema" in open_session.warnings[0]


async def test_fields_of_a_base_stand_beside_own_ones(tmp_path: Path) -> None:
    base = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    raw = tool(
        "act",
        {"days": {"type": "integer"}},
        allOf=[{"$ref": "#/$defs/Base"}],
        required=["days"],
        **{"$defs": {"Base": base}},
    )
    async with session(tmp_path, inside(Raw(raw))) as open_session:
        assert (await open_session.call("act", days=1)).content == (
            "Argument 'city' is missing; act takes city: string, days: integer."
        )


async def test_one_of_two_objects_is_told_as_such(tmp_path: Path) -> None:
    either = [{"properties": {name: {"type": "string"}}, "required": [name]} for name in ("id", "key")]
    async with session(tmp_path, inside(Raw(tool("act", anyOf=either)))) as open_session:
        assert str((await open_session.call("act")).content).endswith("act takes id: string or key: string.")


async def test_a_pattern_that_only_javascript_reads_is_left_to_the_server(tmp_path: Path) -> None:
    schema = {"a": {"type": "string", "pattern": r"^[\p{L}]+$"}, "pattern": {"type": "integer"}}
    async with session(tmp_path, inside(Raw(tool("act", schema)))) as open_session:
        assert (await open_session.call("act", a="x")).content == "act {'a': 'x'}"
        assert "act takes a?: string, pattern?: integer." in (await open_session.call("act", a=1)).content
        assert open_session.warnings == []


async def test_a_schema_that_is_a_reference_as_a_whole_is_what_it_refers_to(tmp_path: Path) -> None:
    given = {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]}
    schema = {"type": "object", "$ref": "#/definitions/In", "definitions": {"In": given}}
    async with session(tmp_path, inside(Raw(Tool(name="act", input_schema=schema)))) as open_session:
        assert (await open_session.call("act")).content == "Argument 'key' is missing; act takes key: string."


async def test_a_schema_that_points_nowhere_fetches_nothing_and_leaves_the_check_to_the_server(tmp_path: Path) -> None:
    pointing = Raw(tool("act", {"a": {"$ref": "http://localhost:9/schema.json"}}))
    async with session(tmp_path, inside(pointing)) as open_session:
        assert (await open_session.call("act", a=1)).content == "act {'a': 1}"


async def test_a_tool_that_says_no_is_an_error_message_with_its_words(tmp_path: Path) -> None:
    async with session(tmp_path, inside(files())) as open_session:
        message = await open_session.call("read_file", path="secret")
        assert (message.content, message.status) == ("There is no file 'secret'; the folder has a.txt.", "error")
        assert message.artifact == {"truncated": False, "warning": None}
        assert open_session.warnings == []
        read = await open_session.tool("read_file")
        assert await read.ainvoke({"path": "secret"}) == message.content


async def test_a_tool_that_vanished_from_its_server_is_an_error_message(tmp_path: Path) -> None:
    server = files()
    async with session(tmp_path, inside(server)) as open_session:
        read = await open_session.tool("read_file")
        server.remove_tool("read_file")
        message = await read.ainvoke({"type": "tool_call", "id": "c1", "name": "read_file", "args": {"path": "a"}})
    assert message.status == "error"
    assert "read_file" in message.content


async def test_a_bug_of_ours_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("agent.mcp.toolbox.render", broken)
    async with session(tmp_path, inside(files())) as open_session:
        with pytest.raises(ZeroDivisionError):
            await open_session.call("read_file", path="a")


async def test_a_result_that_breaks_the_tools_own_output_schema_is_an_error_message(tmp_path: Path) -> None:
    listed = Tool(name="act", input_schema={"type": "object"}, output_schema={"type": "object", "required": ["n"]})
    broken = CallToolResult(content=[TextContent(text="x")], structured_content={})
    async with session(tmp_path, inside(Raw(listed, result=broken))) as open_session:
        message = await open_session.call("act")
    assert message.status == "error"
    assert message.text.startswith("The reply is not a valid result: ")


async def test_an_unknown_tool_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    async with session(tmp_path, inside(files())) as open_session:
        tools: list[BaseTool] = await open_session.toolbox.tools()
    assert unknown_tool("readfile", tools) == (
        "There is no tool 'readfile'; did you mean 'read_file'? The tools are: read_file."
    )
    assert unknown_tool("zzz", []) == "There is no tool 'zzz'. The tools are: none."


IMAGE = ImageContent(data="A" * 16_000, mime_type="image/png")
TEXT_FILE = TextResourceContents(uri="file:///a.txt", text="words")
BINARY = BlobResourceContents(uri="file:///a.bin", blob="AAAA")


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (IMAGE, "[image image/png, 12 kB]"),
        (AudioContent(data="AAAA", mime_type="audio/wav"), "[audio audio/wav, 3 bytes]"),
        (EmbeddedResource(resource=TEXT_FILE), "[resource file:///a.txt]\nwords"),
        (EmbeddedResource(resource=BINARY), "[resource file:///a.bin, binary, 3 bytes]"),
        (ResourceLink(name="a", uri="file:///a"), "[resource link a: file:///a]"),
    ],
)
async def test_content_that_is_not_text_becomes_a_short_text(tmp_path: Path, block: ContentBlock, text: str) -> None:
    result = CallToolResult(content=[TextContent(text="see"), block], structured_content={"not": "used"})
    async with session(tmp_path, inside(Raw(tool("look"), result=result))) as open_session:
        assert (await open_session.call("look")).content == f"see\n{text}"


async def test_structured_content_is_used_where_there_is_no_text(tmp_path: Path) -> None:
    result = CallToolResult(content=[IMAGE], structured_content={"Größe": 1})
    async with session(tmp_path, inside(Raw(tool("look"), result=result))) as open_session:
        assert (await open_session.call("look")).content == '{"Größe": 1}\n[image image/png, 12 kB]'


async def test_a_failure_without_words_is_still_told(tmp_path: Path) -> None:
    async with session(tmp_path, inside(Raw(tool("look"), result=CallToolResult(content=[], is_error=True)))) as opened:
        message = await opened.call("look")
    assert (message.content, message.status) == ("look failed and did not say why.", "error")


async def test_a_long_result_keeps_head_and_tail_and_says_how_to_get_the_rest(tmp_path: Path) -> None:
    text = "a" * 500 + "b" * 9000 + "c" * 500
    result = CallToolResult(content=[TextContent(text=text)])
    listed = tool("read", {"path": {}, "start_line": {"type": "integer"}})
    async with session(tmp_path, inside(Raw(listed, result=result)), max_result_chars=300) as open_session:
        message = await open_session.call("read")
    head, notice, tail = message.text.split("\n")
    assert (head, tail) == ("a" * 200, "c" * 100)
    assert notice == "[... 9700 of 10000 characters left out here; to see them, call again with start_line ...]"
    assert message.artifact["truncated"] is True


async def test_many_small_parts_are_cut_like_one(tmp_path: Path) -> None:
    result = CallToolResult(content=[TextContent(text=str(number % 10)) for number in range(1000)])
    async with session(tmp_path, inside(Raw(tool("list"), result=result)), max_result_chars=30) as open_session:
        message = await open_session.call("list")
    head, notice, tail = re.split(r"\n(\[\.\.\. .*)\n", message.text)
    whole = "\n".join(str(number % 10) for number in range(1000))
    assert (head, tail) == (whole[:20], whole[-10:])
    assert notice == "[... 1969 of 1999 characters left out here; to see them, ask for a smaller part ...]"


async def test_progress_and_log_messages_of_a_tool_disturb_nothing(tmp_path: Path) -> None:
    server = MCPServer("chatty")

    @server.tool()
    async def work(context: Context[Any, Any]) -> str:
        await context.report_progress(1, 2, "half")
        return "done"

    async with session(tmp_path, inside(server)) as open_session:
        assert (await open_session.call("work")).content == "done"
