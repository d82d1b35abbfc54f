"""`chipsim completion`: a script that completes commands, options and their values in the shell."""
from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module

from chipsim.cli.output import show

USAGE = "bash|zsh"
EXAMPLES = """\
  chipsim completion bash > ~/.local/share/bash-completion/completions/chipsim
  chipsim completion bash | less
  chipsim completion zsh >> ~/.zshrc
"""

SCRIPT = """\
# Completion of chipsim {version}; made by `chipsim completion`.
_chipsim() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands}"
  else
    case "${{COMP_WORDS[1]}} $before" in
{values}
      *) case "${{COMP_WORDS[1]}} $word" in
{options}
         esac ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o bashdefault -o default -F _chipsim chipsim
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=("bash", "zsh"), help="bash or zsh")


def run(args: Namespace) -> int:
    zsh = "autoload -U +X bashcompinit && bashcompinit\n" if args.shell == "zsh" else ""
    show(zsh + script().rstrip())
    return 0


def script() -> str:
    """The script for bash. Where it knows nothing, the shell completes names of files."""
    from chipsim import __version__
    from chipsim.chip import catalogue
    from chipsim.cli import COMMANDS
    from chipsim.cli.explain import all_codes
    from chipsim.cli.parser import Parser

    chips = " ".join(entry.name for entry in catalogue())
    fixed = {"chips": chips, "explain": " ".join(all_codes()), "completion": "bash zsh"}
    values = [f'      "{name} {name}") words="{words}" ;;' for name, words in fixed.items()]
    options = []
    for name in COMMANDS:
        command = import_module(f"chipsim.cli.{name}")
        parser = Parser(name, COMMANDS[name], command.USAGE, command.EXAMPLES)
        command.add_options(parser)
        known = [action for action in parser._actions if action.option_strings]
        for action in known:
            taken = chips if action.metavar == "CHIP" else " ".join(map(str, action.choices or ()))
            values += [f'      "{name} {option}") words="{taken}" ;;' for option in action.option_strings if taken]
        options.append(f'           "{name} -"*) words="{" ".join(o for a in known for o in a.option_strings)}" ;;')
    return SCRIPT.format(version=__version__, commands=" ".join(COMMANDS), values="\n".join(values),
                         options="\n".join(options))
