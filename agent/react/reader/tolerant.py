"""Reads what the strict reader cannot: every form that models have been seen to give a call or an answer.

Labels come first, then calls that scanners find. What stands around a call decides how far it is believed.
"""

import json
import re
from dataclasses import replace

from agent.react.reader import labels
from agent.react.reader.candidates import judge, malformed_arguments
from agent.react.reader.clean import clean
from agent.react.reader.labels import Part
from agent.react.reader.literal import Unreadable
from agent.react.reader.scan import (
    IN_QUOTES,
    Candidate,
    answer_call,
    first_broken,
    is_final,
    is_none,
    letters,
    object_calls,
    python_calls,
)
from agent.react.reader.shape import shape_text
from agent.react.reader.step import Answer, Call, Malformed, Step
from agent.react.reader.tagged import MARK, calls_before_objects, tagged_calls
from agent.react.reader.toolset import Tool, Toolset
from agent.react.reader.unread import OPENING_FENCE, neither

_CLOSING_FENCE = re.compile(r"\n?[ \t]{0,8}`{3,12}[ \t]{0,8}\Z")
_OPENERS = re.compile(r"(?:`{3,12}[\w-]*|<[^<>\n]{1,80}>|\[[A-Z_]{1,20}\]|[\s`*\[{(])*\Z")
"""What stands before a call and belongs to its form."""
_LAYOUT = re.compile(
    r"`{3,}[\w-]*|<[^<>\n]{1,80}>|\[/?[A-Z_]{2,20}\]|\b(?:return|print|await|and|or|json|python|functools|tool_code|tool_call)\b"
    r"|^[ \t]*[\w.]{1,40}[ \t]*=(?!=)|\[[\"']\w+[\"']\]|[\W\d_]",
    re.M,
)
_ANSWER_TAG = re.compile(
    r"<(final_answer)>(.*?)(?:</final_answer>|\Z)|\A\s*<(answer|final)>(.*)</(?:answer|final)>\s*\Z", re.S
)
_BRACKETS = re.compile(r"`?([^\[\](){}\n]+?)\s*\[(.*)\]")
"""`Tool[argument]`, the form of the ReAct paper."""
_INLINE = re.compile(rf"`?([\w.-]{{1,80}})`?[ \t]*:[ \t]+(\S.*)|{_BRACKETS.pattern}")
"""`tool: argument`, the form of many small ReAct loops, or that."""
_NAME_CHARS = 400
"""How much of an action's line is looked at for a name."""


def read(text: str, tools: Toolset, strict: Step) -> Step:
    """Return the step of a reply that is not well formed; `strict` is what the strict reader made of it."""
    cleaned = clean(text)
    body = labels.one_label_a_line(cleaned.text)
    found = _labelled(body, tools) or _scanned(body, tools) or _ended(body, tools)
    if found is None:
        return neither(cleaned, tools, strict)
    thought = "\n".join(part for part in (cleaned.thought, found.thought) if part)
    repairs = tuple(dict.fromkeys((*cleaned.repairs, *found.repairs)))
    return replace(found, thought=thought, repairs=repairs or ("labels",))


def _ended(text: str, tools: Toolset) -> Step | None:
    """Read an answer that stands in a tag or in a call: `<final_answer>`, `final_answer("...")`."""
    inside = _ANSWER_TAG.search(text)
    said = (inside[2] or inside[4] or "").strip() if inside else answer_call(text, tools)
    return (
        Answer(text[: inside.start()].strip() if inside else "", said, ("an answer in a form of its own",))
        if said
        else None
    )


