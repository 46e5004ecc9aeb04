"""An OpenAI server that answers at once: ten calls of the tool `echo`, then an answer. Prints its port.

Plain asyncio, so that what is measured beside it is the client. It counts the tool results of a request to know where
the run stands, and answers as vLLM does, as one JSON object or as Server-Sent Events.
"""

import asyncio
import json
from typing import Any

CALLS = 10
_USAGE = {"prompt_tokens": 900, "completion_tokens": 12, "total_tokens": 912}


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """Return the message of the reply to a request."""
    done = sum(message["role"] == "tool" for message in body["messages"])
    if done % (CALLS + 1) >= CALLS:
        return {"role": "assistant", "content": "That is all."}
    function = {"name": "echo", "arguments": json.dumps({"text": f"number {done}"})}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": f"call_{done}", "index": 0, "type": "function", "function": function}],
    }


def encoded(body: dict[str, Any]) -> tuple[str, bytes]:
    """Return the content type and the bytes of the answer to a request."""
    message = reply(body)
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    whole = {"id": "chatcmpl-1", "created": 1795381352, "model": body["model"]}
    if not body.get("stream"):
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return "application/json", json.dumps(
            {**whole, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
        ).encode()
    part = {**whole, "object": "chat.completion.chunk"}
    events = [
        {**part, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**part, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        {**part, "choices": [], "usage": _USAGE},
    ]
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection until it closes."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
            size = int({name.lower(): value for name, value in fields.items()}.get("content-length", 0))
            if not size:  # A2IA asks for `/metrics` once
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                continue
            kind, data = encoded(json.loads(await reader.readexactly(size)))
            answer = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
            writer.write(answer.encode() + data)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve on a free port of this machine."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
