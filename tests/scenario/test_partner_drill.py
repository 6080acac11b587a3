#!/usr/bin/env python3
"""Drills: before and after labels were moved to a partner, volume by volume, and partners that cannot prove, will not, or ask too often."""
import os
import re
import struct
import subprocess
import sys
import tempfile

from keyserver import BIN, LABEL, LABEL2
from partners import DRILL, HELLO, PROVEN, WELCOME, Link, Pair, address, hello, key_pair, refusal
from peer import Host
from scenario import expect, main, patience, test

PAIR = Pair()
HOST = Host(f"{PAIR.site.folder}/host").make(PAIR.site.master)
ADD = f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT"


def report_of(server, said):
    """The lines of the report that the answer names."""
    path = re.search(r"whole report is (\S+)", said).group(1)
    expect(os.path.dirname(path) == server.files, path)
    with open(path, encoding="utf-8") as file:
        return file.read()


@test
def a_drill_says_by_volume_what_the_partner_could_not_read_and_after_the_transfer_that_it_can():
    with PAIR.server("One") as one, PAIR.server("Two") as two:
        for label in (LABEL, LABEL2):  # the partner was never given them
            two.racf(f"ID(TAPEKMS) REMOVE(LABEL('{label}') RING(KeyStore4758))")
        one.start(), two.start()
        one.oper(ADD)
        HOST.attach(one)
        for volser in ("DRL001", "DRL002"):
            HOST.write(volser, b"data")
        before = one.oper(f"drill -partner {address(two)}", status=1)
        expect("0 of 2 key labels can be opened there, 0 of 2 volumes could be read" in before, before)
        expect("KLM1323W 2 volumes are EXPOSED" in before, before)
        one.says("KLM1323W 2 volumes are EXPOSED, 0 unknown: partner Partner Two could not read them")
        expect(re.search(r"volume +DRL001 +.*MISSING there", before), before)
        expect(re.search(r"master key +can open it", before), before)
        text = report_of(one, before)
        expect(re.search(r"(?m)^DRL002 +EXPOSED", text) and "2 volumes, 2 exposed, 0 unknown" in text, text)
        two.racf(f"ID(TAPEKMS) CONNECT(LABEL('{LABEL}') RING(KeyStore4758))")  # one of the two labels is enough
        two.oper("refreshks")
        after = one.oper(f"drill -partner {address(two)}")
        expect("2 of 2 volumes could be read" in after and "KLM1322I 0 volumes are exposed" in after, after)
        expect(re.search(rf"label +{LABEL2} +MISSING there", after), after)
        # Written since the last transfer, under a label that only this server has.
        one.label("New_Label", token="NEW.LABEL")
        one.oper("refreshks")
        HOST.write("DRL003", b"data", "--kl1", "New_Label", "--kl2", "New_Label")
        since = one.oper(f"drill -partner {address(two)}", status=1)
        expect("2 of 3 volumes could be read" in since and re.search(r"volume +DRL003 +New_Label: MISSING there *$", since, re.M), since)
        expect(re.search(r"label +New_Label +MISSING there +1 *$", since, re.M), f"one volume, which has the label twice: {since}")
        expect(one.audited("Data synchronization event", "drill", "Partner Two", "result=successful"), "here")
        expect(two.audited("Data synchronization event", "drill-prove", "Partner One", "result=successful"), "and there")
        said = two.console() + one.console()
        expect("KLM1320E" not in said, said)


