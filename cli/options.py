"""The command line of `a2ia-cli`. Imports nothing heavy: `--help` and a wrong flag answer at once."""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

_EPILOG = """\
examples:
  a2ia-cli                                        talk to the model in this folder
  a2ia-cli -p "Which files mention TODO?"         one turn, then exit
  git diff | a2ia-cli -p "Review this" --output json
  a2ia-cli -p "Fix the typo in README.md" --allow edit_file

commands:
  a2ia-cli models pull [MODEL]    fetch a model's weights
  a2ia-cli models list            known models, and running servers
  a2ia-cli models stop            stop the embedded model servers, delete their saved prompts
  a2ia-cli vllm start|stop|status|logs|lora    run vLLM as a service
  a2ia-cli calibrate              learn when a model should do without tools
  a2ia-cli doctor                 check everything, and say how to mend it

exit codes: 0 answered, 1 a bug of A2IA, 2 bad usage or configuration, 3 the model server failed,
            4 a tool call was not allowed, 5 step limit, unreadable replies or full window, 130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and where to look, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        """End the process with exit code 2."""
        self.exit(2, f"error: {message}\nSee {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of everything but the commands. An option that was not given parses as None."""
    top = Parser(
        prog="a2ia-cli",
        description="Makes a local model use MCP tools: files, git and shell of a workspace, and any MCP server.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("-p", "--print", dest="prompt", metavar="PROMPT", help="answer PROMPT and exit; - reads it")
    top.add_argument("--output", choices=("text", "json", "stream-json"), help="with -p: form of the output")
    _add_model_options(top.add_argument_group("model"))
    _add_tool_options(top.add_argument_group("tools"))
    top.add_argument("--debug", action="store_true", default=None, help="show tracebacks and what the model is sent")
    top.add_argument("--version", action="version", version=f"a2ia {version('a2ia')}")
    return top


def _add_server_options(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--backend",
        metavar="NAME",
        help="ollama, vllm, embedded, or an installed one (default: the first that answers)",
    )
    group.add_argument("--model", metavar="NAME", help="model name, or the path of a GGUF file")
    group.add_argument("--ollama-url", metavar="URL", help="where Ollama is (default OLLAMA_HOST, or this machine)")
    group.add_argument("--vllm-url", metavar="URL", help="where vLLM is (default http://localhost:8000/v1)")
    group.add_argument("--api-key", metavar="KEY", help="what vLLM asks for")


def _add_model_options(group: argparse._ArgumentGroup) -> None:
    _add_server_options(group)
    react = group.add_mutually_exclusive_group()
    react.add_argument("--react", action="store_true", default=None, help="speak ReAct with the model")
    react.add_argument("--no-react", dest="react", action="store_false", help="use the model's own tool calling")
    group.add_argument(
        "--no-judge",
        dest="judge",
        action="store_false",
        default=None,
        help="never ask if a first call is needed, an answer complete",
    )
    group.add_argument("--temperature", type=float, metavar="T", help="sampling temperature (default 0)")
    group.add_argument("--seed", type=int, metavar="N", help="sampling seed")
    group.add_argument("--timeout", metavar="S", help="how long the model server may stay silent (default 10m)")
    group.add_argument("--keep-alive", metavar="D", help="how long the embedded server lives on (default 5m)")
    group.add_argument("--max-steps", type=int, metavar="N", help="most model calls in a turn (default 25)")


def _add_tool_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--workspace", type=Path, metavar="DIR", help="folder the built-in tools work in (default .)")
    group.add_argument(
        "--mcp-config", type=Path, action="append", metavar="FILE", help="mcpServers file; may be given again"
    )
    group.add_argument(
        "--no-builtin-tools", dest="builtin_tools", action="store_false", help="without files, git and shell"
    )
    group.add_argument(
        "--allow", action="append", metavar="PATTERN", help="run these tools unasked: edit_file, 'SERVER:*', 'git_*'"
    )
    group.add_argument("--yes", action="store_true", default=None, help="run every tool unasked")


def models_parser() -> argparse.ArgumentParser:
    """Return the parser of `a2ia-cli models`."""
    top = Parser(prog="a2ia-cli models", description="Weights and servers of the embedded model.")
    actions = top.add_subparsers(dest="action", required=True)
    pull = actions.add_parser("pull", help="fetch a model's weights", epilog="example: a2ia-cli models pull")
    pull.add_argument("model", nargs="?", help="name of a known model; the default one if left out")
    actions.add_parser("list", help="known models and running servers")
    actions.add_parser("stop", help="stop the embedded model servers, delete their saved prompts")
    return top


def calibrate_parser() -> argparse.ArgumentParser:
    """Return the parser of `a2ia-cli calibrate`."""
    about = "Ask a model about 250 cases, and learn when its first tool call is needless and its answer early."
    top = Parser(prog="a2ia-cli calibrate", description=about, epilog="example: a2ia-cli calibrate --model my.gguf")
    _add_server_options(top)
    return top
