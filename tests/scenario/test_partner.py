#!/usr/bin/env python3
"""Partners: copies from server to server over mutual TLS, what is taken, changed and refused, and what happens when the other side fails."""
import os
import re
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading

from keyserver import SERIAL, SLOW, WWN, free_port, wait_until
from partners import BYE, HEADER, HELLO, SYNC, SYNCED, WELCOME, Link, Pair, address, frame, hello, key_pair, refusal, trust
from scenario import expect, main, test

PAIR = Pair()


@test
def a_sync_brings_drives_and_configuration_and_says_what_became_of_them():
    with PAIR.server("One", "drive.default.alias2=Another", "Audit.handler.file.size=777", "Audit.event.outcome=success") as one, \
            PAIR.server("Two") as two:
        one.start(), two.start()
        one.oper(f"adddrive -drivename {SERIAL} -rec1 A -wwn {WWN}")
        two.oper("adddrive -drivename 000000000002")
        port, role = two.value("TransportListener.tcp.port"), two.value("partner.role")
        said = one.oper(f"sync -all -ipaddr {address(two)}")
        expect("Sync with partner Partner Two is done" in said, said)
        expect(re.search(r"drivetab +taken +1 drives added, 0 changed, 0 removed", said), said)
        expect(re.search(r"config +taken .*properties changed; local and secret ones stay; not an operator's to change:.*Audit.event.outcome", said), said)
        expect(SERIAL in two.oper("listdrives") and "000000000002" in two.oper("listdrives"), "merge adds")
        expect("Another" in two.oper("listconfig -property drive.default.alias2"), "the configuration came")
        expect(two.value("drive.default.alias2") == "Another", "also to the file")
        expect((two.value("TransportListener.tcp.port"), two.value("partner.role")) == (port, role), "local properties stay")
        expect(two.value("Audit.event.outcome") != "success", "what a security administrator decides stays")
        expect(one.audited("Data synchronization event", "sync", "Partner Two", "result=successful"), "sent")
        expect(two.audited("Data synchronization event", "sync-drives-take", "Partner One", "result=successful"), "taken")
        expect(two.audited("Authentication event", "certificate in TLS", "Partner One", "result=successful"), "admitted")
        expect(two.audited("brought a drive into the drive table", SERIAL), "the drive has an event of its own")


@test
def rewrite_takes_away_what_the_sender_has_not():
    with PAIR.server("One") as one, PAIR.server("Two") as two:
        one.start(), two.start()
        one.oper(f"adddrive -drivename {SERIAL}")
        two.oper("adddrive -drivename 000000000002")
        said = one.oper(f"sync -drivetab -ipaddr {address(two)} -rewrite")
        expect("1 drives added, 0 changed, 1 removed" in said, said)
        expect("000000000002" not in two.oper("listdrives"), "it is gone")
        twice = one.oper(f"sync -drivetab -ipaddr {address(two)} -rewrite")
        expect("0 drives added, 0 changed, 0 removed" in twice, twice)


@test
def key_groups_travel_without_their_keys_and_say_how_many_of_them_are_missing():
    with PAIR.server("One") as one, PAIR.server("Two") as two:
        one.start(), two.start()
        expect("KLM1307E" in one.oper(f"sync -keygroups -ipaddr {address(two)}", status=1), "there are none")
        two.oper("addkeygroup -groupID THERE")
        one.oper("addkeygroup -groupID TAPES -wrap")
        one.oper("createkeys -range des01-04 -groupID TAPES")
        said = one.oper(f"sync -all -ipaddr {address(two)}")
        expect(re.search(r"keygroups +taken +1 key groups added, 0 changed, 0 removed; 4 of their keys not here", said), said)
        listed = two.oper("listkeygroups -v")
        expect("des000000000000000001-4" in listed and "THERE" in listed and re.search(r"^TAPES +4 +4 +YES", listed, re.M), listed)
        expect("des" not in two.oper("list -keysym"), "no key came")
        expect(one.audited("Data synchronization event", "sync-keygroups-give", "result=successful"), "given")
        expect(two.audited("Data synchronization event", "sync-keygroups-take", "Partner One", "result=successful"), "taken")
        expect(two.audited("group-edited", "TAPES"), "the group has an event of its own")
        again = one.oper(f"sync -keygroups -ipaddr {address(two)}")
        expect("0 key groups added, 0 changed, 0 removed" in again, again)
        one.oper("delgroupalias -groupID TAPES -alias des04-04")
        said = one.oper(f"sync -keygroups -ipaddr {address(two)}")
        expect("0 key groups added, 0 changed, 0 removed" in said, f"merge takes nothing away: {said}")
        said = one.oper(f"sync -keygroups -rewrite -ipaddr {address(two)}")
        expect("0 key groups added, 1 changed, 1 removed; 3 of their keys" in said, said)
        listed = two.oper("listkeygroups -v")
        expect("des000000000000000001-3" in listed and "THERE" not in listed, listed)


