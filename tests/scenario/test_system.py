#!/usr/bin/env python3
"""A storage system with key servers that speak KMIP: its first key, a new one in two steps, key servers that lack it, keys of the past, refusals, kills on the way."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

from kmip import Client, attribute_values, item, items
from kmipserver import KmipServer, KmipSite
from keyserver import BIN, SIGNED, SLOW, read, write
from scenario import SOURCE, expect, main, run, test

sys.path.append(f"{SOURCE}/tests/ios")
import readarray  # noqa: E402
import readsystem  # noqa: E402

SITE = KmipSite("tklm.backup.keep=9", clients=())
GROUP, PASSWORD = "SPECTRUM_VIRT", "correct horse battery"
CRASH = f"{SITE.folder}/crash.so"
run(os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-w", "-o", CRASH, f"{SOURCE}/tests/peers/crash.c", "-ldl")


class System:
    """A storage system in a folder."""

    def __init__(self, home):
        self.home = home

    def run(self, command, *words, status=0, data=None, **env):
        done = subprocess.run([f"{BIN}/iosdrive", "system", command, *words], env={**os.environ, "KLM_SYSTEM": self.home, **env}, input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60 * SLOW,
                              **({"stdin": subprocess.DEVNULL} if data is None else {}))
        said = done.stdout.decode(errors="replace")
        expect(status is None or done.returncode == status, f"iosdrive system {command} {words}: {done.returncode}, not {status}: {said}")
        self.status = done.returncode
        return said

    def make(self, server):
        """Identity, signed by the authority of the server's site."""
        self.run("init", "-name", "SVC1", self.home)
        shutil.copy(f"{self.home}/system.csr", f"{server.files}/SVC1.CSR")
        server.racf(f"ID(TAPEKMS) GENCERT('SVC1.CSR') WITHLABEL('SVC1') ROLE(CLIENT) {SIGNED}")
        server.racf("ID(TAPEKMS) EXPORT(LABEL('SVC1')) DSN('SVC1.CERT') FORMAT(CERTB64)")
        self.run("install", "-cert", f"{server.files}/SVC1.CERT", "-ca", f"{server.home}/drive/ca.crt")
        return self

    def copy(self, home):
        shutil.copytree(self.home, home)
        return System(home)

    def rows(self, command, *words):
        lines = [line.split("|") for line in self.run(command, "-delim", "|", *words).splitlines() if not line.startswith(("KLM", "  "))]
        return [dict(zip(lines[0], line)) for line in lines[1:]]

    def keyservers(self):
        """Name: whether it is online."""
        return {row["name"]: row["status"] for row in self.rows("lskeyserver")}

    def error(self, name):
        return next(row["error"] for row in self.rows("lskeyserver") if row["name"] == name)

    def encryption(self):
        return dict(line.split(" ", 1) for line in self.run("lsencryption").splitlines())

    def rekey(self, step, **named):
        return self.run("chencryption", "-keyserver", "newkey", "-key", step, **named)

    def write(self, name, data, **named):
        return self.run("write", name, data=data, **named)

    def read(self, name, status=0):
        out = f"{self.home}/out"
        said = self.run("read", name, out, status=status)
        if status:
            return said
        with open(out, "rb") as file:
            return file.read()

    def client(self, server, version=(1, 4)):
        """A KMIP client of our own with the identity of the system."""
        return Client(version=version, port=server.port, cert=f"{self.home}/system.crt", key=f"{self.home}/system.key", ca=f"{self.home}/ca.crt")

    def keys(self, server):
        """What a key server has of this system: Name, state, links, by identifier."""
        with self.client(server) as client:
            found = client.ok("Locate", *client.attributes(x_Serial=self.state()["serial"]).value).all("UniqueIdentifier")
            out = {}
            for uid in (one.value for one in found):
                got = client.ok("GetAttributes", UniqueIdentifier=uid)
                links = {one.get("LinkType"): one.get("LinkedObjectIdentifier") for one in attribute_values(got, "Link")}
                out[uid] = {"state": attribute_values(got, "State")[0], "replaced": links.get(0x107), "replacement": links.get(0x106)}
            return out

    def state(self):
        with open(f"{self.home}/system.state", "rb") as file:
            return readsystem.parse_state(file.read())


IDENTITY = System(f"{SITE.folder}/identity").make(SITE.master)
PRE_ACTIVE, ACTIVE, DEACTIVATED, DESTROYED = 1, 2, 3, 5
COUNT = [0]


