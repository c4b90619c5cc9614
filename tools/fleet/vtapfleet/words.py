# SPDX-License-Identifier: GPL-2.0
"""The words of vtapctl to parts of a policy, and back."""
import copy
import shlex

from .policy import DEFAULTS, Wrong


def _value(where, default, text):
    """Return: TEXT as the type of DEFAULT."""
    if isinstance(default, bool):
        if text not in ("on", "off"):
            raise Wrong(f"{where}: on or off, not \"{text}\"")
        return text == "on"
    if isinstance(default, int):
        try:
            return int(text, 0)
        except ValueError:
            raise Wrong(f"{where}: \"{text}\" is not a number") from None
    parts = [part for part in text.split(",") if part]
    if isinstance(default, list):
        return [] if text == "none" else parts
    if isinstance(default, dict):
        if not all(part.partition("=")[0] and "=" in part for part in parts):
            raise Wrong(f"{where}: \"{text}\" is not KEY=VALUE[,KEY=VALUE...]")
        return dict(part.split("=", 1) for part in parts)
    return text


def put(policy, kind, name, words, new):
    """Return: POLICY with the object NAME as WORDS have it; NEW: it must not be there, or must."""
    policy = copy.deepcopy(policy)
    if new and name in policy[kind]:
        raise Wrong(f"there is a {kind} \"{name}\" already")
    if not new and name not in policy[kind]:
        raise Wrong(f"there is no {kind} \"{name}\"")
    row = policy[kind].setdefault(name, copy.deepcopy(DEFAULTS[kind]))
    words, seen = list(words), set()
    while words:
        word = words.pop(0)
        where = f"{kind} {name}: {word}"
        if word in seen:
            raise Wrong(f"{where}: given twice")
        seen.add(word)
        option = kind == "collector" and word not in ("type", "remote")
        if word not in DEFAULTS[kind] and not option:
            raise Wrong(f"{where}: unknown; there are {', '.join(DEFAULTS[kind])}")
        if not words:
            raise Wrong(f"{where}: a value is required")
        text = words.pop(0)
        if not option:
            row[word] = _value(where, DEFAULTS[kind][word], text)
        elif text:
            row["options"][word] = text
        else:
            row["options"].pop(word, None)
    if new and kind == "tap" and "collector" not in seen:
        raise Wrong(f"tap {name}: collector is required; \"collector none\" skips frames")
    return policy


def drop(policy, kind, name):
    """Return: POLICY without the object NAME."""
    if name not in policy[kind]:
        raise Wrong(f"there is no {kind} \"{name}\"")
    policy = copy.deepcopy(policy)
    del policy[kind][name]
    return policy


def line(kind, name, row):
    """Return: the words that make an object, as one line for a shell."""
    words = [kind, "add", name]
    for word, default in DEFAULTS[kind].items():
        value = row[word]
        if word == "options":
            for key, text in value.items():
                words += [key, text]
        elif word == "collector" and not value:
            words += [word, "none"]
        elif value != default:
            words += [word, _text(value)]
    return shlex.join(words)


def _text(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items())
    return ",".join(value) if isinstance(value, list) else str(value)
