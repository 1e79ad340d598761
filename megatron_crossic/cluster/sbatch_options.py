"""Options of sbatch that a user adds: those that would undo what was checked are refused."""

import re
from collections.abc import Sequence

_SITE = "--set CROSSIC_{} or slurm/site.sh"
_OURS = {
    "nodes": "--nodes",
    "time": "--time",
    "gpus-per-node": _SITE.format("GPUS_PER_NODE"),
    "gpus": _SITE.format("GPUS_PER_NODE"),
    "gres": _SITE.format("GPUS_PER_NODE"),
    "partition": _SITE.format("PARTITION"),
    "account": _SITE.format("ACCOUNT"),
    "qos": _SITE.format("QOS"),
    "comment": "no comment: it names the run directory, so that nobody submits it twice",
}
"""What to use instead of an option."""
_SHORT = {"N": "nodes", "t": "time", "G": "gpus", "p": "partition", "A": "account", "q": "qos"}
_OTHERS = {"time-min", "gres-flags"}
_WITHOUT_VALUE = "HkOQsvWh"
"""Short options that others may follow in the same word: `-HN4`."""
_WORD = re.compile(
    rf"--(?P<long>[a-z][\w-]*)(?:=(?P<value>.*))?|-[{_WITHOUT_VALUE}]*(?P<short>\w).*"
)


def option_problems(words: Sequence[str]) -> list[str]:
    """Why these cannot be handed on; Slurm itself judges the others."""
    found = []
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            found.append(
                f"--sbatch must be one option with its value, such as --exclude=node03, got {word}."
                " Write it so."
            )
        elif instead := _instead(match):
            found.append(
                f"--sbatch must not be an option that is checked and given otherwise, got {word}. "
                f"Use {instead}."
            )
    return found


def _instead(match: re.Match[str]) -> str:
    if match["short"]:
        return _OURS.get(_SHORT.get(match["short"], ""), "")
    given, value = match["long"], match["value"] or ""
    if given in _OTHERS or (given == "gres" and "gpu" not in value):
        return ""
    # Slurm takes the beginning of a name for the whole.
    names = [given] if given in _OURS else [name for name in _OURS if name.startswith(given)]
    return _OURS[names[0]] if names else ""
