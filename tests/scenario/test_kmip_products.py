#!/usr/bin/env python3
"""What products say to a key server and what they must hear: the conversations of tests/golden/kmip, played with a codec of our own and compared item by item; and what
they do that no message shows."""
import glob
import os
import socket
import ssl
import struct
import sys
import time

from kmip import Client, HttpsClient, Script, conversation, encode, item, message, op, symmetric_key
from kmipserver import KmipSite
from scenario import SOURCE, expect, main, test

SITE = KmipSite(clients=("alice", "bob"))
VECTORS = {os.path.basename(path)[:-4]: path for path in sorted(glob.glob(f"{SOURCE}/tests/golden/kmip/*.xml"))}


def play(server, name, kind=Client):
    """Play a conversation as a client of a group of its own, so that it finds nothing that another left."""
    own = server.client(name.replace("-", ""), group=name.replace("-", "_"))
    port = own.port if kind is Client else server.https_port
    with kind(port=port, cert=own.cert, key=own.key, ca=own.ca) as client:
        Script().play(client, conversation(VECTORS[name]))


@test
def every_product_hears_exactly_what_it_must():
    failures = []
    with SITE.started() as server:
        for name in VECTORS:
            try:
                play(server, name)
            except Exception as e:  # the others are of interest all the same
                failures.append(f"{name}: {type(e).__name__}: {e}")
    expect(not failures, "\n".join(failures))


@test
def vast_talks_by_https():
    with SITE.started() as server:
        play(server, "vast-14", HttpsClient)


@test
def a_connection_without_data_is_no_event_worth_a_warning():
    """vCenter opens and closes before it speaks; health checks do all day."""
    with SITE.started() as server:
        client, since = server.client("alice"), server.mark()
        for _ in range(3):
            client.connect().close()
            socket.create_connection(("127.0.0.1", server.port)).close()
        client.ok("DiscoverVersions")
        client.close()
        said = server.console()[since:]
        expect(not any(f"{letter} " in line.split("KLM", 1)[1][:6] for letter in "WEA" for line in said.splitlines() if "KLM" in line), said)


@test
def a_client_without_a_certificate_learns_that_it_is_not_known():
    """An answer in KMIP, not a broken connection: the probe of a product must not end the server's day, nor its own."""
    with SITE.started() as server:
        client = Client(port=server.port, ca=f"{server.home}/drive/ca.crt")
        with client:
            client.ok("DiscoverVersions")
            result = client.do("Create", item("ObjectType", "SymmetricKey"), client.attributes(CryptographicAlgorithm="AES", CryptographicLength=256))
            expect(not result.ok and result.reason in ("AuthenticationNotSuccessful", "PermissionDenied"), result)
        with server.client("alice") as known:
            known.create()


@test
def an_answer_that_is_longer_than_the_client_can_take_is_told():
    """keyring_okv sends Maximum Response Size in every header."""
    with SITE.started() as server, server.client("alice", version=(1, 1)) as client:
        uid = client.create()
        answer = client.request([op("Get", UniqueIdentifier=uid)], MaximumResponseSize=280000)
        expect(answer[0].ok, answer[0])
        got = client.send(message_bytes(client, [op("Get", UniqueIdentifier=uid)], MaximumResponseSize=256))
        expect(len(got) <= 256, f"{len(got)} bytes")
        answer = client.request([op("Get", UniqueIdentifier=uid)], MaximumResponseSize=256)
        expect(answer[0].reason == "ResponseTooLarge", answer[0])


def message_bytes(client, batch, **header):
    return encode(message(client.version, batch, **header))


@test
def a_unique_batch_item_id_comes_back_and_is_missing_when_none_was_sent():
    with SITE.started() as server:
        for version in ((1, 0), (1, 4), (2, 1)):
            with server.client("alice", version=version) as client:
                own = bytes.fromhex("514c4b43000000a1")
                expect(client.request([op("DiscoverVersions") if version > (1, 0) else op("Query", QueryFunction="QueryOperations")], [own])[0].id == own, "8 bytes")
                answer = client.request([op("Query", QueryFunction="QueryOperations")])
                expect(answer[0].id is None and "UniqueBatchItemID" not in answer[0].item, "none")
                two = client.request([op("Query", QueryFunction="QueryOperations"), op("Query", QueryFunction="QueryObjects")], [b"b", b"a"])
                expect([one.id for one in two.items] == [b"b", b"a"], "each its own, in the order of the request")


