#!/usr/bin/env python3
"""Faults of the list in docs/reliability.md, each test named after its number: the task refuses, says so once, lives, recovers."""
import base64
import os
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

from keyserver import BIN, LABEL, LABEL2, SLOW, Site, in_time, read, renegotiates, tool, wait_until, write
from kx import HELLO, Drive, Refused, Session, hello_fields, message, refusal
from scenario import SOURCE, expect, main, run, test

SITE = Site()
DRIVE = Drive(f"{SITE.folder}/drive").make().signed_by(SITE.master)
ADD = f"adddrive -drivename {DRIVE.serial} -cert DRIVE.{DRIVE.serial}.CERT"
SHIM = f"{SITE.folder}/faults.so"
run(os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-w", "-o", SHIM, f"{SOURCE}/tests/peers/faults.c", "-ldl", "-lpthread")


def serve(server, **named):
    server.start(**named)
    server.oper(ADD)
    return server


def kinds(server):
    return re.findall(r"KLM\d{4}[IWEA]", server.console())


def good_client(server, seconds=1.0, port="tcp"):
    """A good client is served in time."""
    def served():
        with Session(server, DRIVE, port) as session:
            session.create()

    in_time(seconds, served)


def tries(session, n=5):
    """The codes of n creates, None for one that was carried out."""
    out = []
    for _ in range(n):
        try:
            session.create()
            out.append(None)
        except Refused as refused:
            out.append(refused.identifier)
    return out


def shim(folder, below="/nowhere"):
    """The environment that loads tests/peers/faults.c before everything, a sanitizer's library too."""
    options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    return {"LD_PRELOAD": SHIM, "FAULT_SWITCHES": folder, "FAULT_BELOW": below, "ASAN_OPTIONS": options.lstrip(":")}


class Faulty:
    """The server with the shim, and its switches."""

    def __init__(self, server, below):
        self.server, self.folder = server, f"{server.home}/faults"
        os.mkdir(self.folder)
        serve(server, env=shim(self.folder, below))

    def on(self, name):
        write(f"{self.folder}/{name}", "")

    def off(self, name):
        os.remove(f"{self.folder}/{name}")


# ---- Disks

@test
def f3_one_failed_sync_of_the_store_ends_its_changes_and_reads_go_on():
    with SITE.server() as server:
        faulty = Faulty(server, server.store)
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("SYN001")
            faulty.on("sync-once")
            failed = [one for one in tries(session, 8) if one]
            expect(failed and failed[-1] is not None, "the failed sync was not noticed")
            expect(tries(session, 3).count(None) == 0, "a sync was tried again as if nothing had been lost")
            session.get("SYN001", eedks)
            session.verify()
        expect(server.status("Store") == "NO MORE CHANGES", "status")
        server.oper("adddrive -drivename 000000000001", status=1)
        expect("Server is running" in server.oper("status"), "status")
        said = [one for one in kinds(server) if one in ("KLM0308A", "KLM0312A", "KLM0909A", "KLM0307A")]
        expect(1 <= len(said) <= 2, f"said {said}")
        server.stop()
        server.start()
        with Session(server, DRIVE) as session:
            session.get("SYN001", eedks)
            session.create()


@test
def f3_a_failed_sync_of_the_journal_refuses_until_it_works_again():
    with SITE.server("Audit.sync=always") as server:
        faulty = Faulty(server, f"{server.home}/log/journal")
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("SYN002")
            faulty.on("sync")
            for _ in range(4):
                expect(refusal(session.get, "SYN002", eedks).identifier == "KLM0903E", "an answer without its audit record left")
            said = kinds(server).count("KLM0706A") + kinds(server).count("KLM0704A")
            expect(1 <= said <= 2, f"said {said} times: {server.console()}")
            faulty.off("sync")
            server.says("KLM0711I")
            session.get("SYN002", eedks)


@test
def f3_a_journal_goes_on_after_failed_syncs_and_writes_with_every_event_once():
    with SITE.server() as server:
        folder, got, told = f"{server.home}/log/journal", [], 0
        faulty = Faulty(server, folder)

        def served(session, n=1):
            got.extend(tries(session, n))
            return got[-1] is None

        with Session(server, DRIVE) as session:
            for fault, over in (("sync-once", "KLM0711I"), ("sync", "KLM0711I"), ("write", "KLM0705I"), ("sync-space", "KLM0711I")):
                began = server.mark()
                faulty.on(fault)
                served(session, 3)
                if fault != "sync-once":
                    wait_until(f"a refusal after {fault}", 10, lambda: not served(session))
                    expect(server.status("Audit journal") == "NOT WRITABLE", "status")
                    expect(fault == "write" or int(server.status("Audit events not on disk")) > 0, "status")
                    faulty.off(fault)
                server.says(over, since=began)
                wait_until("keys again", 10, lambda: served(session))
                if fault != "sync-once":  # else one telling might do for two of them
                    told += 1
                    wait_until(f"{fault} is told to the auditors", 10, lambda: len(server.audited("audit-resumed")) >= told)
        server.stop()
        for what in (("journal", folder), ("text", f"{server.home}/log/audit", "isklm_audit.log")):
            run(sys.executable, f"{SOURCE}/tests/smf/readjournal.py", *what)
        records = ["\n".join(one) for one in server.audit()]
        written = sum("Write Request" in one and "[result=successful]" in one for one in records)
        expect(written == got.count(None), f"{written} events of {got.count(None)} acknowledged writes")
        failed, resumed = (sum(name in one for one in records) for name in ("audit-failed", "audit-resumed"))
        expect(failed == resumed >= 3, f"told {failed} times that it failed, {resumed} times that it goes on")


@test
def f1_each_read_that_was_answered_before_a_kill_is_recorded_once():
    """Answers that change nothing do not wait for the journal: their events outlive the task."""
    with SITE.server() as server:
        serve(server)
        answered, rounds = 0, 0
        while "KLM0712I" not in server.console() and rounds < 40 or rounds < 5:
            rounds, goal, reached = rounds + 1, answered + 5 + 7 * (rounds % 5), threading.Event()
            killer = threading.Thread(target=lambda: (reached.wait(20 * SLOW), server.kill()))
            killer.start()
            try:
                with Session(server, DRIVE) as session:
                    _, eedks, _ = session.create("HELD01")
                    while True:
                        session.get("HELD01", eedks)
                        answered += 1
                        if answered >= goal:
                            reached.set()
            except (OSError, EOFError, ssl.SSLError):
                pass
            killer.join()
            server.start()
        server.stop()
        records = ["\n".join(one) for one in server.audit()]
        read_events = sum("Read Request" in one and "[result=successful]" in one for one in records)
        # One a kill may have been recorded and not been answered any more.
        expect(answered <= read_events <= answered + rounds, f"{read_events} events of {answered} answered reads, {rounds} kills")
        expect("KLM0712I" in server.console(), f"no start of {rounds} found events")
        expect(not [name for name in os.listdir(f"{server.home}/run") if name.endswith(".held")], "an empty file stays")


class SmallDisk:
    """The server in a mount namespace of its own, where some of its folders lie on small file systems in memory."""

    def __init__(self, server, folder, size, more=()):
        self.server, self.folder = server, folder
        inner = (f"set -e; mkdir '{folder}.copy'; cp -a '{folder}/.' '{folder}.copy/'; mount -t tmpfs -o size={size},mode=700 tmpfs '{folder}'; "
                 f"cp -a '{folder}.copy/.' '{folder}/'; rm -r '{folder}.copy'; exec \"$@\"")
        user = () if os.geteuid() == 0 else ("--map-root-user",)
        serve(server, wrap=("unshare", "--mount", *user, "sh", "-c", inner, "sh", *more))

    @property
    def inside(self):
        return f"/proc/{self.server.pid}/root{self.folder}"

    def fill(self):
        with open(f"{self.inside}/filler", "ab", buffering=0) as file:
            for size in (1 << 20, 1 << 16, 4096, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    pass

    def free(self):
        os.remove(f"{self.inside}/filler")


def table_of(n, alias):
    rows = "".join(f"{i:012} 3592 - {alias}{i % 7} {alias}second {'-'}\n" for i in range(n))
    return f"filedrive.table 1\n{rows}end\n"


@test
def f4_a_full_disk_under_the_store_refuses_changes_and_recovers():
    with SITE.server() as server:
        for i, alias in enumerate(("Left" * 12, "Right" * 10)):
            write(f"{server.files}/T{i}", table_of(12000, alias))
        disk = SmallDisk(server, server.store, "80m")
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("FULL01")
            disk.fill()
            refused = None
            for turn in range(30):
                said = server.oper(f"import -merge -drivetab -url FILE:T{turn % 2}", status=None)
                if re.search(r"KLM\d{4}[EA]", said):
                    refused = said
                    break
            expect(refused, "it is never full")
            expect("KLM0311E" in refused, refused)
            before = len(kinds(server))
            failed = tries(session, 20)
            session.get("FULL01", eedks)
            session.verify()
            expect("Server is running" in server.oper("status"), "status")
            expect(len(kinds(server)) - before < 5 and kinds(server).count("KLM0309A") == 1, f"said {kinds(server)}, {failed}")
            server.oper("deletedrive -drivename 000000000001", status=None)
            disk.free()
            wait_until("changes again", 15, lambda: tries(session, 1) == [None])
            wait_until("the reserve again", 15, lambda: "KLM0310I" in server.console())
        expect(server.runs(), "the task ended")


@test
def f4_a_full_disk_under_the_journal_refuses_keys_and_recovers():
    with SITE.server() as server:
        os.makedirs(f"{server.home}/log/journal", exist_ok=True)
        disk = SmallDisk(server, f"{server.home}/log/journal", "40m")
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("FULL02")
            disk.fill()
            got = []
            for _ in range(400):  # what the segment has room for yet
                try:
                    session.get("FULL02", eedks)
                    got.append(None)
                except Refused as refused:
                    got.append(refused.identifier)
            if None in got[-20:]:
                raise AssertionError("the journal is never full: %s %s" % ([i for i, one in enumerate(got) if one], server.oper("status", status=None)))
            expect(set(got[-20:]) == {"KLM0903E"}, str(set(got)))
            expect(kinds(server).count("KLM0704A") == 1, f"said {kinds(server)}")
            said = server.oper("status", status=None)
            expect(server.runs() and ("NOT WRITABLE" in said or "KLM0903E" in said), said)
            disk.free()
            wait_until("keys again", 10, lambda: tries(session, 1) == [None])
            session.get("FULL02", eedks)
            wait_until("the message", 5, lambda: "KLM0705I" in server.console())


@test
def f4_a_full_disk_under_logs_and_views_stops_nothing():
    with SITE.server() as server:
        disk = SmallDisk(server, f"{server.home}/log/audit", "1m")
        disk.fill()
        with Session(server, DRIVE) as session:
            expect(tries(session, 20) == [None] * 20, "keys are refused for the text log")
        wait_until("the message", 5, lambda: "KLM0720A" in server.console())
        time.sleep(1)
        expect(kinds(server).count("KLM0720A") <= 2, f"said {kinds(server)}")
        disk.free()
        wait_until("the message", 15, lambda: "KLM0721I" in server.console())
        copy = f"{disk.inside}/isklm_audit.log"
        wait_until("all records", 10, lambda: read(copy).count("Write Request") == 20)


@test
def f5_a_store_that_others_may_change_or_that_is_not_ours_is_refused():
    with SITE.server() as server:
        os.chmod(server.store, 0o777)
        expect(f"KLM0303E Folder {server.store} of the store cannot be used" in server.refuses_to_start(status=None), server.console())
        os.chmod(server.store, 0o700)
        os.rename(server.store, server.store + ".real")
        write(server.store, "a file")
        said = server.refuses_to_start(status=None)
        expect(server.store in said and re.search(r"KLM0\d\d\d[EA]", said), said)
        os.remove(server.store)
        os.rename(server.store + ".real", server.store)
        if os.geteuid() == 0:
            path = server.value("config.masterkey.file")
            os.chown(path, 65534, 65534)
            said = server.refuses_to_start(status=None)
            expect(f"KLM0404E Master key file {path} is not guarded" in said, said)
            os.chown(path, 0, 0)
        server.start()


@test
def f5_a_file_system_that_turns_read_only_ends_changes_and_reads_go_on():
    with SITE.server() as server:
        disk = SmallDisk(server, server.store, "80m")
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("RDO001")
            # Files that are open for writing forbid a remount; a frozen size of zero blocks does the same to every new page.
            disk.fill()
            session.get("RDO001", eedks)
            session.verify()
            disk.free()
    with SITE.server() as server:
        inner = f"mount --bind '{server.store}' '{server.store}'; mount -o remount,bind,ro '{server.store}'; exec \"$@\""
        user = () if os.geteuid() == 0 else ("--map-root-user",)
        said = server.refuses_to_start(status=None, wrap=("unshare", "--mount", *user, "sh", "-c", inner, "sh"))
        expect(re.search(rf"KLM03\d\d[EA] .*{server.store}.*Read-only file system", said), said)
        server.start()


@test
def f6_a_flipped_bit_in_a_record_loses_that_object_only():
    with SITE.server() as server:
        server.label("Victim", token="VICTIM")
        server.racf("ID(TAPEKMS) EXPORT(LABEL('Victim')) DSN('VICTIM') FORMAT(CERTDER)")
        serve(server)
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("BIT001", [LABEL])
        server.stop()
        with open(f"{server.files}/VICTIM", "rb") as file:
            signature = file.read()[-50:-10]
        path = f"{server.store}/cert.db"
        with open(path, "rb") as file:
            pages = bytearray(file.read())
        expect(signature in pages, "the record is not found")
        at = -1
        while (at := pages.find(signature, at + 1)) >= 0:
            pages[at + 5] ^= 4
        write(path, bytes(pages))
        began = server.mark()
        server.start()
        said = server.console()[began:]
        expect("Victim" in said or "cert.db" in said, f"neither the object nor the file is named: {said}")
        listed = server.oper("list")
        expect("Victim" not in listed and LABEL in listed, listed)
        with Session(server, DRIVE) as session:
            session.get("BIT001", eedks)
            session.create("BIT002")
            expect(refusal(session.create, "BIT003", ["Victim"]).code == 0xEE31, "the damaged label")
        server.stop()
        said = tool("klmsrv", "--verify", server.config, status=None)
        expect(re.search(r"[1-9]\d* damaged", said) and "cert" in said, said)


# ---- Resources

@test
def f8_without_descriptors_new_sessions_are_turned_away_and_old_ones_work():
    with SITE.server() as server:
        serve(server)
        with Session(server, DRIVE) as session:
            used = len(os.listdir(f"/proc/{server.pid}/fd"))
            limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 3, limits[1]))
            callers = [socket.create_connection(("127.0.0.1", server.tcp), 10 * SLOW) for _ in range(30)]
            try:
                wait_until("the message", 5, lambda: "KLM0802A" in server.console())
                expect(tries(session, 5) == [None] * 5, "an existing session suffers")
                before = cpu_of(server)
                time.sleep(1)
                expect(cpu_of(server) - before < 0.4, f"it turns in circles: {cpu_of(server) - before} s of CPU in a second")
                wait_until("ten callers are told", 10, lambda: sum(is_closed(caller, 0.01) for caller in callers) >= 10)
                expect(kinds(server).count("KLM0802A") <= 3, f"said {kinds(server).count('KLM0802A')} times")
            finally:
                for caller in callers:
                    caller.close()
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
            wait_until("a new session", 10, lambda: serves(server))


