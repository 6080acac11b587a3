#!/usr/bin/env python3
"""LTO drives: stored keys, key groups and cartridges that name their key by an identifier; a real server and real drives."""
import hashlib
import os
import re
import signal
import struct
import subprocess
import sys
import threading

import kx
from keyserver import Site, read, wait_until, write
from kx import Drive, Session, hello_fields, refusal
from peer import Host
from scenario import expect, main, test

SITE = Site()
SERIAL, WWN = "000000000017", "5005076300C00017"
HOST = Host(f"{SITE.folder}/lto", serial=SERIAL, wwn=WWN)
HOST.make(SITE.master, kind="LTO")
ADD = f"adddrive -drivename {SERIAL} -kind LTO -cert DRIVE.{SERIAL}.CERT"
READCART = os.path.join(os.path.dirname(__file__), "..", "ios", "readcart.py")


class Lto:
    """with Lto(...) as server: it runs, knows the drive, and has keys in the group TAPES."""

    def __init__(self, *properties, keys="des01-04"):
        self.copy, self.keys = SITE.server(*properties), keys

    def __enter__(self):
        server = self.copy.__enter__()
        server.start()
        server.oper(f"{ADD} -symrec TAPES")
        server.oper("addkeygroup -groupID TAPES")
        server.oper(f"createkeys -range {self.keys} -groupID TAPES")
        HOST.attach(server)
        for name in os.listdir(HOST.folder):
            if ".aws" in name:
                os.remove(os.path.join(HOST.folder, name))
        return server

    def __exit__(self, *what):
        self.copy.__exit__(*what)


@test
def a_cartridge_is_written_and_read_with_stored_keys_and_names_them_by_identifier():
    with Lto() as server:
        said = HOST.write("LTO001", b"secret of tape one")
        expect("KL1=des000000000000000001" in said, said)
        HOST.write("LTO001", b"and one more", "--append")
        expect(HOST.read("LTO001") == b"secret of tape one" and HOST.read("LTO001", "--fileseq=2") == b"and one more", "content")
        listed = HOST.run("list", HOST.tape("LTO001"))
        expect("DKI:646573000000000000000001" in listed and "DKI:646573000000000000000002" in listed, listed)
        expect(b"secret" not in open(HOST.tape("LTO001"), "rb").read(), "in clear on the tape")
        server.audited("Write Request", "LTO001", "des000000000000000001")
        server.audited("Read Request", "LTO001", "des000000000000000002")
        said = server.oper("query -volser LTO001")
        expect("des000000000000000001" in said and "646573000000000000000002" in said, said)
        expect("LTO001" in server.oper("query -alias des000000000000000002"), "query by alias")
        expect("LTO001" in server.oper(f"query -drivename {SERIAL}"), "query by drive")
        server.stop()
        xml = read(f"{server.home}/lib/metadata/SKLMData.xml")
        expect("<dki>646573000000000000000001</dki>" in xml and "<keyAlias1>des000000000000000001</keyAlias1>" in xml, xml)


