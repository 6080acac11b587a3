#!/usr/bin/env python3
"""Floods of callers who are nobody here, at every door: each refusal is recorded or counted, the sums add up, and what is written is bounded."""
import glob
import os
import re
import socket
import struct
import sys

from keyserver import BIN, SLOW, free_port, wait_until
from kmip import Client, HttpsClient, encode, item, message, op
from kmipserver import KmipSite
from kx import Drive, Session, refusal
from otheruser import opened, raw_oper
from partners import certificate
from scenario import SOURCE, expect, main, run, test

sys.path.insert(0, f"{SOURCE}/tests/smf")
import readjournal  # noqa: E402  (after its folder is in the path)

SITE = KmipSite(clients=("alice", "mallory"))
INTERVAL = round(5 * SLOW)  # a flood ends when so long nothing comes, which a slow machine may bring about by itself
FIELDS = {name: int(number) for name, number in re.findall(r"SMF_FIELD\(SMF_F_(\w+), (\d+)", open(f"{SOURCE}/smf/fields.def", encoding="utf-8").read())}
KINDS = ("tls-failed", "kmip-message-refused", "http-refused", "session-refused", "console-connect", "kmip-refused", "connection-refused", "partner-refused")


def server_with(*properties):
    return SITE.started(f"Audit.refusals.interval={INTERVAL}", *properties)


def records(server):
    """Events of the journal as dictionaries, read by smf/JOURNAL.md alone."""
    names = {number: name for name, number in FIELDS.items()}
    return [{names[number]: text for number, text in readjournal.fields(body).items() if number in names}
            for _, _, body in readjournal.events(f"{server.home}/log/journal")]


def told(server):
    """What was refused by kind: recorded one by one, and in sums; and how many events that were."""
    single, sums, events = {}, {}, 0
    for one in records(server):
        verb = one["VERB"]
        if verb == "refusals":
            events += 1
            words = one["MESSAGE"].split("one by one: ")[1]
            expect(int(one["NEW"]) == sum(int(n) for n in re.findall(r"(\d+) [a-z-]+", words)), str(one))
            for n, kind in re.findall(r"(\d+) ([a-z-]+)", words):
                sums[kind] = sums.get(kind, 0) + int(n)
        elif verb in KINDS:
            events += 1
            single[verb] = single.get(verb, 0) + 1
    return single, sums, events


def total(server, kind):
    single, sums, _ = told(server)
    return single.get(kind, 0) + sums.get(kind, 0)


def stranger(server, kind=Client, version=(1, 4), cert=True):
    """A client whose certificate nobody registered, or none."""
    pair = server.certificate("mallory") if cert else (None, None)
    return kind(version=version, port=server.port if kind is Client else server.https_port, cert=pair[0], key=pair[1], ca=f"{server.home}/drive/ca.crt")


def bad_handshakes(port, n):
    for _ in range(n):
        with socket.create_connection(("127.0.0.1", port), 10 * SLOW) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            try:
                while sock.recv(1000):
                    pass
            except ConnectionError:
                pass


def bad_messages(server, n):
    """Well formed, of a version that nobody speaks: refused, and the connection goes on."""
    wrong = encode(message((9, 9), [op("Query", QueryFunction="QueryOperations")]))
    with stranger(server) as client:
        client.connect()
        for _ in range(0, n, 100):
            client.socket.sendall(wrong * 100)
            for _ in range(100):
                head = client.read(8)
                client.read(struct.unpack(">I", head[4:])[0])