def serves(server):
    try:
        with Session(server, DRIVE) as session:
            session.create()
        return True
    except (OSError, EOFError):
        return False


def cpu_of(server):
    fields = read(f"/proc/{server.pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@test
def f9_without_new_threads_the_drives_are_served_and_operators_are_turned_away():
    with SITE.server() as server:
        faulty = Faulty(server, "/nowhere")
        faulty.on("thread")
        for _ in range(3):
            server.oper("status", status=1)
        good_client(server, 3)
        faulty.off("thread")
        expect("Server is running" in server.oper("status"), "status")
        server.stop()
        faulty.on("thread")
        said = server.refuses_to_start(status=None, env=shim(faulty.folder))
        expect("KLM0812E" in said, said)


@test
def f10_slow_and_silent_callers_hold_up_nobody_and_are_let_go():
    with SITE.server("TransportListener.handshake.timeout=2", "TransportListener.message.timeout=2") as server:
        serve(server)
        client_hello = bytes.fromhex("16030100c8010000c40303") + bytes(100)
        mine = message(HELLO, bytes(4) + hello_fields(DRIVE))
        callers, stop = [], threading.Event()
        for i in range(300):
            callers.append(sock := socket.create_connection(("127.0.0.1", server.ssl if i % 3 == 1 else server.tcp), 10 * SLOW))
            if i % 3 == 1:
                sock.sendall(client_hello)  # a part of a TLS hello
            elif i % 3 == 2:
                sock.sendall(mine[:20] if i % 2 else mine)

        def drip(sock, bytes_of):
            """One byte a second."""
            with sock:
                for byte in bytes_of:
                    if stop.wait(1):
                        return
                    try:
                        sock.sendall(bytes([byte]))
                    except OSError:
                        return

        served = Session(server, DRIVE)  # it may ask for keys, and asks very slowly
        drips = [threading.Thread(target=drip, args=(socket.create_connection(("127.0.0.1", server.tcp)), mine)),
                 threading.Thread(target=drip, args=(served.sock, mine))]
        for dripping in drips:
            dripping.start()
        try:
            with Session(server, DRIVE, room=2048) as deaf:
                deaf.stuff()
                for port in ("tcp", "ssl"):
                    good_client(server, port=port)
                wait_until("all are let go", 12, lambda: int(server.status("Sessions")) == 0)
                for dripping in drips:
                    dripping.join(10 * SLOW)
                    expect(not dripping.is_alive(), "a dripping caller is still there")
        finally:
            stop.set()
            for sock in callers:
                sock.close()
        good_client(server)
        expect(len(kinds(server)) < 40, f"a flood of messages: {len(kinds(server))}")


@test
def f10_one_address_has_its_share_of_connections():
    with SITE.server("TransportListener.connections.per.address=20", "TransportListener.connections.max=20") as server:
        serve(server)
        with Session(server, DRIVE) as session:
            callers = [socket.create_connection(("127.0.0.1", server.tcp), 10 * SLOW) for _ in range(40)]
            try:
                wait_until("21 are turned away", 10, lambda: sum(is_closed(sock, 0.01) for sock in callers) >= 21)
                closed = [sock for sock in callers if is_closed(sock)]
                expect(len(closed) == 21, f"{len(closed)} are turned away")
                session.create()
                expect(kinds(server).count("KLM0803W") == 1, f"said {kinds(server).count('KLM0803W')} times")
            finally:
                for sock in callers:
                    sock.close()
        wait_until("room again", 5, lambda: serves(server))


def is_closed(sock, seconds=0.05):
    sock.settimeout(seconds)
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


# ---- Hostile TLS and messages

def s_client(server, *words, data="", seconds=15):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.ssl}", "-CAfile", f"{server.home}/drive/ca.crt", *words],
                          input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=seconds * SLOW,
                          **({} if isinstance(data, bytes) else {"text": True, "errors": "replace"}))
    return done.stdout