@test
def batches_stop_go_on_and_are_undone_as_they_ask():
    with SITE.started() as server:
        for version in ((1, 0), (1, 2), (1, 4), (2, 1)):
            with server.client("alice", version=version) as client:
                def create(name, client=client):
                    return op("Create", item("ObjectType", "SymmetricKey"), client.attributes(CryptographicAlgorithm="AES", CryptographicLength=128,
                                                                                               CryptographicUsageMask="Encrypt", Name=name))
                def batch(option, version=version, create=create):
                    return [create(f"{option}-{version[1]}-1"), op("Get", UniqueIdentifier="none"), create(f"{option}-{version[1]}-2")]
                def there(option, n, version=version, client=client):
                    return len(client.locate(Name=f"{option}-{version[1]}-{n}"))
                answer = client.request(batch("Stop"), True, BatchErrorContinuationOption="Stop", BatchOrderOption=True)
                expect([one.ok for one in answer.items] == [True, False] and there("Stop", 1) == 1 and there("Stop", 2) == 0, f"Stop: {answer.items}")
                answer = client.request(batch("Continue"), True, BatchErrorContinuationOption="Continue", BatchOrderOption=True)
                expect([one.ok for one in answer.items] == [True, False, True] and there("Continue", 2) == 1, f"Continue: {answer.items}")
                answer = client.request(batch("Undo"), True, BatchErrorContinuationOption="Undo", BatchOrderOption=True)
                expect([one.status for one in answer.items][:2] == ["OperationUndone", "OperationFailed"], f"Undo: {answer.items}")
                expect(there("Undo", 1) == 0 and there("Undo", 2) == 0, "nothing of it is left")


@test
def the_id_placeholder_is_the_last_object_of_the_batch():
    with SITE.started() as server:
        for version in ((1, 0), (1, 4), (2, 1)):
            with server.client("alice", version=version) as client:
                create = op("Create", item("ObjectType", "SymmetricKey"), client.attributes(CryptographicAlgorithm="AES", CryptographicLength=128,
                                                                                            CryptographicUsageMask="Encrypt"))
                answer = client.request([create, op("Activate"), op("Get")], True, BatchOrderOption=True)
                ids = [one.payload["UniqueIdentifier"] for one in answer.items]
                expect(all(one.ok for one in answer.items) and len(set(ids)) == 1, answer.items)
                expect(client.state(ids[0]) == "Active", "it was this one that was activated")
                client.fails("Get", ["ItemNotFound", "ObjectNotFound", "InvalidField", "InvalidMessage", "MissingData"])  # a batch begins without one


@test
def answers_are_in_the_version_of_the_request_and_know_nothing_younger():
    with SITE.started() as server:
        uid = None
        for version in ((1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 0), (2, 1)):
            with server.client("alice", version=version) as client:
                uid = uid or client.create(Name="versions")
                listed = client.ok("GetAttributeList", UniqueIdentifier=uid)
                names = [one.value for one in listed.all("AttributeName")]
                expect(("Fresh" in names) == ((1, 1) <= version < (2, 0)) or version >= (2, 0), f"{version}: Fresh is of 1.1: {names}")
                expect(("Original Creation Date" in names) == ((1, 2) <= version < (2, 0)) or version >= (2, 0), f"{version}: {names}")
                expect(("Sensitive" in names) == (version == (1, 4)) or version >= (2, 0), f"{version}: {names}")
                expect(bool(listed.all("AttributeReference")) == (version >= (2, 0)), f"{version}: {listed}")
                answer = client.request([op("GetAttributes", UniqueIdentifier=uid)])
                expect(("Attributes" in answer[0].payload) == (version >= (2, 0)) and ("Attribute" in answer[0].payload) == (version < (2, 0)), answer[0])