def _labelled(text: str, tools: Toolset) -> Step | None:
    fenced = OPENING_FENCE.match(text)
    found = labels.parts(text)
    structured = any(
        part.kind in ("thought", "action")
        or (part.kind == "final" and (_is_plain(part) or not text[: part.start].strip()))
        for part in found
    )
    if not structured:
        return None
    for place, part in enumerate(found):
        if part.kind == "action":
            following = found[place + 1] if place + 1 < len(found) and found[place + 1].kind == "input" else None
            step = _action(text, part, following, tools)
        elif part.kind == "final":
            step = (
                _scanned(text[: part.start], tools, marked_only=True)
                or _called(text, part, tools)
                or _final(text, part, found[place + 1 :], bool(fenced))
            )
        else:
            continue
        if step is not None:
            return replace(step, thought=step.thought or _thought_before(text, part.start))
    return None


def _is_plain(part: Part) -> bool:
    return part.label.startswith("final") or not part.label.isascii()


def _thought_before(text: str, end: int) -> str:
    lines = OPENING_FENCE.sub("", text[:end])
    for part in labels.parts(lines):
        if part.kind == "thought":
            return f"{lines[: part.start]}{lines[part.inside :]}".strip()
    return lines.strip()


def _called(text: str, part: Part, tools: Toolset) -> Step | None:
    """Read a call as one where an answer is nothing else, unless its label leaves no doubt: `Answer: [tool(...)]`."""
    said = text[part.inside :]
    found = [] if part.label.startswith("final") else python_calls(said, tools)
    return judge(found[0], tools, prose="") if found and _alone(said, found) else None


def _final(text: str, part: Part, later: list[Part], fenced: bool) -> Step | None:
    end = next((other.start for other in later if other.kind == "question"), len(text))
    answer = text[part.inside : end].strip()
    if fenced and text[: part.inside].count("```") % 2:
        answer = _CLOSING_FENCE.sub("", answer).strip()
    return Answer("", answer, ("labels",)) if answer else None


def _given(text: str, part: Part) -> str:
    """Return an action's input, without the fence that ends a reply which is in one as a whole."""
    given = text[part.inside : part.end]
    return _CLOSING_FENCE.sub("", given) if OPENING_FENCE.match(text) and given.count("```") % 2 else given


def _action(text: str, part: Part, following: Part | None, tools: Toolset) -> Step | None:
    body = text[part.inside : part.end]
    given = _given(text, following) if following else None
    name, _, rest = body.strip().partition("\n")
    name = name.strip()[:_NAME_CHARS]
    if is_none(name) or not (name or given):
        return None
    if said := _said(name, text[following.inside :] if following else rest, tools):
        return Answer("", said, ("an answer as an action",))
    if is_final(name):
        return None
    tool = tools.exact(name) or _named(name, tools, given)
    if tool is not None:
        return _with_input(tool, name, rest if given is None else given)
    inner = _scanned(body, tools) or _inline(_BRACKETS if given else _INLINE, name, tools)
    if inner is not None:
        return inner
    tool = (tools.begins(name) or tools.within(name)) if given is not None else None
    if tool is not None:
        return _with_input(tool, name, given or "")
    in_code = text[: part.start].count("```") % 2 and not OPENING_FENCE.match(text)
    surely = given or (part.label.startswith("action") and not in_code)
    return Malformed("", "unknown_tool", tools.unknown(name), name) if surely else None


def _said(name: str, later: str, tools: Toolset) -> str:
    """Return the answer that an action of such a name gives; empty if it gives none."""
    inline = re.match(r"[*_`\"']*Final Answer[*_`\"']*[ \t]*[:：-][ \t]*(?=\S)", name, re.I)
    if inline:
        return f"{name[inline.end() :]}\n{later}".strip()
    if not is_final(name):
        return answer_call(name, tools)
    try:
        value = json.loads(later, strict=False)
    except (ValueError, RecursionError):
        return later.strip()
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    return value.strip() if isinstance(value, str) else later.strip()


def _named(name: str, tools: Toolset, given: str | None) -> Tool | None:
    """Return the tool that a name alone means; `name(argument)` with something in the brackets is a call by itself."""
    inside = re.search(r"[(\[{](.*)", name)
    if inside and inside[1].strip(" )]}`*"):
        nothing = given is not None and given.strip(" `*{}\n") in ("", "None")
        if given is None or (nothing and re.search(r"[=\"']", inside[1])):
            return None
    return tools.meant(name)


