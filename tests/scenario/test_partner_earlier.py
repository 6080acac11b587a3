#!/usr/bin/env python3
"""A partner of an earlier release: a sync brings what it knows and names the rest, and a drill says what it cannot show."""
import glob
import os
import re
import sys
import tempfile

from keyserver import LABEL
from partners import Earlier, Pair, key_pair, trust
from scenario import expect, main, test

PAIR = Pair()
FOLDER = tempfile.TemporaryDirectory()
key_pair(FOLDER.name, ["py"])
DRIVETAB, CONFIG, USAGE, GROUPS, CLIENTS = 1, 2, 3, 4, 5


def start(one):
    """With something in every part of a sync."""
    trust(one, FOLDER.name)
    one.start()
    one.oper("adddrive -drivename 000000000042 -rec1 " + LABEL)
    one.oper("addkeygroup -groupID TAPES")
    one.oper("adddevicegroup -name VMWARE")


def earlier(one, *parts, **named):
    return Earlier(FOLDER.name, f"{one.home}/drive/ca.crt", parts, **named)


@test
def a_sync_of_all_brings_what_an_earlier_release_knows_and_names_the_rest():
    with PAIR.server("One") as one:
        start(one)
        for parts, took, left in (((DRIVETAB, CONFIG, USAGE, GROUPS, CLIENTS), [DRIVETAB, CONFIG, GROUPS, CLIENTS], ""),
                                  ((DRIVETAB, CONFIG, USAGE, GROUPS), [DRIVETAB, CONFIG, GROUPS], "clients"),
                                  ((DRIVETAB, CONFIG), [DRIVETAB, CONFIG], "clients, keygroups")):
            with earlier(one, *parts) as partner:
                said = one.oper(f"sync -all -ipaddr {partner.address}")
                expect(partner.parts == [took], f"{partner.parts}: {said}")
                expect(re.search(r"drivetab +taken", said), said)
                for word in left.split(", ") if left else ():
                    expect(re.search(rf"{word} +NOT SENT +not known to that release", said), said)
                expect((f"KLM1335W Partner PY is of an earlier release and does not know these parts of a sync, which it did not get: {left}" in said)
                       == bool(left), said)
        expect(one.audited("Data synchronization event", "sync", "keygroups: not sent, not known to that release", "result=successful"), "on record")


@test
def a_part_that_was_asked_for_by_its_name_and_is_not_known_there_is_a_failure():
    with PAIR.server("One") as one:
        start(one)
        with earlier(one, DRIVETAB, CONFIG, GROUPS) as partner:
            said = one.oper(f"sync -clients -ipaddr {partner.address}", status=1)
            expect("KLM1308E" in said and "KLM1335W" in said and partner.parts == [], said)
            said = one.oper(f"sync -drivetab -clients -ipaddr {partner.address}", status=1)
            expect("KLM1308E" in said and partner.parts == [[DRIVETAB]], "the other one went")
            expect("clients: not sent, not known to that release; drivetab: taken over" in said, said)
            expect(re.search(r"(?m)^drivetab +taken +", said) and re.search(r"(?m)^clients +NOT SENT +not known", said), f"what it came to until then: {said}")
        with earlier(one) as partner:
            said = one.oper(f"sync -all -ipaddr {partner.address}", status=1)
            expect("KLM1308E" in said and "clients, keygroups, config, drivetab" in said, "nothing is known there")
        expect(one.audited("sync", "KLM1308E", "result=unsuccessful"), "on record")


@test
def an_automatic_sync_says_what_its_partner_does_not_know():
    with PAIR.server("One") as one:
        start(one)
        with earlier(one, DRIVETAB, CONFIG, GROUPS) as partner:
            one.oper(f"modconfig -set -property sync.ipaddress -value {partner.address}")
            one.oper("modconfig -set -property sync.type -value all")
            one.oper("modconfig -set -property sync.timeinhours -value 1")
            one.says("KLM1315I Sync with partner", seconds=20)
            one.says("KLM1335W Partner PY is of an earlier release")
            expect(partner.parts == [[DRIVETAB, CONFIG, GROUPS]], partner.parts)


def report(one):
    """The last report of a drill."""
    with open(sorted(glob.glob(f"{one.files}/drill-PY-*.txt"))[-1], encoding="utf-8") as file:
        return file.read()


@test
def a_drill_says_of_a_master_key_what_an_earlier_release_cannot_show():
    with PAIR.server("One") as one:
        start(one)
        for outcomes, line in (({1: 1}, "KLM1336W Partner PY is of an earlier release and does not know how to prove a master key"),
                               ({1: 1, 3: 0}, "NOT PROVEN: an earlier release says yes with any master key, and it was not this one"),
                               ({1: 1, 3: 2}, "ANOTHER MASTER KEY there"), ({1: 1, 3: 4}, "CANNOT OPEN it")):
            with earlier(one, outcomes=outcomes) as partner:
                said = one.oper(f"drill -partner {partner.address}")
                expect(re.search(rf"master key +{line}", said), said)
                expect(f"  master key  {line}" in report(one), report(one))
                expect(re.search(rf"label +{LABEL} +MISSING there", said), "the rest is asked all the same")
                for name in glob.glob(f"{one.files}/drill-PY-*.txt"):
                    os.unlink(name)


@test
def a_partner_that_knows_no_drills_ends_one_with_its_own_message():
    with PAIR.server("One") as one:
        start(one)
        with earlier(one, drills=False) as partner:
            said = one.oper(f"drill -partner {partner.address}", status=1)
            expect("KLM1311E Partner PY refused: KLM1312E" in said, said)
        expect(not glob.glob(f"{one.files}/drill-PY-*.txt"), "no report of nothing")


if __name__ == "__main__":
    sys.exit(main())