@test
def a_sync_is_refused_in_words_of_the_manual():
    with PAIR.server("One") as one:
        one.start()
        closed = f"127.0.0.1:{free_port()}"
        expect("KLM1307E No data to be synchronized" in one.oper(f"sync -drivetab -ipaddr {closed}", status=1), "nothing here")
        one.oper(f"adddrive -drivename {SERIAL}")
        down = one.oper(f"sync -drivetab -ipaddr {closed}", status=1)
        expect("KLM1308E Sync failed" in down and "Connection refused" in down, down)
        expect("KLM1305E" in one.oper(f"sync -all -ipaddr {closed} -merge -rewrite", status=2), "one of both")
        expect("KLM1306E" in one.oper(f"sync -ipaddr {closed}", status=2), "what?")
        expect("it is not host:port" in one.oper("sync -all -ipaddr nowhere", status=2), "where?")
        one.set("console.role.OPERATOR=", "console.role.SECADMIN=").oper("refresh")
        expect("KLM" in one.oper(f"sync -all -ipaddr {closed}", status=1), "without the right")
        expect(one.audited("Data synchronization event", "sync", "result=unsuccessful"), "all of it is on record")


@test
def only_a_connected_certificate_with_the_role_is_a_partner():
    for name, why in (("Three", "is not connected to the ring of partners"), ("No", "no certificate with the role PARTNER")):
        ring = "NoPartner" if name == "No" else "PartnerThree"
        with PAIR.server("One", f"Admin.ssl.keystore.name=safkeyring://TAPEKMS/{ring}") as one, PAIR.server("Two") as two:
            one.start(), two.start()
            one.oper(f"adddrive -drivename {SERIAL}")
            said = one.oper(f"sync -drivetab -ipaddr {address(two)}", status=1)
            expect("KLM1308E" in said and why in said, said)
            expect(SERIAL not in two.oper("listdrives"), "nothing came")
    with PAIR.server("One", "partner.fingerprints=" + "ab" * 32) as one, PAIR.server("Two") as two:
        one.start(), two.start()
        one.oper(f"adddrive -drivename {SERIAL}")
        said = one.oper(f"sync -drivetab -ipaddr {address(two)}", status=1)
        expect("is not in partner.fingerprints" in said, said)


@test
def a_partner_that_dies_hangs_or_babbles_is_told_apart():
    with PAIR.server("One", "Admin.ssl.timeout=1") as one, PAIR.server("Two") as two:
        one.start(), two.start()
        one.oper(f"adddrive -drivename {SERIAL}")
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            deaf_address = f"127.0.0.1:{deaf.getsockname()[1]}"

            def hang_up():
                deaf.accept()[0].close()

            thread = threading.Thread(target=hang_up)
            thread.start()
            said = one.oper(f"sync -drivetab -ipaddr {deaf_address}", status=1)
            thread.join()
            expect("KLM1309E" in said or "KLM1310E" in said, said)
            # It hangs: whoever waits is let go when the task ends.
            waiting = threading.Thread(target=lambda: one.oper(f"sync -drivetab -ipaddr {deaf_address}", status=None))
            waiting.start()
            held = deaf.accept()[0]
            expect(one.status("Sessions") == "0", "the server answers meanwhile")
            one.stop()
            waiting.join(30 * SLOW)
            expect(not waiting.is_alive(), "the operator is let go")
            held.close()
        one.start()
        two.signal(signal.SIGSTOP)
        waiting = threading.Thread(target=lambda: one.oper(f"sync -drivetab -ipaddr {address(two)}", status=None))
        waiting.start()
        waiting.join(0.5)
        two.kill()
        waiting.join(30 * SLOW)
        expect(not waiting.is_alive(), "the partner died in the middle")
        expect(one.audited("Data synchronization event", "sync", "result=unsuccessful", "KLM1308E"), "on record")


