"""The command line: every command is a thin door to the Python API."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from agentaudio import __version__
from agentaudio.errors import AgentAudioError

app = App(
    name="agentaudio",
    help="Spoken agents: ask by voice, have tools called, hear the answer in a voice that was retrieved for it.",
    default_parameter=Parameter(negative=()),
    version=__version__,
    suppress_keyboard_interrupt=False,
)
# Given as paths, so that `agentaudio --help` imports no model and no index.
for _home, _help in {
    "agentaudio.cli.demo:demo": "Hear three turns of a spoken conversation, and see how they came about.",
    "agentaudio.cli.ask:ask": "Ask by voice or in writing, and hear the answer.",
    "agentaudio.cli.step_audio_2:transcribe": "Write down what is said in a sound file.",
    "agentaudio.cli.step_audio_2:translate": "Write down what is said in a sound file in English or Chinese.",
    "agentaudio.cli.step_audio_2:describe": "Say in a few sentences what can be heard in a sound file.",
    "agentaudio.cli.step_audio_2:revoice": "Say what a sound file says in another voice.",
    "agentaudio.cli.step_audio_2:tokenize": "Write down the speech tokens of a sound file.",
    "agentaudio.cli.voices:voices": "Look into a voice library, and change it.",
    "agentaudio.cli.tools:tools": "List, check and run the tools that agents can be given.",
    "agentaudio.cli.listing:models": "Look at the installed speech models.",
    "agentaudio.cli.step_audio_2:model": "Make a small random checkpoint of Step-Audio 2, for tests and CI.",
    "agentaudio.cli.doctor:doctor": "Show what is installed, what is missing, and how to get it.",
}.items():
    app.command(_home, help=_help)

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        code = app(arguments, exit_on_error=False, result_action="return_int_as_exit_code_else_zero")
    except CycloptsError:  # already printed
        sys.exit(WRONG_USAGE)
    except AgentAudioError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left; nothing more can be told to anyone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    sys.exit(code)
