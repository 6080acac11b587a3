#!/usr/bin/env python3
"""Compare every #include with the layers of Layers.mk, and keep library headers inside the files that wrap them."""
import argparse
import fnmatch
import os
import re
import sys

import csource

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

# Header of a library: files that may include it. Tests and tools may include any.
WRAPPED = {
    "p11-kit/*": ["keyring/p11/helper/pk.h"],
    "db.h": ["store/bdb*.c", "store/bdb*.h"],
    "libxml/*": ["metadata/*", "kmip/codec/*"],
    "openssl/*": ["base/*", "keyring/*", "smf/*", "store/envelope*", "ios/*"],
    "event2/*": ["base/*"],
    "jansson.h": ["kmip/codec/*"],
    "zstd.h": ["ios/*", "backup/in.c", "backup/out.c"],
    "editline/*": ["console/*", "programs/*"],
    "histedit.h": ["console/*", "programs/*"],
}


def includes(path):
    """Line, kind of quote and name of each include; comments don't count."""
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), csource.read(path), flags=re.S)
    return [(csource.line_of(text, m.start()), m.group(1), m.group(2)) for m in INCLUDE.finditer(text)]


def check_table(folders, may):
    """The table itself: only known folders, and no way back to where one started."""
    problems = []
    for folder in folders:
        problems += [f"Layers.mk: {folder} may include {other}, which is no folder" for other in may[folder]
                     if other not in folders]
        reached, queue = set(), list(may[folder])
        while queue:
            other = queue.pop()
            if other not in reached:
                reached.add(other)
                queue += may.get(other, [])
        if folder in reached:
            problems.append(f"Layers.mk: {folder} may include itself by way of others")
    return problems


def check_file(path, allowed, seen, wrapped):
    """The includes of one file of a folder; seen collects (folder, included folder)."""
    problems, folder = [], os.path.dirname(path)
    for line, quote, name in includes(path):
        where = f"{path}:{line}"
        if quote == "<":
            wrappers = [files for pattern, files in WRAPPED.items() if fnmatch.fnmatch(name, pattern)]
            if wrapped and wrappers and not any(fnmatch.fnmatch(path, file) for file in wrappers[0]):
                problems.append(f"{where}: <{name}> stays inside {', '.join(wrappers[0])}")
            continue
        other = os.path.dirname(name)
        if not other:
            beside = os.path.exists(os.path.join(folder, name)) or name == "test.h"
            if not (beside and path.startswith("tests/")):
                problems.append(f'{where}: "{name}" wants its folder in front')
        elif other not in allowed:
            problems.append(f'{where}: {folder} may not include "{name}"')
        elif other != folder:
            seen.setdefault((folder, other), where)
    return problems


def check(root):
    os.chdir(root)
    folders, may = csource.layers()
    problems, seen = check_table(folders, may), {}
    for folder in folders:
        allowed = {folder, *may[folder]}
        for path in csource.sources(folder, root=""):
            problems += check_file(path, allowed, seen, True)
        # A unit test is linked with what its folder may include, so it may include just that.
        for path in csource.sources(f"tests/unit/{folder}", root=""):
            problems += check_file(path, allowed | {"base", "tests/unit"}, {}, False)
    problems += [f"{where}: {one} and {other} include each other" for (one, other), where in seen.items()
                 if (other, one) in seen]
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default=csource.ROOT, help="source folder to look at")
    return csource.report(check(parser.parse_args().root), "layers")


if __name__ == "__main__":
    sys.exit(main())
