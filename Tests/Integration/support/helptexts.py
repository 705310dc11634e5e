"""What the program says of itself with --help: texts and the examples in them."""

import json
from functools import cache

from harness import run


@cache
def discussions():
    """The text of each command, `sluice` itself among them."""
    command = json.loads(run("--experimental-dump-help").stdout)["command"]
    return {each["commandName"]: each.get("discussion", "") for each in [command, *command["subcommands"]]}


def examples(text):
    """The commands of an EXAMPLES section: each begins two columns in, and what is further in belongs to it."""
    found = []
    for line in text.partition("EXAMPLES\n")[2].partition("\nEXIT STATUS")[0].splitlines():
        if line.startswith("   "):
            found[-1] += "\n" + line.removeprefix("  ")
        elif line and not line.startswith("  # "):
            found.append(line.removeprefix("  "))
    return found
