"""Splits text at the labels of a ReAct step in all the forms that models give them: `**Action 1:**`, `行动:`."""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["thought", "action", "input", "final", "observation", "question"]

_WORDS: dict[Kind, str] = {
    "input": r"(?:Actions?|Tool|Function)(?:'s)?(?:[ \t]*\#?\d+)?[ _-]?(?:Input|Arguments?|Args|Param(?:eter)?s)"
    r"|Input|Arguments?|Args|Param(?:eter)?s|(?:行动|动作|工具|操作)?(?:输入|参数)",
    "action": r"Action(?:[ _]Name)?|Tool(?:[ _](?:Name|to use|Call))?|Function(?:[ _](?:Name|Call))?|Next Action"
    r"|行动|动作|工具|操作",
    "final": r"Final[ _](?:Answer|Response)|Final|Answer|Response|AI|最终答案|最终回答|答案|回答",
    "observation": r"Observations?|Tool (?:Output|Result|Response)|观察(?:结果)?",
    "thought": r"Thoughts?|Thinking|Reasoning|Reason|思考|想法",
    "question": r"Question|User|Human|问题",
}
_LABEL = re.compile(
    r"^[ \t>]{0,12}[-*#_`\\\[]{0,8}[ \t]{0,4}(?:"
    + "|".join(f"(?P<{kind}>{words})" for kind, words in _WORDS.items())
    + r")(?:[ \t]*\#?\d{1,3})?(?:[ \t]+Input(?P<late>))?(?:[ \t]\([^()\n]{1,20}\))?[*_`\\\]]{0,8}"
    r"[ \t]{0,4}[:：][*_`\\]{0,8}[ \t]*",
    re.M | re.I,
)
STRONG = re.compile(
    r"^[ \t>]{0,12}[-*#_`\\\[]{0,8}[ \t]{0,4}(?:Actions?|Tool|Function|Final[ _](?:Answer|Response)|Answer|Response|AI"
    r"|行动|动作|工具|操作|最终答案|最终回答|答案|回答)[^\n:：]{0,16}[:：]"
    r"|^[ \t]{0,4}(?:\#{1,6}[ \t]{1,4}|\*\*)Final Answer",
    re.M | re.I,
)
"""The beginning of an action or an answer; no thought that is shown may run past one."""
LABEL_CHARS = 60
"""No such beginning is longer, its indentation included."""

_INLINE_INPUT = re.compile(
    r"[ \t]{0,4}(?:\bwith[ \t]+)?(?:\bthe[ \t]+)?[*_]{0,2}\bAction[ _]Input[*_]{0,2}[ \t]*:", re.I
)
_INLINE_ACTION = re.compile(r"[ \t]{1,4}[*_]{0,2}Action[*_]{0,2}[ \t]*:", re.I)
INLINE_FINAL = r"(?<=[.!?)\]][ \t])Final [Aa]nswer[ \t]*[:：]"
"""An answer's label behind a thought on its line."""
_INLINE_FINAL = re.compile(INLINE_FINAL)
_NUMBERED = re.compile(
    r"^[ \t]{0,8}\d{1,2}[.)][ \t]{1,4}(?=Action[ \t]*:[^\n]{0,200}\n\s{0,20}Action Input[ \t]*:)", re.M
)
_HEADING = re.compile(r"^[ \t]{0,4}(?:\#{1,6}[ \t]{1,4}|\*\*)Final Answer(?:\*\*)?[ \t]*$", re.M | re.I)
_BEGINNING = re.compile(rf"\A\s*(?:Thought[ \t]*:|{_HEADING.pattern})", re.M | re.I)


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
    label = found.group(kind).lower()
    return Part("input" if late else kind, label, found.start(), found.end(), end)


def one_label_a_line(text: str) -> str:
    """Give a label inside a line one of its own: an answer's, and an action's and its input's if no line has one."""
    text = _with_final(_NUMBERED.sub("", text))
    if not _INLINE_INPUT.search(text):
        return text
    if not any(part.kind == "input" for part in parts(text)):
        text = _INLINE_INPUT.sub("\nAction Input:", text, count=1)
    return (
        text if any(part.kind == "action" for part in parts(text)) else _INLINE_ACTION.sub("\nAction:", text, count=1)
    )


def _with_final(text: str) -> str:
    """Write an answer's label behind a thought, or as a heading, as a label of a line; where there is none yet."""
    if any(part.kind in ("action", "final") for part in parts(text)):
        return text
    if _BEGINNING.match(text):
        text = _HEADING.sub("Final Answer:", text, count=1)
    return _INLINE_FINAL.sub("\nFinal Answer:", text, count=1)
