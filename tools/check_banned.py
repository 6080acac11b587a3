#!/usr/bin/env python3
"""Look for calls of the functions that tools/banned lists, and for comments that promise instead of doing."""
import os
import re
import sys

import csource

# A promise needs the number of an issue beside it.
PROMISE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?! *\(?#\d)")


def banned_functions():
    rows = [line.split(None, 1) for line in csource.read("tools/banned").splitlines()]
    return {row[0]: row[1] for row in rows if row and row[0] != "#"}


def check_calls(path, text, call, functions):
    """A test may read a number that it wrote itself as it likes."""
    code = csource.without_comments_and_strings(text)
    own = "a parser" if path.startswith("tests/") else None
    return [f"{path}:{csource.line_of(code, m.start())}: {m.group(1)} is not used here: {functions[m.group(1)]}"
            for m in call.finditer(code) if not own or not functions[m.group(1)].startswith(own)]


def check_promises(path, text):
    return [f"{path}:{csource.line_of(text, m.start())}: {m.group(1)} without the number of an issue"
            for m in PROMISE.finditer(text)]


def main():
    os.chdir(csource.ROOT)
    functions = banned_functions()
    # A name after "." or "->" is a member, after a word character another name.
    call = re.compile(r"(?<![\w.>])(" + "|".join(sorted(functions, key=len, reverse=True)) + r")\s*\(")
    problems = []
    for path in csource.all_sources():
        text = csource.read(path)
        problems += check_calls(path, text, call, functions) + check_promises(path, text)
    return csource.report(problems, "banned functions")


if __name__ == "__main__":
    sys.exit(main())