@test
def an_independent_reader_finds_the_key_identifier_on_the_cartridge():
    with Lto():
        HOST.write("LTO002", b"x", "--stored")
        done = subprocess.run([sys.executable, READCART, HOST.tape("LTO002"), "00" * 32], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        expect(done.returncode == 1 and b"data block 0: tag" in done.stdout, done.stdout)  # the form is right, this key is not
        with open(HOST.tape("LTO002"), "rb") as file:
            expect(b"KLMCART\0\0\2\1" in file.read(), "version 2 of the header block")


@test
def keys_are_given_once_and_a_group_at_its_end_refuses():
    with Lto(keys="des01-02") as server:
        HOST.write("END001", b"1")
        HOST.write("END002", b"2")
        expect("KLM1709E" in HOST.refused("END003", "EE31"), "message of the end")
        expect("KLM1710W" in server.console() and "NO" in server.oper("listkeygroups"), server.oper("listkeygroups"))
        server.stop()
        server.start()  # what was given stays given
        HOST.refused("END003", "EE31")
        server.oper("createkeys -range des03-03 -groupID TAPES")
        expect("des000000000000000003" in HOST.write("END003", b"3"), "the new key")
        server.oper("modkeygroup -groupID TAPES -wrap")
        expect("des000000000000000001" in HOST.write("END004", b"4"), "the first key again")
        expect(HOST.read("END001") == b"1" and HOST.read("END004") == b"4", "both volumes")


@test
def a_lost_key_is_a_lost_cartridge_and_is_said_so():
    with Lto() as server:
        HOST.write("LOST01", b"gone")
        said = server.oper("deletekeys -alias des01-01", status=1)
        expect("KLM1719E" in said and "LOST01" in said, said)
        server.oper("deletekeys -alias des01-01 -force")
        said = HOST.refused("LOST01", "EE32", command="read")
        expect("KLM1714E" in said and "646573000000000000000001" in said, said)
        expect("KLM1720E" in server.oper("createkeys -range des01-01", status=1), "another key of the same alias")


@test
def the_secondary_reads_with_a_key_that_was_moved_there_and_only_then():
    with Lto() as primary, SITE.server("server.id=SECONDARY") as secondary:
        secondary.start()
        secondary.oper(ADD)
        HOST.attach(primary, secondary)
        HOST.write("TWO001", b"on both sides")
        label = "des000000000000000001"
        primary.kill()
        expect("KLM1714E" in HOST.refused("TWO001", "EE32", command="read"), "without the key")
        primary.start()
        move(primary, secondary, label)
        primary.kill()
        expect(HOST.read("TWO001") == b"on both sides", "content")
        expect("KLM1713E" in HOST.refused("TWO002", "EE31"), "no key is named for writes there")


@test
def properties_and_commands_keep_their_rules():
    with Lto("zOSCompatibility=true") as server:
        expect("KLM1721E" in server.oper("createkeys -range A_B", status=1), "a label of z/OS")
        server.oper("modconfig -set -property requireHardwareProtectionForSymmetricKeys -value true")
        expect("KLM1716E" in HOST.refused("HARD01", "EE31"), "hardware")
        expect("KLM1716E" in server.oper("createkeys -range HARD1", status=1), "hardware")
        server.oper("modconfig -set -property requireHardwareProtectionForSymmetricKeys -value false")
        said = server.oper("list -keysym -v")
        expect("des000000000000000004" in said and "AES 256" in said and "never" in said, said)
        server.oper("addkeygroup -groupID OTHER")
        server.oper("addaliastogroup -aliasID des000000000000000004 -sourceGroupID TAPES -targetGroupID OTHER")
        server.oper("delgroupalias -groupID TAPES -alias des000000000000000004")
        said = server.oper("listkeygroups -v")
        expect("des000000000000000001-3" in said and "des000000000000000004" in said, said)
        server.oper(f"moddrive -drivename {SERIAL} -symrec OTHER")
        expect("des000000000000000004" in HOST.write("RULE01", b"x"), "the other group")
        expect("KLM1727W" not in server.oper("delkeygroup -groupID TAPES"), "nothing names it")
        server.oper("delkeygroup -groupID OTHER")
        server.says("KLM1727W")
        expect("KLM1730E" in HOST.refused("RULE02", "EE31"), "the group is gone")
        said = HOST.write("RULE03", b"x", "--kl1", "LABEL", status=2)
        expect("no key labels" in said, said)


@test
def both_versions_of_the_exchange_are_spoken_and_each_keeps_to_its_own():
    with Lto() as server:
        lto = Drive(f"{server.home}/kx", SERIAL, WWN, kind=1).make().signed_by(server, name="KXLTO")
        server.oper(f"moddrive -drivename {SERIAL} -cert DRIVE.KXLTO.CERT")
        with Session(server, lto, "ssl", fields=hello_fields(lto, 1, 2), version=2) as session:
            wrapped, key_id, alias = session.stored_create("KXV001")
            expect(len(wrapped) == 40 and key_id == b"des" + bytes(8) + b"\1" and alias == "des000000000000000001", alias)
            got = session.stored_get("KXV001", key_id)
            expect(got[0] == wrapped and got[1:] == (key_id, alias), "the same key in the same session")
            expect(refusal(session.stored_get, "KXV001", b"des" + bytes(9)).code == 0xEE32, "no such key")
            expect(refusal(session.create).code == 0xEE30, "create of an LTO drive")
        with Session(server, lto, "ssl") as session:  # version 1
            expect(refusal(session.stored_create, "KXV002").code == 0xEE2D and session.closed(), "not of version 1")
        with Session(server, lto, "ssl", fields=hello_fields(lto, 1, 2), version=2) as session:
            session.sock.sendall(kx.message(kx.VERIFY, struct.pack(">I", 9), version=1))
            expect(refusal(session.answer, kx.VERIFIED).code == 0xEE2D and session.closed(), "a message of the other version")
        with Session(server, lto, "ssl", fields=hello_fields(lto, 2, 7), version=2) as session:
            session.verify()


@test
def after_a_kill_no_key_is_given_that_was_given_before():
    with Lto(keys="kil01-fff") as server:
        lto = Drive(f"{server.home}/kx", SERIAL, WWN, kind=1).make().signed_by(server, name="KXKILL")
        server.oper(f"moddrive -drivename {SERIAL} -cert DRIVE.KXKILL.CERT")
        given = []

        def write_until_lost(most, killer=None):
            with Session(server, lto, "ssl", fields=hello_fields(lto, 1, 2), version=2) as session:
                for n in range(most):
                    given.append(session.stored_create(f"K{len(given):05}")[2])
                    if killer and n == 9:
                        killer.start()

        for after in (0.1, 0.2, 0.3):
            killer = threading.Timer(after, server.signal, (signal.SIGKILL,))
            try:
                write_until_lost(1000, killer)
            except (OSError, EOFError):
                pass
            killer.join()
            server.kill()
            server.start()
        write_until_lost(10)
        expect(len(given) > 20 and len(set(given)) == len(given), f"{len(given)} keys given, {len(set(given))} of them different")
        left = int(re.search(r"^TAPES +[0-9]+ +([0-9]+) ", server.oper("listkeygroups -groupID TAPES"), re.M)[1])
        expect(left <= 0xfff - len(given), f"{left} keys left after {len(given)}")


@test
def the_file_of_the_key_groups_shows_them_and_takes_edits():
    path = f"{SITE.folder}/keygroups.xml"
    if os.path.exists(path):
        os.remove(path)
    with Lto(f"config.keygroup.xml.file=FILE:{path}") as server:
        expect("KLM1725E" in server.oper("createkeygroup -password x", status=1), "a group was made already")
        wait_until("the view", 10, lambda: os.path.exists(path) and "des000000000000000001-4" in read(path))
        shown = read(path)
        digest = re.search(r'digest="([0-9a-f]{64})"', shown)[1]
        expect(hashlib.sha256(shown.replace(digest, "").encode()).hexdigest() == digest, "digest")
        write(path, shown.replace("<keyRange>des000000000000000001-4", "<keyRange>des000000000000000003-4").replace('wrap="false"', 'wrap="true"'))
        server.oper("refresh")
        server.says("KLM1743I")
        said = server.oper("listkeygroups -groupID TAPES")
        expect("des000000000000000003-4" in said and "YES" in said, said)
        write(path, "<keyGroups format='1'>\n<keyGroup id='A' color='red'/></keyGroups>")
        said = server.oper("refresh", status=1)
        expect("KLM1740E" in said and "line 2" in said, said)
        server.stop()
        server.start()  # set aside, made anew
        server.says("KLM1747W")
        wait_until("the view", 10, lambda: os.path.exists(path) and "des000000000000000003-4" in read(path))


def move(primary, secondary, label):
    """A stored key from one site to the other, by KEYXFER."""
    primary.xfer(f"WRITE,{label},DES.TOKEN")
    write(f"{secondary.files}/DES.TOKEN", read(f"{primary.files}/DES.TOKEN"))
    secondary.xfer(f"READ,{label},DES.TOKEN")


if __name__ == "__main__":
    sys.exit(main())
