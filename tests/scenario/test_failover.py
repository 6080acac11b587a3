#!/usr/bin/env python3
"""Two key servers: the primary gone in every way while a host writes and reads, and the transfer of keys between sites."""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from keyserver import LABEL, SLOW, Server, Site, free_port, read, write
from peer import Host
from scenario import expect, main, test

SITE = Site()
HOST = Host(f"{SITE.folder}/host").make(SITE.master)
ADD = f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT"


class Pair:
    """with Pair() as (primary, secondary): both run and know the drive; the host names both."""

    def __enter__(self):
        self.copies = [SITE.server("server.id=PRIMARY"), SITE.server("server.id=SECONDARY")]
        self.servers = [copy.__enter__() for copy in self.copies]
        for server in self.servers:
            server.start()
            server.oper(ADD)
        HOST.attach(*self.servers)
        for name in os.listdir(HOST.folder):
            if ".aws" in name:
                os.remove(os.path.join(HOST.folder, name))
        return self.servers

    def __exit__(self, *what):
        for copy in self.copies:
            copy.__exit__(*what)


def writes(server):
    return [one for one in server.audit() if "Write Request" in "\n".join(one)]


@test
def the_primary_alone_is_used_while_it_answers():
    with Pair() as (primary, secondary):
        for i in range(3):
            HOST.write(f"PRI00{i}", b"x")
            expect(HOST.read(f"PRI00{i}") == b"x", "content")
        primary.audited("Read Request", "PRI002")
        expect(len(writes(primary)) == 3, "the primary")
        secondary.oper("status")
        expect(not [one for one in secondary.audit() if "Request" in "\n".join(one)], "the secondary is asked")
        said = HOST.run("display", "--verify=ALL")
        expect(said.count("IOS631I") == 2 and f"PRIMARY HOSTNAME=127.0.0.1:{primary.tcp}" in said, said)


@test
def the_secondary_reads_and_writes_after_the_primary_was_stopped():
    with Pair() as (primary, secondary):
        HOST.write("STP001", b"by the primary")
        expect("Stop accepted" in primary.system("P ISKLM") and primary.end() == 0, "P ISKLM")
        expect(HOST.read("STP001") == b"by the primary", "content")
        said = HOST.write("STP002", b"by the secondary")
        expect(re.search(r"KLM\d{4}[IW].*secondary", said), f"the change is not told: {said}")
        said = HOST.run("display", "--verify=ALL", status=1)
        expect("IOS627E" in said and "IOS631I" in said, said)
        primary.start()
        expect(HOST.read("STP002") == b"by the secondary", "content")
        expect(primary.audited("Read Request", "STP002"), "the primary is not used again")
        expect(secondary.audited("Write Request", "STP002"), "audit")


def two_files(volser, between):
    """Write two files in one run; between them, with the session to the primary open, something happens."""
    pipe = os.path.join(HOST.folder, "pipe")
    second = os.path.join(HOST.folder, "second")
    write(second, "second")
    os.mkfifo(pipe)
    try:
        run = HOST.begin("write", "-v", volser, "--timeout", str(int(3 * SLOW)), HOST.tape(volser), pipe, second, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with open(pipe, "wb") as feed:
            feed.write(b"first " * 100000)
            feed.flush()
            between()
            feed.write(b"end")
        said = run.communicate(timeout=60 * SLOW)[0].decode()
    finally:
        os.remove(pipe)
    expect(run.returncode == 0, said)
    expect(HOST.read(volser) == b"first " * 100000 + b"end" and HOST.read(volser, "-f", "2") == b"second", "content")
    return said


@test
def a_primary_that_hangs_in_mid_write_is_left_and_used_again_when_it_goes_on():
    with Pair() as (primary, secondary):
        said = two_files("HNG001", lambda: primary.signal(signal.SIGSTOP))
        expect("secondary" in said, said)
        expect(len(secondary.audited("Write Request", "HNG001")) == 1, "the second file's key is not the secondary's")
        primary.signal(signal.SIGCONT)
        HOST.write("HNG002", b"x")
        expect(primary.audited("Write Request", "HNG002"), "the primary is not used again")


@test
def a_primary_killed_in_mid_write_is_left():
    with Pair() as (primary, secondary):
        two_files("KIL001", primary.kill)
        expect(len(secondary.audited("Write Request", "KIL001")) == 1, "the second file's key is not the secondary's")
        primary.start()
        expect(len(primary.audited("Write Request", "KIL001")) == 1, "what was acknowledged before is lost")
        expect("KIL001" in primary.oper("query -volser KIL001"), "usage")


class Gate(threading.Thread):
    """Stands before a server and lets so many bytes of the callers through; then nothing more, or it cuts."""

    def __init__(self, port, most, cut):
        super().__init__(daemon=True)
        self.to, self.most, self.cut, self.port, self.ended = port, most, cut, free_port(), False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(8)
        self.pairs = []
        self.start()

    def run(self):
        self.listener.settimeout(0.05)
        while not self.ended:
            try:
                caller = self.listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.to))
                thread = threading.Thread(target=self.pass_on, args=(caller, server), daemon=True)
                thread.start()
                self.pairs.append((caller, server, thread))
            except TimeoutError:
                continue

    def pass_on(self, caller, server):
        passed = 0
        try:
            while not self.ended:
                for one in select.select([caller, server], [], [], 0.05)[0]:
                    some = one.recv(4096)
                    if not some:
                        return
                    if one is server:
                        caller.sendall(some)
                        continue
                    server.sendall(some[:self.most - passed])
                    passed += len(some)
                    if passed >= self.most and self.cut:
                        return
                    passed = min(passed, self.most)
        except OSError:
            pass
        finally:
            caller.close()
            server.close()

    def end(self):
        self.ended = True
        self.join()
        for caller, server, thread in self.pairs:
            thread.join()
        self.listener.close()


