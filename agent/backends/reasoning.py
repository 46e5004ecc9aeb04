"""`ChatOpenAI` that keeps what a model thinks: the field `reasoning`, which it drops both ways.

Importing this costs over a second (langchain_openai).
"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI

KEPT = "reasoning_content"
"""Key of `additional_kwargs` under which a message keeps its thought, whatever the server calls it."""


class ReasoningChatOpenAI(ChatOpenAI):
    """`ChatOpenAI` whose chunks carry the thought, and which sends it back with the history if `replays`.

    The chat template then takes the thoughts that it wants, for instance only those since the last user message.
    """

    replays: bool = False
    """Whether the model thinks in a field of its own."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choices = chunk.get("choices")
        if made and choices:
            delta = choices[0].get("delta") or {}
            # vLLM says `reasoning`; vLLM of before 2026 and llama.cpp say `reasoning_content`.
            if thought := delta.get("reasoning") or delta.get("reasoning_content"):
                made.message.additional_kwargs[KEPT] = thought
        return made

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if self.replays:
            given = self._convert_input(input_).to_messages()
            for message, sent in zip(given, payload["messages"], strict=True):
                if isinstance(message, AIMessage) and (thought := message.additional_kwargs.get(KEPT)):
                    sent["reasoning"] = thought
        return payload
