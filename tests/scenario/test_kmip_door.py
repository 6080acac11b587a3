#!/usr/bin/env python3
"""The ports for KMIP clients: TTLV over TLS and HTTPS, with good clients, slow ones, broken ones and probes; what they are told, what is said and recorded."""
import http.client
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

from keyserver import SLOW, Site, free_port, in_time, read, wait_until
from scenario import expect, main, run, test

SITE = Site(labels=False)
KEYS = f"{SITE.folder}/clients"
os.makedirs(KEYS)


def made(name, kind=("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), days="30"):
    """Files of a certificate that a client signed itself: the certificate and its key."""
    base = f"{KEYS}/{name}"
    run("openssl", "req", *kind, "-nodes", "-keyout", f"{base}.key", "-out", f"{base}.csr", "-subj", f"/CN={name}")
    run("openssl", "x509", "-req", "-in", f"{base}.csr", "-signkey", f"{base}.key", "-out", f"{base}.crt", "-days", days)
    return f"{base}.crt", f"{base}.key"


CLIENT = made("client")
RSA = made("rsa", ("-newkey", "rsa:2048"))
EXPIRED = made("expired", days="-1")


def door(*properties):
    """A server with both ports."""
    return SITE.server(f"KMIPListener.ssl.port={free_port()}", f"KMIPListener.https.port={free_port()}", "KMIPListener.ssl.host=127.0.0.1", "Audit.refusals.burst=100",
                       *properties)


def port_of(server, https=False):
    return int(server.value("KMIPListener.https.port" if https else "KMIPListener.ssl.port"))


# ---- Messages

def item(tag, kind, value):
    return struct.pack(">IBI", tag, kind, len(value))[1:4] + struct.pack(">BI", kind, len(value)) + value + bytes(-len(value) % 8)


def discover(mark=b"", size=0):
    """Discover Versions of KMIP 1.2 with a Unique Batch Item ID; size: of a list of versions that makes it longer."""
    number = lambda tag, kind, value: item(tag, kind, struct.pack(">I", value))
    version = lambda major, minor: item(0x420069, 1, number(0x42006A, 2, major) + number(0x42006B, 2, minor))
    header = item(0x420077, 1, version(1, 2) + number(0x42000D, 2, 1))
    payload = item(0x420079, 1, version(1, 2) * size)
    return item(0x420078, 1, header + item(0x42000F, 1, number(0x42005C, 5, 0x1E) + (item(0x420093, 8, mark) if mark else b"") + payload))


XML = (b'<RequestMessage><RequestHeader><ProtocolVersion><ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="2"/>'
       b'</ProtocolVersion><BatchCount type="Integer" value="1"/></RequestHeader><BatchItem><Operation type="Enumeration" value="DiscoverVersions"/>'
       b'<RequestPayload/></BatchItem></RequestMessage>')
JSON = (b'{"tag":"RequestMessage","value":[{"tag":"RequestHeader","value":[{"tag":"ProtocolVersion","value":['
        b'{"tag":"ProtocolVersionMajor","type":"Integer","value":1},{"tag":"ProtocolVersionMinor","type":"Integer","value":2}]},'
        b'{"tag":"BatchCount","type":"Integer","value":1}]},{"tag":"BatchItem","value":[{"tag":"Operation","type":"Enumeration","value":"DiscoverVersions"},'
        b'{"tag":"RequestPayload","value":[]}]}]}')


class Client:
    """A connection by TLS."""

    def __init__(self, server, pair=CLIENT, https=False, version=None):
        context = ssl.create_default_context(cafile=f"{server.home}/drive/ca.crt")
        if pair:
            context.load_cert_chain(*pair)
        if version:
            context.minimum_version = context.maximum_version = version
        raw = socket.create_connection(("127.0.0.1", port_of(server, https)), 10 * SLOW)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(raw, server_hostname="localhost")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def exactly(self, n):
        got = b""
        while len(got) < n:
            more = self.sock.recv(n - len(got))
            if not more:
                raise EOFError(f"closed after {len(got)} of {n} bytes")
            got += more
        return got

    def answer(self):
        """One Response Message."""
        head = self.exactly(8)
        expect(head[:4] == b"\x42\x00\x7b\x01", f"no answer: {head.hex()}")
        return head + self.exactly(struct.unpack(">I", head[4:])[0])

    def ask(self, data=None):
        self.send(data or discover())
        return self.answer()

    def ends(self):
        """Nothing more comes, and the connection ends."""
        try:
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


def good_client(server, seconds=1.0):
    def served():
        with Client(server) as client:
            client.ask()

    in_time(seconds, served)


def count(server, item_of):
    return int(server.status("KMIP " + item_of))


def messages(server, since=0):
    return re.findall(r"KLM19\d\d[IWEA]", server.console()[since:])


# ---- The ports

@test
def without_their_properties_there_are_no_ports():
    with SITE.server() as server:
        server.unset("KMIPListener.ssl.port", "KMIPListener.https.port")
        expect("KLM1901I" not in server.start(), server.console())
        expect("KMIP" not in server.oper("status"), "status")


@test
def ports_are_said_shown_and_answer_every_encoding():
    with door() as server:
        said = server.start()
        expect(f"KLM1901I KMIP clients are listened for on port {port_of(server)} (TTLV)" in said, said)
        expect(f"KLM1901I KMIP clients are listened for on port {port_of(server, True)} (HTTPS)" in said, said)
        with Client(server) as client:
            client.ask()
        context = ssl.create_default_context(cafile=f"{server.home}/drive/ca.crt")
        context.load_cert_chain(*CLIENT)
        https = http.client.HTTPSConnection("localhost", port_of(server, True), context=context, timeout=10 * SLOW)
        for kind, body, start in (("application/octet-stream", discover(), b"\x42\x00\x7b\x01"), ("text/xml;charset=UTF-8", XML, b"<"),
                                  ("application/xml", XML, b"<"), ("application/json;charset=UTF-8", JSON, b"{")):
            https.request("POST", "/kmip", body, {"Content-Type": kind, "Cache-Control": "no-cache"})
            answer = https.getresponse()
            got = answer.read()
            expect(answer.status == 200 and got.lstrip().startswith(start), f"{kind}: {answer.status} {got[:100]}")
            expect(b"ResponseMessage" in got or kind == "application/octet-stream", str(got[:200]))
            expect(answer.getheader("Content-Type") == kind.split(";")[0], str(answer.getheaders()))
            expect("no-store" in answer.getheader("Cache-Control") and answer.getheader("Strict-Transport-Security"), str(answer.getheaders()))
            expect(answer.getheader("Server") is None, "it says which program it is")
        https.close()
        wait_until("all connections are gone", 5, lambda: count(server, "sessions") == 0)
        expect((count(server, "port"), count(server, "port for HTTPS"), count(server, "requests")) == (port_of(server), port_of(server, True), 5),
               server.oper("status"))


@test
def curl_is_served_too():
    with door() as server:
        server.start()
        for more in ((), ("--http1.1", "-H", "Expect: 100-continue"), ("--http1.0",)):
            said = run("curl", "-sS", "-i", "--cacert", f"{server.home}/drive/ca.crt", "--cert", CLIENT[0], "--key", CLIENT[1], "-H", "Content-Type: text/xml",
                       "--data-binary", XML.decode(), *more, f"https://localhost:{port_of(server, True)}/kmip")
            expect("200 OK" in said and "ResponseMessage" in said, said)


@test
def serving_is_stopped_and_begun_again_with_them():
    with door() as server:
        server.start()
        with Client(server) as client:
            client.ask()
            server.oper("stopekm")
            expect(client.ends(), "an idle session stays")
        server.says("KLM0813I")
        try:
            Client(server)
            raise AssertionError("the port is still open")
        except OSError:
            pass
        mark = server.mark()
        server.oper("startekm")
        server.says(f"KLM1901I KMIP clients are listened for on port {port_of(server)}", since=mark)
        good_client(server)
        with Client(server) as client:
            client.ask()
            server.stop()
            expect(client.ends(), "a session outlives the task")


@test
def a_port_in_use_stops_the_start():
    with door() as server, socket.socket() as other:
        other.bind(("127.0.0.1", port_of(server)))
        other.listen()
        said = server.refuses_to_start(status=1)
        expect(f"KLM0800E Port {port_of(server)} of 127.0.0.1 cannot be opened: " in said, said)


# ---- Slow clients, and many

@test
def bytes_that_come_one_by_one_are_a_message():
    with door() as server:
        server.start()
        with Client(server) as client:
            for byte in discover(b"slow"):
                client.send(bytes([byte]))
            expect(b"slow" in client.answer(), "the answer of another")


@test
def a_header_and_then_silence_ends_and_so_does_a_byte_now_and_then():
    with door("TransportListener.message.timeout=2") as server:
        server.start()
        with Client(server) as silent, Client(server) as steady, Client(server, https=True) as web:
            steady.ask()
            silent.send(discover()[:8])
            web.send(b"POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 100\r\n\r\n<a")
            expect(silent.ends() and web.ends(), "it waits for ever")
            steady.ask()
        with Client(server) as client:
            began = time.monotonic()
            try:
                for byte in discover():
                    client.send(bytes([byte]))
                    time.sleep(0.2)
            except OSError:
                pass
            expect(time.monotonic() - began < 15 * SLOW, "each byte gained time")
        server.says("KLM1908W")
        good_client(server)


@test
def f10_a_thousand_connections_that_say_nothing_keep_nobody_out():
    with door("TransportListener.handshake.timeout=4") as server:
        server.start()
        part = bytes.fromhex("16030100c8010000c40303") + bytes(100)
        callers = []
        try:
            for i in range(1000):
                callers.append(sock := socket.create_connection(("127.0.0.1", port_of(server)), 10 * SLOW))
                if i % 2:
                    sock.sendall(part)
            for _ in range(3):
                good_client(server)
            wait_until("all are let go", 15, lambda: count(server, "sessions") == 0)
        finally:
            for sock in callers:
                sock.close()
        expect(count(server, "connections refused") == 0 and count(server, "handshakes that failed") >= 900, server.oper("status"))
        expect(messages(server).count("KLM1907W") <= 30, f"a flood of messages: {len(messages(server))}")
        good_client(server)


@test
def handshakes_of_one_address_are_bounded_and_the_newest_is_served():
    with door("KMIPListener.handshakes.per.address=50") as server:
        server.start()
        callers = [socket.create_connection(("127.0.0.1", port_of(server)), 10 * SLOW) for _ in range(50)]
        try:
            time.sleep(1)
            good_client(server)
            expect(callers[0].recv(1) == b"", "the oldest is still there")
        finally:
            for sock in callers:
                sock.close()


def memory(server):
    return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{server.pid}/status"))[1])


@test
def an_idle_connection_takes_little_memory():
    """10,000 in a gigabyte: each less than a hundred kilobytes, sanitizers aside."""
    with door() as server:
        server.start()
        good_client(server)
        before, clients = memory(server), []
        try:
            for _ in range(400):
                clients.append(client := Client(server))
                client.ask(discover(size=200))
            each = (memory(server) - before) / len(clients)
        finally:
            for client in clients:
                client.sock.close()
        print(f"# {each:.1f} KiB for each idle connection")
        expect(each < 100 * SLOW, f"{each} KiB for each")


# ---- Broken clients

@test
def what_speaks_no_tls_is_turned_away():
    with door() as server:
        server.start()
        for https in (False, True):
            with socket.create_connection(("127.0.0.1", port_of(server, https)), 10 * SLOW) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                while sock.recv(1000):
                    pass
        with socket.create_connection(("127.0.0.1", port_of(server)), 10 * SLOW) as sock:
            sock.sendall(discover())
            while sock.recv(1000):
                pass
        wait_until("three have failed", 5, lambda: count(server, "handshakes that failed") == 3)
        expect(server.console().count("KLM1907W") == 3, server.console())
        expect(server.audited("KLM1907W"), "audit")
        good_client(server)


@test
def lengths_beyond_all_bounds_are_refused_by_the_first_eight_bytes():
    with door() as server:
        server.start()
        before = memory(server)
        for length in (2**32 - 1, 2**32 - 8, 2**31, 2**31 - 8, 2**20, 16 * 2**20):
            with Client(server) as client:
                client.send(b"\x42\x00\x78\x01" + struct.pack(">I", length) + bytes(64))
                client.answer()
                expect(client.ends(), f"{length}: it goes on")
        expect(memory(server) - before < 16384 * SLOW, "room was made for what was only announced")
        for junk in (b"GET /kmip HTTP/1.1\r\n\r\n", bytes(16), b"\x42\x00\x78\x07" + bytes(12), b"\xff" * 16):
            with Client(server) as client:
                client.send(junk)
                client.answer()
                expect(client.ends(), f"{junk}: it goes on")
        good_client(server)


@test
def requests_sent_at_once_are_answered_in_order():
    marks = [b"item%04d" % i for i in range(200)]
    with door() as server:
        server.start()
        with Client(server) as client:
            client.send(b"".join(map(discover, marks)))
            for mark in marks:
                expect(mark in client.answer(), f"{mark} is not next")
        body = b"".join(b"POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s" %
                        (len(discover(mark)), discover(mark)) for mark in marks)
        with Client(server, https=True) as client:
            client.send(body)
            client.sock.settimeout(10 * SLOW)
            got = b""
            while got.count(b"HTTP/1.1 200 OK") < len(marks) or marks[-1] not in got:
                got += client.exactly(1) + client.sock.recv(65536)
            places = [got.index(mark) for mark in marks]
            expect(places == sorted(places), "answers are out of order")


@test
def each_refusal_of_http_has_its_status():
    rows = ((400, b"POST /kmip HTTP/1.1\nHost: a\n\n"), (404, b"POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"),
            (405, b"GET /kmip HTTP/1.1\r\nHost: a\r\n\r\n"), (411, b"POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n\r\n"),
            (411, b"POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            (413, b"POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 99999999999\r\n\r\n"),
            (414, b"POST /" + b"a" * 3000), (415, b"POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\n"),
            (417, b"POST /kmip HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Type: text/xml\r\nContent-Length: 1\r\n\r\n"),
            (431, b"POST /kmip HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100), (431, b"POST /kmip HTTP/1.1\r\nX: " + b"y" * 9000),
            (505, b"POST /kmip HTTP/2.0\r\n\r\n"))
    with door() as server:
        server.start()
        mark = server.mark()
        for status, request in rows:
            with Client(server, https=True) as client:
                client.send(request)
                got = b""
                while True:
                    try:
                        more = client.sock.recv(4096)
                    except OSError:
                        more = b""
                    if not more:
                        break
                    got += more
                head, _, body = got.partition(b"\r\n\r\n")
                expect(head.startswith(b"HTTP/1.1 %d " % status) and b"Connection: close" in head, f"{status}: {got}")
                expect(re.fullmatch(rb"%d [A-Za-z ]+\n" % status, body), f"details: {body}")
                expect(b"\r\nserver:" not in head.lower(), str(head))
        expect(not messages(server, mark), "the client was told already")


# ---- TLS

def s_client(server, *words, pair=CLIENT, data=b"", seconds=15):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port_of(server)}", "-CAfile", f"{server.home}/drive/ca.crt",
                           *(("-cert", pair[0], "-key", pair[1]) if pair else ()), *words],
                          input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds * SLOW, check=False).stdout


@test
def sessions_are_resumed_in_both_versions():
    with door() as server:
        server.start()
        for words in (("-tls1_2",), ("-tls1_2", "-no_ticket"), ("-tls1_3",)):
            saved = f"{server.home}/saved"
            for option in ("-sess_out", "-sess_in"):
                process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port_of(server)}", "-CAfile", f"{server.home}/drive/ca.crt",
                                            "-cert", CLIENT[0], "-key", CLIENT[1], *words, option, saved], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT)
                requests = count(server, "requests")
                process.stdin.write(discover())
                process.stdin.flush()
                wait_until("it is answered", 5, lambda before=requests: count(server, "requests") == before + 1)
                wait_until("the session is kept", 5, lambda: os.path.exists(saved))
                said = process.communicate(timeout=10 * SLOW)[0]
                expect((b"Reused, " in said) == (option == "-sess_in"), f"{words} {option}: {said.decode(errors='replace')[-1500:]}")
            os.remove(saved)
        fingerprint = run("openssl", "x509", "-in", CLIENT[0], "-noout", "-fingerprint", "-sha256").split("=")[1].strip().replace(":", "").lower()
        records = wait_until("all six are recorded", 5, lambda: (found := server.audited("made the first request")) and len(found) == 6 and found)
        expect(all(fingerprint in "\n".join(record) for record in records), str(records))


