#!/usr/bin/env python3
"""Look at the rows of every .def table: one row a line, the same number of columns, first and numbered columns unique; and
at the texts of operator messages: numbers in their range and sorted, inserts without gaps, used somewhere, sentences whole. --sort puts messages in order first."""
import glob
import os
import re
import sys

import csource

ROW = re.compile(r"^([A-Z][A-Z0-9_]*)\((.*)\)$")
# How many first columns are unique together, where it is not the first alone.
KEYS = {"KM_ACCESS": 4, "KM_PARAM": 2, "PARM_SUITE": 2, "KM_SERVES": 2, "KMIP_VALUE": 2, "KMIP_ALIAS": 2,
        "KR_PART": 2, "KR_CIPHER": 3}
# Each range of a hundred message numbers, as base/msg.def names them.
RANGES = {0: "base", 1: "parmlib", 2: "drive table", 3: "store", 4: "keys and rings", 5: "exchange", 6: "key usage", 7: "audit", 8: "task",
          9: "console", 10: "drive side", 11: "tools", 12: "backup", 13: "partners", 14: "PKCS#11", 15: "migration", 16: "profiles",
          17: "stored keys", 18: "disk systems", 19: "KMIP", 20: "managed objects", 21: "storage systems"}
# The same of tables of tests.
KEYS.update(CF_MAY=2, CF_QUERY=2, CF_NEEDS=2, CF_HOLDS=2, CF_FIRST=2)


def columns(text):
    """The arguments of a row, split at commas that are in no string, character or parenthesis."""
    code, parts, depth, start = csource.without_comments_and_strings(text), [], 0, 0
    for at, char in enumerate(code):
        if char in "({[":
            depth += 1
        elif char in ")}]":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return parts + [text[start:].strip()] if depth == 0 else None


def rows(path):
    """Line number, macro and columns of each row, and what is wrong with lines that are none."""
    found, problems = [], []
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), csource.read(path), flags=re.S)
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = ROW.match(line)
        cells = columns(match.group(2)) if match else None
        if cells is None:
            problems.append(f"{path}:{number}: a row is one line: NAME(column, ...)")
        else:
            found.append((number, match.group(1), cells))
    return found, problems


def check_rows(path, found):
    """What holds for every table: columns of a macro are as many as in its first row, keys unique."""
    problems, widths, firsts = [], {}, {}
    for number, macro, cells in found:
        width = widths.setdefault(macro, len(cells))
        if len(cells) != width:
            problems.append(f"{path}:{number}: {len(cells)} columns, the first {macro} has {width}")
        key = (macro, *cells[:KEYS.get(macro, 1)])
        if key in firsts:
            problems.append(f"{path}:{number}: {', '.join(key[1:])} is already in line {firsts[key]}")
        firsts.setdefault(key, number)
    return problems


def string_of(cell):
    """The text of a string column; adjacent strings join."""
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', cell))


def check_message(where, cells):
    name, number, severity, text, explain, action = cells[0], cells[1], cells[2], *map(string_of, cells[3:6])
    problems = []
    if not name.startswith("KLM_MSG_"):
        problems.append(f"{where}: {name} does not begin with KLM_MSG_")
    if severity not in ("'I'", "'W'", "'E'", "'A'"):
        problems.append(f"{where}: severity {severity} is none of I, W, E, A")
    if not number.isdigit() or int(number) == 0 or int(number) // 100 not in RANGES:
        problems.append(f"{where}: number {number} is in no range")
    inserts = sorted({int(n) for n in re.findall(r"\{(\d+)\}", text)})
    if inserts != list(range(len(inserts))):
        problems.append(f"{where}: inserts of {name} have gaps")
    if not text or text.endswith((".", "!", "\\n", " ")):
        problems.append(f"{where}: the text of {name} is empty, or ends like a sentence")
    for what, sentence in (("explanation", explain), ("action", action)):
        if len(sentence) < 5 or not sentence.endswith("."):
            problems.append(f"{where}: the {what} of {name} is no sentence")
        if re.search(r"\{\d+\}", sentence):
            problems.append(f"{where}: the {what} of {name} has an insert")
    return problems


def check_messages(path, found):
    problems, numbers, last = [], {}, 0
    for line, _, cells in found:
        where = f"{path}:{line}"
        if len(cells) != 6:
            problems.append(f"{where}: a message has name, number, severity, text, explanation, action")
            continue
        problems += check_message(where, cells)
        number = int(cells[1]) if cells[1].isdigit() else last
        if number in numbers:
            problems.append(f"{where}: number {number} is already in line {numbers[number]}")
        elif number < last:
            problems.append(f"{where}: number {number} comes after {last}")
        numbers.setdefault(number, line)
        last = max(last, number)
    return problems + check_used(path, found)


def check_used(path, found):
    """A message that no source names is one that nobody will ever read. Programs that are scripts name them by identifier."""
    text = "\n".join(csource.read(source) for source in csource.all_sources(tests=False) if source != path)
    words = set(re.findall(r"\bKLM_MSG_\w+", text))
    for script in glob.glob("programs/*.sh"):
        words |= set(re.findall(r"\bKLM\d{4}", csource.read(script)))
    return [f"{path}:{line}: {cells[0]} is said nowhere" for line, _, cells in found
            if cells[0] not in words and f"KLM{int(cells[1]):04d}" not in words]


def sort_messages(path):
    """Put the rows of messages in the order of their numbers; what stands between rows stays above the row it was above."""
    lines, head, rows_above, above = csource.read(path).splitlines(True), [], [], []
    for line in lines:
        match = re.match(r"KLM_MSG\(\w+, *(\d+),", line)
        if match:
            rows_above.append((int(match.group(1)), above + [line]))
            above = []
        elif rows_above:
            above.append(line)
        else:
            head.append(line)
    ordered = "".join("".join(group) for _, group in sorted(rows_above, key=lambda item: item[0]))
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write("".join(head) + ordered + "".join(above))
    os.replace(path + ".new", path)


def main():
    os.chdir(csource.ROOT)
    if sys.argv[1:] == ["--sort"]:
        sort_messages("base/msg.def")
    problems = []
    for path in csource.all_sources(endings=(".def",)):
        found, wrong = rows(path)
        problems += wrong + check_rows(path, found)
        if path == "base/msg.def":
            problems += check_messages(path, found)
    return csource.report(problems, "tables")


if __name__ == "__main__":
    sys.exit(main())