@test
def five_thousand_refusals_are_few_events_whose_numbers_add_up():
    with server_with("Audit.smf=true", "Audit.event.outcome=success,failure") as server:
        server.racf("ID(TAPEKMS) EXPORT(LABEL('ISKLM_Server')) DSN('AUDIT.CERT') FORMAT(CERTB64)")
        size = sum(os.path.getsize(path) for path in glob.glob(f"{server.home}/log/journal/*"))
        bad_handshakes(server.port, 2000)
        bad_handshakes(server.https_port, 500)
        bad_handshakes(server.ssl, 300)  # the drives' port
        bad_messages(server, 2000)
        with stranger(server) as client:
            for _ in range(200):  # requests of a verb, by somebody unknown
                expect(client.do("Get", UniqueIdentifier="1").reason in ("AuthenticationNotSuccessful", "PermissionDenied", "NotAuthorised"), "Get")
        wait_until("all handshakes are told", 30, lambda: total(server, "tls-failed") == 2800)
        wait_until("all messages are told", 30, lambda: total(server, "kmip-message-refused") == 2000)
        wait_until("all requests are told", 30, lambda: told(server)[1].get("requests", 0) == 200)
        single, sums, events = told(server)
        expect(sum(single.values()) <= 10, f"a flood of events: {single}")
        expect(events <= 10 + 30 * SLOW, f"{events} events")
        grown = sum(os.path.getsize(path) for path in glob.glob(f"{server.home}/log/journal/*")) - size
        expect(grown < 200_000, f"{grown} bytes of journal")
        one = [event for event in records(server) if event["VERB"] == "refusals"][0]
        expect(one["OBJECT"] == one["ADDRESS"] == "127.0.0.1" and one["MESSAGE_ID"] == "KLM0827W", str(one))
        server.stop()
        parts = sorted(glob.glob(f"{server.home}/log/smf/*.MAN*"))
        said = run(f"{BIN}/smfdump", "--verify", "--from-start", "-c", f"{server.files}/AUDIT.CERT", *parts)
        expect(said.rstrip().endswith("VERIFIED") and "NOT VERIFIED" not in said, said)
        said = run(f"{BIN}/smfdump", "--text", *parts)
        expect("KLM0827W" in said, f"the report does not show it: {said[-3000:]}")


@test
def unknown_drives_and_callers_of_the_port_for_partners_are_bounded_too():
    with SITE.server(f"Audit.refusals.interval={INTERVAL}", "Admin.ssl.keystore.name=safkeyring://TAPEKMS/PartnerOne",
                     "Admin.ssl.truststore.name=safkeyring://TAPEKMS/KeyStore4758", "Admin.ssl.host=127.0.0.1", "drive.acceptUnknownDrives=false") as server:
        taken = {server.port, server.https_port, server.tcp, server.ssl}
        server.set(f"Admin.ssl.port={next(port for port in iter(free_port, None) if port not in taken)}")
        drive = Drive(f"{server.home}/stranger", serial="0000000000AB", wwn="5005076302400AAA").make().signed_by(server)
        certificate(server, "Partner One", "PartnerOne")
        server.start()
        admin = int(server.value("Admin.ssl.port"))
        for _ in range(40):
            expect(refusal(Session, server, drive).code == 0xEF01, "the stranger")
        bad_handshakes(admin, 200)
        wait_until("all drives are told", 20, lambda: told(server)[1].get("requests", 0) + len([one for one in records(server) if one["VERB"] == "drive-contact"]) == 40)
        wait_until("all handshakes are told", 20, lambda: total(server, "partner-refused") + total(server, "connection-refused") == 200)
        expect(told(server)[2] + len([one for one in records(server) if one["VERB"] == "drive-contact"]) <= 10 + 30 * SLOW, str(told(server)))


@test
def the_end_of_the_task_loses_no_count():
    with SITE.started("Audit.refusals.interval=3600") as server:
        bad_handshakes(server.port, 300)
        wait_until("all have failed", 10, lambda: int(server.status("KMIP handshakes that failed")) == 300)
        expect(told(server)[:2] == ({"tls-failed": 10}, {}), str(told(server)))
        server.stop()
        expect(total(server, "tls-failed") == 300, str(told(server)))


