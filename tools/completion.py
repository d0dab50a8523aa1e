"""Completion for bash and zsh of what the command lines of isakmpd, its engine and isakmpctl take.

Made of their parsers and of the table of tags, so that it has every flag, verb and tag there is.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from fifo_ui.flags import make_parser as control_parser
from isakmp.app.engine.flags import make_parser as engine_parser
from isakmp.conf.tags import TAGS
from isakmp.flags import make_parser as daemon_parser
from isakmp.log.log import LogClass

PARSERS = {
    "isakmpd": daemon_parser,
    "isakmpd-engine": engine_parser,
    "isakmpctl": control_parser,
}
FILES = ("FILE", "PATH", "FIFO")
NAMES = ("name", "peer")

LIST = (
    "isakmpctl {where} connections --timeout 1 2>/dev/null | awk 'NR > 1 && /^[^ ]/ {{ {what} }}'"
)
"""Names of the connections of the isakmpd that is named, or of their peers; none if none runs."""

_EVERY = ("$(_isakmpctl_names)", "$(_isakmpctl_peers)")
_WHERE = '"${where[@]}"'

BASH = """\
# bash completion for {name}, made of its command line.
_isakmpctl_names() {{ {names}; }}
_isakmpctl_peers() {{ {peers}; }}
{function}() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} path= given=0 i
    local -a where=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            --run-directory|--fifo) where+=("${{COMP_WORDS[i]}}" "${{COMP_WORDS[i + 1]}}") ;;
        esac
        case "$path ${{COMP_WORDS[i]}}" in
            {paths}) path+=" ${{COMP_WORDS[i]}}" given=0 ;;
            *" -"*) ;;
            *) ((given += 1)) ;;
        esac
    done
    COMPREPLY=()
    case $prev in
{values}
    esac
    case "$path" in
{words}
    esac
}}
complete -F {function} {name}
"""

ZSH = """\
#compdef {name}
# zsh completion for {name}, made of its command line.
_isakmpctl_names() {{ compadd -- ${{(f)"$({names})"}}; }}
_isakmpctl_peers() {{ compadd -- "$@" ${{(f)"$({peers})"}}; }}
_isakmpctl_values() {{
    case $words[CURRENT-1] in
{values}
    esac
}}
{functions}
{function} "$@"
"""


ZSH_WHERE = """\
    local -a where
    local -i i
    for ((i = 2; i < CURRENT; i++)); do
        case $words[i] in
            --run-directory|--fifo) where+=($words[i] "${(Q)words[i + 1]}") ;;
        esac
    done
"""
"""What every level below finds, while the words are still all there."""


class Level(NamedTuple):
    """A parser and the words that lead to it: ``isakmpctl conf get``."""

    path: tuple[str, ...]
    parser: argparse.ArgumentParser

    def verbs(self) -> dict[str, argparse.ArgumentParser]:
        """The parsers of its verbs."""
        for action in self.parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                return dict(action.choices)
        return {}

    def options(self) -> list[argparse.Action]:
        """What begins with a hyphen."""
        return [action for action in self.parser._actions if action.option_strings]

    def arguments(self) -> list[argparse.Action]:
        """What stands by its place."""
        return [
            action
            for action in self.parser._actions
            if not action.option_strings and not isinstance(action, argparse._SubParsersAction)
        ]

    def below(self) -> Iterator[Level]:
        """Itself and all levels under it."""
        yield self
        for name, parser in self.verbs().items():
            yield from Level((*self.path, name), parser).below()


def levels(name: str) -> list[Level]:
    """Those of a command."""
    return list(Level((), PARSERS[name]()).below())


def values() -> dict[str, list[str]]:
    """What the table of tags lists as values of each, in whatever section it is; none: []."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for tags in TAGS.values():
        for tag, row in tags.items():
            found[tag].update(row.type.words if not row.idle else ())
    return {tag: sorted(words, key=str.lower) for tag, words in found.items()}


def _values_by_tag() -> Iterator[tuple[str, str]]:
    """Patterns of a shell's case, and the words."""
    tags_of: defaultdict[str, list[str]] = defaultdict(list)
    for tag, words in sorted(values().items()):
        tags_of[" ".join(words)].append(f'"{tag}"')
    return (("|".join(tags), words) for words, tags in tags_of.items())


def words(action: argparse.Action) -> list[str]:
    """What an argument can be, where that is known and the same everywhere: a verb's switch, a tag,
    a class of the log."""
    if action.choices:
        return [str(choice) for choice in action.choices]
    if action.dest == "tag":
        return sorted(values(), key=str.lower)
    if action.dest == "cls":
        return [*(cls.label for cls in LogClass), "A", "toggle"]
    if action.dest == "debug":
        return [f"{name}=" for name in (*(cls.label for cls in LogClass), "A")]
    return []


def takes_peer(action: argparse.Action) -> bool:
    """Whether it names a peer as well as a connection."""
    return action.dest in NAMES and "peer" in (action.help or "")


def takes_value(action: argparse.Action) -> bool:
    """Whether the word behind the option is its own."""
    return action.nargs != 0


def takes_file(action: argparse.Action) -> bool:
    """Whether an argument is a path."""
    return action.metavar in FILES or action.dest == "path"


