# SPDX-License-Identifier: GPL-2.0
"""A policy and the VMs of a host to the commands of one tap, as `vtap apply` reads them."""
import dataclasses
import fnmatch
import shlex

TAP = "fleet"


@dataclasses.dataclass(frozen=True, order=True)
class Nic:
    """A VM's network card and the device that is its port on this host.

    PORT is a pattern, and ACTIVE false, when the VM does not run: the port will match it.
    """
    port: str
    mac: str = ""
    vm: str = ""
    uuid: str = ""
    network: tuple = ()
    tag: tuple = ()     # of (key, value)
    active: bool = True


@dataclasses.dataclass
class Text:
    """Commands, each with what it comes from; the ports of each tap; what was left out, and why."""
    lines: list
    origins: list
    ports: dict
    errors: list

    def __str__(self):
        return "".join(line + "\n" for line in self.lines)


def picks(tap, nic, policy):
    """Return: whether TAP's selectors, all that are given, hold for NIC; without any none does."""
    wanted = []
    if tap["vm"]:
        wanted.append(any(fnmatch.fnmatchcase(name, pattern) for pattern in tap["vm"]
                          for name in (nic.vm, nic.uuid) if name))
    if tap["mac"]:
        wanted.append(nic.mac in tap["mac"])
    if tap["network"]:
        wanted.append(any(set(policy["network"][name]["bridge"]) & set(nic.network)
                          for name in tap["network"]))
    if tap["tag"]:
        wanted.append(set(tap["tag"].items()) <= set(nic.tag))
    return bool(wanted) and all(wanted)


def session(name, row):
    """Return: the command for a collector."""
    words = ["session", "add", name, "type", row["type"]]
    words += ["remote", row["remote"]] if row["remote"] else []
    for word, value in row["options"].items():
        words += [word, *([value] if value else [])]
    return shlex.join(words)


def rule(tap, nic):
    """Return: the command for a tap's copies of a VM's frames.

    The words of the match are quoted anew, so that no text can become a command or a comment.
    """
    words = ["rule", "add", "pref", str(tap["pref"]), "port", nic.port]
    words += ["mac", nic.mac] if nic.mac else []
    words += ["dir", tap["dir"]] if tap["dir"] != "both" else []
    try:
        words += shlex.split(tap["match"])
    except ValueError:
        words.append(tap["match"])      # which the tool refuses; vtapctl has not let it in
    words += ["action", "mirror", ",".join(tap["collector"])] if tap["collector"] else \
        ["action", "skip"]
    return shlex.join(words)


def _bad_port(nic):
    return nic.active and set(nic.port) & set("*?[\\")


def compose(policy, nics):
    """Return: the Text for a host with NICS. The same input gives the same text, in any order."""
    chosen = {}
    for name, tap in policy["tap"].items():
        if tap["enabled"]:
            chosen[name] = [nic for nic in sorted(nics)
                            if not _bad_port(nic) and picks(tap, nic, policy)]
    used = {name for tap, found in chosen.items() if found
            for name in policy["tap"][tap]["collector"]}
    errors = [f"port {nic.port}: the name of this device would be a pattern in a rule"
              for nic in sorted(nics) if _bad_port(nic)]
    return _write(policy, chosen, used, errors)


def specimen(policy):
    """Return: the Text of a host where each tap has one VM, to have all words checked."""
    nic = Nic("vnet0", "02:00:00:00:00:01")
    return _write(policy, {name: [nic] for name in policy["tap"]}, policy["collector"], [])


def _write(policy, chosen, used, errors):
    text = Text([], [], {}, errors)
    for name in sorted(used):
        text.lines.append(session(name, policy["collector"][name]))
        text.origins.append(f"collector {name}")
    for name in sorted(chosen, key=lambda name: (policy["tap"][name]["pref"], name)):
        for nic in chosen[name]:
            text.lines.append(rule(policy["tap"][name], nic))
            text.origins.append(f"tap {name}")
        text.ports[name] = sorted({nic.port for nic in chosen[name] if nic.active})
    return text
