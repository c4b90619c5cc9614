# SPDX-License-Identifier: GPL-2.0
"""Test results in TAP, with the words of the kernel's tools/testing/selftests/net/lib/py.

Unlike there, each check is a result of its own: "ok N COMMENT". Tests wait for conditions, never
for time.
"""
import os
import sys
import time
import traceback

_counts = {"ok": 0, "not ok": 0, "skip": 0}
_deferred = []
_case = ""


class KsftSkipEx(Exception):
    """Raised by a test that cannot run here; the message is the reason."""


def ksft_pr(*objs):
    """Print OBJS as comment lines."""
    for line in " ".join(map(str, objs)).splitlines():
        print("#", line, flush=True)


def _result(word, text):
    print(f"{word} {sum(_counts.values()) + 1} {text}", flush=True)


def ksft_true(a, comment="", why=""):
    """Report whether A is true, under the name COMMENT, or that of the test function.

    WHY: an object, or a function that returns one; it is printed when A is false.
    Return: bool(A).
    """
    word = "ok" if a else "not ok"
    _result(word, comment or _case)
    _counts[word] += 1
    if not a and why != "":
        ksft_pr(why() if callable(why) else why)
    return bool(a)


def ksft_eq(a, b, comment=""):
    """Report whether A, the result, equals B, the expected value; print both if it does not."""
    return ksft_true(a == b, comment, lambda: f"got  {a!r}\nwant {b!r}")


def ksft_skip(reason, comment=""):
    """Report that the check COMMENT cannot run here."""
    _result("ok", f"{comment or _case} # SKIP {reason}")
    _counts["skip"] += 1


class defer:  # pylint: disable=invalid-name
    """Call FUNC with ARGS when the running test ends, the latest first; `with` calls it at its
    end."""

    def __init__(self, func, *args, **kwargs):
        self.func, self.args, self.kwargs = func, args, kwargs
        _deferred.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.exec()

    def cancel(self):
        """Do not call it."""
        _deferred.remove(self)

    def exec(self):
        """Call it now."""
        self.cancel()
        self.func(*self.args, **self.kwargs)


def _failed(name, e):
    said = getattr(e, "stderr", None) or ""  # bytes if it is of a command that took too long
    said = said.decode(errors="replace") if isinstance(said, bytes) else said
    ksft_true(False, name, traceback.format_exc() + said)


def ksft_run(cases, args=()):
    """Call each function of CASES with ARGS, or those that the command line names.

    One that raises an exception counts as failed. What it deferred is called after it.
    """
    global _case  # pylint: disable=global-statement
    wanted = sys.argv[1:]
    for case in cases:
        if wanted and case.__name__ not in wanted:
            continue
        _case = case.__name__
        try:
            case(*args)
        except KsftSkipEx as e:
            ksft_skip(e)
        except Exception as e:  # pylint: disable=broad-except
            _failed(_case, e)
        while _deferred:
            try:
                _deferred[-1].exec()
            except Exception as e:  # pylint: disable=broad-except
                _failed(f"{_case}: cleanup", e)


def ksft_exit():
    """Print the plan and leave with kselftest's exit status: 0, 1 (failed), 4 (all skipped)."""
    print(f"1..{sum(_counts.values())}", flush=True)
    if _counts["not ok"]:
        sys.exit(1)
    sys.exit(4 if _counts["skip"] and not _counts["ok"] else 0)


# times that everything may take longer than elsewhere; the second name is the kernel's own tests'
SLOW = int(os.environ.get("VTAP_SLOW") or
           (4 if os.environ.get("KSFT_MACHINE_SLOW") == "yes" else 1))


def busywait(cond, timeout=10, step=0.02):
    """Call COND until it is true or TIMEOUT seconds have passed. Return: its last value."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = cond()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)
