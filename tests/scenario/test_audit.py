#!/usr/bin/env python3
"""Audit of what is no verb: ends of sessions, failed handshakes, operators, start, stop, crash and refresh; checkpoints and their
verification from outside; what is told when the journal was full. The journal is read here by smf/JOURNAL.md alone."""
import base64
import os
import pty
import re
import signal
import socket
import ssl
import subprocess

from keyserver import BIN, SLOW, Site, read, tool, wait_until, write
from kx import Drive, Refused, Session, VERIFY, refusal
from scenario import SOURCE, expect, main, test

SITE = Site()
DRIVE = Drive(f"{SITE.folder}/drive").make().signed_by(SITE.master)
STRANGER = Drive(f"{SITE.folder}/stranger", serial="0000000000AB", wwn="5005076302400AAA").make().signed_by(SITE.master)
ADD = f"adddrive -drivename {DRIVE.serial} -cert DRIVE.{DRIVE.serial}.CERT"
FIELDS = {name: int(number) for name, number in
          re.findall(r"SMF_FIELD\(SMF_F_(\w+), (\d+)", read(f"{SOURCE}/smf/fields.def"))}


def events(server, verb, **wanted):
    """Events of that name whose fields hold the texts wanted."""
    found = []
    for one in journal(server):
        if one.get("VERB") == verb and all(text in one.get(name, "") for name, text in wanted.items()):
            found.append(one)
    return found


def event(server, verb, seconds=5, **wanted):
    return wait_until(f"{verb} {wanted}", seconds, lambda: events(server, verb, **wanted))[-1]


def journal(server, folder=None):
    """All events as dictionaries of field names, with sequence number, kind and outcome."""
    folder, out = folder or f"{server.home}/log/journal", []
    numbers = {number: name for name, number in FIELDS.items()}
    for name in sorted((n for n in os.listdir(folder) if n.startswith("journal.")), key=lambda n: int(n[8:])):
        with open(f"{folder}/{name}", "rb") as file:
            data = file.read()
        at = 0
        while at + 90 <= len(data) and data[at:at + 4] == b"KLMJ":
            size = int.from_bytes(data[at + 4:at + 8], "big")
            if at + size > len(data):
                break
            n = int.from_bytes(data[at + 84:at + 86], "big")
            where = at + 86 + n
            length = int.from_bytes(data[where:where + 4], "big")
            body = data[where + 4:where + 4 + length]
            one = {"seq": int.from_bytes(data[at + 12:at + 20], "big"), "failed": body[2] == 1, "kind": body[1]}
            place = 12
            while place < length:
                number, count = int.from_bytes(body[place:place + 2], "big"), int.from_bytes(body[place + 2:place + 4], "big")
                one[numbers.get(number, str(number))] = body[place + 4:place + 4 + count].decode()
                place += 4 + count
            out.append(one)
            at += size
    return out


def serve(server, **named):
    server.start(**named)
    server.oper(ADD)
    return server


@test
def a_session_is_one_number_from_its_admission_to_its_end():
    with SITE.server() as server:
        serve(server)
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("AUD001")
            session.get("AUD001", eedks)
            session.verify()
            session.send(0x1F, b"")
            expect(session.closed(), "good-bye does not end it")
        end = event(server, "session-end", DRIVE=DRIVE.serial)
        expect(not end["failed"] and "good-bye" in end["MESSAGE"] and end["MESSAGE_ID"] == "KLM0823I", str(end))
        number = end["SESSION"]
        expect(re.fullmatch(r"\d+-\d+", number), number)
        mine = [one["VERB"] for one in journal(server) if one.get("SESSION") == number]
        expect(mine == ["drive-contact", "key-create", "key-get", "drive-verify", "session-end"], str(mine))
        for one in journal(server):
            expect(re.fullmatch(r"[+-]\d\d:\d\d", one.get("OFFSET", "")), str(one))
        with Session(server, DRIVE) as session:
            session.verify()
        expect(event(server, "session-end", MESSAGE="closed")["SESSION"] != number, "a number twice")


@test
def the_local_offset_is_that_of_the_place():
    with SITE.server() as server:
        serve(server, env={"TZ": "XYZ-5:45"})
        expect(event(server, "start")["OFFSET"] == "+05:45", str(event(server, "start")))


@test
def sessions_end_by_time_and_by_the_end_of_the_task():
    with SITE.server("TransportListener.message.timeout=1") as server:
        serve(server)
        with Session(server, DRIVE) as session:
            session.sock.sendall(b"KX\x01\x10\0\0")  # half a message
            expect(session.closed(), "half a message is waited for")
        end = event(server, "session-end", DRIVE=DRIVE.serial)
        expect(end["failed"] and "time" in end["MESSAGE"], str(end))
        with Session(server, DRIVE) as session:
            session.sock.sendall(b"no message at all" * 4)
            expect(session.closed(), "nonsense is read on")
        end = event(server, "session-end", DRIVE=DRIVE.serial, MESSAGE_ID="KLM05")
        expect(end["failed"], str(end))
        with Session(server, DRIVE):
            server.stop()
        end = events(server, "session-end", DRIVE=DRIVE.serial)[-1]
        expect(not end["failed"] and "serving is stopped" in end["MESSAGE"], str(end))
        names = [one["VERB"] for one in journal(server)]
        expect(names[-2:] == ["stop", "checkpoint"], str(names[-4:]))


