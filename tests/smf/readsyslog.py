#!/usr/bin/env python3
"""An independent reader of the messages of the syslog sink, from the description in docs/syslog.md.

readsyslog.py FORMAT FILE   messages, one a line; check form and chain; print the sequence number of each
Exit 0 when all holds, 1 with a line saying what does not.
"""
import hashlib
import re
import sys

HEADER = re.compile(r"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) (klmsrv) ([!-~]{1,128}) ([!-~]{1,32}) ")
PARAM = re.compile(r' ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\.)*)"', re.S)
CHAINS = {"rfc5424": r' chain="([0-9a-f]{64})"(?=\] )', "cef": r" klmChain=([0-9a-f]{64})$", "leef": r"\tchain=([0-9a-f]{64})$"}


class Bad(Exception):
    pass


def header(text):
    found = HEADER.match(text)
    if not found or int(found[1]) > 191:
        raise Bad(f"header: {text[:80]}")
    return dict(zip(("pri", "time", "host", "app", "pid", "msgid"), found.groups())), text[found.end():]


def rfc5424(text):
    found, rest = header(text)
    start = re.match(r"\[klmsrv@(\d+)", rest)
    if not start:
        raise Bad("no structured data")
    at, params = start.end(), {}
    while rest[at] == " ":
        param = PARAM.match(rest, at)
        if not param or param[1] in params:
            raise Bad(f"parameter at {at}: {rest[at:at + 40]}")
        if re.search(r'\\[^"\\\]]', param[2].replace("\\\\", "")):
            raise Bad(f"escape in {param[1]}")
        params[param[1]] = re.sub(r'\\(["\\\]])', r"\1", param[2])
        at = param.end()
    if rest[at:at + 3] != "] \ufeff" or "\ufeff" in rest[:at]:
        raise Bad("BOM")
    return found, params, rest[at + 3:]


def unescape(text, table, what):
    def one(match):
        if match[1] not in table:
            raise Bad(f"escape {match[0]} in {what}")
        return table[match[1]]
    return re.sub(r"\\(.?)", one, text, flags=re.S)


def cef(text):
    found, rest = header(text)
    parts = re.match(r"- CEF:0" + r"\|((?:[^|\\\n]|\\.)*)" * 6 + r"\|(.*)$", rest, re.S)
    if not parts:
        raise Bad(f"CEF head: {rest[:80]}")
    found["cef"] = [unescape(part, {"|": "|", "\\": "\\"}, "head") for part in parts.groups()[:6]]
    # A key begins at the start or behind a blank and ends with an equals sign that is not escaped.
    keys = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", parts[7]))
    values = {}
    for key, after in zip(keys, keys[1:] + [None]):
        raw = parts[7][key.end():after.start() if after else None]
        if re.search(r"(?<!\\)=", raw.replace("\\\\", "")) or key[1] in values:
            raise Bad(f"CEF value of {key[1]}")
        values[key[1]] = unescape(raw, {"=": "=", "\\": "\\", "n": "\n", "r": "\r"}, key[1])
    return found, values, ""


def leef(text):
    found, rest = header(text)
    parts = re.match(r"- LEEF:2\.0" + r"\|((?:[^|\\\n]|\\.)*)" * 4 + r"\|x09\|(.*)$", rest, re.S)
    if not parts:
        raise Bad(f"LEEF head: {rest[:80]}")
    found["leef"] = [unescape(part, {"|": "|", "\\": "\\"}, "head") for part in parts.groups()[:4]]
    values = {}
    for pair in parts[5].split("\t"):
        name, equals, value = pair.partition("=")
        if not equals or name in values or not name.isalnum():
            raise Bad(f"LEEF attribute {pair[:40]}")
        values[name] = unescape(value, {"t": "\t", "\\": "\\", "n": "\n", "r": "\r"}, name)
    return found, values, ""


PARSERS = {"rfc5424": rfc5424, "cef": cef, "leef": leef}
NUMBER = {"rfc5424": "sequence", "cef": "externalId", "leef": "sequence"}


def parse(form, text):
    """Header, values by name, text for people."""
    return PARSERS[form](text)


def verify(form, messages):
    """The chain over the last message of each sequence number; the numbers."""
    last = {}
    for text in messages:
        last[int(parse(form, text)[1][NUMBER[form]])] = text
    chain = bytes(32)
    for number in sorted(last):
        text = last[number]
        found = list(re.finditer(CHAINS[form], text))
        if len(found) != 1:
            raise Bad(f"{number}: chain parameter")
        found = found[0]
        covered = text[:found.start()] + text[found.end():]
        covered = re.sub(r"^(\S+ \S+ \S+ \S+ )\S+", r"\1-", covered, count=1)
        chain = hashlib.sha256(chain + covered.encode()).digest()
        if chain.hex() != found[1]:
            raise Bad(f"{number}: chain")
    return sorted(last)


def main(argv):
    if len(argv) != 3 or argv[1] not in PARSERS:
        print(__doc__)
        return 2
    try:
        with open(argv[2], encoding="utf-8", newline="\n") as file:
            for number in verify(argv[1], [line.rstrip("\n") for line in file]):
                print(number)
        return 0
    except Bad as bad:
        print(bad)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
