#!/usr/bin/env python3
"""Verify command for sample.c: what it promised is there, and the settings are never half old and half new."""
import os
import re
import sys


def read(name):
    try:
        with open(os.path.join(os.environ["KLM_POWER_DIR"], name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def main():
    with open(os.environ["KLM_POWER_MARKS"], encoding="utf-8") as file:
        promised = dict(re.findall(r"^(\w+) (\d+)$", file.read(), re.M))  # the last of each kind
    problems = []
    records = re.findall(rb"^record (\d+)$", read("log"), re.M)
    if int(promised.get("record", -1)) >= 0 and promised["record"].encode() not in records:
        problems.append(f"record {promised['record']} was promised and is lost")
    settings = read("settings")
    if settings and (len(settings) != 6000 or len(set(settings)) != 1):
        problems.append(f"settings are torn: {len(settings)} bytes of {sorted(set(settings))}")
    newest = settings[0] - ord("a") if settings else -1
    if newest < int(promised.get("settings", -1)):
        problems.append(f"settings {promised['settings']} were promised, settings {newest} are there")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
