"""Finds calls that tags or special tokens mark: `<tool_call>`, `<function=name>`, `[TOOL_CALLS]name{...}`."""

import html
import re
from dataclasses import replace
from typing import Any

from agent.react.reader.scan import Candidate, calls_in, objects
from agent.react.reader.toolset import Tool, Toolset

MARK = re.compile(
    r"<[|｜]?/?(?:tool[_▁ ]?calls?|tools?|tool[_ ]use|function[_ ]?calls?|function|functions|invoke|xml|python_tag"
    r"|tool[_▁](?:call|calls|sep)[\w▁]*|call|action|antml\W?invoke|plugin|assistant_tool\w*)\b[^<>\n]{0,80}>"
    r"|\[TOOL_CALLS?\]|\[TOOL_REQUEST\]|\bfunctools\s*(?=\[)|✿FUNCTION✿|<\|channel\|>commentary|tool_code",
    re.I,
)
"""What says that a call follows."""

_NAMED = re.compile(
    r"<(?:[\w:]*?)(?:function|invoke|tool_call|tool_use|tool|call)(?:\s*=\s*|\s+name\s*=\s*)[\"']?([^\"'<>\s]{1,80})[\"']?"
    r"((?:\s+[\w-]{1,40}=(?:\"[^\"<>]{0,400}\"|'[^'<>]{0,400}'))*)\s*/?>"
)
_ATTRIBUTE = re.compile(r"([\w-]{1,40})=(?:\"([^\"]*)\"|'([^']*)')")
_ELEMENT = re.compile(r"<([^\W\d][\w.-]{0,79})>")
_IN_ELEMENT = r"\s*([^<>{}\n]{1,80}?)\s*</[\w-]{1,40}>"
_NAME_ELEMENT = re.compile(rf"<(?:tool_name|tool|function_name|function)>{_IN_ELEMENT}", re.I)
_COMMON_ELEMENT = re.compile(rf"<(?:name|action)>{_IN_ELEMENT}", re.I)
"""Other XML has such elements too: it names a tool if there is one, or if a mark stands before it."""
_PARAMETER = re.compile(
    r"<(?:[\w:]*?)param(?:eter)?(?:\s*=\s*|\s+name\s*=\s*)[\"']?([^\"'<>\s]{1,80})[\"']?[^<>]{0,40}>"
    r"(.*?)(?=</(?:[\w:]*?)param(?:eter)?>|<(?:[\w:]*?)param(?:eter)?\b|</(?:[\w:]*?)(?:function|invoke|tool_call)\b"
    r"|\Z)",
    re.S,
)
_PAIR = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)(?:</arg_value>|\Z)", re.S)
_CHILD = re.compile(r"<([^\W\d][\w-]{0,79})>(.*?)</\1>", re.S)
_GAP = re.compile(
    r"(?:<[^<>\n]{0,60}>|\[[A-Z_]{1,20}\]|(?: tool| function)? with(?: the)?(?: following)?"
    r"(?: arguments?| parameters?| inputs?| args)?[ ]?:?|```\w{0,10}|(?:Input|Arguments|Args|Parameters):"
    r"|:\d{1,3}|[\"']?,"
    r"|[\s:=(*`>\]-])*\Z"
)
_LAST_WORD = re.compile(r"[^\s<>\[\]{}()`*'\"|:]{1,80}\Z")


def tagged_calls(text: str, tools: Toolset) -> list[Candidate]:
    """Return the calls whose tool a tag names, each with the arguments in its body."""
    found: list[Candidate] = []
    common = (one for one in _COMMON_ELEMENT.finditer(text) if tools.meant(one[1]) or MARK.search(text, 0, one.start()))
    for opening in (*_NAMED.finditer(text), *_NAME_ELEMENT.finditer(text), *common):
        end = _end(text, opening, tools)
        tool = tools.meant(opening[1])
        found.append(_attributes(opening, tool) or _body(text, opening.start(), opening.end(), end, tool, opening[1]))
    for opening in _ELEMENT.finditer(text):
        tool = tools.exact(opening[1])
        if tool:
            closing = text.find(f"</{opening[1]}>", opening.end())
            end = closing if closing >= 0 else len(text)
            found.append(_body(text, opening.start(), opening.end(), end, tool, opening[1]))
    return found


