"""LangChain's `create_agent` with its MCP adapters, on one session: `langchain URL COMMAND ARGUMENT...`."""

import asyncio
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from benchmarks.rivals.rounds import MODEL, PROMPT, serve


async def main(url: str, command: str, *args: str) -> None:
    client = MultiServerMCPClient({"echo": {"transport": "stdio", "command": command, "args": list(args)}})
    async with client.session("echo") as session:
        model = ChatOpenAI(model=MODEL, base_url=f"{url}/v1", api_key=SecretStr("none"))
        agent = create_agent(model, await load_mcp_tools(session))

        async def run() -> object:
            return (await agent.ainvoke({"messages": [("user", PROMPT)]}))["messages"][-1].text

        await serve(run)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