@test
def a_certificate_that_is_not_valid_is_refused_and_the_reason_said():
    with door() as server:
        server.start()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            try:
                with Client(server, EXPIRED, version=version) as client:
                    client.ask()
                raise AssertionError("an expired certificate is taken")
            except (ssl.SSLError, OSError, EOFError):
                pass
        wait_until("both are said", 5, lambda: server.console().count("certificate has expired") == 2)
        expect(count(server, "requests") == 0, "it was asked something")
        weak = made("weak", ("-newkey", "rsa:1024"))
        said = s_client(server, "-tls1_2", "-cipher", "DEFAULT@SECLEVEL=0", pair=weak, data=discover())
        expect(b"bad certificate" in said, str(said))
        good_client(server)


@test
def a_client_without_a_certificate_is_answered_unless_one_is_required():
    with door() as server:
        server.start()
        with Client(server, None) as client:
            client.ask()
        server.oper("modconfig -set -property KMIPListener.ssl.clientauthentication -value required")
        wait_until("it is in force", 10, lambda: b"alert certificate required" in s_client(server, "-tls1_3", pair=None, data=discover()))
        good_client(server)


@test
def suites_are_those_of_the_profile_that_is_named():
    ec = ("-tls1_2",)
    with door("KMIPListener.ssl.suites=SuiteB") as server:
        server.start()
        expect(b"ECDHE-ECDSA-AES256-GCM-SHA384" in s_client(server, *ec), "Suite B")
        expect(b"ECDHE-ECDSA-AES128-GCM-SHA256" in s_client(server, *ec, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "its second suite")
        expect(b"(NONE)" in s_client(server, *ec, "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"), "another suite")
        expect(b"(NONE)" in s_client(server, "-tls1_3"), "another version")
        expect("KLM1911W" not in server.console(), "weak")
        good_client(server)


@test
def static_rsa_is_for_those_who_ask_for_it_and_said_at_the_start():
    with door("KMIPListener.ssl.certificate=Kmip_Rsa", "KMIPListener.ssl.suites=Basic") as server:
        server.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('KMIP') O('MyCo') C('US')) WITHLABEL('Kmip_Rsa') PCICC(KMIP.RSA) SIZE(2048) ROLE(SERVER) "
                    "ALTNAME(DOMAIN('localhost') IP(127.0.0.1)) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))")
        server.racf("ID(TAPEKMS) CONNECT(LABEL('Kmip_Rsa') RING(KeyStore4758))")
        said = server.start()
        expect("KLM1911W KMIPListener.ssl.suites allows weak cipher suites for KMIP clients: " in said, said)
        said = s_client(server, "-tls1_2", "-cipher", "AES128-SHA256", pair=RSA)
        expect(b"Cipher is AES128-SHA256" in said, str(said[-1500:]))
        expect(b"ECDHE-RSA-AES256-GCM-SHA384" in s_client(server, "-tls1_2", pair=RSA), "better ones are preferred")
        server.stop()
        expect("KLM1911W" not in server.unset("KMIPListener.ssl.suites").start(), "Modern")
        expect(b"(NONE)" in s_client(server, "-tls1_2", "-cipher", "AES128-SHA256", pair=RSA), "static RSA without being asked for")
        good_client(server)


