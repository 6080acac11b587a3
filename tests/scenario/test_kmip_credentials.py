#!/usr/bin/env python3
"""Credentials in messages, against the real server in TTLV: passwords, one-time passwords that a kill does not bring back, hashed passwords of KMIP 2.x."""
import hashlib
import os
import struct
import time

from keyserver import write
from kmip import DATE_EXTENDED, Item, item, op
from kmipserver import KmipSite
from scenario import expect, main, test

SITE = KmipSite()
CODES = [f"one-time-password-{n:04d}" for n in range(4)]


def secret(server, name, text, mode=0o600):
    path = f"{server.files}/{name}"
    write(path, text)
    os.chmod(path, mode)
    return name


def credential(kind, *fields):
    return [item("Credential", [item("CredentialType", kind), item("CredentialValue", list(fields))])]


def answer(client, *credentials, version=None):
    """How a Query in a message with these credentials ends: a Result Reason, or None."""
    header = {"Authentication": [one for each in credentials for one in each]} if credentials else {}
    answer = client.request([op("Locate")], version=version, **header)
    return None if answer[0].ok else answer[0].reason


def password(user, text):
    return credential("UsernameAndPassword", item("Username", user), item("Password", text))


def once(user, code, text=None):
    return credential("OneTimePassword", item("Username", user), *([item("Password", text)] if text else []), item("OneTimePassword", code))


def hashed(user, text, stamp, hash="sha256", name=None):
    """KMIP 2.1, 9.11."""
    def digest(data):
        return hashlib.new(hash, data).digest()

    u, p, t = user.encode(), text.encode(), struct.pack(">q", stamp)
    s1, s2 = digest(u + p), digest(p + u)
    fields = [item("Username", user), Item("TimeStamp", DATE_EXTENDED, stamp)]
    if name:
        fields.append(item("HashingAlgorithm", name))
    return credential("HashedPassword", *fields, item("HashedPassword", digest(s1 + t) + s2)), digest(t + s1 + digest(s2))


@test
def a_user_name_and_password_are_right_or_the_message_is_refused():
    with SITE.started("kmip.cache.megabytes=64") as server:
        server.register("alice")
        server.oper(f"modclient -name alice -user backup -passwordfile {secret(server, 'pw', 'correct horse battery')}")
        for version in ((1, 0), (1, 4), (2, 1)):
            client = server.client("alice", version=version)
            expect(answer(client) == "AuthenticationNotSuccessful", "none")
            expect(answer(client, password("backup", "correct horse batterz")) == "AuthenticationNotSuccessful", "another one")
            expect(answer(client, password("backup", "correct horse battery")) is None, "the right one")
            expect(answer(client, password("backup", "correct horse batterz"), password("backup", "correct horse battery"))
                   == "AuthenticationNotSuccessful", "two that contradict each other")
        server.audited("KLM1944E", "alice")


@test
def a_one_time_password_is_used_up_before_it_is_answered_and_a_kill_brings_none_back():
    with SITE.started("kmip.cache.megabytes=64") as server:
        server.register("alice")
        secret(server, "codes", "\n".join(CODES) + "\n", 0o644)
        expect("KLM" in server.oper("modclient -name alice -once codes", status=1), "a file that others read")
        secret(server, "codes", "\n".join(CODES) + "\n")
        server.oper(f"modclient -name alice -user backup -passwordfile {secret(server, 'pw', 'correct horse battery')} -once codes")
        expect("4 left" in server.oper("listclients -name alice"), server.oper("listclients -name alice"))
        client = server.client("alice", version=(2, 1))
        expect(answer(client, password("backup", "correct horse battery")) == "AuthenticationNotSuccessful", "no one-time password")
        expect(answer(client, once("backup", CODES[0], "correct horse batterz")) == "AuthenticationNotSuccessful", "another password")
        expect(answer(client, once("backup", CODES[0], "correct horse battery")) is None, "both right; a wrong password used nothing up")
        expect(answer(client, once("backup", CODES[0], "correct horse battery")) == "AuthenticationNotSuccessful", "again")
        server.kill()
        server.start()
        client = server.client("alice", version=(2, 0))
        expect(answer(client, once("backup", CODES[0], "correct horse battery")) == "AuthenticationNotSuccessful", "over a kill")
        expect(answer(client, once("backup", CODES[2], "correct horse battery")) is None, "another one")
        expect("2 left" in server.oper("listclients -name alice"), server.oper("listclients -name alice"))
        server.audited("authentication type=one-time password", "one-time passwords left: 2")
        server.stop()
        for folder, _, names in os.walk(server.home):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and os.path.dirname(path) != server.files:
                    with open(path, "rb") as file:
                        expect(b"one-time-password-0" not in file.read(), f"a one-time password in {path}")


@test
def a_hashed_password_is_right_once_and_the_server_proves_itself_too():
    with SITE.started("kmip.cache.megabytes=64") as server:
        server.register("alice")
        server.oper(f"modclient -name alice -user backup -passwordfile {secret(server, 'pw', 'correct horse battery')} -hashed")
        client = server.client("alice", version=(2, 1))
        stamp = int(time.time() * 1000000)
        shown, expected = hashed("backup", "correct horse battery", stamp)
        got = client.request([op("Locate")], Authentication=shown)
        expect(got[0].ok, f"{got[0]}")
        expect(got.header["ServerHashedPassword"] == expected, "what the server shows")
        expect(answer(client, shown) == "AuthenticationNotSuccessful", "again")
        server.kill()
        server.start()
        client = server.client("alice", version=(2, 1))
        expect(answer(client, shown) == "AuthenticationNotSuccessful", "over a kill")
        for n, (hash, name) in enumerate((("sha256", "SHA_256"), ("sha384", "SHA_384"), ("sha512", "SHA_512"))):
            shown, expected = hashed("backup", "correct horse battery", stamp + n + 1, hash, name)
            expect(answer(client, shown) is None, name)
        shown, _ = hashed("backup", "correct horse battery", stamp + 9, "sha1", "SHA_1")
        expect(answer(client, shown) == "FeatureNotSupported", "SHA-1")
        expect(answer(client, password("backup", "correct horse battery")) is None, "and as it is")
        got = client.request([op("Locate")], Authentication=password("backup", "correct horse battery"))
        expect("ServerHashedPassword" not in got.header, "only for who asked so")


main()