@test
def f11_old_versions_weak_suites_and_compression_are_refused():
    with SITE.server("TransportListener.ssl.protocols=SSL_TLS") as server:
        serve(server)
        mine = ("-cert", DRIVE.cert, "-key", DRIVE.key)
        for words in (("-tls1",), ("-tls1_1",), ("-tls1_2", "-cipher", "AES128-SHA"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"),
                      ("-tls1_2", "-cipher", "aNULL:eNULL")):
            said = s_client(server, *mine, *words, "-cipher" if "-cipher" not in words else "-quiet", *(["ALL:@SECLEVEL=0"] if "-cipher" not in words else []))
            expect("Cipher is (NONE)" in said or "handshake failure" in said or "protocol version" in said or "no ciphers" in said or "alert" in said
                   or "unexpected eof" in said, f"{words}: {said[-600:]}")
        said = s_client(server, *mine, "-tls1_2", "-comp")
        expect("Compression: NONE" in said and "TLSv1.2" in said, said[-800:])
        said = s_client(server, *mine, "-tls1_3")
        expect("TLSv1.3" in said and "Verify return code: 0 (ok)" in said and "Early data was not sent" in said, said[-800:])
        good_client(server)


@test
def f11_renegotiation_is_refused():
    with SITE.server("TransportListener.ssl.protocols=SSL_TLS") as server:
        serve(server)
        said = renegotiates("-connect", f"127.0.0.1:{server.ssl}", "-cert", DRIVE.cert, "-key", DRIVE.key, "-tls1_2")
        expect(re.search(r"no renegotiation|alert|error|handshake failure|unexpected eof", said), said[-500:])
        good_client(server)


@test
def f11_no_session_is_resumed_with_another_certificate():
    with SITE.server("TransportListener.ssl.protocols=SSL_TLS") as server:
        other = Drive(f"{server.home}/other", "0000OTHER001", "5005076302400009").make().signed_by(server)
        serve(server)
        as_other, as_drive = (message(0x02, bytes(36) + hello_fields(one) + bytes(4)) for one in (other, DRIVE))
        server.oper(f"adddrive -drivename {other.serial} -cert DRIVE.{other.serial}.CERT")
        for version in ("-tls1_2", "-tls1_3"):
            saved = f"{server.home}/saved"
            bye = message(0x1F, struct.pack(">I", 9))
            s_client(server, "-cert", DRIVE.cert, "-key", DRIVE.key, version, "-sess_out", saved, "-ign_eof", data=as_drive + bye)
            expect(os.path.exists(saved), "no session is kept")
            # A resumed session stands for who made it, whatever certificate is at hand now.
            words = ("-cert", other.cert, "-key", other.key, version, "-sess_in", saved, "-ign_eof")
            said = s_client(server, *words, data=as_other)
            expect(b"Reused, " not in said or b"KLM0921E" in said, f"{version}: {said[-600:]}")
            said = s_client(server, *words, "-quiet", data=as_drive + bye)
            expect(b"KX\x01\x82" in said or b"KLM0921E" in said, f"{version}: {said[-600:]}")
            server.oper(f"deletedrive -drivename {DRIVE.serial}")
            said = s_client(server, *words, "-quiet", data=as_drive)
            expect(b"KX\x01\x82" not in said, f"{version}: a session goes on after its drive was removed")
            server.oper(ADD)
            os.remove(saved)


@test
def f12_oversized_and_broken_messages_end_their_session_only():
    with SITE.server() as server:
        serve(server)
        head = lambda kind, length, version=1, magic=b"KX": magic + struct.pack(">BBI", version, kind, length)
        for bad in (head(0x11, 0xFFFFFFFF), head(0x11, 0x7FFFFFFF), head(0x11, 8185), head(0x11, 8184) + b"x" * 8184, head(0x11, 0), head(0x11, 3) + b"abc",
                    head(0x99, 10) + bytes(10), head(0x11, 12, version=2) + bytes(12), head(0x11, 12, magic=b"XK"), b"GET / HTTP/1.1\r\n\r\n" + bytes(16),
                    message(0x11, struct.pack(">I", 1) + b"WXY662" + b"\x03"), message(0x11, struct.pack(">I", 1) + b"WXY662\x00" + b"extra"),
                    message(0x11, struct.pack(">I", 1) + b"WXY662\x01L\xff" + b"x" * 255), message(0x12, struct.pack(">I", 1) + b"WXY662\x01\xff\xff"),
                    message(0x12, struct.pack(">I", 1) + b"WXY662\x03" + b"\0\1x" * 3), message(0x11, struct.pack(">I", 0) + b"WXY662\x00"),
                    message(0x02, bytes(4 + 32 + 36 + 4)), message(0x01, bytes(40)), message(0x91, bytes(60))):
            with Session(server, DRIVE) as session:
                session.sock.sendall(bad)
                refused = refusal(session.answer, 0x91)
                expect(refused.code == 0xEE2D, f"{bad[:12].hex()}: {refused}")
                expect(session.closed(), f"{bad[:12].hex()}: it stays open")
        for bad in (b"", b"\0", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.0\r\n\r\n", head(1, 0xFFFFFFFF), message(1, bytes(4) + hello_fields(DRIVE)) + b"x",
                    message(1, bytes(40)), message(0x11, bytes(11)), os.urandom(3000), head(1, 41) + bytes(41)):
            for port in (server.tcp, server.ssl):
                with socket.create_connection(("127.0.0.1", port), 10 * SLOW) as sock:
                    try:
                        sock.sendall(bad)
                        sock.shutdown(socket.SHUT_WR)
                        sock.settimeout(5 * SLOW)
                        while sock.recv(4096):
                            pass
                    except ConnectionError:
                        pass
        good_client(server)
        expect(len(kinds(server)) < 80, f"a flood of messages: {len(kinds(server))}")


@test
def f13_many_requests_at_once_are_answered_one_by_one():
    with SITE.server() as server:
        serve(server)
        with Session(server, DRIVE) as session:
            # Sent whole before an answer is read: sockets hold this much, and a TLS connection is not for two threads at once.
            session.sock.sendall(b"".join(message(0x10, struct.pack(">I", i)) for i in range(1, 2001)))
            got = [session.take() for _ in range(2000)]
            expect(sorted(struct.unpack(">I", body)[0] for _, body, _ in got) == list(range(1, 2001)), "answers")
        good_client(server)


# ---- Time, certificates, configuration

@test
def f19_a_clock_that_jumps_breaks_no_session_and_is_told():
    with SITE.server() as server:
        faulty = Faulty(server, "/nowhere")
        offset = f"{faulty.folder}/clock"
        time.sleep(1.5 * SLOW)  # the clock is looked at once a second
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("CLK001")
            for jump, allowed in ((-400, None), (0, None), (380, "KLM0914E")):
                write(offset + ".new", f"{jump * 86400}\n")
                os.replace(offset + ".new", offset)
                time.sleep(0.1)
                session.verify()
                session.get("CLK001", eedks)
                got = tries(session, 1)[0]
                expect(got == allowed or (jump == -400 and got == "KLM0914E"), f"{jump}: {got}")
                expect("Server is running" in server.oper("status"), "status")
            wait_until("the jump is told", 10, lambda: "KLM0988W" in server.console())
            os.remove(offset)
            expect(tries(session, 1) == [None], "back again")
        numbers = [int(line[11:]) for one in server.audit() for line in one if line.startswith("  sequence=")]
        expect(numbers == sorted(numbers), "order of the log")


@test
def f20_a_kill_in_mid_work_loses_nothing_that_was_acknowledged():
    with SITE.server() as server:
        serve(server)
        for turn in range(2):
            done = []
            with Session(server, DRIVE) as session:
                killer = threading.Timer(0.3, server.kill)
                try:
                    while True:
                        session.create(f"K{turn}{len(done):04}")
                        done.append(f"K{turn}{len(done):04}")
                        if len(done) == 1:
                            killer.start()
                except (OSError, EOFError):
                    pass
                killer.join()
            server.start()
            shown = server.oper(f"query -drivename {DRIVE.serial} -limit 100000")
            expect(done and all(volser in shown for volser in done), "an acknowledged write is lost")
            wait_until("the log", 10, lambda: all(f"VolSer: {volser} " in read(server.audit_path) for volser in done))
        server.stop()
        expect("0 damaged" in tool("klmsrv", "--verify", server.config), "verify")


@test
def f23_an_alias_that_is_taken_is_not_replaced_by_an_import():
    with SITE.server() as server:
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{server.home}/k", "-out",
            f"{server.files}/OTHER", "-days", "30", "-subj", "/CN=Other")
        before = server.racf(f"ID(TAPEKMS) LIST(LABEL('{LABEL}'))")
        said = server.racf(f"ID(TAPEKMS) ADD('OTHER') TRUST WITHLABEL('{LABEL}')", status=1)
        expect("KLM0476E" in said, said)
        said = server.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('{LABEL}')", status=1)
        expect("KLM0944E" in said, said)
        said = server.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('Fresh') PCICC(ITOPS.KLM20.CERT)", status=1)
        expect("KLM0945E" in said, said)
        expect(server.racf(f"ID(TAPEKMS) LIST(LABEL('{LABEL}'))") == before, "it was changed")