@test
def without_its_certificate_the_task_serves_others_until_a_refresh_finds_it():
    with door("KMIPListener.ssl.certificate=Nobody") as server:
        said = server.start()
        expect("KLM1902E Certificate Nobody" in said and "KLM1904E" in said and "KLM1901I" not in said, said)
        server.set("KMIPListener.ssl.certificate=ISKLM_Server")
        mark = server.mark()
        server.signal(signal.SIGHUP)
        server.says("KLM1901I", since=mark)
        good_client(server)
        with Client(server) as client:
            server.set("KMIPListener.ssl.certificate=Nobody")
            mark = server.mark()
            server.signal(signal.SIGHUP)
            server.says("KLM1905W", since=mark)
            client.ask()
            good_client(server)


# ---- What is said and recorded

@test
def probes_are_silent_and_counted():
    with door() as server:
        server.start()
        good_client(server)
        expect(server.audited("The session of a KMIP client ended"), "audit")
        expect(server.audited("KLM1937W"), "its certificate is noted meanwhile")
        mark, before = server.mark(), len(server.audit())
        for i in range(20):
            socket.create_connection(("127.0.0.1", port_of(server)), 10 * SLOW).close()
            Client(server, CLIENT if i % 2 else None).sock.close()
        wait_until("all are counted", 5, lambda: count(server, "connections without a request") == 40)
        expect(server.console()[mark:] == "", server.console()[mark:])
        expect(not [record for record in server.audit()[before:] if "KMIP" in "\n".join(record)], str(server.audit()[before:]))
        expect(count(server, "handshakes that failed") == 0, server.oper("status"))


@test
def a_session_with_requests_is_recorded_at_its_begin_and_end():
    with door() as server:
        server.start()
        with Client(server) as client:
            for _ in range(3):
                client.ask()
        begun = server.audited("KLM1912I", "made the first request of its session")
        ended = server.audited("The session of a KMIP client ended", "after 3 requests")
        expect(len(begun) == 1 and len(ended) == 1, f"{begun} {ended}")


if __name__ == "__main__":
    sys.exit(main())