@test
def one_refusal_is_one_event_with_address_and_reason_whatever_it_was():
    good, count = encode(message((1, 4), [op("Query", QueryFunction="QueryOperations")])), encode(item("BatchCount", 1))
    with SITE.started("Audit.refusals.burst=100", "TransportListener.message.timeout=2") as server:
        for what, kind, reason in (
                (b"\x42\x00\x78\x01\xff\xff\xff\xf8", "kmip-message-refused", "KLM1963E"), (bytes(16), "kmip-message-refused", "KLM1968E"),
                (encode(message((9, 9), [op("Query", QueryFunction="QueryOperations")])), "kmip-message-refused", "KLM19"),
                (good.replace(count, count[:-5] + b"\x02" + bytes(4)), "kmip-message-refused", "KLM19")):
            for cert in (True, False):
                before = total(server, kind)
                with stranger(server, cert=cert) as client:
                    client.send(what)
                wait_until(f"{what[:12].hex()} leaves an event", 5, lambda before=before, kind=kind: total(server, kind) == before + 1)
                last = [one for one in records(server) if one["VERB"] == kind][-1]
                expect(last["MESSAGE_ID"].startswith(reason) and last["ADDRESS"].startswith("127.0.0.1:") and bool(last.get("CLIENT")) == cert, str(last))
        for n in range(3):
            with stranger(server, HttpsClient) as web:
                try:
                    web.send(b"x", path=f"/elsewhere{n}")
                except AssertionError as refused:
                    expect("HTTP 404" in str(refused), str(refused))
        wait_until("each request of HTTP leaves an event", 5, lambda: total(server, "http-refused") == 3)
        expect(not told(server)[1], f"nothing was counted: {told(server)}")


@test
def an_operation_that_is_none_leaves_an_event_of_who_asked():
    with SITE.started("Audit.refusals.burst=100") as server, server.client("alice") as client:
        for operation in ("Poll", "Notify"):
            result = client.do(operation)
            expect(not result.ok and result.reason == "OperationNotSupported", str(result))
        wait_until("both are there", 5, lambda: total(server, "kmip-message-refused") == 2)
        last = [one for one in records(server) if one["VERB"] == "kmip-message-refused"][-1]
        expect(last["USER"] == "alice" and last["CLIENT"], str(last))


@test
def connecting_and_closing_is_no_refusal():
    with server_with() as server:
        for port in (server.port, server.https_port, server.tcp, server.ssl):
            for _ in range(100):
                socket.create_connection(("127.0.0.1", port), 10 * SLOW).close()
        for _ in range(50):
            stranger(server).connect().close()
        wait_until("all are counted", 10, lambda: int(server.status("KMIP connections without a request")) >= 250)
        single, sums, _ = told(server)
        expect(not single and not sums, f"{single} {sums}")


@test
def who_is_registered_is_recorded_each_time_while_strangers_flood():
    with server_with() as server:
        bad_handshakes(server.port, 200)
        for _ in range(30):
            with server.client("alice") as client:
                client.create()
        made = wait_until("each is there", 5, lambda: [one for one in records(server) if one["VERB"] == "kmip-end" and one.get("CLIENT")])
        wait_until("all thirty", 5, lambda: len([one for one in records(server) if one["VERB"] == "kmip-contact"]) == 30)
        expect(made and len([one for one in records(server) if one["VERB"] == "object-create"]) == 30, "events of a client are missing")


@test
def users_without_a_role_are_bounded_too():
    if os.getuid() != 0:
        return  # only root can become somebody else
    with server_with() as server:
        opened(server)
        for _ in range(60):
            expect("KLM0994E" in raw_oper(server, 65534, "status"), "it is not refused")
        wait_until("all are told", 15, lambda: total(server, "console-connect") == 60)
        single, sums, _ = told(server)
        expect(single["console-connect"] == 10 and sums["console-connect"] == 50, f"{single} {sums}")
        expect([one for one in records(server) if one["VERB"] == "refusals"][-1]["OBJECT"] == "nobody", "by name")


if __name__ == "__main__":
    sys.exit(main())
