"""Splits text at the labels of a ReAct step in all the forms that models give them: `**Action 1:**`, `行动:`."""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["thought", "action", "input", "final", "observation", "question"]

_WORDS: dict[Kind, str] = {
    "input": r"(?:Action|Tool|Function)(?:'s)?(?:[ \t]*\#?\d+)?[ _]?(?:Input|Arguments?|Args|Param(?:eter)?s)"
    r"|Input|Arguments?|Args|Param(?:eter)?s|(?:行动|动作|工具|操作)?(?:输入|参数)",
    "action": r"Action(?:[ _]Name)?|Tool(?:[ _](?:Name|to use|Call))?|Function(?:[ _](?:Name|Call))?|Next Action"
    r"|行动|动作|工具|操作",
    "final": r"Final[ _]Answer|Final|Answer|Response|AI|最终答案|最终回答|答案|回答",
    "observation": r"Observations?|Tool (?:Output|Result|Response)|观察(?:结果)?",
    "thought": r"Thoughts?|Thinking|Reasoning|Reason|思考|想法",
    "question": r"Question|User|Human|问题",
}
_LABEL = re.compile(
    r"^[ \t>]{0,12}[-*#_`]{0,4}[ \t]{0,4}(?:"
    + "|".join(f"(?P<{kind}>{words})" for kind, words in _WORDS.items())
    + r")(?:[ \t]*\#?\d{1,3})?(?:[ \t]+Input(?P<late>))?[*_`]{0,3}[ \t]{0,4}[:：][*_`]{0,3}[ \t]*",
    re.M | re.I,
)
STRONG = re.compile(
    r"^[ \t>]{0,12}[-*#_`]{0,4}[ \t]{0,4}(?:Action|Tool|Function|Final[ _]Answer|Answer|Response|AI|行动|动作|工具|操作"
    r"|最终答案|最终回答|答案|回答)[^\n:：]{0,16}[:：]",
    re.M | re.I,
)
"""The beginning of an action or an answer; no thought that is shown may run past one."""
LABEL_CHARS = 60
"""No such beginning is longer, its indentation included."""

_INLINE_INPUT = re.compile(
    r"[ \t]{0,4}(?:\bwith[ \t]+)?(?:\bthe[ \t]+)?[*_]{0,2}\bAction[ _]Input[*_]{0,2}[ \t]*:", re.I
)
_INLINE_ACTION = re.compile(r"[ \t]{1,4}[*_]{0,2}Action[*_]{0,2}[ \t]*:", re.I)


@dataclass(frozen=True, slots=True)
class Part:
    """The text behind one label, up to the next."""

    kind: Kind
    label: str
    start: int
    inside: int
    end: int


def parts(text: str) -> list[Part]:
    """Return the labelled parts of `text`, in its order."""
    found = list(_LABEL.finditer(text))
    ends = [*(one.start() for one in found[1:]), len(text)][: len(found)]
    return [_part(one, end) for one, end in zip(found, ends, strict=True)]


def _part(found: re.Match[str], end: int) -> Part:
    late = found.group("late") is not None
    kind: Kind = next(kind for kind in _WORDS if found.group(kind))
    label = found[0].strip(" \t>-*#_`:：").lower()
    return Part("input" if late else kind, label, found.start(), found.end(), end)


def one_label_a_line(text: str) -> str:
    """Put a line break before labels that stand inside a line, where no line begins with an input label."""
    if not _INLINE_INPUT.search(text) or any(part.kind == "input" for part in parts(text)):
        return text
    text = _INLINE_INPUT.sub("\nAction Input:", text, count=1)
    return (
        text if any(part.kind == "action" for part in parts(text)) else _INLINE_ACTION.sub("\nAction:", text, count=1)
    )