@test
def who_is_not_admitted_leaves_an_event_with_address_and_reason():
    with SITE.server("TransportListener.handshake.timeout=3", "TransportListener.message.timeout=3",
                     "drive.acceptUnknownDrives=false") as server:
        serve(server)
        with socket.create_connection(("127.0.0.1", server.ssl)) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            sock.settimeout(10 * SLOW)
            sock.recv(100)
        failed = event(server, "tls-failed")
        expect(failed["failed"] and failed["ADDRESS"].startswith("127.0.0.1:") and "request" in failed["MESSAGE"], str(failed))
        try:
            Session(server, DRIVE, port="ssl", cert=False)
            raise AssertionError("a session without a certificate")
        except (OSError, EOFError, ssl.SSLError, Refused):
            pass
        wait_until("the certificate is missed", 5, lambda: events(server, "tls-failed", MESSAGE="certificate"))
        with socket.create_connection(("127.0.0.1", server.tcp)) as sock:
            sock.settimeout(10 * SLOW)
            sock.sendall(b"K")
            expect(sock.recv(1) == b"", "half a hello is waited for")
        expect(event(server, "session-refused")["ADDRESS"].startswith("127.0.0.1:"), "address")
        before = len(events(server, "session-refused"))
        with socket.create_connection(("127.0.0.1", server.tcp)):
            pass  # a look whether the port is open
        expect(refusal(Session, server, STRANGER).code == 0xEF01, "the stranger")
        contact = event(server, "drive-contact", USER=STRANGER.serial)
        expect(contact["failed"] and contact["MESSAGE_ID"] == "KLM0204E", str(contact))
        expect(len(events(server, "session-refused")) == before, "told twice")
        expect(not events(server, "session-end"), "a session that never was ended")


@test
def a_flood_of_failures_is_told_in_part_and_its_number_at_the_end():
    with SITE.server("TransportListener.connections.per.address=5", "Audit.refusals.interval=5") as server:
        serve(server)
        callers = [socket.create_connection(("127.0.0.1", server.tcp), 10 * SLOW) for _ in range(60)]
        for sock in callers:
            sock.close()
        more = event(server, "refusals", seconds=20)
        told = len(events(server, "connection-refused"))
        expect(told == 10 and int(more["NEW"]) + told >= 50 and more["OBJECT"] == "127.0.0.1", f"{told}, {more}")
        expect(events(server, "connection-refused")[0]["ADDRESS"] == "127.0.0.1", "address")


