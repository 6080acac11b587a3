#!/usr/bin/env python3
"""Print how long functions and files are, which public functions are documented, and how much test there is.
The numbers ask questions; none of them is a target by itself."""
import os
import re
import sys

import csource

LONG = 100


def functions(path):
    """(lines, name, first line) of each function: its brace stands alone at the start of a line, and so does its end."""
    found, lines = [], csource.without_comments_and_strings(csource.read(path)).splitlines()
    start = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            found.append((number - start - 1, name_above(lines, start), start))
            start = None
    return found


def name_above(lines, brace):
    """The name before the first parenthesis of the head above a brace."""
    top = brace - 1
    while top > 0 and lines[top - 1].strip() and not lines[top - 1].rstrip().endswith((";", "}", "{")) \
            and not lines[top - 1].startswith("#"):
        top -= 1
    head = " ".join(line.strip() for line in lines[top:brace])
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head)
    match = re.search(r"(\w+)\s*\(\s*(\w*)", head)
    if not match:
        return "?"
    return match.group(2) if match.group(1) == "TEST" else match.group(1)


def public_functions(path):
    """(name, documented) of each function that a header declares. A comment counts for all declarations below it that
    follow without an empty line between."""
    found, documented, text = [], False, csource.read(path)
    code = csource.without_comments_and_strings(text).splitlines()
    head = ""
    for line, plain in zip(text.splitlines(), code):
        if not line.strip():
            documented = False
        if "/*" in line and not plain.strip() or plain.strip() == "" and line.rstrip().endswith("*/"):
            documented = True
        if plain.startswith(("#", "}", "{", " ", "\t", "typedef")) and not head:
            continue
        head = (head + " " + plain.strip()).strip()
        if head.endswith(";") or not head:
            declared = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head)
            match = re.match(r"(?!static|struct \w+;|enum)[\w\s*]*?\b(\w+)\s*\(", declared)
            if match and "{" not in head:
                found.append((match.group(1), documented or "/*" in line))
            head = ""
        elif head.endswith("{"):
            head = ""
    return found


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0


def line_count(paths):
    return sum(csource.read(path).count("\n") for path in paths)


def row(what, ours, wanted):
    print(f"{what:44} {ours:>14}   {wanted}")


def summary():
    sources = csource.all_sources((".c",), tests=False)
    headers = csource.all_sources((".h",), tests=False)
    lengths = [(lines, name, path) for path in sources for lines, name, _ in functions(path)]
    sizes = [line_count([path]) for path in sources]
    public = [(name, ok) for path in headers for name, ok in public_functions(path)]
    tests = [os.path.join(place, name) for place, _, names in os.walk("tests") for name in names
             if name.endswith((".c", ".h", ".py", ".sh")) or name == "run"]
    only = [lines for lines, _, _ in lengths]
    long = [item for item in lengths if item[0] > LONG]
    source_lines = line_count(sources + headers + csource.all_sources((".def",), tests=False))
    row("signal", "ours", "good company")
    row("lines of source, of test", f"{source_lines} {line_count(tests)}", "")
    row("lines per function, median / p90", f"{percentile(only, .5)} / {percentile(only, .9)}", "<= 16 / <= 50")
    row(f"functions, over {LONG} lines", f"{len(only)}, {len(long)}", "<= 1.5 %, none in codecs or verbs")
    row("lines per .c file, median / p90", f"{percentile(sizes, .5)} / {percentile(sizes, .9)}", "<= 250 / <= 700")
    share = 100 * sum(ok for _, ok in public) // max(1, len(public))
    row("public functions documented in headers", f"{share} % of {len(public)}", ">= 95 %")
    row("test lines per source line", f"{line_count(tests) / max(1, source_lines):.2f}", ">= 1")
    for lines, name, path in sorted(long, reverse=True):
        print(f"  {lines:4} lines: {name} in {path}")
    for path in headers:
        bare = [name for name, ok in public_functions(path) if not ok]
        if bare:
            print(f"  not documented: {', '.join(bare)} in {path}")


def longest():
    found = [(lines, path, start, name) for path in csource.all_sources((".c",), tests=False)
             for lines, name, start in functions(path)]
    for lines, path, start, name in sorted(found, reverse=True)[:40]:
        print(f"{lines:5}  {name:36} {path}:{start}")


def main():
    os.chdir(csource.ROOT)
    {"summary": summary, "longest": longest}[sys.argv[1] if len(sys.argv) > 1 else "summary"]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
