"""The OpenAI Agents SDK with its own MCP client: `openai_agents URL COMMAND ARGUMENT...`."""

import asyncio
import sys

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI

from benchmarks.rivals.rounds import MODEL, PROMPT, serve


async def main(url: str, command: str, *args: str) -> None:
    set_tracing_disabled(True)
    async with MCPServerStdio({"command": command, "args": list(args)}, cache_tools_list=True) as tools:
        model = OpenAIChatCompletionsModel(MODEL, AsyncOpenAI(base_url=f"{url}/v1", api_key="none"))
        agent = Agent(name="overhead", model=model, mcp_servers=[tools])

        async def run() -> object:
            return (await Runner.run(agent, PROMPT, max_turns=20)).final_output

        await serve(run)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