@test
def operators_who_come_and_go_and_what_they_do_is_one_session():
    with SITE.server() as server:
        serve(server)
        ours, theirs = pty.openpty()
        oper = subprocess.Popen([f"{BIN}/oper", "--socket", server.socket], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        try:
            login = event(server, "operator-login")
            os.write(ours, b"F ISKLM,APPL='listdrives'\r")
            event(server, "drive-list", SESSION=login["SESSION"])
        finally:
            oper.kill()
            oper.wait()
            os.close(ours)
        logout = event(server, "operator-logout")
        expect(logout["SESSION"] == login["SESSION"] and login["USER"] == logout["USER"] and not login["failed"], f"{login} {logout}")
        expect(event(server, "drive-add")["SESSION"] != login["SESSION"], "another session")


@test
def start_configuration_refresh_and_crash():
    with SITE.server() as server:
        serve(server)
        load = event(server, "config-load")
        expect(load["OBJECT"] == server.config and re.fullmatch(r"SHA-256 [0-9a-f]{64}", load["NEW"]), str(load))
        server.set("drive.pending.max=123")
        server.signal(signal.SIGHUP)
        change = event(server, "config-change", OBJECT="drive.pending.max")
        expect(change["NEW"] == "123" and change["USER"] == "SIGHUP" and change["OLD"], str(change))
        event(server, "config-refresh", USER="SIGHUP")
        server.stop()
        server.start()
        expect(not events(server, "crash-recovery"), "a stop in order is taken for a crash")
        server.kill()
        server.racf("ID(TAPEKMS) LISTRING(KeyStore4758)")
        server.start()
        expect(len(events(server, "crash-recovery")) == 1 and len(events(server, "store-recovery")) == 1, "the crash")
        server.stop()
        server.start()
        expect(len(events(server, "crash-recovery")) == 1, "again")


@test
def checkpoints_verify_with_the_certificate_alone_and_an_altered_journal_does_not():
    with SITE.server() as server:
        server.racf("ID(TAPEKMS) EXPORT(LABEL('ISKLM_Server')) DSN('SERVER.CERT') FORMAT(CERTB64)")
        serve(server)
        with Session(server, DRIVE) as session:
            session.create("CHK001")
        server.stop()
        command = ["klmsrv", "--verify", server.config, "--certificate"]
        said = tool(*command, f"{server.files}/SERVER.CERT")
        expect(re.search(r"journal: 1 checkpoints, signed up to event \d+", said), said)
        said = tool(*command, f"{server.home}/drive/ca.crt", status=None)
        expect("KLM0826E" in said and "none of the certificates" in said, said)
        point = event(server, "checkpoint")
        last = int(point["OBJECT"].rsplit("-", 1)[1])
        expect(point["ALGORITHM"] == "ECDSA-SHA256" and last == point["seq"] - 1, str(point))
        check_with_openssl(server, point, last)
        path = f"{server.home}/log/journal/journal.0000000001"
        with open(path, "rb") as file:
            data = bytearray(file.read())
        at = data.rindex(b"checkpoint")
        data[at] ^= 1
        write(path, bytes(data))
        said = tool(*command, f"{server.files}/SERVER.CERT", status=None)
        expect("KLM070" in said, said)


def check_with_openssl(server, point, last):
    """The signature by OpenSSL's command line over bytes put together here."""
    def text(value):
        return len(value).to_bytes(2, "big") + value.encode()

    value = bytes.fromhex(point["HASH"])
    message = text("klmsrv checkpoint 1") + text("journal") + text(server.value("server.id")) + last.to_bytes(8, "big") + b"\0\x20" + value
    write(f"{server.home}/message", message)
    write(f"{server.home}/signature", base64.b64decode(point["SIGNATURE"]))
    cert, key = f"{server.files}/SERVER.CERT", f"{server.home}/server.pub"
    subprocess.run(["openssl", "x509", "-in", cert, "-pubkey", "-noout", "-out", key], check=True)
    said = subprocess.run(["openssl", "dgst", "-sha256", "-verify", key, "-signature", f"{server.home}/signature", f"{server.home}/message"],
                          stdout=subprocess.PIPE, text=True, check=False).stdout
    expect("Verified OK" in said, said)


@test
def an_error_text_names_its_message_once():
    with SITE.server() as server:
        serve(server)
        with Session(server, DRIVE) as session:
            refused = refusal(session.create, "TWI001", ["No_such_label"])
            expect(refused.identifier == "KLM0911E" and "KLM0911E" not in refused.text and refused.text.startswith("Key label"),
                   str(refused))
        try:
            with Session(server, DRIVE) as session:
                session.send(VERIFY + 0x40, b"")
                session.answer(0)
        except Refused as refused:
            expect(refused.identifier.startswith("KLM05") and refused.identifier not in refused.text, str(refused))


@test
def a_full_journal_is_told_by_itself_when_there_is_room_again():
    with SITE.server() as server:
        folder = f"{server.home}/log/journal"
        os.makedirs(folder, exist_ok=True)
        user = () if os.geteuid() == 0 else ("--map-root-user",)
        inner = (f"set -e; cp -a '{folder}' '{folder}.copy'; mount -t tmpfs -o size=2m,mode=700 tmpfs '{folder}'; "
                 f"cp -a '{folder}.copy/.' '{folder}/'; rm -r '{folder}.copy'; exec \"$@\"")
        serve(server, wrap=("unshare", "--mount", *user, "sh", "-c", inner, "sh"))
        inside = f"/proc/{server.pid}/root{folder}"
        with Session(server, DRIVE) as session:
            _, eedks, _ = session.create("FUL001")
            fill(f"{inside}/filler")
            wait_until("the last page is full", 10, lambda: not serves(session))
            expect(refusal(session.get, "FUL001", eedks).identifier == "KLM0903E", "a key without a record")
            expect(refusal(session.verify).identifier == "KLM0903E", "a test exchange without a record")
            server.says("KLM0704A")
            expect(server.status("Audit journal") == "NOT WRITABLE" and int(server.status("Audit events not recorded")) >= 2, "status")
            os.remove(f"{inside}/filler")
            server.says("KLM0705I")
            wait_until("service", 5, lambda: serves(session))
            found = wait_until("it is told", 5, lambda: [one for one in journal(server, inside) if one["VERB"].startswith("audit-")])
        expect([one["VERB"] for one in found] == ["audit-failed", "audit-resumed"], str(found))
        expect(int(found[1]["OBJECT"].split()[0]) >= 3 and found[0]["MESSAGE_ID"] == "KLM0820A", str(found))
        expect(server.console().count("KLM0704A") < 4, "said too often")  # a short event may find room where a long one does not


def fill(path):
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 16, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


def serves(session):
    try:
        session.verify()
        return True
    except Refused:
        return False


if __name__ == "__main__":
    raise SystemExit(main())