class Rig:
    """with Rig(3) as (system, one, two, three): key servers that run and know the system, which has them all; nothing is encrypted yet."""

    def __init__(self, servers, delete=True, register=True):
        self.n, self.delete, self.register = servers, delete, register

    def __enter__(self):
        COUNT[0] += 1
        self.copies = [SITE.server(f"server.id=KEYS{n}") for n in range(self.n)]
        self.servers = [KmipServer(copy.__enter__().home) for copy in self.copies]
        self.system = IDENTITY.copy(f"{SITE.folder}/system{COUNT[0]}")
        for n, server in enumerate(self.servers):
            server.start()
            if self.register:
                server.oper(f"adddevicegroup -name {GROUP} -enableKMIPDelete {'true' if self.delete else 'false'}")
                server.oper(f"addclient -name SVC1 -group {GROUP} -cert SVC1.CERT")
            self.system.run("mkkeyserver", "-ip", "127.0.0.1", "-port", str(server.port), "-name", f"keys{n}")
        return (self.system, *self.servers)

    def __exit__(self, kind, *_):
        for server in self.servers:
            server.kill()
            if kind is not None:
                print("".join(f"#   console: {line}\n" for line in server.console()[-1500:].splitlines()), end="")
            shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(self.system.home, ignore_errors=True)


def password(server):
    path = f"{server.home}/password"
    write(path, PASSWORD + "\n")
    os.chmod(path, 0o600)
    return f"--password-file={path}"


def replicate(source, *others):
    """A copy of the primary key server for the others: a backup, restored."""
    COUNT[0] += 1
    name = f"copy{COUNT[0]}"
    source.tool("klmsrv", f"--backup={name}", password(source), source.config)
    for server in others:
        server.stop()
        server.tool("klmsrv", "--restore", f"{source.home}/lib/backup/{name}", "--accept=foreign,older", password(server), server.config)
        server.start()


def volume_with(key, system, name):
    """The content of a volume, by a reader that is not ours and a key that it was given."""
    return readsystem.read_volume(system.home, name, key)


@test
def a_new_key_is_made_on_the_primary_alone_and_the_old_one_stays_readable():
    with Rig(3) as (system, primary, second, third):
        expect(system.encryption()["keyserver_rekey"] == "no_key" and set(system.keyservers().values()) == {"online"}, system.encryption())
        expect("KLM2111E" in system.write("VOL1", b"data", status=1), "nothing is written in clear")
        system.run("chencryption", "-keyserver", "enable")
        first = system.encryption()["keyserver_pmk_uid"]
        expect(system.encryption() == {"status": "enabled", "keyserver_status": "enabled", "keyserver_rekey": "no", "keyserver_pmk_uid": first,
                                       "keyserver_pmk_rekey_uid": ""}, system.encryption())
        expect(system.keyservers() == {"keys0": "online", "keys1": "offline", "keys2": "offline"}, system.keyservers())
        expect("ItemNotFound" in system.error("keys1"), system.error("keys1"))
        expect("KLM2110E" in system.rekey("prepare", status=1) and system.encryption()["keyserver_rekey"] == "no", "all have to be online")
        replicate(primary, second, third)
        expect(set(system.keyservers().values()) == {"online"}, system.run("lskeyserver"))
        old = os.urandom(66000)
        system.write("OLD", old)

        said = system.rekey("prepare")
        new = system.encryption()["keyserver_pmk_rekey_uid"]
        expect("KLM2113I" in said and new in said and system.encryption()["keyserver_rekey"] == "prepared", said)
        expect(system.encryption()["keyserver_pmk_uid"] == first != new, "the key before is in force")
        expect(system.keyservers() == {"keys0": "online", "keys1": "offline", "keys2": "offline"}, system.keyservers())
        expect(new in system.keys(primary) and new not in system.keys(second) and new not in system.keys(third), "made on the primary alone")
        expect(system.keys(primary)[new] == {"state": PRE_ACTIVE, "replaced": None, "replacement": None}, system.keys(primary))
        system.write("BETWEEN", b"still under the first key")
        expect(system.read("OLD") == old, "and readable")

        system.rekey("commit")
        expect((system.encryption()["keyserver_rekey"], system.encryption()["keyserver_pmk_uid"]) == ("no", new), system.encryption())
        expect(system.keys(primary) == {first: {"state": DEACTIVATED, "replaced": None, "replacement": new},
                                        new: {"state": ACTIVE, "replaced": first, "replacement": None}}, system.keys(primary))
        system.write("NEW", b"under the second key")
        expect(system.keyservers() == {"keys0": "online", "keys1": "offline", "keys2": "offline"}, system.keyservers())
        history = {row["number"]: (row["state"], row["volumes"], row["uid"], row["server_state"], row["replaced"], row["replacement"])
                   for row in system.rows("lskey")}
        expect(history == {"1": ("obsolete", "2", first, "Deactivated", "", new), "2": ("current", "1", new, "Active", first, "")}, history)
        volumes = {row["name"]: (row["key"], row["key_state"]) for row in system.rows("lsvolume")}
        expect(volumes == {"OLD": ("1", "obsolete"), "BETWEEN": ("1", "obsolete"), "NEW": ("2", "current")}, volumes)
        with system.client(primary, version=(2, 1)) as client:  # the keys are the server's, and what is on disk is under them
            keys = {uid: client.ok("Get", UniqueIdentifier=uid).find("KeyMaterial").value for uid in (first, new)}
        expect(volume_with(keys[first], system, "OLD") == old and volume_with(keys[new], system, "NEW") == b"under the second key", "the volumes")
        expect(volume_with(keys[first], system, "NEW") is None, "not under the first")

        replicate(primary, second)
        expect(system.keyservers() == {"keys0": "online", "keys1": "online", "keys2": "offline"}, system.keyservers())
        primary.stop()
        expect(system.read("OLD") == old and system.read("NEW") == b"under the second key", "from the second key server")
        expect("KLM2110E" in system.rekey("prepare", status=1), "no new key without the primary")
        second.stop()
        expect(system.read("OLD") == old, "the third key server has the key of the past")
        said = system.read("NEW", status=1)
        expect("KLM2118E" in said and "ItemNotFound" in said, said)
        for server in (primary, second, third):
            expect(server.runs() or server.end() == 0, "how it ended")


