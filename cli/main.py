"""`a2ia-cli`: parse, then hand over to the headless run, the interactive session or a command."""

import signal
import sys
from collections.abc import Sequence
from typing import TextIO

from cli.options import calibrate_parser, models_parser, parser

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None, *, backend: str | None = None) -> int:
    """Run the command line `argv` (the process's own if None) and return the exit code.

    `backend` is used where the command line names none.
    """
    try:
        return _run(list(sys.argv[1:] if argv is None else argv), backend)
    except KeyboardInterrupt:
        return INTERRUPTED


def vllm_main() -> int:
    """Run `a2ia-cli-vllm`: `a2ia-cli --backend vllm`."""
    return main(backend="vllm")


def _run(arguments: list[str], backend: str | None) -> int:
    if arguments[:1] == ["models"]:
        given = models_parser().parse_args(arguments[1:])
        from cli.models import run_models

        return run_models(given.action, getattr(given, "model", None))
    if arguments[:1] == ["vllm"]:
        return _vllm(arguments[1:])
    if arguments[:1] == ["doctor"]:
        return _doctor(arguments[1:])
    if arguments[:1] == ["calibrate"]:
        flags = vars(calibrate_parser().parse_args(arguments[1:]))
        from cli.calibrate import run_calibrate

        return run_calibrate(flags)
    top = parser()
    flags = vars(top.parse_args(arguments))
    prompt, output = flags.pop("prompt"), flags.pop("output")
    flags["backend"] = flags["backend"] or backend
    if prompt is None and output is not None:
        top.error("--output needs -p PROMPT")
    if prompt is None:
        if not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)):
            top.error('the interactive session needs a terminal; give a prompt with -p "..." to run without one')
        from cli.chat import run_chat

        return run_chat(flags)
    # From here on one result is printed whatever happens, but a signal in the middle of an import would prevent it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    from cli.headless import run_headless

    return run_headless(prompt, output or "text", flags)


def _vllm(arguments: list[str]) -> int:
    from cli.vllm_options import split_extra, vllm_parser

    own, extra = split_extra(arguments)
    given = vllm_parser().parse_args(own)
    from cli.vllm import run_vllm

    return run_vllm(given, extra)


def _doctor(arguments: list[str]) -> int:
    from cli.vllm_options import doctor_parser

    flags = vars(doctor_parser().parse_args(arguments))
    from cli.doctor import run_doctor

    return run_doctor(flags, as_json=flags.pop("json"))


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


if __name__ == "__main__":
    sys.exit(main())
