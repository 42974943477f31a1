"""Commands that would read a value as code, such as `sh -c "echo {a}"`: they are refused when the file is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from agentaudio.tools.declarative.placeholder import placeholders

# Programs whose options or first argument are code.
_INTERPRETERS = frozenset(
    "sh bash dash zsh ksh mksh ash fish csh tcsh rbash elvish nu xonsh python pypy ipython perl ruby node nodejs "
    "php lua luajit tclsh wish expect rscript julia osascript guile sbcl clojure groovy scala ghc runghc awk "
    "gawk mawk nawk sed gsed ed ex vi vim nvim emacs jq psql mysql mariadb gdb bc dc m4 make gmake irb "
    "wscript cscript".split()
)
# Programs that start the program in their first argument.
_LAUNCHERS = frozenset(
    "env nice ionice nohup timeout setsid stdbuf time sudo doas chroot xargs busybox toybox exec command strace ltrace "
    "flock unshare nsenter runuser setpriv taskset chrt docker podman kubectl deno bun npx bunx uvx systemd-run "
    "pkexec gosu fakeroot proot firejail bwrap xvfb-run valgrind entr java".split()
)
# Programs whose arguments are all code, or name it.
_JOINERS = frozenset(
    "cmd command.com powershell pwsh ssh rsh su eval watch script parallel at batch tmux screen sqlite3 socat crontab "
    "hyperfine".split()
)
# Programs that run or install what follows one of their words.
_RUNNERS = frozenset(
    "deno bun npm pnpm yarn uv poetry pipx pdm hatch conda mamba nix cargo go pip gem cpan docker podman flatpak "
    "apptainer singularity".split()
)
_RUN_WORDS = frozenset("run exec x dlx".split())
_INSTALL_WORDS = frozenset("install add create init get".split())
# Options of other programs whose value is a program or code.
_CODE_OPTIONS = {
    "find": "-exec -execdir -ok -okdir",
    "fd": "-x -X --exec --exec-batch",
    "rg": "--pre",
    "git": "-c --config-env --exec-path --upload-pack --receive-pack -x --exec -O --open-files-in-pager --extcmd",
    "tar": "-I --use-compress-program --to-command --checkpoint-action -F --info-script --new-volume-script "
    "--rsh-command --rmt-command",
    "zip": "-TT --unzip-command",
    "rsync": "-e --rsh --rsync-path",
    "scp": "-S -o -D",
    "sftp": "-S -o -D",
    "sort": "--compress-program",
    "split": "--filter",
    "wget": "-e --execute --use-askpass",
    "curl": "-K --config",
    "man": "-P --pager -H --html",
    "nc": "-e -c",
    "netcat": "-e -c",
    "ncat": "-e -c --exec --sh-exec --lua-exec",
    "gs": "-c",
    "gcc": "-wrapper -fplugin -B",
    "clang": "-fplugin -B",
    "pandoc": "-F --filter -L --lua-filter --pdf-engine",
    "nmap": "--script",
    "openssl": "-engine -provider",
    "java": "-jar -cp -classpath --class-path -javaagent:",
}
_CODE_OPTIONS["bsdtar"] = _CODE_OPTIONS["tar"]
# Interpreters that read all words after the code as its arguments.
_CODE_ONCE = frozenset("sh bash dash zsh ksh mksh ash rbash python pypy".split())
_CODE_FLAG = re.compile(
    r"-[A-Za-z]*[ceEprS]|/[cCkK]|--(?:eval|print|command|expression|execute|split-string|source|run|exec|init-file|rcfile)"
)
_ATTACHED_CODE = re.compile(r"-[A-Za-z]*[ceEprS].|--[a-z-]+=")
_SCRIPT = re.compile(r".*[./\\].*")


def read_as_code(command: Sequence[str], program: str) -> str | None:
    """Which word of the command would be read as code, or choose the program, with a value in it; None when none would.

    program: the file that is started, whose links are followed

    Values may follow a script or fixed code, as its arguments: `["sh", "-c", 'echo "$1"', "sh", "{a}"]`.
    """
    target = _name(str(Path(program).resolve()))
    if (found := _after_option(command) or _after_verb(command)) is not None:
        return found
    for place, word in enumerate(command):
        name = _name(word)
        if place == 0 and name not in _LAUNCHERS | _JOINERS and target in _INTERPRETERS:
            name = target
        if name in _JOINERS:
            found = next((held for held in command[place + 1 :] if _has_value(held)), None)
        elif name in _INTERPRETERS:
            return _code(command[place + 1 :], once=name in _CODE_ONCE)
        elif name in _LAUNCHERS:
            found = _code(command[place + 1 :], once=False)
        else:
            continue
        if found is not None:
            return found
    return None


def _after_option(command: Sequence[str]) -> str | None:
    """The first value of an option for code, in the next word or attached: `--to-command={a}`."""
    for place, word in enumerate(command):
        options = _CODE_OPTIONS.get(_name(word), "").split()
        words = command[place + 1 :]
        for held, before in zip(words, ("", *words), strict=False):
            attached = any(held.startswith(one) for one in options)
            if _has_value(held) and (before in options or attached):
                return held
    return None


def _after_verb(command: Sequence[str]) -> str | None:
    """The first value that chooses what a runner runs or installs."""
    if _name(command[0]) in _RUNNERS:
        for place, word in enumerate(command):
            if word in _INSTALL_WORDS:
                return next((held for held in command[place + 1 :] if _has_value(held)), None)
            if word in _RUN_WORDS:
                return _code(command[place + 1 :], once=False)
    return None


def _code(words: Sequence[str], *, once: bool) -> str | None:
    """The first word with a value before the script, after an option for code, or attached to one."""
    fixed = False  # a word before this one is the script, the code or the program
    flag = False  # the word before this one is an option for code
    for word in words:
        if _has_value(word) and (flag or not fixed or (word.startswith("-") and _ATTACHED_CODE.match(word))):
            return word
        if flag and once:
            return None
        if flag or not word.startswith(("-", "/c", "/k")):
            fixed = True
            if not flag and _SCRIPT.fullmatch(word) and not _has_value(word):
                return None  # what follows a script are its own options
        flag = _CODE_FLAG.fullmatch(word) is not None
    return None


def _has_value(word: str) -> bool:
    return any(True for _ in placeholders(word))


def _name(word: str) -> str:
    """The name of a program, without folder, suffix and version: `/usr/bin/python3.12` is "python"."""
    name = re.split(r"[/\\]", word)[-1].lower()
    name = re.sub(r"\.(?:exe|bat|cmd|com)$", "", name) if name != "command.com" else name
    return name if name in _INTERPRETERS | _JOINERS else re.sub(r"[-.]?\d[\d.]*$", "", name)
