#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Results of the KUnit tests, which ran when the module was loaded, where it was built with them."""
import glob
import os
import re

import ksft
from ksft import eq, note, ok, skip

# and how many results each has at least
SUITES = {"vtap_classifier": 11, "vtap_finish": 11, "vtap_headers": 11, "vtap_parser": 11, "vtap_refusals": 11, "vtap_rules": 4,
          "vtap_tunnel": 11}
DEBUGFS = "/sys/kernel/debug/kunit/"
RESULT = re.compile(r"( *)(ok|not ok) \d+ ([^#]*[^# ])(?: *# (SKIP.*))?")


def built_in(symbol):
    """Return: whether the module has a function SYMBOL."""
    with open("/proc/kallsyms", encoding="ascii") as f:
        return any(symbol in line for line in f)


def report(suite):
    """Report each case of SUITE. Return: how many there were."""
    said, number = [], 0
    with open(f"{DEBUGFS}{suite}/results", encoding="ascii") as f:
        lines = f.read().splitlines()
    for line in lines:
        m = RESULT.fullmatch(line)
        if not m:
            said.append(line)
            continue
        number += 1
        name = f"{suite}: {m[3]}"
        if m[4]:
            skip(name, m[4].removeprefix("SKIP "))
        elif not ok(name, m[2] == "ok"):
            note("\n".join(said))
        said = []
    return number


def suites():
    """Every suite ran, and every case of it passed."""
    if not built_in("vtap_test_whole"):
        skip("KUnit tests", "the module is built without them")
        return
    wanted = SUITES | ({"vtap_ring": 7} if built_in("vtap_ring_prove") else {})
    eq("suites", sorted(os.path.basename(d) for d in glob.glob(DEBUGFS + "vtap_*")), sorted(wanted))
    for suite, least in wanted.items():
        number = report(suite)
        ok(f"{suite}: {number} results", number >= least)


if __name__ == "__main__":
    ksft.run(suites)
