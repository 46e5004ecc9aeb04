"""Takes out of a reply what is no part of a step: thinking in tags, special tokens, and invented observations."""

import re
from dataclasses import dataclass

from agent.react.reader import labels
from agent.react.reader.dialects import common_form

_THINKING = re.compile(
    r"<(think|thinking|thought|reasoning|scratch_?pad|seed:think)>(.*?)</\1>"
    r"|(?<!`)(`{3,12})[\w-]*think\w*[ \t]*\n(.*?)\n[ \t]*\3",
    re.S | re.I,
)
_THOUGHT_ENDS = re.compile(r"\A(.*)</(?:think|thinking)>", re.S | re.I)
_TOKEN = re.compile(
    r"<\|start_header_id\|>\s*\w*\s*<\|end_header_id\|>|<\|(?:im_start|assistant)\|>(?:\s*assistant)?|<\|begin_of_text\|>"
    r"|<\|START_(?:RESPONSE|TEXT)\|>|<s>|\[/?INST\]|<start_of_turn>(?:\s*model)?|</?think(?:ing)?>",
    re.I,
)
_TURN_ENDS = re.compile(
    r"<\|(?:eot_id|eom_id|im_end|end|endoftext|end_of_text|end_of_turn|END_RESPONSE|END_TEXT)\|>|</s>|<end_of_turn>|<｜end▁of▁sentence｜>"
)
_FRAGMENT = re.compile(
    r"\n[ \t]*(?:Obs(?:e(?:r(?:v(?:a(?:t(?:i(?:on?)?)?)?)?)?)?)?[ \t]*:?"
    r"|Acti(?:on?)?(?:[ \t]+I(?:n(?:p(?:ut?)?)?)?)?|PAUSE)\s*\Z"
)
"""The beginning of a label with which a reply ends."""
_WAITING = re.compile(
    r"\n[ \t]{0,12}[(\[](?:I(?:'m| am| will|'ll) )?(?:now )?(?:wait|paus|await)[^()\[\]\n]{0,80}[)\]]\s*\Z", re.I
)
_PREAMBLE = re.compile(
    r"\A[\ufeff\u200b\s]*(?:Assistant:[ \t]*)?(?:(?:Thought:[ \t]*)?Do I need to use a tool\?[ \t]*No\.?[ \t]*\n)?",
    re.I,
)
_OPEN_THINKING = re.compile(r"\A\s*<(think|thinking|thought|reasoning)>(?!.*</\1>)", re.S | re.I)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A reply without its wrapping, the thinking that was in it, and what was taken out."""

    text: str
    thought: str
    repairs: tuple[str, ...]
    thinks: bool = False
    """Whether it opens with thinking that does not end."""


def clean(text: str) -> Cleaned:
    """Take out thinking, special tokens and what follows an invented observation."""
    given, text = text.strip(), _PREAMBLE.sub("", common_form(text))
    notes: list[str] = [] if text.strip() == given else ["the form of a family of models"]
    thoughts = [(found[2] or found[4] or "").strip() for found in _THINKING.finditer(text)]
    plain = _THINKING.sub("", text)
    if ended := _THOUGHT_ENDS.match(plain):
        thoughts.append(_TOKEN.sub("", ended[1]).strip())
        plain = plain[ended.end() :]
    if thoughts:
        notes.append("thinking in tags")
    without = _TOKEN.sub("", plain)
    end = _TURN_ENDS.search(without)
    if end and without[: end.start()].strip():
        without = without[: end.start()]
    if without != plain:
        notes.append("special tokens")
    without, invented = _without_observations(without)
    if invented:
        notes.append("an invented observation")
    without = _FRAGMENT.sub("", _WAITING.sub("", without))
    return Cleaned(without, "\n".join(filter(None, thoughts)), tuple(notes), bool(_OPEN_THINKING.match(text)))


def _without_observations(text: str) -> tuple[str, bool]:
    """Cut at the first observation; one that opens the reply is read as the thought before a step, if one follows."""
    found = [part for part in labels.parts(text) if part.kind == "observation"]
    opens = bool(found) and not text[: found[0].start].strip()
    start = found[0].inside if opens else 0
    end = next((part.start for part in found[opens:]), len(text))
    if opens and not any(part.kind in ("action", "final") for part in labels.parts(text[start:end])):
        return "", True
    return text[start:end], bool(found)