def sit(server, n, source="127.0.0.1"):
    """Callers who say nothing, from an address of this machine."""
    return [socket.create_connection(("127.0.0.1", int(server.value("Admin.ssl.port"))), 10 * SLOW, source_address=(source, 0)) for _ in range(n)]


def closed(callers):
    """How many of them the server has closed."""
    n = 0
    for one in callers:
        one.setblocking(False)
        try:
            n += one.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            pass
        except OSError:
            n += 1
    return n


@test
def silent_callers_keep_no_partner_out():
    with PAIR.server("One") as one, PAIR.server("Two", "TransportListener.handshake.timeout=3600", "Audit.refusals.burst=1000") as two:
        one.start(), two.start()
        one.oper(f"adddrive -drivename {SERIAL}")
        sync = f"sync -drivetab -ipaddr {address(two)}"
        # Of another address four stay, however many come, and the others' places are there for him.
        silent = sit(two, 12, "127.0.0.2")
        wait_until("all but four are closed", 10, lambda: closed(silent) == 8)
        expect("is done" in one.oper(sync), "beside those of one address")
        for source in ("127.0.0.3", "127.0.0.4", "127.0.0.5"):
            silent += sit(two, 4, source)
        wait_until("the partner gets in where the port is full", 10, lambda: "is done" in one.oper(sync, status=None))
        silent += sit(two, 12)
        wait_until("the partner gets in beside callers of his own address", 10, lambda: "is done" in one.oper(sync, status=None))
        expect(two.audited("result=unsuccessful", "a limit was reached, and it had waited longest"), "on record")
        expect(two.audited("action=connection-refused", "KLM1313W"), "those that found no place, too")
        for caller in silent:
            caller.close()


@test
def who_has_a_certificate_and_says_nothing_is_no_partner_yet_and_eight_partners_are_enough():
    folder = tempfile.mkdtemp()
    key_pair(folder, ["py"])
    with PAIR.server("One") as one, PAIR.server("Two", "TransportListener.handshake.timeout=3600") as two:
        trust(two, folder)
        one.start(), two.start()
        one.oper(f"adddrive -drivename {SERIAL}")
        sync = f"sync -drivetab -ipaddr {address(two)}"
        mute = [Link(two, folder, "py") for _ in range(4)]
        wait_until("the partner gets in", 10, lambda: "is done" in one.oper(sync, status=None))
        expect(mute[0].receive() is None, "the oldest gave way")
        for link in mute:
            link.socket.close()
        links = []
        for _ in range(8):
            links.append(Link(two, folder, "py"))
            expect(links[-1].ask(HELLO, hello())[0] == WELCOME, len(links))
        with Link(two, folder, "py") as ninth:
            expect(refusal(ninth.ask(HELLO, hello())) == "KLM1313W", "the ninth")
        links.pop().socket.close()
        wait_until("a place is free again", 10, lambda: "is done" in one.oper(sync, status=None))
        for link in links:
            link.socket.close()
        # Silent for the time of a handshake, it is let go.
        two.set("TransportListener.handshake.timeout=1").oper("refresh")
        with Link(two, folder, "py") as link:
            expect(link.receive() is None, "before its hello")
        with Link(two, folder, "py") as link:
            expect(link.ask(HELLO, hello())[0] == WELCOME, "admitted")
            link.socket.settimeout(2)
            try:
                expect(link.receive() is not None, "a partner may be silent for longer")
            except TimeoutError:
                pass
    shutil.rmtree(folder)


