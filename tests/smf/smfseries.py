#!/usr/bin/env python3
"""Do the SMF data sets of a folder hold what the audit journal says, each event exactly once and in order? Both are read by readers of
their descriptions (readsmf.py, readjournal.py).

smfseries.py SMF_FOLDER JOURNAL_FOLDER [--text FOLDER NAME] [--cert CERT] [--missing N-M]
--text: the lines of the text log in the records are, byte for byte, what the files of the text log hold. --missing: events that
are not in the data sets, and rightly so. Prints files, records, events and checkpoints; exit 1 with a line that says what does not hold.
"""
import argparse
import os
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import readjournal  # noqa: E402  (beside this file)
import readsmf  # noqa: E402

CURSOR = "smf.cursor"
START = "00" * 32


class Series:
    """All data sets of a folder, in the order that their chain tells, checked on the way."""

    def __init__(self, folder, cert=None):
        left, self.files = self.load(folder), []
        self.verifier = readsmf.Verifier(START, cert)
        self.sequences, self.lines = [], []
        while left:
            name = next((name for name, records in left.items() if records[0][1]["relocates"]["PREVIOUS"] == self.verifier.before), None)
            if name is None:
                raise readsmf.Bad(f"none of {', '.join(sorted(left))} goes on behind {', '.join(self.files) or 'the start'}")
            for number, (data, record) in enumerate(left.pop(name), 1):
                self.take(f"{name}, record {number}", data, record)
            self.files.append(name)
        if self.verifier.open:
            raise readsmf.Bad(f"the records of event {self.verifier.sequence} are not complete")

    @staticmethod
    def load(folder):
        found = {}
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name.startswith(CURSOR):
                continue
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            try:
                records = [(record, readsmf.parse(record)) for _, record in readsmf.records(data, "auto")]
            except (readsmf.Bad, struct.error) as error:
                raise readsmf.Bad(f"{name}: {error}") from error
            if records:
                found[name] = records
        return found

    def take(self, where, data, record):
        found = record["relocates"]
        try:
            self.verifier.record(data, record)
        except (readsmf.Bad, KeyError) as error:
            raise readsmf.Bad(f"{where}: {error}") from error
        if "UNDER" in found:
            return
        if found["PART"][0] == 1:
            self.sequences.append(found["SEQUENCE"])
        self.lines += found.get("TEXT", [])


def problems(smf, journal, cert=None, missing=()):
    """What does not hold, as texts; and the series."""
    try:
        series = Series(smf, cert)
    except readsmf.Bad as error:
        return [f"SMF data sets: {error}"], None
    expected = [number for (number,) in readjournal.taken(journal) if number not in missing]
    if series.sequences == expected:
        return [], series
    for at, (is_there, right) in enumerate(zip(series.sequences + [None], expected + [None])):
        if is_there != right:
            return [f"SMF data sets: event {is_there} where {right} belongs, behind {at} others"], series
    return [f"SMF data sets: {len(series.sequences)} events, {len(expected)} are right"], series


def text_of(folder, name):
    names = sorted(n for n in os.listdir(folder) if re.fullmatch(re.escape(name) + r"\.\d{17}", n)) + [name]
    parts = []
    for part in names:
        with open(os.path.join(folder, part), encoding="utf-8") as file:
            parts.append(file.read())
    return "".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("smf")
    parser.add_argument("journal")
    parser.add_argument("--text", nargs=2)
    parser.add_argument("--cert")
    parser.add_argument("--missing", default="1-0")
    options = parser.parse_args()
    first, last = (int(word) for word in options.missing.split("-"))
    try:
        found, series = problems(options.smf, options.journal, options.cert, range(first, last + 1))
    except (readjournal.Bad, struct.error) as error:
        found, series = [str(error)], None
    if not found and options.text and "".join(f"{line}\n" for line in series.lines) != text_of(*options.text):
        found = ["the lines of the text log in the records are not those of the text log"]
    for problem in found:
        print("bad:", problem)
    if not found:
        print(f"files {len(series.files)} records {series.verifier.records} events {len(series.sequences)} "
              f"checkpoints {series.verifier.checkpoints}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