@test
def f30_expired_weak_and_withdrawn_certificates():
    with SITE.server() as server:
        old = Drive(f"{server.home}/old", "0000OLD00001", "5005076302400011").make()
        write(f"{server.files}/OLD", read(old.request))
        server.racf("ID(TAPEKMS) GENCERT('OLD') WITHLABEL('Old') NOTBEFORE(DATE(2026-11-01)) NOTAFTER(DATE(2026-11-02)) "
                    "SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))", status=None)
        # An authority of OpenSSL's, connected to the ring, whose drives have faults.
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{server.home}/ca.key", "-out", f"{server.files}/CA2", "-days", "30",
            "-subj", "/CN=Second CA")
        server.racf("CERTAUTH ADD('CA2') TRUST WITHLABEL('SecondCA')")
        server.racf("ID(TAPEKMS) CONNECT(CERTAUTH LABEL('SecondCA') RING(KeyStore4758) USAGE(CERTAUTH))")
        made = {}
        for name, words in (("GOOD", ("-days", "10", "-sha256")), ("PAST", ("-days", "-1", "-sha256")), ("SHA1", ("-days", "10", "-sha1"))):
            drive = made[name] = Drive(f"{server.home}/{name}", f"0000{name}0001", f"50050763024000{len(made):02}").make()
            run("openssl", "x509", "-req", "-in", drive.request, "-CA", f"{server.files}/CA2", "-CAkey", f"{server.home}/ca.key", "-out", drive.cert, *words,
                "-copy_extensions", "copyall")
        server.set("drive.acceptUnknownDrives=true").start()
        with Session(server, made["GOOD"]) as session:
            session.create()
        for name in ("PAST", "SHA1"):
            try:
                Session(server, made[name])
                raise AssertionError(f"{name} is let in")
            except (Refused, ssl.SSLError, OSError, EOFError):
                pass
        with Session(server, made["GOOD"]) as open_session:
            server.racf("ID(TAPEKMS) REMOVE(CERTAUTH LABEL('SecondCA') RING(KeyStore4758))")
            server.oper("refreshks")
            open_session.verify()
            try:
                Session(server, made["GOOD"])
                raise AssertionError("a withdrawn authority is believed")
            except (Refused, ssl.SSLError, OSError, EOFError):
                pass


