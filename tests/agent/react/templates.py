"""Published chat templates, rendered the way transformers and vLLM render them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = Path(__file__).parents[2] / "data" / "chat_templates"
STRICT = ["mixtral-8x7b-instruct-v0.1", "mistral-7b-instruct-v0.2", "gemma-2-it"]
"""Those that refuse a system message and two turns of one role in a row."""
FREE = ["qwen2.5-coder-instruct", "llama-3-8b-instruct"]


def refuse(message: str) -> NoReturn:
    """What templates call as `raise_exception`."""
    raise TemplateError(message)


def rendered(name: str, messages: Sequence[Mapping[str, Any]], **more: Any) -> str:
    """Return the prompt; raises `TemplateError` where the template refuses the conversation."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    template = environment.from_string((FOLDER / f"{name}.jinja").read_text(encoding="utf-8"))
    given = {"add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>", **more}
    return template.render(messages=messages, **given)