def _attributes(opening: re.Match[str], tool: Tool | None) -> Candidate | None:
    """Read `<invoke name="tool" argument="value"/>`."""
    if not opening[0].endswith("/>") or opening.re is not _NAMED or tool is None:
        return None
    given = {found[1]: html.unescape(found[2] or found[3] or "") for found in _ATTRIBUTE.finditer(opening[2])}
    whole = next((given[key] for key in ("arguments", "parameters") if key in given and key not in tool.properties), "")
    value: Any = whole or {key: part for key, part in given.items() if key in tool.properties}
    note = ("a call in tags",)
    return Candidate(opening.start(), opening.end(), opening[1], value, is_text=bool(whole), marked=True, repairs=note)


def _end(text: str, opening: re.Match[str], tools: Toolset) -> int:
    following = _NAMED.search(text, opening.end()) or _NAME_ELEMENT.search(text, opening.end())
    end = following.start() if following else len(text)
    closing = re.compile(r"</(?:[\w:]*?)(?:function|invoke|tool_call|tool_use)>").search(text, opening.end(), end)
    return closing.start() if closing else end


def _body(text: str, start: int, inside: int, end: int, tool: Tool | None, name: str) -> Candidate:
    body = text[inside:end]
    one = Candidate(start, end, name, body, is_text=True, marked=True, repairs=("a call in tags",))
    pairs = [(m[1], m[2]) for m in (*_PARAMETER.finditer(body), *_PAIR.finditer(body))]
    inner = next(objects(body), None)
    if not pairs and inner and isinstance(inner[2], dict) and tool is not None:
        return replace(one, value=inner[2], is_text=False, repairs=(*one.repairs, *inner[3]))
    if not pairs and tool is not None:
        pairs = [(m[1], m[2]) for m in _CHILD.finditer(body) if m[1] in tool.properties]
        arguments = _CHILD.search(body)
        if not pairs and arguments:
            pairs = [(m[1], m[2]) for m in _CHILD.finditer(arguments[2]) if m[1] in tool.properties]
    if not pairs and re.search(r"<[^<>\n]*\Z", body):
        return replace(one, problem="it is cut off")
    if pairs or not _plain(body):
        value: dict[str, Any] = {key.strip(): _trimmed(part) for key, part in pairs}
        return replace(one, value=value, is_text=False)
    return replace(one, value=_plain(body))


def _plain(body: str) -> str:
    return re.sub(r"</?[^<>\n]{1,80}>", "", body).strip()


def _trimmed(part: str) -> str:
    """Return a tag's text without the line breaks and spaces of the layout around it."""
    return part.strip("\n").strip() if part.count("\n") < 3 else part.strip("\n")


def calls_before_objects(text: str, tools: Toolset) -> list[Candidate]:
    """Return the calls whose name stands right before an object that holds the arguments alone: `name{...}`."""
    found = []
    for start, end, value, repairs, broken in objects(text):
        if broken or not isinstance(value, dict) or any(True for _ in calls_in(value, tools)):
            continue
        before = text[max(0, start - 160) : start]
        gap = _GAP.search(before)
        word = _LAST_WORD.search(before[: gap.start()] if gap else before)
        tool = (tools.exact(word[0]) or tools.exact(word[0].rpartition(".")[2])) if word else None
        if gap and word and tool:
            place = start - len(before) + word.start()
            begins = not text[:place].rpartition("\n")[2].strip(" \t`*#") and "with" not in gap[0]
            marked = bool(MARK.search(text[:start])) or "|" in gap[0] or begins
            note = (*repairs, "the name before the arguments")
            found.append(Candidate(place, end, tool.name, value, marked=marked, repairs=note))
    return found