@test
def f30_the_task_starts_with_an_expired_certificate_of_its_own_and_says_so():
    with SITE.server() as server:
        server.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('old server')) WITHLABEL('Old_Server') PCICC(OLD.SERVER) NISTECC SIZE(256) ROLE(SERVER) "
                    "ALTNAME(DOMAIN('localhost')) NOTBEFORE(DATE(2020-01-01)) NOTAFTER(DATE(2021-01-01))")
        server.racf("ID(TAPEKMS) ADDRING(Old)")
        server.racf("ID(TAPEKMS) CONNECT(LABEL('Old_Server') RING(Old) DEFAULT)")
        server.set("TransportListener.ssl.keystore.name=safkeyring://TAPEKMS/Old", "TransportListener.ssl.truststore.name=safkeyring://TAPEKMS/KeyStore4758")
        server.start()
        server.says("KLM0987E Certificate Old_Server")
        expect("Server is running" in server.oper("status"), "status")


# ---- Secrets

def master_key(server):
    """The master key, from its parts."""
    parts = [f"{server.home}/part{i}" for i in (1, 2)]
    tool("klmsrv", "--split-master", server.value("config.masterkey.file"), *parts)
    key = bytes(a ^ b for a, b in zip(*(bytes.fromhex(read(part).strip()) for part in parts)))
    for part in parts:
        os.remove(part)
    return key