@test
def a_primary_that_is_cut_off_at_any_point_is_left():
    with Pair() as (primary, secondary):
        good = primary.tcp
        points = [(0, True), (20, True), (48, True), (300, True), (900, True), (1400, True), (1700, True), (48, False), (1000, False), (1500, False)]
        for i, (most, cut) in enumerate(points):
            gate = Gate(good, most, cut)
            try:
                write(HOST.member, f"EKM PRIMARY=127.0.0.1:{gate.port}\nEKM SECONDARY=127.0.0.1:{secondary.tcp}\n")
                HOST.write(f"CUT{i:03}", b"%d" % i, "--timeout", str(int((10 if cut else 3) * SLOW)))
            finally:
                gate.end()
            HOST.attach(primary, secondary)
            expect(HOST.read(f"CUT{i:03}") == b"%d" % i, f"cut after {most} bytes")
        expect(secondary.audited("Write Request", "CUT000"), "the secondary was not asked")


@test
def an_unreachable_primary_costs_a_little_time_only():
    with Pair() as (primary, secondary), socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)  # connects, and never answers
        write(HOST.member, f"EKM PRIMARY=127.0.0.1:{silent.getsockname()[1]}\nEKM SECONDARY=127.0.0.1:{secondary.tcp}\n")
        begun = time.monotonic()
        HOST.write("FAR001", b"x")
        expect(time.monotonic() - begun < 12 * SLOW, f"{time.monotonic() - begun} s")
        expect(HOST.read("FAR001", "--timeout", str(int(3 * SLOW))) == b"x", "content")


@test
def without_any_key_server_the_host_says_so():
    with Pair() as (primary, secondary):
        HOST.write("NON001", b"x")
        primary.stop()
        secondary.stop()
        said = HOST.read("NON001", status=1)
        expect(re.search(r"IOS000I .*NON001", said) and "CU=01" in said, said)
        HOST.write("NON002", b"x", status=1)
        left = read(HOST.tape("NON002"), errors="replace")
        expect("x" not in left or len(left) < 4096, "something was written without a key")


@test
def a_refusal_is_an_answer_and_is_not_taken_to_the_secondary():
    with Pair() as (primary, secondary):
        primary.oper(f"deletedrive -drivename {HOST.serial}")
        HOST.refused("REF001", "EF01")
        expect(not writes(secondary), "the secondary was asked")


# ---- Keys between sites

def site_with_same_master(folder):
    other = Server(folder).prepare()
    shutil.copy(SITE.master.value("config.masterkey.file"), other.value("config.masterkey.file"))
    return other


def xfer(server, words, identifier=None):
    said = server.xfer(words, status=1 if identifier else 0)
    expect(not identifier or identifier in said, said)
    return said