@test
def a_job_tells_from_exit_status_and_streams_whether_a_volume_is_exposed_or_the_drill_did_not_take_place():
    with PAIR.server("One") as one, PAIR.server("Two") as two:
        two.racf(f"ID(TAPEKMS) REMOVE(LABEL('{LABEL}') RING(KeyStore4758))")
        two.racf(f"ID(TAPEKMS) REMOVE(LABEL('{LABEL2}') RING(KeyStore4758))")
        one.start(), two.start()
        drill = [f"{BIN}/oper", "--socket", one.socket, "drill", "-partner", address(two)]

        def job(command, **named):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=60 * patience(), **named)
            return done.returncode, done.stdout, done.stderr

        status, said, failed = job(drill)
        expect(status == 0 and "KLM1322I" in said and "KLM1323W" not in one.console(), "labels that no volume has are no harm")
        one.oper(ADD)
        HOST.attach(one)
        HOST.write("JOB001", b"data")
        status, said, failed = job(drill)
        expect(status == 1 and "KLM1323W 1 volumes are EXPOSED" in said and "volume" in said and not failed, (status, said, failed))
        status, said, failed = job(drill[:3], input=f"{' '.join(drill[3:])}\nversion\n")
        expect(status == 1 and "klmsrv" in said and not failed, "the next command does not hide it")
        two.kill()
        status, said, failed = job(drill)
        expect(status == 1 and not said and "KLM1309E" in failed, (status, said, failed))


LTO = Host(f"{PAIR.site.folder}/lto", serial="000000000017", wwn="5005076300C00017").make(PAIR.site.master, kind="LTO")


@test
def stored_keys_and_key_groups_are_proved_one_by_one():
    with PAIR.server("One") as one, PAIR.server("Two") as two:
        one.start(), two.start()
        one.oper(f"adddrive -drivename {LTO.serial} -kind LTO -cert DRIVE.{LTO.serial}.CERT -symrec TAPES")
        one.oper("addkeygroup -groupID TAPES")
        one.oper("createkeys -range des01-03 -groupID TAPES")
        LTO.attach(one)
        LTO.write("LTO001", b"one"), LTO.write("LTO002", b"two")
        before = one.oper(f"drill -partner {address(two)}", status=1)
        expect(re.search(r"key group +TAPES +NOT 3 of 3 keys, first des000000000000000001: MISSING there", before), before)
        expect(re.search(r"volume +LTO002 +stored key des000000000000000002: MISSING there", before), before)
        expect("KLM1323W 2 volumes are EXPOSED" in before, before)
        # Usage travels without the keys: nothing is lost, and the partner shows the volumes as exposed, too.
        sent = one.oper(f"sync -usage -ipaddr {address(two)}")
        expect("2 key usage events in 1 pages; 2 of stored keys that are NOT THERE" in sent, sent)
        said = two.console()
        expect("sent key usage of 2 volumes whose stored keys are not here, first des000000000000000001 of volume LTO001" in said, said[-800:])
        expect("1 entry" in two.oper("query -volser LTO002"), "the event is there")
        theirs = two.oper(f"drill -partner {address(one)}", status=1)
        expect(re.search(r"volume +LTO002 +stored key des000000000000000002: NOT HERE", theirs) and "KLM1323W 2 volumes are EXPOSED" in theirs, theirs)
        expect(re.search(r"(?m)^LTO001 +EXPOSED", report_of(two, theirs)), "their report")
        expect("; " not in re.search(r"usage +taken +(.*)", one.oper(f"sync -usage -ipaddr {address(two)}"))[1], "nothing new, nothing said")
        one.xfer("WRITE,des000000000000000001,STORED(K1)")
        os.makedirs(f"{two.files}/STORED")
        with open(f"{one.files}/STORED/K1", "rb") as source, open(f"{two.files}/STORED/K1", "wb") as target:
            target.write(source.read())
        two.xfer("READ,des000000000000000001,STORED(K1)")
        after = one.oper(f"drill -partner {address(two)}", status=1)
        expect("1 of 2 volumes could be read" in after and "NOT 2 of 3 keys, first des000000000000000002" in after, after)
        expect(re.search(r"(?m)^LTO001 +readable", report_of(one, after)), "the report")


@test
def another_key_under_the_same_label_is_not_taken_for_it():
    with PAIR.server("One") as one, PAIR.server("Two") as two:
        one.racf("ID(TAPEKMS) REMOVE(LABEL('{0}') RING(KeyStore4758))".format(LABEL2))
        for server in (one, two):
            server.label("Same_Name", token="SAME.NAME")
        one.start(), two.start()
        said = one.oper(f"drill -partner {address(two)}")
        expect(re.search(r"label +Same_Name +ANOTHER KEY there", said), said)
        expect(re.search(rf"label +{LABEL} +can open it", said), said)