def forms(secret):
    text = base64.b64encode(secret)
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), text.rstrip(b"="), base64.urlsafe_b64encode(secret).rstrip(b"=")]


@test
def f34_no_secret_is_in_any_file_at_full_trace():
    with SITE.server("debug=all", "config.keystore.password=Xyzzy-7734") as server:
        key = master_key(server)
        expect(len(key) == 32 and any(key), "the key")
        serve(server)
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create()
            session.get("WXY662", eedks)
            session.translate("WXY662", eedks, [LABEL2])
            refusal(session.get, "WXY662", [eedks[0][:-1] + b"\0"])
        server.oper("modconfig -set -property TransportListener.ssl.keystore.password -value Plugh-8845")
        server.oper("refresh")
        server.xfer("WRITE,ITOPS.KLM20.CERT,X.Y(KLM20)")
        server.oper("export -config -url FILE:c")
        server.oper("createkeygroup -password Quux-9956", status=1)
        server.audited("config-export")
        server.stop()
        expect(read(f"{server.home}/log/debug").count("\n") > 0, "there is no trace")
        look_for = [*forms(key), b"Xyzzy-7734", b"Plugh-8845", b"Quux-9956", b"PRIVATE KEY"]
        allowed = {server.config: (b"Xyzzy-7734", b"Plugh-8845")}
        for top, _, names in os.walk(server.home):
            if top.startswith(f"{server.home}/masterkey"):
                continue
            for name in names:
                path = os.path.join(top, name)
                if not os.path.isfile(path) or path.endswith("drive.key"):
                    continue
                with open(path, "rb") as file:
                    text = file.read()
                for secret in look_for:
                    expect(secret not in text or secret in allowed.get(path, ()), f"{path} holds a secret: {secret[:12]!r}")
                state = os.stat(path)
                expect(state.st_mode & 0o002 == 0, f"{path} can be written by everybody")
        for path in (f"{server.store}/token.db", server.config, f"{server.home}/masterkey/masterkey.sealed"):
            expect(os.stat(path).st_mode & 0o077 == 0 or path == server.config, f"{path} can be read by others")


