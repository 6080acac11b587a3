#!/usr/bin/env python3
"""Misuse of the ports for KMIP clients, by the tables of docs/reliability.md (M: defects of other servers; F: faults): what is refused, with which reason, and that a good client is served in a
second meanwhile."""
# time-limit: 400
import base64
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

from keyserver import SLOW, in_time, renegotiates, wait_until
from kmip import BIG, BYTES, STRUCTURE, TEXT, Client, HttpsClient, Item, attributes, decode, encode, enum_name, enum_value, item, items, key_block, message, op
from kmipserver import KmipSite
from scenario import expect, main, run, test

SITE = KmipSite(clients=("alice", "bob", "mallory"))
MOST = 1 << 20  # bytes of a message (KMIPListener.message.max)
PART = bytes.fromhex("16030100c8010000c40303") + bytes(100)  # of a TLS hello


def good_client(server, seconds=1.0, port=None):
    """A registered client is served in time."""
    server.register("alice")

    def served():
        with server.client("alice") as own:
            own.seconds = 30 * SLOW
            own.port = port or own.port
            own.ok("Query", QueryFunction="QueryOperations")

    in_time(seconds, served)


def memory(server):
    with open(f"/proc/{server.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def tells_nothing(server, text):
    """A Result Message says nothing of the inside of the server."""
    expect(not re.search(rf"{re.escape(server.home)}|0x[0-9a-f]{{8}}|\.[ch]:\d|/(etc|usr|var|tmp)/|libxml|jansson|OpenSSL|error:[0-9A-F]{{8}}", text or ""), f"too much is told: {text}")


def refused(server, client, data, reasons=("InvalidMessage",)):
    """Bytes that are answered with one failed item, or ended without an answer; never carried out."""
    try:
        answer = decode(client.send(data))
    except (OSError, AssertionError):
        answer = None
    client.close()
    if answer is not None:
        one = answer.all("BatchItem")
        expect(len(one) == 1 and enum_name("ResultStatus", one[0]["ResultStatus"]) == "OperationFailed", f"{data[:60].hex()}: {answer}")
        expect(enum_name("ResultReason", one[0]["ResultReason"]) in reasons, f"{data[:60].hex()}: {answer}")
        tells_nothing(server, one[0].get("ResultMessage"))
    return answer


def query(version=(1, 4), batch=None):
    return encode(message(version, batch or [op("Query", QueryFunction="QueryOperations")]))


def web(server, name="alice", **named):
    own = server.client(name, **named)
    return HttpsClient(version=own.version, port=server.https_port, cert=own.cert, key=own.key, ca=own.ca)


# ---- F10: slow and silent callers

@test
def f10_a_thousand_connections_to_both_ports_keep_nobody_out():
    with SITE.started("TransportListener.handshake.timeout=5") as server:
        server.register("alice")
        callers = []
        try:
            for i in range(1000):
                callers.append(sock := socket.create_connection(("127.0.0.1", server.https_port if i % 4 < 2 else server.port), 10 * SLOW))
                if i % 2:
                    sock.sendall(PART)
            for _ in range(3):
                good_client(server)

            def served():
                with web(server) as client:
                    client.ok("Query", QueryFunction="QueryOperations")

            in_time(1, served)
            wait_until("all are let go", 20, lambda: int(server.status("KMIP sessions")) == 0)
        finally:
            for sock in callers:
                sock.close()
        good_client(server)


@test
def f10_who_never_reads_his_answers_is_let_go_and_holds_little():
    with SITE.started("TransportListener.message.timeout=2") as server:
        with server.client("alice") as client:
            uid = client.register("OpaqueObject", item("OpaqueObject", [item("OpaqueDataType", 0x80000001), item("OpaqueDataValue", bytes(50_000))]))
        get = encode(message((1, 4), [op("Get", UniqueIdentifier=uid)]))
        before, deaf = memory(server), []
        for n in range(40):
            one = web(server) if n % 2 else server.client("alice")
            one.connect().socket.settimeout(0.2)
            data = get if not n % 2 else b"POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s" % (len(get), get)
            try:
                for _ in range(400):
                    one.socket.sendall(data)
            except OSError:
                pass  # what is sent piles up, as it should
            deaf.append(one)
        grown = memory(server) - before
        expect(grown < 50_000 * SLOW, f"{grown} KiB for forty who do not read")
        good_client(server)
        wait_until("they are let go", 30, lambda: int(server.status("KMIP sessions")) == 0)
        for one in deaf:
            one.close()


@test
def answers_of_any_number_and_size_reach_a_client_that_reads_them():
    with SITE.started() as server:
        with server.client("alice") as client:
            uid = client.register("OpaqueObject", item("OpaqueObject", [item("OpaqueDataType", 0x80000001), item("OpaqueDataValue", bytes(50_000))]))
            client.get(uid)
            answer = client.request([op("Get", UniqueIdentifier=uid) for _ in range(100)], ids=True)
            expect(len(answer) == 100 and all(one.ok for one in answer.items), "a batch of a hundred large objects")
            get = encode(message((1, 4), [op("Get", UniqueIdentifier=uid)]))
            client.socket.sendall(200 * get)  # all at once, and with them answers that need not wait for each other
            for n in range(200):
                head = client.read(8)
                expect(len(client.read(struct.unpack(">I", head[4:])[0])) > 50_000, f"answer {n}")
        with web(server) as client:
            data = b"POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s" % (len(get), get)
            client.connect().socket.sendall(200 * data)
            got = 0
            while got < 200 * 50_000:
                got += len(client.read(50_000))


@test
def f10_a_byte_at_a_time_is_served_and_gains_no_time():
    with SITE.started("TransportListener.message.timeout=3") as server:
        with server.client("alice") as client:
            client.connect().socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in query()[:-1]:
                client.socket.sendall(bytes([byte]))
            expect(decode(client.send(query()[-1:])).name == "ResponseMessage", "a message in single bytes")
            began = time.monotonic()
            try:
                for byte in query():
                    client.socket.sendall(bytes([byte]))
                    time.sleep(0.25)
            except OSError:
                pass
            expect(time.monotonic() - began < 20 * SLOW, "each byte gained time")
        good_client(server)


# ---- M: probes that speak something else

@test
def what_speaks_the_wrong_protocol_is_turned_away_at_every_port():
    with SITE.started("TransportListener.handshake.timeout=3", "TransportListener.message.timeout=3") as server:
        http = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        hello = ssl.MemoryBIO()
        outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        try:
            outside.do_handshake()
        except ssl.SSLWantReadError:
            pass
        hello = hello.read()
        for port in (server.port, server.https_port, server.ssl, server.tcp):
            for data in (http, query(), os.urandom(512), b"\x80\x2e\x01\x00\x02" + bytes(40), b"SSH-2.0-x\r\n", *([hello] if port == server.tcp else [])):
                with socket.create_connection(("127.0.0.1", port), 10 * SLOW) as sock:
                    got = b""
                    try:
                        sock.sendall(data)
                        while some := sock.recv(4096):
                            got += some
                    except ConnectionError:
                        pass
                    expect(len(got) < 64 and b"klmsrv" not in got.lower() and b"kmip" not in got.lower(), f"{port} {data[:20]}: {got}")
        with server.client("alice") as client:  # HTTP inside TLS, at the port for TTLV
            refused(server, client, http)
        with web(server) as client:  # and TTLV at the one for HTTPS
            client.connect().socket.sendall(query())
            got = b""
            try:
                while some := client.socket.recv(4096):
                    got += some
            except OSError:
                pass
            expect(not got or got.startswith(b"HTTP/1.1 400 "), str(got))
        good_client(server)


# ---- F11: TLS

def s_client(server, name, *words, port=None):
    cert, key = server.certificate(name)
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{port or server.port}", "-CAfile", f"{server.home}/drive/ca.crt", "-cert", cert, "-key", key, *words]


def s_run(server, name, *words, data=b"", port=None):
    return subprocess.run(s_client(server, name, *words, port=port), input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20 * SLOW, check=False).stdout


def s_ask(server, name, data, *words):
    """One message by openssl: what it printed, and the answer in it."""
    process = subprocess.Popen(s_client(server, name, "-ign_eof", *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    watch = threading.Timer(15 * SLOW, process.kill)
    watch.start()
    process.stdin.write(data)
    process.stdin.flush()
    said, answer = b"", None
    while answer is None and (some := os.read(process.stdout.fileno(), 65536)):
        said += some
        at = said.find(b"\x42\x00\x7b\x01")
        if at >= 0 and len(said) >= at + 8 and len(said) >= at + 8 + (size := struct.unpack(">I", said[at + 4:at + 8])[0]):
            answer = decode(said[at:at + 8 + size])
    if "-sess_out" in words:  # kept before the answer was read: what it is made of comes before it
        expect(os.path.exists(words[words.index("-sess_out") + 1]), "the session is not kept")
    watch.cancel()
    process.kill()
    process.wait()
    expect(answer is not None, f"no answer: {said.decode(errors='replace')[-1000:]}")
    return said, answer


@test
def f11_old_versions_renegotiation_compression_and_early_data_are_refused():
    with SITE.started() as server:
        server.register("alice")
        for port in (server.port, server.https_port):
            for version in ("-tls1", "-tls1_1"):
                said = s_run(server, "alice", version, "-cipher", "ALL:@SECLEVEL=0", port=port)
                expect(b"alert protocol version" in said or b"alert handshake failure" in said or b"no protocols available" in said, f"{version}: {said[-500:]}")
            for cipher in ("NULL", "RC4", "3DES", "EXPORT", "aNULL", "MD5"):
                said = s_run(server, "alice", "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0", port=port)
                expect(b"Cipher is (NONE)" in said or b"no cipher match" in said or b"Error with command" in said, f"{cipher}: {said[-300:]}")
            said = s_run(server, "alice", "-tls1_2", "-comp", port=port)
            expect(b"Compression: NONE" in said and b"Secure Renegotiation IS supported" in said, said[-900:])
            said = s_run(server, "alice", "-tls1_2", "-legacy_server_connect", data=b"", port=port)
            expect(b"ECDHE" in said, said[-300:])
            said = s_run(server, "alice", "-servername", "somebody.else.example", port=port)  # appliances send what they like
            expect(b"Verify return code: 0 (ok)" in said, said[-500:])
        said = renegotiates(*s_client(server, "alice", "-tls1_2")[2:])
        expect(re.search(r"no renegotiation|alert|error|unexpected eof", said), said[-500:])
        saved, early = f"{server.home}/early.session", f"{server.home}/early.data"
        s_ask(server, "alice", query(), "-tls1_3", "-sess_out", saved)
        with open(early, "wb") as file:
            file.write(query())
        requests = int(server.status("KMIP requests"))
        said = s_run(server, "alice", "-tls1_3", "-sess_in", saved, "-early_data", early)
        expect(b"Early data was accepted" not in said, said[-500:])
        expect(int(server.status("KMIP requests")) == requests, "early data was carried out")
        good_client(server)


@test
def f11_a_resumed_session_is_who_made_it_and_is_nobody_once_he_is_deleted():
    with SITE.started("Audit.refusals.burst=1000", "Audit.refusals.total=1000") as server:
        server.register("bob", group="OTHERS")
        print_of = lambda name: run("openssl", "x509", "-in", server.certificate(name)[0], "-noout", "-fingerprint", "-sha256").split("=")[1].strip().replace(":", "").lower()
        with server.client("alice") as maker:
            uid = maker.create()
        for number, version in enumerate((("-tls1_2",), ("-tls1_2", "-no_ticket"), ("-tls1_3",))):
            saved, name = f"{server.home}/saved{number}", f"passing{number}"
            server.register(name)
            get = encode(message((1, 4), [op("Get", UniqueIdentifier=uid)]))
            s_ask(server, name, get, *version, "-sess_out", saved)
            wait_until("it is recorded", 5, lambda: any(print_of(name) in "\n".join(event) for event in server.audited("made the first request")))
            before = len(server.audited("made the first request"))
            # With bob's certificate at hand: either no resumption, and it is bob, or the session's own client. Never both.
            said, answer = s_ask(server, "bob", get, *version, "-sess_in", saved)
            one = answer["BatchItem"]
            resumed = b"Reused, " in said
            expect((enum_name("ResultStatus", one["ResultStatus"]) == "Success") == resumed, f"{version}: {resumed} {one}")
            contact = wait_until("it is recorded", 5, lambda: server.audited("made the first request")[before:])[-1]
            expect(print_of(name if resumed else "bob") in "\n".join(contact), f"{version}: {contact}")
            # Another connection of his is open while he is deleted: it is nobody's from then on, and so is the session that was kept.
            with server.client(name) as still:
                still.ok("Get", UniqueIdentifier=uid)
                server.oper(f"delclient -name {name}")
                result = still.do("Get", UniqueIdentifier=uid)
                expect(not result.ok and result.reason in ("AuthenticationNotSuccessful", "PermissionDenied"), f"{version}: {result}")
            said, answer = s_ask(server, name, get, *version, "-sess_in", saved)
            one = answer["BatchItem"]
            expect(enum_name("ResultStatus", one["ResultStatus"]) == "OperationFailed"
                   and enum_name("ResultReason", one["ResultReason"]) in ("AuthenticationNotSuccessful", "PermissionDenied"), f"{version}: {one}")


@test
def f18_recorded_bytes_of_a_connection_are_worth_nothing_to_another():
    with SITE.started() as server:
        server.register("alice")
        recorded, door = [], socket.create_server(("127.0.0.1", 0))

        def carry():
            """Between a client and the server, writing down what the client says."""
            inside, _ = door.accept()
            outside = socket.create_connection(("127.0.0.1", server.port))

            def back():
                try:
                    while some := outside.recv(65536):
                        inside.sendall(some)
                except OSError:
                    pass
            threading.Thread(target=back, daemon=True).start()
            while some := inside.recv(65536):
                recorded.append(some)
                outside.sendall(some)
            outside.close()

        carrier = threading.Thread(target=carry)
        carrier.start()
        with server.client("alice") as client:
            client.port = door.getsockname()[1]
            uid = client.create(Name="once")
        carrier.join(10 * SLOW)
        door.close()
        requests = int(server.status("KMIP requests"))
        for whole in (True, False):
            with socket.create_connection(("127.0.0.1", server.port), 5 * SLOW) as sock:
                try:
                    for some in [b"".join(recorded)] if whole else recorded:
                        sock.sendall(some)
                        time.sleep(0.05)
                    sock.settimeout(2 * SLOW)
                    while sock.recv(4096):
                        pass
                except OSError:
                    pass
        expect(int(server.status("KMIP requests")) == requests, "a replay was carried out")
        with server.client("alice") as client:
            expect(client.locate(Name="once") == [uid], "it was made once")
            result = client.do("Create", item("ObjectType", "SymmetricKey"), client.attributes(
                CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt", Name="once"))
            expect(not result.ok, f"the same Create again: {result}")
            expect(client.locate(Name="once") == [uid], "and again")


# ---- F12, M: lengths

def places(one, at=0):
    """Where each item of a message begins in its bytes, with its type, length and what is left behind its header in its parent."""
    out = []
    if one.kind == STRUCTURE:
        end = at + len(encode(one))
        inner = at + 8
        for child in one.value:
            size = len(encode(child))
            out.append((inner, child.kind, struct.unpack(">I", encode(child)[4:8])[0], end - inner - 8))
            out += places(child, inner)
            inner += size
    return out


@test
def f12_a_length_beyond_the_parent_is_refused_at_every_level():
    """MONGOCRYPT-891: each item of a message with a length beyond its parent's, by one to eight bytes and by far, though the message goes on behind it."""
    attribute = attributes((1, 4), None, CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt", Name="long")
    whole = message((1, 4), [op("Create", item("ObjectType", "SymmetricKey"), attribute), op("Query", QueryFunction="QueryOperations")], True)
    data, sent = encode(whole), 0
    with SITE.started("Audit.refusals.interval=1") as server:
        for at, kind, length, left in places(whole):
            lengths = {left + n for n in range(1, 9)} | {2**31, 2**31 - 8, 2**32 - 1, 2**32 - 8}
            if kind not in (STRUCTURE, BYTES, TEXT):
                lengths |= {0, length - 1, length + 1, length + 8, 3}
            if kind in (STRUCTURE, BIG):
                lengths |= {length + 1, length + 4, length + 7}
            for wrong in sorted(lengths):
                with server.client("alice") as client:
                    refused(server, client, data[:at + 4] + struct.pack(">I", wrong) + data[at + 8:])
                sent += 1
            padded = at + 8 + length
            for n in range(-length % 8):
                with server.client("alice") as client:
                    refused(server, client, data[:padded + n] + b"\x01" + data[padded + n + 1:])
                sent += 1
        expect(sent > 300, f"only {sent} messages")
        with server.client("alice") as client:
            expect(client.locate(Name="long") == [], "one of them was carried out")
            client.send(data)
            expect(len(client.locate(Name="long")) == 1, "the good one was not")
        good_client(server)


@test
def f12_many_small_items_and_huge_ones_are_bounded():
    with SITE.started() as server:
        before = memory(server)
        small = Item("RequestPayload", STRUCTURE, [Item("UniqueIdentifier", TEXT, "")] * ((MOST - 400) // 8))
        for batch in (item("BatchItem", [item("Operation", "GetAttributes"), small]),
                      op("Register", item("ObjectType", "OpaqueObject"), item("OpaqueObject", [item("OpaqueDataType", 1), item("OpaqueDataValue", bytes(MOST - 600))])),
                      op("Locate", attribute_of("Name", items(NameValue="n" * (MOST - 600), NameType="UninterpretedTextString"))),
                      op("Get", UniqueIdentifier="u" * (MOST - 600)),
                      op("Register", item("ObjectType", "PublicKey"), attributes((1, 4), None, CryptographicUsageMask="Verify"), item("PublicKey", [key_block([
                          Item("Modulus", BIG, (1 << 8 * (MOST - 1000)) + 1), Item("PublicExponent", BIG, 65537)], "TransparentRSAPublicKey", "RSA", 2048)]))):
            began = time.monotonic()
            with server.client("alice") as client:
                data = encode(message((1, 4), [batch]))
                expect(len(data) <= MOST, f"{len(data)} bytes")
                answer = decode(client.send(data))
                status = "Success" if batch.value[0].value == enum_value("Operation", "Locate") else "OperationFailed"  # nothing is called so
                expect(enum_name("ResultStatus", answer["BatchItem"]["ResultStatus"]) == status and len(encode(answer)) < 4096, f"{answer}"[:500])
                tells_nothing(server, answer["BatchItem"].get("ResultMessage"))
            expect(time.monotonic() - began < 5 * SLOW, f"{time.monotonic() - began:.1f} s for {batch.name}")
        expect(memory(server) - before < 400_000 * SLOW, f"{memory(server) - before} KiB")
        for size in (MOST + 8, 16 << 20, 2**31 - 8, 2**32 - 8):  # a head alone: nothing is read or made room for
            with server.client("alice") as client:
                refused(server, client, b"\x42\x00\x78\x01" + struct.pack(">I", size), ("InvalidMessage", "RequestTooLarge", "ResponseTooLarge"))
        good_client(server)


def attribute_of(name, value):
    return item("Attribute", [item("AttributeName", name), Item("AttributeValue", STRUCTURE, value)])


@test
def no_message_costs_much_more_than_its_length():
    """What is compared with all of its kind: a megabyte of it may hold up nobody."""
    names = [Item("AttributeName", TEXT, f"x-{n:x}") for n in range(60_000)]
    references = [item("AttributeReference", items(VendorIdentification="x", AttributeName=f"{n:x}")) for n in range(20_000)]
    attribute = [item("Attribute", [Item("AttributeName", TEXT, f"x-{n:x}"), Item("AttributeValue", TEXT, "v")]) for n in range(15_000)]
    with SITE.started() as server, server.client("alice") as client, server.client("bob") as other:
        uid = client.register_key(bytes(16))
        slow = [(version, operation, payload) for version, payload in (((1, 4), names), ((2, 1), references), ((1, 4), attribute), ((1, 4), [item("TemplateAttribute", attribute)]))
                for operation in ("GetAttributes", "Locate", "Query", "Create", "Register", "AddAttribute", "DeleteAttribute", "Check", "ReKey", "Get")]
        texts = [f"<RequestMessage {' '.join(form.format(n) for n in range(80_000))}"[:MOST - 10] + "/>" for form in ("a{:x}=''", "xmlns:a{:x}='u'", "p{:x}:a='u'", "a{:x}")]
        texts += ["<RequestMessage>" + "".join(f"<a{n:x}/>" for n in range(90_000)), "<!--" * 200_000, "<?a " * 200_000, "<RequestMessage a='" + "&amp;" * 200_000 + "'/>"]
        stop, worst = threading.Event(), [0.0]

        def others_ask():
            while not stop.is_set():
                began = time.monotonic()
                other.ok("Query", QueryFunction="QueryOperations")
                worst[0] = max(worst[0], time.monotonic() - began)

        other.ok("Query", QueryFunction="QueryOperations")
        asking = threading.Thread(target=others_ask)
        asking.start()
        try:
            for version, operation, payload in slow:
                began = time.monotonic()
                with server.client("alice", version=version) as own:
                    own.send(encode(message(version, [item("BatchItem", [item("Operation", operation), Item("RequestPayload", STRUCTURE, [Item("UniqueIdentifier", TEXT, uid), *payload])])])))
                expect(time.monotonic() - began < 2 * SLOW, f"{operation} in {version}: {time.monotonic() - began:.1f} s for {len(payload)} of {payload[0].name}")
            for text in texts:
                began = time.monotonic()
                with web(server) as own:
                    text_refused(server, own, text.encode()[:MOST], "text/xml")
                expect(time.monotonic() - began < 2 * SLOW, f"{time.monotonic() - began:.1f} s for {text[:60]}")
        finally:
            stop.set()
            asking.join()
        expect(worst[0] < 1 * SLOW, f"others had to wait {worst[0]:.1f} s")


# ---- F13: nesting

@test
def f13_nesting_bombs_are_refused_in_every_encoding():
    def ttlv(depth):
        return b"".join(struct.pack(">I", 0x42007801 if not n else 0x42000801) + struct.pack(">I", 8 * (depth - 1 - n)) for n in range(depth))

    with SITE.started() as server:
        for depth in (33, 34, 1000, 100_000, MOST // 8):
            with server.client("alice") as client:
                expect(refused(server, client, ttlv(depth)), f"depth {depth}: no answer")
        for depth in (34, 1000, 20_000, 60_000):
            xml = b"<Attribute>" * depth + b"</Attribute>" * depth
            for data, media in ((xml[:MOST], "text/xml"), (b"<RequestMessage>" + b"<Attribute>" * depth, "text/xml"),
                                (b'{"tag":"Attribute","value":[' * depth + b"]}" * depth, "application/json"), (b"[" * depth, "application/json"),
                                (b'{"tag":' * depth, "application/json"), (b"[" * depth + b"]" * depth, "application/json")):
                with web(server) as client:
                    text_refused(server, client, data[:MOST], media)
        good_client(server)


def text_refused(server, client, data, media, status=()):
    """A message in text that is answered with a failed item in text, or turned away by HTTP."""
    try:
        said = client.send(data, media)
    except AssertionError as refused_by:
        expect(re.search(r"HTTP (400|413|503)|the server closed", str(refused_by)), str(refused_by)[:300])
        return b""
    finally:
        client.close()
    expect(b"OperationFailed" in said and b"Success" not in said, f"{data[:200]}: {said[:1000]}")
    tells_nothing(server, said.decode())
    return said


# ---- F14: XML

XML = ('<RequestMessage><RequestHeader><ProtocolVersion><ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="4"/>'
       '</ProtocolVersion><BatchCount type="Integer" value="1"/></RequestHeader><BatchItem><Operation type="Enumeration" value="Query"/><RequestPayload>'
       '<QueryFunction type="Enumeration" value="QueryOperations"/></RequestPayload></BatchItem></RequestMessage>')


@test
def f14_entities_doctypes_and_other_encodings_of_xml_are_refused():
    with SITE.started() as server:
        secret = f"{server.home}/kmip/secret.txt"
        with open(secret, "w", encoding="ascii") as file:
            file.write("EXFILTRATED")
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.dtd"
        laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        named = XML.replace('value="QueryOperations"', 'value="&x;"')
        bad = [f'<!DOCTYPE RequestMessage [<!ENTITY l0 "lol">{laughs}]>' + XML.replace('value="QueryOperations"', 'value="&l9;"'),
               f'<!DOCTYPE RequestMessage [<!ENTITY x SYSTEM "file://{secret}">]>' + named,
               f'<!DOCTYPE RequestMessage [<!ENTITY x SYSTEM "{url}">]>' + named,
               f'<!DOCTYPE RequestMessage SYSTEM "{url}">' + XML,
               f'<!DOCTYPE RequestMessage PUBLIC "-//X//Y" "{url}">' + XML,
               f'<!DOCTYPE RequestMessage [<!ENTITY % p SYSTEM "{url}"> %p;]>' + XML,
               "<!DOCTYPE RequestMessage>" + XML, "<!DOCTYPE RequestMessage []>" + XML, named,
               '<?xml version="1.0"?><!DOCTYPE a [<!ATTLIST RequestMessage type CDATA "Structure">]>' + XML,
               XML.replace('value="1"/>', 'value="1<!-- -->4"/>', 1), XML.replace('value="1"/>', 'value="1" value="4"/>', 1),
               XML.replace("<RequestHeader>", '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="' + url + '"/><RequestHeader>'),
               XML.replace('value="QueryOperations"', 'value="&#x0;"'), XML.replace('value="QueryOperations"', 'value="&#xFFFFFFFFF;"'),
               XML.replace("<RequestMessage>", '<RequestMessage xmlns="urn:x">'), XML.replace("BatchCount", "k:BatchCount"), XML.replace("<BatchItem>", "<BatchItem><![CDATA[ ]]>"),
               XML + XML, XML[:-1], "<a>" + XML, XML.replace("RequestHeader>", "RequestHeader >", 1).replace("</RequestMessage>", "</requestmessage>"),
               XML.replace('value="1"/>', "value='1'" + " a='1'" * 20000 + "/>", 1), XML.replace('type="Integer"', 'type="' + "Integer" * 50000 + '"', 1)]
        other = [XML.encode("utf-16"), XML.encode("utf-16-le"), XML.encode("utf-16-be"), XML.encode("utf-32"), XML.encode("utf-32-be"),
                 b"\xff\xfe" + XML.encode("utf-16-le"), b"\xfe\xff" + XML.encode("utf-16-be"), XML.encode("cp037"),
                 ('<?xml version="1.0" encoding="UTF-16"?>' + XML).encode("utf-16"), ('<?xml version="1.0" encoding="cp037"?>' + XML).encode("cp037"),
                 b'<?xml version="1.0" encoding="UTF-7"?>' + XML.replace("<BatchItem>", "+ADw-BatchItem+AD4-").encode(),
                 b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AFs-+AD4-' + XML.encode(),
                 XML.encode().replace(b"QueryOperations", b"Query\xc0\xafOperations"), XML.encode().replace(b"QueryOperations", b"\xed\xa0\x80"),
                 XML.encode().replace(b"QueryOperations", b"Query\0Operations")]
        for data in [one.encode() for one in bad] + other:
            with web(server) as client:
                said = text_refused(server, client, data, "text/xml")
                expect(b"EXFILTRATED" not in said, str(said))
        listener.settimeout(0.2)
        try:
            listener.accept()
            raise AssertionError("the server fetched what a client named")
        except TimeoutError:
            pass
        listener.close()
        with web(server) as client:
            expect(b"Success" in client.send(XML.encode(), "text/xml"), "the good one")
            expect(b"Success" in client.send(("<!-- c -->" + XML.replace("<BatchItem>", "<!-- <a> --><BatchItem>")).encode(), "text/xml"), "comments between items")
            expect(b"Success" in client.send(b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>' + XML.encode(), "text/xml"), "a byte order mark of UTF-8")


@test
def what_xml_cannot_hold_is_told_as_that_and_leaves_in_the_other_encodings():
    """XML 1.0, 2.2. A client of the group may have written the text in TTLV."""
    with SITE.started() as server, server.client("alice") as client:
        for number, text in enumerate(("a\x01b", "a\x1f", "\ufffe", "b\uffffc")):
            uid = client.create(Name=f"{text}{number}")
            for word in (text, "ab"):
                if word != text:
                    uid = client.create(Name=f"{word}{number}")
                asked = XML.replace('"Query"', '"GetAttributes"').replace('QueryFunction type="Enumeration" value="QueryOperations"', f'UniqueIdentifier type="TextString" value="{uid}"')
                with web(server) as own:
                    said = own.send(asked.encode(), "text/xml")
                ElementTree.fromstring(said)
                expect((b"Success" in said) == (word != text) and (b'"FeatureNotSupported"' in said) == (word == text), f"{text!r}: {said[-600:]}")
                asked = JSON.replace('"Query"', '"GetAttributes"').replace('"QueryFunction","type":"Enumeration","value":"QueryOperations"', f'"UniqueIdentifier","type":"TextString","value":"{uid}"')
                with web(server) as own:
                    said = json.loads(own.send(asked.encode(), "application/json"))
                expect(f"{word}{number}" in values_of(said), f"{text!r}: {said}")


def values_of(tree):
    """All values of a message in JSON."""
    inside = tree.get("value") if isinstance(tree, dict) else tree
    return [value for one in inside for value in values_of(one)] if isinstance(inside, list) else [inside]


# ---- F15: JSON

JSON = ('{"tag":"RequestMessage","value":[{"tag":"RequestHeader","value":[{"tag":"ProtocolVersion","value":[{"tag":"ProtocolVersionMajor","type":"Integer","value":1},'
        '{"tag":"ProtocolVersionMinor","type":"Integer","value":4}]},{"tag":"BatchCount","type":"Integer","value":1}]},{"tag":"BatchItem","value":['
        '{"tag":"Operation","type":"Enumeration","value":"Query"},{"tag":"RequestPayload","value":[{"tag":"QueryFunction","type":"Enumeration","value":"QueryOperations"}]}]}]}')


@test
def f15_double_keys_huge_numbers_and_half_characters_of_json_are_refused():
    count = '"BatchCount","type":"Integer","value":1'
    with SITE.started() as server:
        numbers = ["1.0", "1e0", "1E400", "-0", "01", "+1", "0x1", "1" * 400, "9" * 100_000, "2147483648", "4294967297", "-4294967295", "9223372036854775808",
                   "-9223372036854775809", "18446744073709551617", "1e999999999", "NaN", "Infinity", "null", "true", "[1]", "{}", '"1"" "', '"0x100000001"', '""']
        texts = ['"\\ud800"', '"\\udc00"', '"\\ud800\\ud800"', '"\\ud83d"', '"\\ud800x"', '"\\u0000"', '"a\\u0000b"', '"\\x41"', '"\\u12"', '"unended', "'single'", '"tab\there"']
        bad = [JSON.replace(count, count[:-1] + number) for number in numbers]
        bad += [JSON.replace('"QueryOperations"', text) for text in texts]
        bad += [JSON.replace('"QueryFunction","type":"Enumeration","value":"QueryOperations"', f'"UniqueIdentifier","type":"TextString","value":{text}') for text in texts]
        bad += [JSON.replace('"tag":"BatchCount",', '"tag":"BatchCount","tag":"BatchCount",'), JSON.replace('"tag":"BatchCount",', '"tag":"BatchCount","t\\u0061g":"BatchCount",'), JSON.replace(count, count + ',"value":1'), JSON.replace(count, count + ',"value":2'),
                JSON.replace(count, count + ',"more":1'), JSON.replace('"tag":"RequestMessage",', '"tag":"RequestMessage","value":[],'), JSON + JSON, JSON[:-1], JSON + "x", "[" + JSON + "]",
                JSON.replace("BatchCount", "\\u0000BatchCount"), JSON.replace('{"tag":"BatchCount"', '/*c*/{"tag":"BatchCount"'), JSON.replace("}]}", "},]}", 1),
                '{"tag":"RequestMessage","value":[' + ",".join(['{"k%d":1}' % n for n in range(50_000)]) + "]}", '{' + ",".join(f'"k{n}":1' for n in range(60_000)) + "}"]
        raw = [JSON.encode("utf-16"), JSON.encode("utf-32"), b"\xef\xbb\xbf" + JSON.encode(), JSON.encode().replace(b"QueryOperations", b"\xed\xa0\x80"),
               JSON.encode().replace(b"QueryOperations", b"\xc0\xaf"), JSON.encode().replace(b"QueryOperations", b"Query\0")]
        accepted = []
        for data in [one.encode() for one in bad] + raw:
            with web(server) as client:
                try:
                    text_refused(server, client, data, "application/json")
                except AssertionError:
                    accepted.append(data[:400])
        expect(accepted in ([], [JSON.replace(count, count[:-1] + "-0").encode()[:400]]), f"accepted: {accepted}")
        with web(server) as client:
            expect(b"Success" in client.send(JSON.encode(), "application/json"), "the good one")
            big = 2**53 + 1  # what a double cannot hold
            data = JSON.replace('"Query"', '"GetUsageAllocation"').replace('"QueryFunction","type":"Enumeration","value":"QueryOperations"',
                                                                           f'"UsageLimitsCount","type":"LongInteger","value":"0x{big:016x}"')
            expect(b"OperationFailed" in client.send(data.encode(), "application/json"), "64 bits")
        good_client(server)


# ---- F16: batches

@test
def f16_batches_of_wrong_and_huge_counts_are_refused():
    with SITE.started("kmip.batch.max=100") as server, server.client("alice") as client:
        one = op("Query", QueryFunction="QueryOperations")
        for n, counts in ((1, (0, 2, 3, -1, 2**31 - 1, -2**31, 1 << 24)), (2, (1, 3, 0, 2**31 - 1)), (100, (99, 101)), (101, (101, 100, 1)), (3000, (3000,))):
            batch = [one] * n
            for count in counts:
                whole = message((1, 4), batch)
                whole["RequestHeader"].value[-1] = item("BatchCount", count)
                with server.client("alice") as own:
                    refused(server, own, encode(whole))
        answer = client.request([op("Query", QueryFunction="QueryOperations") for _ in range(100)], [struct.pack(">Q", n) for n in range(100)])
        expect(len(answer) == 100 and all(item_of.ok for item_of in answer.items), "as many as are allowed")
        header = message((1, 4), [one])
        header["RequestHeader"].value.pop()
        with server.client("alice") as own:
            refused(server, own, encode(header))
        with server.client("alice") as own:
            refused(server, own, encode(message((1, 4), [one], BatchErrorContinuationOption=77)))


@test
def f16_an_answer_beyond_what_the_client_takes_is_told_whatever_the_size():
    with SITE.started() as server:
        for version in ((1, 0), (1, 4), (2, 1)):
            with server.client("alice", version=version) as client:
                uid = client.create()
                for most in (1, 2, 8, 40, 100, 160):
                    for batch in ([op("Get", UniqueIdentifier=uid)], [op("Get", UniqueIdentifier=uid), op("GetAttributes", UniqueIdentifier=uid)]):
                        answer = client.request(batch, True if len(batch) > 1 else None, MaximumResponseSize=most)
                        expect(all(not one.ok and one.reason == "ResponseTooLarge" for one in answer.items), f"{most}: {answer.items}")
                        expect(b"KeyMaterial" not in repr(answer.items).encode(), "a key leaves all the same")
                answer = client.request([op("Get", UniqueIdentifier=uid), op("Get", UniqueIdentifier="none")], True, MaximumResponseSize=160, BatchErrorContinuationOption="Undo")
                expect([one.reason for one in answer.items] == ["ResponseTooLarge"] * 2, f"what was undone shows its answer: {answer.items}")
                result = client.request([op("Get", UniqueIdentifier=uid)], MaximumResponseSize=100_000)[0]
                expect(result.ok, result)
                state = client.state(uid)
                expect(state == "PreActive", state)


@test
def f16_undo_in_the_middle_leaves_nothing_and_says_so():
    with SITE.started() as server:
        for version in ((1, 0), (1, 4), (2, 1)):
            with server.client("alice", version=version) as client:
                kept = client.create(Name=f"kept{version[1]}")
                create = lambda name, client=client: op("Create", item("ObjectType", "SymmetricKey"), client.attributes(
                    CryptographicAlgorithm="AES", CryptographicLength=128, CryptographicUsageMask="Encrypt", Name=name))
                batch = [create(f"a{version[1]}"), op("Activate", UniqueIdentifier=kept), create(f"b{version[1]}"), op("Get", UniqueIdentifier="none"), create(f"c{version[1]}"),
                         op("Destroy", UniqueIdentifier=kept)]
                answer = client.request(batch, True, BatchErrorContinuationOption="Undo", BatchOrderOption=True)
                expect([one.status for one in answer.items][:4] == ["OperationUndone"] * 3 + ["OperationFailed"], f"{version}: {answer.items}")
                expect(client.state(kept) == "PreActive", "the activation stayed")
                for name in "abc":
                    expect(client.locate(Name=f"{name}{version[1]}") == [], f"{name} stayed")


# ---- F17: Locate

@test
def f17_locate_without_filter_is_capped_and_paged_and_names_are_no_patterns():
    with SITE.started("kmip.locate.max=500") as server, server.client("alice", version=(1, 4)) as client:
        made = []
        for n in range(30):
            batch = [op("Create", item("ObjectType", "SymmetricKey"), client.attributes(CryptographicAlgorithm="AES", CryptographicLength=128, CryptographicUsageMask="Encrypt",
                                                                                        Name=f"key-{n}-{i}")) for i in range(100)]
            made += [one.payload["UniqueIdentifier"] for one in client.request(batch, True).items]
        began = time.monotonic()
        first = client.ok("Locate")
        expect(len(first.all("UniqueIdentifier")) == 500 and first.get("LocatedItems", 3000) == 3000, f"{len(first.all('UniqueIdentifier'))} of {first.get('LocatedItems')}")
        expect(time.monotonic() - began < 2 * SLOW, f"{time.monotonic() - began:.1f} s")
        found = []
        for offset in range(0, 3001, 250):
            found += client.locate(item("MaximumItems", 250), item("OffsetItems", offset))
        expect(sorted(found) == sorted(made), "pages do not add up to all")
        for most, offset in ((2**31 - 1, 0), (1000, 0), (2**31 - 1, 2**31 - 1), (1, 2999), (0, 0)):
            got = client.locate(item("MaximumItems", most), item("OffsetItems", offset))
            expect(len(got) <= min(500, most or 500), f"{most} at {offset}: {len(got)}")
        for most, offset in ((-1, 0), (-2**31, 0), (1, -1)):
            result = client.do("Locate", item("MaximumItems", most), item("OffsetItems", offset))
            expect(not result.ok, f"{most} {offset}: {result}")
        for name in (".*", "key-.*", "key-%", "key-1-_", "*", "key-?-1", "[", "(a+)+$", "^key", "key-1-1' OR '1'='1", 'x" OR 1=1--', "../key-1-1", "key-1-1 ", "KEY-1-1", "\\", "ключ",
                     "k" * 5000):
            expect(client.locate(Name=name) == [], f"{name} is a pattern")
        expect(client.locate(Name="key-1-1") == [made[101]], "a name is a name")
        good_client(server)


@test
def locate_finds_nothing_that_is_the_servers_own():
    """VULN-13 (#935) of another server: a filter by name led to its own wrapping key."""
    with SITE.started() as server:
        server.label("ITOPS_KLM20_CERT", "NISTECC SIZE(256)")
        server.oper("refresh")
        for version in ((1, 0), (1, 4), (2, 1)):
            with server.client("bob", group="EMPTY", version=version) as client:
                expect(client.locate() == [], "there is something")
                for kind in ("SymmetricKey", "PrivateKey", "PublicKey", "Certificate", "SecretData", "OpaqueObject"):
                    expect(client.locate(ObjectType=kind) == [], kind)
                for mask in ("Online", "Archival Destroyed"):
                    expect(client.locate(item("StorageStatusMask", {"Online": 1}.get(mask, 6))) == [], mask)
                for name in ("ITOPS_KLM20_CERT", "ISKLM_Server", "MyLocalRACFCA", "ISKLM.SERVER.CERT", "LOCAL.RACF.CERTAUTH", "KeyStore4758", "KEK", "master", "KMIP alice"):
                    expect(client.locate(Name=name) == [], name)
                    for operation in ("Get", "GetAttributes", "GetAttributeList", "Destroy", "Activate"):
                        result = client.do(operation, UniqueIdentifier=name)
                        expect(not result.ok and result.reason in ("ItemNotFound", "ObjectNotFound", "InvalidField"), f"{operation} {name}: {result}")
                        tells_nothing(server, result.message)


# ---- M: keys stay wrapped, are gone when they are gone

def holders(folder, secrets):
    """Files below a folder that hold one of the byte strings, as they are or in digits or base 64."""
    forms = [form for secret in secrets for form in (secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)[:40])]
    out = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    data = file.read()
                out += [path for form in forms if form in data][:1]
    return out


@test
def a_key_that_came_wrapped_is_never_written_unwrapped():
    """COSMIAN-2026-015 and 016: use of a wrapped key through another operation wrote it back in the clear."""
    kek, clear, other = os.urandom(32), os.urandom(32), os.urandom(32)
    wrapped = subprocess.run(["openssl", "enc", "-id-aes256-wrap", "-K", kek.hex(), "-iv", "A6A6A6A6A6A6A6A6"], input=clear, stdout=subprocess.PIPE, check=True).stdout
    with SITE.started("Audit.held.directory=") as server:
        for version in ((1, 2), (1, 4), (2, 1)):
            with server.client("alice", version=version) as client:
                by = client.activate(client.register_key(kek, mask="WrapKey UnwrapKey"))
                second = client.activate(client.register_key(other, mask="WrapKey UnwrapKey Encrypt Decrypt"))
                about = item("KeyWrappingData", [item("WrappingMethod", "Encrypt"), item("EncryptionKeyInformation", [
                    item("UniqueIdentifier", by), item("CryptographicParameters", items(BlockCipherMode="NISTKeyWrap"))]), item("EncodingOption", "NoEncoding")])
                block = item("KeyBlock", [item("KeyFormatType", "Raw"), item("KeyValue", wrapped), item("CryptographicAlgorithm", "AES"), item("CryptographicLength", 256), about])
                uid = client.register("SymmetricKey", item("SymmetricKey", [block]), CryptographicAlgorithm="AES", CryptographicLength=256,
                                      CryptographicUsageMask="Encrypt Decrypt MACGenerate WrapKey UnwrapKey", Name=f"wrapped{version}")
                again = item("KeyWrappingSpecification", [item("WrappingMethod", "Encrypt"), item("EncryptionKeyInformation", [
                    item("UniqueIdentifier", second), item("CryptographicParameters", items(BlockCipherMode="NISTKeyWrap"))]), item("EncodingOption", "NoEncoding")])
                mode = item("CryptographicParameters", items(BlockCipherMode="CBC", PaddingMethod="PKCS5"))
                steps = [("Get", []), ("GetAttributes", []), ("GetAttributeList", []), ("Activate", []), ("Check", []), ("ObtainLease", []), ("Locate", None),
                         ("Encrypt", [mode, item("Data", b"x" * 16), item("IVCounterNonce", bytes(16))]), ("Decrypt", [mode, item("Data", b"x" * 16), item("IVCounterNonce", bytes(16))]),
                         ("MAC", [item("Data", b"x")]), ("Get", [again]), ("Get", [item("KeyFormatType", "TransparentSymmetricKey")]), ("Get", [item("KeyFormatType", "Raw")]),
                         ("AddAttribute", [client.one_attribute("x-a", "b")]), ("ReKey", []), ("Archive", []), ("Recover", []), ("Get", []),
                         ("Revoke", [item("RevocationReason", items(RevocationReasonCode="CessationOfOperation"))]), ("Get", [])]
                for name, more in steps:
                    result = client.do(name, *([item("UniqueIdentifier", uid)] if more is not None else []), *(more or []))
                    if name == "Get" and result.ok:
                        got = result.payload.find("KeyBlock")
                        expect(got.find("KeyWrappingData") is not None and clear not in encode(got), f"{version}: {name} gives it in the clear")
                        expect(more or got["KeyValue"] == wrapped, f"{version}: another key value")
                    expect(clear not in encode(result.payload), f"{version} {name}: the key in the answer")
                with client.connect().socket and server.client("bob", version=version) as friend:
                    expect(friend.do("Get", UniqueIdentifier=uid).payload.find("KeyWrappingData") is not None, "by another connection")
        server.oper("status")
        found = holders(server.home, [clear, kek, other])
        expect(not found, f"while it runs: {found}")
        server.stop()
        found = holders(server.home, [clear, kek, other])
        expect(not found, f"key bytes stand in {found}")


@test
def a_key_that_is_revoked_or_destroyed_is_so_on_every_connection_at_once():
    """COSMIAN-2026-008: a cache kept what was gone."""
    with SITE.started() as server:
        readers = [server.client("alice"), server.client("alice", version=(2, 1)), web(server), server.client("bob"), web(server, "bob")]
        plain = server.client("alice", tls={"maximum_version": ssl.TLSVersion.TLSv1_2})
        readers.append(plain)
        mode = item("CryptographicParameters", items(BlockCipherMode="ECB", PaddingMethod="PKCS5"))
        with server.client("alice") as owner:
            for way in ("Destroy", "Revoke", "Batch"):
                for _ in range(5):
                    uid = owner.activate(owner.create())
                    for one in readers:
                        for _ in range(2):  # it is in every cache there is
                            one.ok("Get", UniqueIdentifier=uid)
                        one.ok("Encrypt", item("UniqueIdentifier", uid), mode, item("Data", b"1"))
                    cease = op("Revoke", item("UniqueIdentifier", uid), item("RevocationReason", items(RevocationReasonCode="CessationOfOperation")))
                    if way == "Batch":
                        answer = owner.request([cease, op("Destroy", UniqueIdentifier=uid)], True, BatchOrderOption=True)
                        expect(all(one.ok for one in answer.items), answer.items)
                    else:
                        owner.revoke(uid)
                        for one in readers:
                            result = one.do("Encrypt", item("UniqueIdentifier", uid), mode, item("Data", b"1"))
                            expect(not result.ok, f"a deactivated key still encrypts: {result}")
                    if way == "Destroy":
                        owner.destroy(uid)
                    if way != "Revoke":
                        for one in readers:
                            result = one.do("Get", UniqueIdentifier=uid)
                            expect(not result.ok and "KeyMaterial" not in repr(result), f"{way}: {result}")
                            expect(not one.do("Decrypt", item("UniqueIdentifier", uid), mode, item("Data", bytes(16))).ok, "it decrypts")
        for one in readers:
            one.close()


# ---- M: certificates that are issued

def der(data):
    """Tag, content and rest: a second reader of DER."""
    size, at = data[1], 2
    if size >= 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    return data[0], data[at:at + size], data[at + size:]


def serial_of(pem):
    """The serial number of a certificate, read by hand."""
    raw = base64.b64decode("".join(pem.split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0].split()))
    tag, content, rest = der(raw)
    expect(tag == 0x30 and not rest, "no certificate")
    inner = der(content)[1]
    tag, version, inner = der(inner)
    tag, number, inner = der(inner) if tag == 0xA0 else (tag, version, inner)
    expect(tag == 2 and 1 <= len(number) <= 20 and number[0] < 0x80 and (len(number) == 1 or number[0] or number[1] & 0x80), f"no positive number of DER: {number.hex()}")
    return int.from_bytes(number, "big")


@test
def certificates_have_positive_serial_numbers_of_64_random_bits():
    """COSMIAN-2025-002. By hand of DER, over what the operators' commands and KMIP's Certify issue."""
    with SITE.started("kmip.certify.label=MyLocalRACFCA") as server:
        by_hand = []
        for n in range(12):
            server.certificate(f"many{n}")
            with open(server.certificate(f"many{n}")[0], encoding="ascii") as file:
                by_hand.append(serial_of(file.read()))
        issued = []
        with server.client("alice", version=(2, 1)) as client:
            _, public = client.create_pair()
            for n in range(30):
                made = client.ok("Certify", item("UniqueIdentifier", public), client.attributes(CertificateSubjectCN=f"number {n}"))
                raw = client.get(made["UniqueIdentifier"]).find("CertificateValue").value
                issued.append(serial_of("-----BEGIN CERTIFICATE-----\n" + base64.b64encode(raw).decode() + "\n-----END CERTIFICATE-----"))
        for serials in (by_hand, issued):
            varying = 0
            for one in serials:
                varying |= one ^ serials[0]
            expect(len(set(serials)) == len(serials) and varying.bit_count() >= 64 and min(serials) > 0, f"{[hex(one) for one in serials]}")


# ---- M: one door's right opens no other

@test
def a_clients_certificate_opens_no_other_door_and_a_drives_not_this_one():
    with SITE.started() as server:
        server.register("alice")
        cert, key = server.certificate("alice")
        context = ssl.create_default_context(cafile=f"{server.home}/drive/ca.crt")
        context.load_cert_chain(cert, key)
        with socket.create_connection(("127.0.0.1", server.ssl), 10 * SLOW) as plain:
            try:
                with context.wrap_socket(plain, server_hostname="localhost") as sock:
                    sock.sendall(query())
                    got = sock.recv(4096)
                    expect(b"\x42\x00\x7b" not in got, "the drives' port speaks KMIP")
            except OSError:
                pass
        stranger = server.certificate("mallory")
        for kind, port in ((Client, server.port), (HttpsClient, server.https_port)):
            for pair in (stranger, (None, None)):
                with kind(port=port, cert=pair[0], key=pair[1], ca=f"{server.home}/drive/ca.crt") as client:
                    for operation in ("Get", "Create", "Locate", "Destroy", "Register", "Encrypt", "RNGRetrieve", "GetAttributes", "Activate", "Interop", "Log"):
                        result = client.do(operation)
                        expect(not result.ok and result.reason in ("AuthenticationNotSuccessful", "PermissionDenied", "OperationNotSupported"), f"{operation}: {result}")
                        tells_nothing(server, result.message)


if __name__ == "__main__":
    sys.exit(main())