def _with_input(tool: Tool, name: str, given: str) -> Step:
    notes = ("labels",) if name == tool.name else (f"{tool.name!r} written as {name!r}",)
    if not given.strip("`* \t\n"):
        if tool.properties or tool.check.problem({}):
            below = "needs the line 'Action Input: {...}' below it"
            problem = f"'Action: {tool.name}' {below}; it takes {tool.check.signature()}."
            return Malformed("", "missing_input", problem, tool.name)
        return Call("", tool.name, {}, (*notes, "no arguments"))
    try:
        shaped = shape_text(tool, given)
    except Unreadable as error:
        return malformed_arguments(tool, str(error))
    return Call("", tool.name, shaped.args, (*notes, *shaped.repairs))


def _inline(form: re.Pattern[str], text: str, tools: Toolset) -> Step | None:
    """Read a call whose only argument stands on its tool's line."""
    found = form.match(text)
    if found is None:
        return None
    name, given = (part for part in found.groups() if part is not None)
    if is_final(name):
        return Answer("", given.strip().strip("\"'"), ("an answer as an action",))
    tool = tools.meant(name)
    return _with_input(tool, name, given) if tool else None


def _scanned(text: str, tools: Toolset, *, marked_only: bool = False) -> Step | None:
    """Return the first call that the scanners find and that counts; else the first error of one that is marked."""
    found = [*tagged_calls(text, tools), *object_calls(text, tools), *calls_before_objects(text, tools)]
    found = _outermost([*found, *_outside(python_calls(text[: first_broken(text)], tools), found)])
    if not found:
        return None
    alone, first_mark = _alone(text, found), MARK.search(text)
    error: Step | None = None
    for one in found:
        marked = one.marked or bool(first_mark and first_mark.start() <= one.start)
        if marked_only and not marked:
            continue
        surely = (marked or alone) and "a broken object before it" not in one.repairs
        step = judge(one, tools, prose=None if surely else _line(text, one))
        if isinstance(step, Malformed):
            error = error or step
        elif step is not None:
            return replace(step, thought=_prose_before(text, one.start))
    return error


def _outside(calls: list[Candidate], others: list[Candidate]) -> list[Candidate]:
    return [one for one in calls if not any(other.start < one.start and one.end < other.end for other in others)]


def _outermost(found: list[Candidate]) -> list[Candidate]:
    """Return the candidates in the order of the text, without those that stand inside another."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end or one.start == kept[-1].start == 0 == one.end:
            kept.append(one)
    return kept


def _alone(text: str, found: list[Candidate]) -> bool:
    """Say whether the reply is nothing but calls, or prose with calls as objects at its end."""
    pieces, at = [], 0
    for one in found:
        pieces.append(text[at : one.start])
        at = max(at, one.end)
    pieces.append(text[at:])
    if any(letters(_LAYOUT.sub("", piece)) for piece in pieces[1:]):
        return False
    first = found[0]
    is_object = text[first.start : first.start + 1] in ("{", "[") and IN_QUOTES not in first.repairs
    begins_line = not text[: first.start].rpartition("\n")[2].strip(" \t>`*")
    return (is_object and begins_line) or not letters(_LAYOUT.sub("", pieces[0]))


def _line(text: str, one: Candidate) -> str:
    """Return what stands around a candidate on its line; a sentence that begins behind it is another matter."""
    before, after = text[: one.start].rpartition("\n")[2], text[one.end :].partition("\n")[0]
    return before if re.match(r"\W*[A-Z]", after) else f"{before} {after}"


def _prose_before(text: str, end: int) -> str:
    thought = _thought_before(text, end)
    return thought[:-120] + _OPENERS.sub("", thought[-120:])