@test
def f34_the_process_leaves_no_core_and_cannot_be_looked_into():
    with SITE.server() as server:
        key = master_key(server)
        serve(server)
        limits = read(f"/proc/{server.pid}/limits")
        expect(re.search(r"Max core file size\s+0\s+0", limits), limits)
        # A process that is not dumpable belongs to root in /proc, whoever runs it.
        status = read(f"/proc/{server.pid}/status")
        expect(re.search(r"(?m)^CoreDumping:\s+0", status), status)
        if os.geteuid() == 0:
            child = os.fork()
            if child == 0:
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                try:
                    open(f"/proc/{server.pid}/mem", "rb").close()
                    os._exit(1)
                except OSError:
                    os._exit(0)
            expect(os.waitpid(child, 0)[1] == 0, "another user reads its memory")
        found = memory_with(server.pid, key)
        expect(all({"dd", "lo"} <= flags for flags, _ in found), f"the master key lies in memory that is dumped or swapped: {found}")


def holds(memory, start, end, secret, step=1 << 24):
    """Are the bytes in a part of a process's memory?"""
    try:
        while start < end:
            memory.seek(start)
            if secret in (memory.read(min(step, end - start)) or b""):
                return True
            start += step - len(secret) + 1
    except (OSError, OverflowError, ValueError):
        pass
    return False