@test
def versions_that_nobody_knows_are_refused_in_one_that_both_may_read():
    with SITE.started() as server, server.client("alice") as client:
        for version in ((3, 0), (9, 9), (0, 1)):
            answer = client.exchange(message(version, [op("Query", QueryFunction="QueryOperations")]))
            expect(len(answer) == 1 and not answer[0].ok and answer[0].reason in ("InvalidMessage", "UnsupportedProtocolVersion"), f"{version}: {answer[0]}")
        client.ok("DiscoverVersions")  # and the connection goes on


@test
def discover_versions_answers_what_both_sides_know():
    def wanted(*versions):
        return [item("ProtocolVersion", [item("ProtocolVersionMajor", a), item("ProtocolVersionMinor", b)]) for a, b in versions]

    def got(payload):
        return [(one["ProtocolVersionMajor"], one["ProtocolVersionMinor"]) for one in payload.all("ProtocolVersion")]

    with SITE.started() as server, server.client("alice", version=(1, 1)) as client:
        expect(got(client.ok("DiscoverVersions", *wanted((1, 2), (9, 0), (1, 4)))) == [(1, 4), (1, 2)], "what both know, the newest first")
        expect(got(client.ok("DiscoverVersions", *wanted((9, 0)))) == [], "nothing in common is no error")
        expect(got(client.ok("DiscoverVersions")) == [(2, 1), (2, 0), (1, 4), (1, 3), (1, 2), (1, 1), (1, 0)], "the newest first")


@test
def a_clock_that_differs_is_no_reason_to_refuse():
    """Some clients' clocks are a second ahead, some an hour behind."""
    with SITE.started() as server, server.client("alice") as client:
        for skew in (-3600, 1, 3600):
            expect(client.request([op("DiscoverVersions")], TimeStamp=int(time.time()) + skew)[0].ok, skew)


@test
def a_resumed_tls_session_is_the_same_client():
    """Veeam resumes sessions: a server without a session-ID context would break it."""
    with SITE.started() as server:
        own = server.client("alice", tls={"maximum_version": ssl.TLSVersion.TLSv1_2})
        context = own.context()
        sessions = []
        for _ in range(2):
            plain = socket.create_connection(("127.0.0.1", server.port), 20)
            with context.wrap_socket(plain, session=sessions[-1] if sessions else None) as connection:
                expect(connection.session_reused == bool(sessions), "the second is resumed")
                own.socket = connection
                own.create()
                sessions.append(connection.session)
        own.socket = None


@test
def messages_that_are_none_are_refused_and_the_server_goes_on():
    with SITE.started() as server:
        good = message_bytes(Client(port=1, ca="x"), [op("DiscoverVersions")])
        for bad in (good[:8] + good[8:-8], good[:3] + b"\x02" + good[4:], b"\x42\x00\x78\x01\x7f\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", bytes(64)):
            with server.client("alice") as client:
                client.connect().socket.sendall(bad)
                client.socket.settimeout(3)
                try:
                    head = client.socket.recv(8)
                    if head:
                        client.read(struct.unpack(">I", head[4:])[0])
                except (TimeoutError, ConnectionError, ssl.SSLError, AssertionError):
                    pass
        with server.client("alice") as client:
            client.ok("DiscoverVersions")


@test
def odd_sizes_are_taken_as_they_are():
    """Some servers refuse lengths that others send. What is beyond a limit is told as such, and ends nothing."""
    with SITE.started() as server, server.client("alice") as client:
        for size in (1, 7, 33, 4096, 50_000):
            uid = client.register("OpaqueObject", item("OpaqueObject", [item("OpaqueDataType", 0x80000001), item("OpaqueDataValue", bytes([size & 255]) * size)]))
            expect(client.get(uid).find("OpaqueDataValue").value == bytes([size & 255]) * size, size)
        result = client.do("Register", item("ObjectType", "OpaqueObject"), client.attributes(),
                           item("OpaqueObject", [item("OpaqueDataType", 0x80000001), item("OpaqueDataValue", bytes(900_000))]))
        expect(not result.ok and result.message, result)
        uid = client.register("SymmetricKey", symmetric_key(bytes(32)), CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt",
                              x_Long="y" * 4000)
        expect(client.attribute(uid, "x-Long") == ["y" * 4000], "a long vendor attribute")


if __name__ == "__main__":
    sys.exit(main())
