"""The command line: a thin layer over the Python API."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from agentaudio import __version__
from agentaudio.cli.console import LogOnTerminal, Terminal, err
from agentaudio.errors import AgentAudioError
from agentaudio.escaping import one_line
from agentaudio.free_memory import share_one_heap

app = App(
    name="agentaudio",
    help="Spoken agents: ask by voice, let the agent call tools, and hear its answer in a voice of your choice.",
    default_parameter=Parameter(negative=()),
    version=__version__,
    suppress_keyboard_interrupt=False,
    console=Terminal(soft_wrap=False),
    error_console=Terminal(stderr=True, soft_wrap=False),
)
# Given as paths, so that `agentaudio --help` imports no model and no index.
for _home, _help in {
    "agentaudio.cli.demo:demo": "Run three turns of a spoken conversation and write a report of them.",
    "agentaudio.cli.ask:ask": "Ask a spoken or written question and get a spoken answer.",
    "agentaudio.cli.chat:chat": "Talk with the agent: spoken and typed turns, which may interrupt it.",
    "agentaudio.cli.serve:serve": "Serve the agent to clients of OpenAI's API, and its page to browsers.",
    "agentaudio.cli.serve_token2wav:serve_token2wav": "Serve a speech decoder of Step-Audio 2: speech tokens to sound.",
    "agentaudio.cli.mcp:mcp": "Serve voice search, speech and transcription as tools to MCP clients.",
    "agentaudio.cli.step_audio_2:transcribe": "Transcribe a sound file.",
    "agentaudio.cli.step_audio_2:translate": "Translate the speech of a sound file into English or Chinese.",
    "agentaudio.cli.step_audio_2:describe": "Describe in a few sentences what can be heard in a sound file.",
    "agentaudio.cli.step_audio_2:revoice": "Change the voice of the speech in a sound file.",
    "agentaudio.cli.step_audio_2:tokenize": "Print the speech tokens of a sound file.",
    "agentaudio.cli.inspect:inspect": "Show who signed a sound file, and what it says about voice and consent.",
    "agentaudio.cli.voices:voices": "List, search and change a voice library.",
    "agentaudio.cli.tools:tools": "List, check and run the tools that agents can be given.",
    "agentaudio.cli.sessions:sessions": "List, show, export and erase stored sessions.",
    "agentaudio.cli.models:models": "Show the speech models and their options, and fetch the weights that they need.",
    "agentaudio.cli.step_audio_2:model": "Make a small random checkpoint of Step-Audio 2 for tests.",
    "agentaudio.cli.eval:eval_": "Measure models by published benchmarks, and agents by suites of dialogues.",
    "agentaudio.cli.stats:stats": "Show where the time of turns went.",
    "agentaudio.cli.doctor:doctor": "Show what is installed, what is missing and how to install it.",
}.items():
    app.command(_home, help=_help)

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

_ON_TERMINAL = LogOnTerminal(logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    share_one_heap()  # servers, conversations and evaluations run for hours, with threads that come and go
    logging.lastResort = _ON_TERMINAL
    # `warnings` writes to standard error by itself, control characters included.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(_ON_TERMINAL)
    try:
        code = app(arguments, exit_on_error=False, result_action="return_int_as_exit_code_else_zero")
    except CycloptsError:  # cyclopts has printed it
        sys.exit(WRONG_USAGE)
    except AgentAudioError as error:
        err.print(f"error: {one_line(str(error))}")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of stdout has closed it, such as `head`; the interpreter must not flush into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception:
        err.print(traceback.format_exc(), end="")
        sys.exit(FAILED)
    sys.exit(code)
