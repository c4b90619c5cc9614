#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Results of the KUnit tests, which ran when the module was loaded, where it was built with
them."""
import glob
import os
import re

from lib import ksft_eq, ksft_exit, ksft_pr, ksft_run, ksft_skip, ksft_true

# and how many results each has at least
SUITES = {"vtap_classifier": 10, "vtap_finish": 11, "vtap_headers": 11, "vtap_lists": 5,
          "vtap_notes": 2, "vtap_parser": 11, "vtap_refusals": 11, "vtap_rules": 4,
          "vtap_slice": 11, "vtap_tunnel": 11}
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
            ksft_skip(m[4].removeprefix("SKIP "), name)
        elif not ksft_true(m[2] == "ok", name):
            ksft_pr("\n".join(said))
        said = []
    return number


def suites():
    """Every suite ran, and every case of it passed."""
    if not built_in("vtap_test_whole"):
        ksft_skip("the module is built without them", "KUnit tests")
        return
    wanted = SUITES | ({"vtap_ring": 7} if built_in("vtap_ring_prove") else {})
    ksft_eq(sorted(os.path.basename(d) for d in glob.glob(DEBUGFS + "vtap_*")), sorted(wanted),
            "suites")
    for suite, least in wanted.items():
        number = report(suite)
        ksft_true(number >= least, f"{suite}: {number} results")


if __name__ == "__main__":
    ksft_run([suites])
    ksft_exit()
