"""Writes the forms that single families of models give a call in the forms that all scanners know.

Each is known by tokens of its own, so that no other text is changed: gpt-oss, Gemma, GLM, DeepSeek, Functionary,
Qwen-Agent, ChatGLM, Llama, Mistral; and text that came through an escape of HTML or JSON.
"""

import html
import json
import re
from collections.abc import Callable

_MESSAGE = re.compile(
    r"((?:<\|start\|>|<\|channel\|>)(?:(?!<\|(?:message|end|call|return)\|>).){0,200})<\|message\|>"
    r"(.*?)(?:<\|(?:end|call|return)\|>|(?=<\|start\|>)|\Z)",
    re.S,
)
_RECIPIENT = re.compile(r"to=(?:functions\.)?([\w.-]{1,80})")
_BARE_MESSAGES = re.compile(r"\A\s*analysis(.*?)assistant(?=commentary|final)(?:final)?", re.S)
_BARE_RECIPIENT = re.compile(
    r"(?:^(?:assistant|commentary)?|(?:assistant|</think>)commentary|<\|channel\|>)[ \t]*to=functions\.([\w-]{1,80})"
    r"(?:[ \t]|<\|\w{1,20}\|>)*(?:json|code)?\s*(?=\{)",
    re.M,
)
_SECTION = re.compile(
    r"(?:<\|from\|>\s*assistant\s*)?<\|recipient\|>\s*([\w.-]{1,80})\s*<\|content\|>(.*?)(?=<\|(?:stop|from|recipient)\|>|\Z)"
    r"|^>>>([\w.-]{1,80})\n(.*?)(?=^>>>|\Z)",
    re.S | re.M,
)

_Rewriting = tuple[str, re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _message(found: re.Match[str]) -> str:
    head, body = found[1], found[2]
    if recipient := _RECIPIENT.search(head):
        return f'\n<tool_call name="{recipient[1]}">{body}</tool_call>\n'
    return f"<think>{body}</think>" if "analysis" in head else body


def _section(found: re.Match[str]) -> str:
    name, body = found[1] or found[3], found[2] or found[4] or ""
    return body if name == "all" else f'<tool_call name="{name}">{body}</tool_call>'


def _quoted(found: re.Match[str]) -> str:
    return json.dumps(found[1], ensure_ascii=False)


_REWRITINGS: tuple[_Rewriting, ...] = (
    ("<|channel|>", re.compile(r"(?<=\w)<\|channel\|>\w+(?=[\"'])"), ""),
    ("<|message|>", _MESSAGE, _message),
    ("analysis", _BARE_MESSAGES, r"<think>\1</think>"),
    ("to=functions.", _BARE_RECIPIENT, r'\n<tool_call name="\1">'),
    ("<|content|>", _SECTION, _section),
    (">>>", _SECTION, _section),
    ("◁/think▷", re.compile(r"◁think▷(.*?)◁/think▷", re.S), r"<think>\1</think>"),
    ("[/THINK]", re.compile(r"\[THINK\](.*?)\[/THINK\]", re.S), r"<think>\1</think>"),
    ("<|END_THINKING|>", re.compile(r"<\|START_THINKING\|>(.*?)<\|END_THINKING\|>", re.S), r"<think>\1</think>"),
    ("<channel|>", re.compile(r"<\|channel>(?:thought)?\s*(.*?)<channel\|>", re.S), r"<think>\1</think>"),
    ('<|"|>', re.compile(r'<\|"\|>(.*?)<\|"\|>', re.S), _quoted),
    ("<escape>", re.compile(r"<escape>(.*?)<escape>", re.S), _quoted),
    ("start_function_call", re.compile(r"</?(?:start|end)_function_call>"), "<tool_call>"),
    (
        "<tool_call>",
        re.compile(r"(?<![^\s>])<tool_call>\s*([\w.-]{1,80})\s*(?=<arg_key>|</tool_call>)"),
        r'<tool_call name="\1">',
    ),
    (
        "<tool_call>",
        re.compile(
            r"<tool_call>\s*(?:name|function|tool)[ \t]*:[ \t]*[\"']?([\w.-]{1,80})[\"']?[ \t]*,?\n"
            r"\s*(?:arguments|parameters|args|input)[ \t]*:"
        ),
        r'<tool_call name="\1">',
    ),
    ("<arg_key>", re.compile(r"^([\w.-]{1,80})[ \t]*\n(?=<arg_key>)", re.M), r'<tool_call name="\1">'),
    ("DSML", re.compile(r"[｜|]DSML[｜|]"), ""),
    (
        "✿FUNCTION✿",
        re.compile(r"✿FUNCTION✿[ \t]*:\s*(\S{1,80})\s*✿ARGS✿[ \t]*:(.*?)(?:✿.*|\Z)", re.S),
        r'<tool_call name="\1">\2</tool_call>',
    ),
    (
        "tool_call(",
        re.compile(r"\A\s*([\w.-]{1,80})\s*\n```\w*\s*tool_call\((.*)\)\s*```\s*\Z", re.S),
        r"\1(\2)",
    ),
    ("<|python_tag|>", re.compile(r"<\|python_tag\|>\s*([\w-]{1,80})\.call\("), r"<|python_tag|>\1("),
    ("<function", re.compile(r"<function(?:\(([\w.-]{1,80})\)>|>\s*([\w.-]{1,80})\s*(?=\{))"), r"<function=\1\2>"),
    ("[CALL_ID]", re.compile(r"\[CALL_ID\]\s*[\w-]{1,40}\s*(?=\[ARGS\])"), ""),
)
"""A mark without which there is nothing to do, what is looked for, and what it is written as."""


def common_form(text: str) -> str:
    """Return `text` with calls, thinking and answers in the forms that all scanners know."""
    text = _unescaped(text)
    for mark, form, written in _REWRITINGS:
        if mark in text:
            text = form.sub(written, text)
    return text


def _unescaped(text: str) -> str:
    """Take back an escape of HTML, or of JSON, that went over the whole text of a call."""
    if '"' not in text and re.search(r"[{(]\s*&quot;", text):
        return html.unescape(text)
    if text.lstrip().startswith('"{') and text.rstrip().endswith('}"'):
        try:
            return str(json.loads(text.strip(), strict=False))
        except ValueError:
            pass
    if re.search(r'[{(\[:=]\s{0,9}\\"', text) and not re.search(r'(?<!\\)"', text):
        return text.replace('\\"', '"')
    return text
