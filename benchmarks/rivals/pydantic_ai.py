"""Pydantic AI with its own MCP client: `pydantic_ai URL COMMAND ARGUMENT...`."""

import asyncio
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from benchmarks.rivals.rounds import MODEL, PROMPT, serve


async def main(url: str, command: str, *args: str) -> None:
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=f"{url}/v1", api_key="none"))
    agent = Agent(model, toolsets=[MCPToolset(StdioTransport(command, list(args)))])
    async with agent:

        async def run() -> object:
            return (await agent.run(PROMPT)).output

        await serve(run)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