@test
def what_was_prepared_is_given_up_and_destroyed_where_that_is_allowed():
    with Rig(1) as (system, primary):
        expect("KLM2111E" in system.rekey("prepare", status=1) and "KLM2111E" in system.rekey("commit", status=1), "not enabled")
        system.run("chencryption", "-keyserver", "enable")
        expect("KLM2111E" in system.rekey("commit", status=1) and "KLM2111E" in system.rekey("cancel", status=1), "nothing is prepared")
        first = system.encryption()["keyserver_pmk_uid"]
        system.rekey("prepare")
        expect("KLM2111E" in system.rekey("prepare", status=1), "twice")
        second = system.encryption()["keyserver_pmk_rekey_uid"]
        expect("KLM2108E" in system.run("rmkeyserver", "0", status=1), "the last one")
        said = system.rekey("cancel")
        expect("KLM2115I" in said and "KLM2112W" not in said, said)
        with system.client(primary) as client:
            state = attribute_values(client.ok("GetAttributes", UniqueIdentifier=second), "State")
        expect(state == [DESTROYED] and system.keys(primary)[first]["state"] == ACTIVE, f"{state} {system.keys(primary)}")
        primary.oper(f"moddevicegroup -name {GROUP} -enableKMIPDelete false")
        system.rekey("prepare")
        third = system.encryption()["keyserver_pmk_rekey_uid"]
        said = system.rekey("cancel")
        expect("KLM2112W" in said and "PermissionDenied" in said and "KLM2115I" in said, said)
        expect(system.keys(primary)[third]["state"] == PRE_ACTIVE, "left")
        system.rekey("prepare"), system.rekey("commit")
        states = [(row["number"], row["state"]) for row in system.rows("lskey")]
        expect(states == [("1", "obsolete"), ("2", "cancelled"), ("3", "cancelled"), ("4", "current")], states)
        system.write("VOL", b"data")
        expect("KLM2111E" in system.run("chencryption", "-keyserver", "disable", status=1), "there is a volume")
        os.unlink(f"{system.home}/volumes/VOL.vol")
        system.run("chencryption", "-keyserver", "disable")
        expect(system.encryption()["keyserver_rekey"] == "no_key" and {one["state"] for one in system.keys(primary).values()} ==
               {DEACTIVATED, PRE_ACTIVE}, system.keys(primary))
        system.run("chencryption", "-keyserver", "enable")
        expect(system.rows("lskey")[-1]["number"] == "5", "a new one")