def memory_with(pid, secret):
    """Flags and names of the mappings of a process that hold the bytes."""
    out, where, name = [], (0, 0, ""), ""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in read(f"/proc/{pid}/smaps").splitlines():
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) .*", line)
            if head:
                where, name = (int(head[1], 16), int(head[2], 16), head[3]), line
            elif line.startswith("VmFlags:") and where[2].startswith("rw") and where[1] - where[0] < 1 << 30:  # no shadow memory
                if holds(memory, where[0], where[1], secret):
                    out.append((set(line.split()[1:]), name))
    return out


# ---- Signals and races

@test
def f35_signal_storms_change_nothing():
    with SITE.server() as server:
        began = server.mark()
        server.start(wait=None)
        end = time.monotonic() + 20 * SLOW
        while "Server is running" not in server.console()[began:]:
            if "ISKLM wrapper" in server.console()[began:]:
                server.signal(signal.SIGHUP)  # a refresh asked for during the start
            expect(server.runs() and time.monotonic() < end, f"it does not start: {server.console()[began:]}")
            time.sleep(0.005)
        server.oper(ADD)
        with Session(server, DRIVE) as session:
            for i in range(300):
                server.signal((signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG)[i % 5])
                if i % 30 == 0:
                    session.create()
            wait_until("an answer", 20, lambda: "Server is running" in server.oper("status", status=None))
            session.create()
            for _ in range(8):
                session.send(0x11, b"WXY662\0")
            for _ in range(50):
                server.signal(signal.SIGTERM)
                if not server.runs():
                    break
        expect(server.end() == 0, "exit status")
        server.start()
        expect(server.status("Drives") == "1", "the drive is lost")


@test
def f35_a_refresh_that_ends_after_the_stop_is_clean():
    with SITE.server() as server:
        for _ in range(4):
            server.start()
            for _ in range(20):
                server.signal(signal.SIGHUP)
                time.sleep(0.002)
            server.signal(signal.SIGTERM)
            expect(server.end() == 0, f"exit status: {server.console()[-2000:]}")


@test
def f35_a_stop_during_the_start_is_clean():
    with SITE.server() as server:
        for i in range(6):
            began = server.mark()
            server.start(wait="ISKLM wrapper")
            time.sleep(0.01 * i)
            server.signal(signal.SIGTERM)
            status = server.end()
            expect(status in (0, -signal.SIGTERM), f"exit status {status}: {server.console()[began:]}")
        server.start()


@test
def f37_two_operators_racing_for_one_drive_leave_a_legal_history():
    with SITE.server() as server:
        server.start()
        lines = "".join(f"{verb} -drivename 000000000042\n" for verb in ("adddrive", "deletedrive") * 100)
        runs = [subprocess.Popen([f"{BIN}/oper", "-s", server.socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for _ in range(2)]
        threads = [threading.Thread(target=one.communicate, args=(lines,)) for one in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60 * SLOW)
        wait_until("all records", 10, lambda: sum("000000000042" in "\n".join(one) for one in server.audit()) == 400)
        done = []
        for record in server.audit():
            text = "\n".join(record)
            if "000000000042" in text and "result=successful" in text:
                done.append("drive-add" in text)
        expect(done and done[0] and all(a != b for a, b in zip(done, done[1:])), "a drive was added or deleted twice")
        there = "000000000042" in server.oper("listdrives")
        expect(there == done[-1], "the table is not what the history says")


if __name__ == "__main__":
    sys.exit(main())