TOKEN, FILE = "ITOPS.KLM20.CERT", "CRYPTOR2.CCATEST.PARMS(KLM20)"


@test
def a_transfer_file_of_another_master_key_is_refused():
    with SITE.server() as server:
        xfer(server, f"WRITE,{TOKEN},{FILE}")
        other = Server(f"{server.home}/other").prepare()
        shutil.copytree(f"{server.files}/CRYPTOR2.CCATEST.PARMS", f"{other.files}/CRYPTOR2.CCATEST.PARMS")
        for words in (f"READ,{TOKEN},{FILE}", f"READ,{TOKEN},{FILE},OVERWRITE"):
            xfer(other, words, "KLM0950E")
        xfer(other, f"WRITE,{TOKEN},X.Y(Z)", "KLM0946E")


@test
def an_existing_token_is_replaced_only_when_told():
    with SITE.server() as server:
        xfer(server, f"WRITE,{TOKEN},{FILE}")
        other = site_with_same_master(f"{server.home}/other")
        shutil.copytree(f"{server.files}/CRYPTOR2.CCATEST.PARMS", f"{other.files}/CRYPTOR2.CCATEST.PARMS")
        xfer(other, f"READ,{TOKEN},{FILE}")
        xfer(other, f"READ,{TOKEN},{FILE}", "KLM0945E")
        xfer(other, f"READ,{TOKEN},{FILE},OVERWRITE")
        xfer(other, f"READ,OTHER.LABEL,{FILE}", "KLM0951E")
        xfer(other, f"WRITE,{TOKEN},BACK.AGAIN(X)")
        first = open(f"{server.files}/CRYPTOR2.CCATEST.PARMS/KLM20", "rb").read()
        expect(open(f"{other.files}/BACK.AGAIN/X", "rb").read() == first, "the token was changed on its way")


@test
def a_damaged_transfer_file_is_refused_and_changes_nothing():
    with SITE.server() as server:
        xfer(server, f"WRITE,{TOKEN},{FILE}")
        path = f"{server.files}/CRYPTOR2.CCATEST.PARMS/KLM20"
        with open(path, "rb") as file:
            good = file.read()
        other = site_with_same_master(f"{server.home}/other")
        os.makedirs(f"{other.files}/CRYPTOR2.CCATEST.PARMS")
        target = f"{other.files}/CRYPTOR2.CCATEST.PARMS/KLM20"
        n = len(good)
        bad = [good[:n // 2], good[:-1], good + b"\n", b"", b"\0" * n] + [good[:at] + bytes([good[at] ^ 1]) + good[at + 1:] for at in (0, 9, n // 3, n // 2, n - 40, n - 2)]
        for i, text in enumerate(bad):
            write(target, text)
            said = xfer(other, f"READ,{TOKEN},{FILE}", "KLM0")
            expect(re.search(r"KLM046[0-3]E|KLM095[0-2]E|KLM0002E.*it is empty", said), f"{i}: {said}")
        os.remove(target)
        xfer(other, f"READ,{TOKEN},{FILE}", "KLM0001E")
        xfer(other, f"WRITE,{TOKEN},X.Y(Z)", "KLM0946E")
        write(target, good)
        xfer(other, f"READ,{TOKEN},{FILE}")


@test
def a_token_that_is_not_the_certificates_key_is_refused():
    with SITE.server() as server:
        server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{LABEL}')) DSN('LBL20') FORMAT(CERTDER)")
        xfer(server, f"WRITE,ITOPS.KLM21.CERT,{FILE}")
        other = site_with_same_master(f"{server.home}/other")
        shutil.copy(f"{server.files}/LBL20", other.files)
        shutil.copytree(f"{server.files}/CRYPTOR2.CCATEST.PARMS", f"{other.files}/CRYPTOR2.CCATEST.PARMS")
        xfer(other, f"READ,ITOPS.KLM21.CERT,{FILE}")
        said = other.racf(f"ID(TAPEKMS) ADD('LBL20') TRUST WITHLABEL('{LABEL}') PCICC(ITOPS.KLM21.CERT)", status=1)
        expect("KLM0947E" in said, said)
        said = other.racf(f"ID(TAPEKMS) LIST(LABEL('{LABEL}'))", status=1)
        expect("KLM0938E" in said, said)


if __name__ == "__main__":
    sys.exit(main())