@test
def key_servers_that_do_not_know_the_system_or_are_not_there_are_offline_with_the_reason():
    with Rig(2, register=False) as (system, primary, second):
        expect(system.keyservers() == {"keys0": "offline", "keys1": "offline"}, system.keyservers())
        expect(re.search("Authentication|Permission", system.error("keys0")), system.error("keys0"))
        waiting = primary.oper("listpendingclients")
        expect("SVC1" in waiting, waiting)
        expect("KLM2110E" in system.run("chencryption", "-keyserver", "enable", status=1), "not with those")
        expect(system.encryption()["keyserver_rekey"] == "no_key", "nothing was begun")
        second.stop()
        said = system.run("lskeyserver", "keys1", "-timeout", "2")
        expect("status offline" in said and "refused" in said, said)
        other = System(f"{system.home}/other")
        other.run("init", "-name", "other", other.home)
        expect("KLM2104E" in other.run("install", "-cert", f"{system.home}/system.crt", "-ca", f"{system.home}/ca.crt", status=1), "another's")
        for n, port in enumerate((1, 2)):
            system.run("mkkeyserver", "-ip", "127.0.0.1", "-port", str(port), "-name", f"more{n}")
        expect("KLM2108E" in system.run("mkkeyserver", "-ip", "127.0.0.1", "-port", "3", status=1), "a fifth one")
        expect("KLM2108E" in system.run("rmkeyserver", "keys0", status=1), "the primary")
        system.run("chkeyserver", "-primary", "keys1"), system.run("rmkeyserver", "keys0"), system.run("rmkeyserver", "more0")
        expect([(row["id"], row["name"], row["primary"]) for row in system.rows("lskeyserver", "-timeout", "2")] ==
               [("1", "keys1", "yes"), ("3", "more1", "no")], system.run("lskeyserver"))
        system.run("mkkeyserver", "-ip", "localhost", "-name", "back")
        expect(system.state()["servers"][0] == (0, "back", "localhost", 5696), system.state())


@test
def wrong_words_are_told_and_nothing_is_done():
    system = IDENTITY
    before = read(f"{system.home}/system.state")
    for words in (["chencryption"], ["chencryption", "-keyserver", "newkey"], ["chencryption", "-keyserver", "newkey", "-key", "undo"],
                  ["chencryption", "-keyserver", "enable", "-key", "prepare"], ["chencryption", "-usb", "enable"], ["mkkeyserver"],
                  ["mkkeyserver", "-ip", "h", "-port", "0"], ["mkkeyserver", "-ip", "h", "-port", "65536"], ["mkkeyserver", "-ip", "h", "-name", "n" * 33],
                  ["chkeyserver", "0"], ["lsencryption", "-delim", "::"], ["lskeyserver", "1", "2"], ["nothing"], [], ["write"], ["init", "/tmp/x"]):
        said = system.run(*words, status=2) if words else run(f"{BIN}/iosdrive", "system", status=2)
        expect("KLM1050E" in said, said)
    expect("KLM2101E" in System("/nowhere").run("lsencryption", status=1), "no system")
    expect("KLM1050E" in System("").run("lsencryption", status=2), "none named")
    for words in (["lskeyserver", "x"], ["rmkeyserver", "9"], ["chkeyserver", "-primary", "x"]):
        expect("KLM2107E" in system.run(*words, status=1), words)
    expect("chencryption" in system.run("--help") and "-keyserver" in system.run("chencryption", "--help"), "help")
    expect(read(f"{system.home}/system.state") == before, "it was changed")


class Peer:
    """Something else than a key server on a port of loopback: what it does with a connection is a function of the socket (with TLS when it has a certificate)."""

    def __init__(self, act, cert=None):
        self.act, self.context = act, None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*cert)
            self.context.load_verify_locations(f"{IDENTITY.home}/ca.crt")
            self.context.verify_mode = ssl.CERT_OPTIONAL
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                with (self.context.wrap_socket(plain, server_side=True) if self.context else plain) as connection:
                    self.act(connection)
            except OSError:
                pass  # the other side went away, as it should


def hang_up(connection):
    """Ends TLS without a word, then waits, so that it is no reset."""
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass


def until_closed(connection, first=b""):
    connection.recv(4096)
    connection.sendall(first)
    while connection.recv(4096):
        pass