def bash(name: str) -> str:
    """The script for bash."""
    every = levels(name)
    # Without verbs there is no path: the pattern is one that no word is.
    paths = "|".join(f'" {" ".join(level.path)}"' for level in every if level.path) or '" "'
    # A flag means the same wherever it stands.
    behind = {f"        {line}": None for level in every for line in _bash_values(level)}
    offered = [f"        {line}" for level in every for line in _bash_words(level)]
    return BASH.format(
        name=name, function=_function(name, ()), paths=paths,
        names=LIST.format(where=_WHERE, what="print $1"),
        peers=LIST.format(where=_WHERE, what="print $2"),
        values="\n".join(behind), words="\n".join(offered),
    )  # fmt: skip


def _pattern(level: Level) -> str:
    return f'"{"".join(f" {word}" for word in level.path)}"'


def _bash_values(level: Level) -> Iterator[str]:
    """What stands behind an option that takes a value."""
    for action in filter(takes_value, level.options()):
        yield f"{'|'.join(action.option_strings)}) {_bash_reply(action)}; return ;;"


def _bash_reply(action: argparse.Action) -> str:
    if takes_file(action):
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
    space = "compopt -o nospace; " if action.dest == "debug" else ""
    return f'{space}mapfile -t COMPREPLY < <(compgen -W "{" ".join(words(action))}" -- "$cur")'


def _bash_words(level: Level) -> Iterator[str]:
    """What may stand anywhere on a level: its verbs and the words of its arguments; its flags
    behind a hyphen, or where there is nothing else."""
    flags = [flag for action in level.options() for flag in action.option_strings]
    known = [*level.verbs(), *(word for action in level.arguments() for word in words(action))]
    names = any(action.dest in NAMES for action in level.arguments())
    files = any(map(takes_file, level.arguments()))
    named = ["$(_isakmpctl_names)"] if names else []
    if any(takes_peer(action) for action in level.arguments()):
        named.append("$(_isakmpctl_peers)")
    listed = " ".join([*known, *named] or ([] if level.arguments() else flags))
    yield f"{_pattern(level)})"
    if any(action.dest == "value" for action in level.arguments()):
        yield "    case $prev in"
        yield from (f'        {tags}) set -- "{given}" ;;' for tags, given in _values_by_tag())
        yield f'        *) set -- "{listed}" ;;'
        yield "    esac"
    else:
        yield f'    set -- "{listed}"'
    if any(action.dest == "section" for action in level.arguments()):
        yield f'    [[ $given == 0 ]] && set -- "General {" ".join(_EVERY)}"'
    yield f'    [[ $cur == -* ]] && set -- "{" ".join(flags)}"'
    yield '    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")'
    if files:
        yield "    [[ $cur == -* ]] && return"
        yield "    compopt -o filenames"
        yield '    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")'
    yield "    ;;"


def zsh(name: str) -> str:
    """The script for zsh."""
    functions = (function for level in levels(name) for function in _zsh_function(name, level))
    by_tag = "\n".join(
        f"        {tags}) compadd -- {given} ;;" for tags, given in _values_by_tag() if given
    )
    return ZSH.format(
        name=name, function=_function(name, ()), values=by_tag,
        names=LIST.format(where="$where", what="print $1"), functions="\n".join(functions),
        peers=LIST.format(where="$where", what='print $1 "\\n" $2'),
    )  # fmt: skip


def _zsh_function(name: str, level: Level) -> Iterator[str]:
    """The function of a level, which calls those of its verbs."""
    verbs = level.verbs()
    specs = [spec for action in level.options() for spec in _zsh_option(action)]
    specs += [f"'{i}:{a.dest}:{_zsh_what(a)}'" for i, a in enumerate(level.arguments(), 1)]
    if verbs:
        specs += ["'1:verb:->verb'", "'*::argument:->argument'"]
    yield f"{_function(name, level.path)}() {{"
    yield "    local curcontext=$curcontext state line"
    if not level.path:
        yield from ZSH_WHERE.splitlines()
    yield "    _arguments -C \\"
    yield from (f"        {spec} \\" for spec in specs)
    yield "        && return"
    if verbs:
        described = " ".join(
            f"'{verb}:{_quoted(parser.description or '')}'" for verb, parser in verbs.items()
        )
        yield "    case $state in"
        yield f"        verb) local -a verbs; verbs=({described}); _describe verb verbs ;;"
        yield "        argument) case $line[1] in"
        for verb in verbs:
            yield f"            {verb}) {_function(name, (*level.path, verb))} ;;"
        yield "        esac ;;"
        yield "    esac"
    yield "}"


def _function(name: str, path: tuple[str, ...]) -> str:
    return "_" + "_".join((name.replace("-", "_"), *path))


def _zsh_option(action: argparse.Action) -> Iterator[str]:
    text = _quoted((action.help or "") % {"default": action.default})
    value = f":{action.metavar or action.dest}:{_zsh_what(action)}" if takes_value(action) else ""
    repeated = "*" if isinstance(action, argparse._AppendAction) else ""
    for flag in action.option_strings:
        yield f"'{repeated}{flag}[{text}]{value}'"


def _zsh_what(action: argparse.Action) -> str:
    if takes_file(action):
        return "_files"
    if action.dest in NAMES:
        return "_isakmpctl_peers" if takes_peer(action) else "_isakmpctl_names"
    if action.dest == "section":
        return "{_isakmpctl_peers General}"
    if action.dest == "value":
        return "_isakmpctl_values"
    if action.dest == "debug":
        return f'{{compadd -S "" -- {" ".join(words(action))}}}'
    return f"({' '.join(words(action))})" if words(action) else " "


def _quoted(text: str) -> str:
    """Text within brackets and single quotes."""
    for char in "\\[]:":
        text = text.replace(char, f"\\{char}")
    return text.replace("'", "'\\''")