@test
def a_drill_has_its_own_right_and_number_an_hour():
    with PAIR.server("One") as one, PAIR.server("Two", "partner.drills.per.hour=1") as two:
        one.start(), two.start()
        one.oper(f"drill -partner {address(two)}")
        said = one.oper(f"drill -partner {address(two)}", status=1)
        expect("KLM1311E" in said and "KLM1320E" in said, said)
        expect(two.audited("drill-prove", "KLM1320E", "result=unsuccessful"), "on record there")
        expect(one.audited("drill", "KLM1311E", "result=unsuccessful"), "and here")
        for role in ("SECADMIN", "OPERATOR", "AUDITOR", "BACKUP"):
            one.set(f"console.role.{role}=")
        one.oper("refresh")
        expect("KLM" in one.oper(f"drill -partner {address(two)}", status=1), "without the right")


@test
def challenges_of_strangers_and_of_other_sessions_get_nothing():
    folder = tempfile.mkdtemp()
    key_pair(folder, ["py"])
    with PAIR.server("Two") as two:
        for name in ("ca.crt", "py.crt"):
            with open(f"{folder}/{name}", "rb") as source, open(f"{two.files}/PY.{name.upper()}", "wb") as target:
                target.write(source.read())
        two.racf("CERTAUTH ADD('PY.CA.CRT') WITHLABEL('PY CA') TRUST")
        two.racf("ID(TAPEKMS) ADD('PY.PY.CRT') WITHLABEL('PY') TRUST")
        two.racf("ID(TAPEKMS) CONNECT(CERTAUTH LABEL('PY CA') RING(Partners))")
        two.racf("ID(TAPEKMS) CONNECT(LABEL('PY') RING(Partners) USAGE(PERSONAL))")
        two.start()

        def item(kind, name, challenge, digest=bytes(32)):
            return struct.pack(">BH", kind, len(name)) + name.encode() + digest + struct.pack(">H", len(challenge)) + challenge

        items = [item(1, LABEL, os.urandom(256)),           # another key's hash
                 item(1, "Nothing", os.urandom(256)), item(9, "x", b""), item(3, "master", b"")]
        with Link(two, folder, "py") as link:
            expect(link.ask(HELLO, hello())[0] == WELCOME, "admitted")
            kind, _, body = link.ask(DRILL, bytes(32) + bytes([len(items)]) + b"".join(items))
            expect(kind == PROVEN and body[0] == 4 and len(body) == 1 + 4 * 33, body)
            got = [(body[1 + 33 * i], body[2 + 33 * i:34 + 33 * i]) for i in range(4)]
            expect([outcome for outcome, _ in got] == [2, 1, 6, 0], got)
            expect(all(proof == bytes(32) for _, proof in got[:3]), "nothing but for the proof")
            again = link.ask(DRILL, bytes(32) + bytes([1]) + items[3])[2]
            expect(again[2:] == got[3][1], "bound to session and nonce alone")
        with Link(two, folder, "py") as link:
            link.ask(HELLO, hello())
            other = link.ask(DRILL, bytes(32) + bytes([1]) + items[3])[2]
            expect(other[2:] != got[3][1], "another session, another proof")
            for bad in (bytes(32) + b"\x00", bytes(32) + b"\x81", bytes(31)):
                with Link(two, folder, "py") as broken:
                    broken.ask(HELLO, hello())
                    expect(refusal(broken.ask(DRILL, bad)) == "KLM1312E", bad)
        with Link(two, folder, "py") as link:  # before its hello
            expect(refusal(link.ask(DRILL, bytes(32) + bytes([1]) + items[3])) in ("KLM1312E", "KLM1318E"), "out of turn")
        two.oper("modconfig -set -property partner.drills.per.hour -value 1")
        with Link(two, folder, "py") as link:  # refused once is refused again
            link.ask(HELLO, hello())
            for _ in range(3):
                expect(refusal(link.ask(DRILL, bytes(32) + bytes([1]) + items[3])) == "KLM1320E", "too often")
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)


if __name__ == "__main__":
    sys.exit(main())