@test
def peers_that_are_no_key_servers_are_offline_with_the_reason_in_time():
    master = SITE.master
    for name, role in (("peer", "SERVER"), ("notserver", "CLIENT")):
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{SITE.folder}/{name}.key",
            "-out", f"{master.files}/{name.upper()}.CSR")
        master.racf(f"ID(TAPEKMS) GENCERT('{name.upper()}.CSR') WITHLABEL('{name}') ROLE({role}) {SIGNED}")
        master.racf(f"ID(TAPEKMS) EXPORT(LABEL('{name}')) DSN('{name.upper()}.CERT') FORMAT(CERTB64)")
    cert, other = ((f"{master.files}/{name.upper()}.CERT", f"{SITE.folder}/{name}.key") for name in ("peer", "notserver"))
    huge = bytes.fromhex("42007B01") + (1 << 30).to_bytes(4, "big")
    rows = ((lambda c: None, cert, "closed|reset"), (hang_up, cert, "it closed the connection"), (lambda c: until_closed(c, b"HTTP/1.1 400 Bad Request\r\n\r\n"), cert, "something else than KMIP"),
            (lambda c: until_closed(c, huge), cert, "something else than KMIP"), (lambda c: until_closed(c, huge[:4] + (64).to_bytes(4, "big") + b"x"), cert, "in time"),
            (lambda c: until_closed(c, huge[:4] + bytes(4)), cert, "no result"), (lambda c: until_closed(c), cert, "in time"),
            (until_closed, other, "certificate"), (lambda c: until_closed(c, b"hello"), None, "TLS"))
    for n, (act, own, why) in enumerate(rows):
        system = IDENTITY.copy(f"{SITE.folder}/peer{n}")
        with Peer(act, own) as peer:
            system.run("mkkeyserver", "-ip", "127.0.0.1", "-port", str(peer.port))
            began = time.monotonic()
            said = system.run("lskeyserver", "0", "-timeout", "3" if why == "in time" else "30")
            expect("status offline" in said and re.search(why, said), f"{n}: {said}")
            expect(time.monotonic() - began < 15 * SLOW, f"{n}: too long")
            expect(n or "KLM2110E" in system.run("chencryption", "-keyserver", "enable", status=1), "no key from such")
        shutil.rmtree(system.home)


def killed_at(system, n, *words):
    """Whether the command was killed before its n-th call that changes a file of the system."""
    system.run(*words, status=None, LD_PRELOAD=CRASH, CRASH_AT=str(n), CRASH_BELOW=system.home)
    expect(system.status in (0, -9), f"{words} at {n}: {system.status}")
    return system.status == -9


@test
def a_rekey_that_is_killed_anywhere_is_given_again_and_makes_one_key_each_time():
    prepare, commit = (("chencryption", "-keyserver", "newkey", "-key", step) for step in ("prepare", "commit"))
    with Rig(1) as (system, primary):
        system.run("chencryption", "-keyserver", "enable")
        at, kills, before = 0, 0, system.encryption()["keyserver_pmk_uid"]
        system.write("FIRST", b"from the beginning")
        while True:
            at += 1
            killed = killed_at(system, at, *prepare)
            expect(system.read("FIRST") == b"from the beginning" and system.encryption()["keyserver_pmk_uid"] == before, "after a kill")
            if system.encryption()["keyserver_rekey"] != "prepared":
                system.run(*prepare)
            new = system.encryption()["keyserver_pmk_rekey_uid"]
            also = killed_at(system, at, *commit)
            expect(system.encryption()["keyserver_rekey"] in ("prepared", "committing", "no"), system.encryption())
            if system.encryption()["keyserver_rekey"] != "no":
                system.run(*commit)
            expect(system.encryption()["keyserver_pmk_uid"] == new, system.encryption())
            before, kills = new, kills + killed + also
            if not killed and not also:
                break
        expect(kills > 15, f"{kills} kills")
        keys = system.keys(primary)
        expect(len(keys) == at + 1 == len(system.state()["keys"]), f"{len(keys)} keys after {at} rekeys")
        uids = [one["uid"] for one in system.state()["keys"]]
        for older, newer in zip(uids, uids[1:]):
            expect(keys[older]["state"] == DEACTIVATED and keys[older]["replacement"] == newer and keys[newer]["replaced"] == older, keys[older])
        expect(keys[uids[-1]]["state"] == ACTIVE and system.read("FIRST") == b"from the beginning", "the last one")


if __name__ == "__main__":
    sys.exit(main())