@test
def two_that_send_to_each_other_at_once_both_come_to_an_end():
    with PAIR.server("One", "server.threads.workers=1") as one, PAIR.server("Two", "server.threads.workers=1") as two:
        one.start(), two.start()
        one.oper("adddrive -drivename 000000000001")
        two.oper("adddrive -drivename 000000000002")
        said = {}

        def send(mine, other):
            said[mine] = [mine.oper(f"sync -all -ipaddr {address(other)}") for _ in range(3)]

        threads = [threading.Thread(target=send, args=pair) for pair in ((one, two), (two, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect(len(said) == 2 and all("is done" in text for texts in said.values() for text in texts), said)
        expect("000000000002" in one.oper("listdrives") and "000000000001" in two.oper("listdrives"), "both have both")


@test
def a_sync_by_the_clock_needs_nobody():
    with PAIR.server("Two") as two:
        two.start()
        with PAIR.server("One", "sync.type=all", f"sync.ipaddress={address(two)}") as one:
            one.start()
            one.oper(f"adddrive -drivename {SERIAL}")
            one.says("KLM1315I Sync with partner", seconds=20)
            expect(SERIAL in two.oper("listdrives"), "it came")
            expect(one.audited("Data synchronization event", "ISKLM", "sync", "result=successful"), "the system did it")


@test
def what_breaks_the_protocol_is_refused_and_changes_nothing():
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
        part = b"\x01" + struct.pack(">I", 4) + b"junk"
        good = frame(HELLO, hello())
        with Link(two, folder, "py") as link:
            kind, number, body = link.ask(HELLO, hello(), 7)
            expect(kind == WELCOME and number == 7 and b"TWO" in body, body)
            kind, number, body = link.ask(SYNC, b"\x00\x01" + part, 8)
            expect(kind == SYNCED and number == 8 and body[:3] == b"\x01\x01\x01", body)  # one part, drivetab, refused
            kind, number, body = link.ask(SYNC, b"\x00\x01\x04" + part[1:], 9)
            expect(kind == SYNCED and body[:3] == b"\x01\x04\x01" and b"KLM1740E" in body, body)  # key groups that are none
            expect(refusal(link.ask(SYNC, b"\x00\x02" + part + part)) == "KLM1314E", "twice")
            expect(refusal(link.ask(SYNC, b"\x00\x01\x63" + part[1:])) == "KLM1314E", "a part of another release")
            link.send(frame(BYE))
            expect(link.receive() is None, "good-bye")
        with Link(two, folder, "py") as link:  # a partner no more, while its session is open
            expect(link.ask(HELLO, hello())[0] == WELCOME, "admitted")
            two.oper("refreshks")
            expect(refusal(link.ask(SYNC, b"\x00\x01\x63" + part[1:])) == "KLM1314E", "a refresh alone changes nothing")
            two.racf("ID(TAPEKMS) REMOVE(LABEL('PY') RING(Partners))")
            two.oper("refreshks")
            expect(link.receive() is None, "it is ended")
        two.racf("ID(TAPEKMS) CONNECT(LABEL('PY') RING(Partners) USAGE(PERSONAL))")
        two.oper("refreshks")
        for what, bad, message in (("another version", frame(HELLO, hello(2, 9)), "KLM1303E"),
                                   ("no hello", frame(SYNC, b"\x00\x01" + part), "KLM1318E"),
                                   ("a byte too many", frame(HELLO, hello() + b"x"), "KLM1312E"),
                                   ("a byte too few", frame(HELLO, hello()[:-1]), "KLM1312E"),
                                   ("another frame", frame(HELLO, hello(), version=2), "KLM1312E"),
                                   ("no name", frame(HELLO, hello(name="")), "KLM1312E"),
                                   ("a long one", HEADER.pack(b"KR", 1, HELLO, 513, 1), "KLM1312E"),
                                   ("a long one before its turn", HEADER.pack(b"KR", 1, SYNC, 60 << 20, 1), "KLM1312E"),
                                   ("hello twice", good + good, "KLM1318E")):
            with Link(two, folder, "py") as link:
                link.send(bad)
                answer = link.receive()
                answer = link.receive() if answer and answer[0] == WELCOME else answer
                expect(answer and refusal(answer) == message, f"{what}: {answer}")
                expect(link.receive() is None, f"{what}: the connection is closed")
        with Link(two, folder, "py") as link:  # cut in the middle of a frame
            link.send(good + frame(SYNC, b"\x00\x01" + part)[:-2])
        try:
            with Link(two, folder, None) as link:
                link.send(good)
                expect(link.receive() is None, "without a certificate")
        except OSError:
            pass  # the handshake's refusal may come first
        expect("0 entries" in two.oper("listdrives"), "nothing was taken")
        wait_until("refusals on record", 5, lambda: two.audited("Authentication event", "KLM1312E"))
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)


sys.exit(main())
