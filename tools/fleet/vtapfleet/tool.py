# SPDX-License-Identifier: GPL-2.0
"""The vtap tool: the only way to the kernel, and the only one who knows its words."""
import re
import subprocess

from .text import TAP


def apply(text, vtap="vtap", check=False):
    """Make the tap of the fleet what TEXT says, as a whole or not at all; with CHECK only ask.

    Return: (True if it is so now, what the tool said, with the origin of the line instead of its
    number).
    """
    options = ["-c"] if check else []
    # no commands: no VM here is tapped, which is as good as any other policy
    options += [] if text.lines else ["-force"]
    try:
        p = subprocess.run([vtap, *options, "apply", "tap", TAP, "-"], input=str(text), text=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60,
                           check=False)
    except (OSError, subprocess.SubprocessError) as e:
        return False, [f"{vtap}: {e}"]
    said = [_named(line, text.origins) for line in p.stderr.splitlines()
            if "only the words were checked" not in line]
    if p.returncode and not said:
        said = [f"{vtap}: exit status {p.returncode}"]
    return p.returncode == 0, said


def _named(line, origins):
    """Return: LINE, a message, with what the line of the text was made for."""
    m = re.match(r"(?:vtap: )?(?:stdin:(\d+): )?(?:(warning): )?(?:stdin:(\d+): )?(.*)", line)
    number = int(m[1] or m[3] or 0)
    origin = origins[number - 1] + ": " if 0 < number <= len(origins) else ""
    return origin + (m[2] + ": " if m[2] else "") + m[4]
