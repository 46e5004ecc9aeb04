import re
from pathlib import Path

from graphs.state import Protocol
from tests.graphs.threads import Thread, tool

PAGE = Path(__file__).parents[2] / "docs" / "graph.md"


async def echo(text: str) -> str:
    """Echo it."""
    return text


def test_the_graph_is_the_one_in_the_docs_whatever_it_is_built_with(protocol: Protocol) -> None:
    drawn = re.search(r"```mermaid\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert drawn is not None
    for thread in (Thread(protocol, []), Thread(protocol, [], [tool("echo", echo)], needs_yes=lambda call: True)):
        picture = thread.graph.get_graph().draw_mermaid(with_styles=False)
        assert sorted(picture.splitlines()) == sorted(drawn[1].splitlines())
