#!/usr/bin/env python3
"""Restores that the running task is asked for: two operators, a switch that the task makes by itself, and what happens when it is refused, changed, stopped or killed."""
import os
import pwd
import re
import select
import shutil
import signal
import socket
import sys
import time

from confined import confined
from keyserver import LABEL2, SIGNED, SLOW, Site, read, tool, wait_until, write
from kx import Drive, Session
from otheruser import opened, raw_oper
from peer import Host
from scenario import Folder, expect, main, test
from softhsm import Token, helper_of

SITE = Site()
DRIVE = Drive(f"{SITE.folder}/drive").make().signed_by(SITE.master)
PASSWORD = "correct horse battery"
KILLS = max(2, int(os.environ.get("RESTORE_KILLS", "4")))
NOBODY = pwd.getpwnam("nobody").pw_uid
OTHER, STRANGER = NOBODY, 4712
# When a restore is killed, in parts of the time that a whole one takes: four of them, or as many as RESTORE_KILLS says. Each costs two derivations from the password.
PARTS = [i / (KILLS - 1) for i in range(KILLS)]
OLD, NEW = "000000000001", "000000000002"


def in_token(server):
    """Its master key is made in the token that its configuration names."""
    os.remove(server.value("config.masterkey.file"))
    tool("klmsrv", "--make-master", "pkcs11:token=KLM;object=klm.master", server.config)
    tool("klmsrv", "--confirm-escrow", server.value("config.masterkey.file"))


def prepared(server, **named):
    """A backup with one drive, and a state with another one beside it."""
    server.set("console.role.BACKUP=nobody")
    server.start(**named)
    opened(server)
    path = f"{server.files}/password"
    write(path, PASSWORD + "\n")
    os.chmod(path, 0o600)
    server.oper(f"adddrive -drivename {OLD}")
    server.oper("backup -file one -passwordfile password")
    wait_until("the backup", 30, lambda: "one is complete" in server.oper("backup -status"))
    server.oper(f"adddrive -drivename {NEW}")


def ask(server, *words, ends="Restore waits for confirmation"):
    server.oper(" ".join(("restore -file one -passwordfile password", *words)))
    return wait_until("the check", 30, lambda: ends in server.oper("backup -status") and server.oper("backup -status"))


def confirm(server, uid=OTHER):
    return raw_oper(server, uid, "restore -confirm -file one")


def agree(server):
    said = confirm(server)
    expect("Agreed" in said, said)


def drives(server):
    said = server.oper("listdrives")
    return [name for name in (OLD, NEW) if name in said]


def again(server, since):
    wait_until("the task", 60, lambda: "Server is running" in server.console()[since:] and os.path.exists(server.socket))
    return server.console()[since:]


def folders(server):
    return [name for name in os.listdir(f"{server.home}/lib") if ".before-" in name]


@test
def in_the_confinement_of_its_unit_the_task_backs_up_restores_and_starts_again():
    with SITE.server() as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{server.home}/notify")
        manager.setblocking(False)
        prepared(server, wrap=confined(server.home), env={"NOTIFY_SOCKET": f"{server.home}/notify"})
        pid, since = server.pid, len(server.console())
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            status = dict(re.findall(r"(?m)^(\w+):\s+(\S+)", file.read()))
        expect(status["Seccomp"] == "2" and status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0, status)
        ask(server, "-accept older")
        agree(server)
        said = again(server, since)
        expect("KLM1257I" in said and "KLM1227I" in said and drives(server) == [OLD], said)
        expect(server.pid == pid, "another process")
        told = []
        while not told or told[-1] != "READY=1\nSTATUS=Serving keys" or len(told) < 3:
            wait_until("what the service manager is told", 10, lambda: select.select([manager], [], [], 0)[0])
            told.append(manager.recv(4096).decode())
        expect("STATUS=Restoring a backup" in told and "STOPPING=1" not in told, f"systemd would give it TimeoutStopSec for all of its second life: {told}")
        server.oper("modconfig -set -property Audit.handler.file.size -value 20000")
        server.oper(f"adddrive -drivename {NEW}")
        server.stop()


def limits_of(pid):
    with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
        return {name.strip(): soft for name, soft in re.findall(r"(?m)^(Max [a-z ]+?) {2,}(\S+)", file.read())}


@test
def in_the_confinement_of_its_unit_a_task_with_its_master_key_in_a_token_serves_backs_up_restores_and_starts_again():
    with Folder() as folder:
        token = Token(f"{folder}/hsm")
        site = Site(*token.properties(), "pkcs11.masterkey=strict", master=in_token)
        host = Host(f"{site.folder}/host").make(site.master)
        with site.server() as server:
            prepared(server, wrap=confined(server.home, token.tokens))
            since, helper = len(server.console()), wait_until("a helper", 10, lambda: helper_of(server))
            with open(f"/proc/{helper}/status", encoding="utf-8") as file:
                status = dict(re.findall(r"(?m)^(\w+):\s+(\S+)", file.read()))
            expect(status["Seccomp"] == "2" and int(status["Seccomp_filters"]) == 2 and int(status["CapEff"], 16) == 0, f"the unit's and its own: {status}")
            expect(limits_of(helper)["Max core file size"] == "0", limits_of(helper))
            expect("strict" in server.status("Master key place"), "place")
            host.attach(server)
            server.oper(f"adddrive -drivename {host.serial} -cert DRIVE.{host.serial}.CERT")
            host.write("CNF001", b"before"), expect(host.read("CNF001") == b"before", "served")
            server.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('Made_here')) WITHLABEL('Made_here') PCICC(MADE.HERE) SIZE(2048) HARDWARE {SIGNED}")  # writes into the token
            ask(server, "-accept older")
            agree(server)
            said = again(server, since)
            expect("KLM1257I" in said and "KLM1227I" in said and drives(server) == [OLD], said)
            expect("strict" in server.status("Master key place") and helper_of(server) not in (None, helper), "another helper of the new life")
            server.oper(f"adddrive -drivename {host.serial} -cert DRIVE.{host.serial}.CERT")
            host.write("CNF002", b"after"), expect(host.read("CNF001") == b"before" and host.read("CNF002") == b"after", "served again")
            helper = helper_of(server)
            os.kill(helper, signal.SIGKILL)  # the spawner, too, is confined
            expect(host.read("CNF002") == b"after" and helper_of(server) not in (None, helper), "by the next helper")
            server.stop()
            server.start(wrap=confined(server.home))  # a token that may only be read: it serves, and no key is made in it
            expect(host.read("CNF002") == b"after", "read-only")
            said = server.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('Other')) WITHLABEL('Other') PCICC(OTHER.KEY) SIZE(2048) HARDWARE {SIGNED}", status=1)
            expect("KLM1411E" in said, said)
            server.stop()


@test
def two_operators_agree_and_the_task_restores_and_starts_again_by_itself():
    with SITE.server() as server:
        prepared(server)
        pid = server.pid
        expect("KLM1221E" in ask(server, ends="KLM1221E"), "an older one takes consent")
        expect("KLM1254E" in confirm(server), "what was refused does not wait")
        said = ask(server, "-accept older")
        expect(re.search(r"Records of drive +1 in it, 2 here", said) and re.search(r"Changes +\d+ in it, \d+ here", said), said)
        server.says("KLM1252A")
        expect("KLM1255E" in server.oper("restore -confirm -file one", status=1), "by the same operator")
        expect("KLM" in confirm(server, STRANGER) and drives(server) == [OLD, NEW], "without the right")
        expect("KLM1254E" in raw_oper(server, OTHER, "restore -confirm -file two"), "another file")
        expect(drives(server) == [OLD, NEW], "nothing has changed")
        since = len(server.console())
        agree(server)
        said = again(server, since)
        expect("KLM1257I" in said and "KLM1227I" in said and said.index("KLM1227I") < said.index("Server is running"), said)
        expect(server.pid == pid and server.process.poll() is None, "another process")
        expect(drives(server) == [OLD], "the state of the backup")
        server.oper(f"adddrive -drivename {DRIVE.serial} -rec1 {LABEL2}")
        with Session(server, DRIVE) as session:
            expect(session.create("VOL001"), "it serves")
        for what, result in (("restore-request", "successful"), ("restore-confirm", "unsuccessful"), ("restore-confirm", "successful"), ("action=restore", "successful")):
            expect(server.audited(what, f"result={result}"), f"{what} {result}")
        expect(PASSWORD not in read(server.console_path) + read(server.audit_path), "the password was said")
        kept = re.search(r"kept in (\S+)", said)[1]
        server.stop()
        server.tool("klmsrv", f"--undo-restore={kept}", server.config)
        server.start()
        expect(drives(server) == [OLD, NEW], "the state before was kept")


@test
def a_restore_that_is_dropped_or_of_a_file_that_was_changed_leaves_the_state_as_it_was():
    with SITE.server() as server:
        prepared(server)
        ask(server, "-accept older")
        expect("dropped" in server.oper("backup -cancel"), "dropped")
        expect("KLM1254E" in confirm(server), "it is gone")
        expect("KLM1261E" in server.oper("restore -file one -passwordfile password -accept everything", status=2), "consent to what")
        ask(server, "-accept older")
        server.oper("backup -file two -passwordfile password")
        wait_until("the backup", 30, lambda: "two is complete" in server.oper("backup -status"))
        folder = f"{server.home}/lib/backup"
        os.replace(f"{folder}/two", f"{folder}/one")
        since = len(server.console())
        agree(server)
        said = again(server, since)
        expect("KLM1256E" in said and "KLM1258E" in said, said)
        expect(drives(server) == [OLD, NEW], "the state was changed")
        expect(server.audited("restore-failed", "KLM1256E", "result=unsuccessful"), "on record")


@test
def a_task_that_is_stopped_meanwhile_ends_without_the_restore():
    with SITE.server() as server:
        prepared(server)
        server.oper(f"adddrive -drivename {DRIVE.serial} -rec1 {LABEL2}")
        ask(server, "-accept older")
        with Session(server, DRIVE) as session:
            session.create("VOL001")
            agree(server)
            wait_until("its end", 10, lambda: "KLM1252A" in server.console() and "KLM0" in server.console())
            os.kill(server.pid, signal.SIGTERM)
            expect(server.process.wait(60 * SLOW) == 0, "its status")
        expect("KLM1259W" in server.console() and "KLM1257I" not in server.console(), server.console()[-2000:])
        server.start()
        expect(drives(server) == [OLD, NEW], "the state was changed")


@test
def killed_at_any_point_the_next_start_has_one_state_or_the_other():
    with SITE.server() as server:
        prepared(server)
        server.stop()
        shutil.copytree(server.home, f"{server.home}.kept", ignore=shutil.ignore_patterns("RESERVE"))
        seen, whole = set(), None
        for number, part in enumerate((None, *PARTS, 0, 0, 0)):
            if number > len(PARTS) and len(seen) == 2:
                break  # the last ones are for a machine that stood still when it should have killed at once
            server.start()
            opened(server)
            ask(server, "-accept older")
            since, began = len(server.console()), time.monotonic()
            agree(server)
            if part is None:
                again(server, since)
                whole = time.monotonic() - began
            wait = whole * (part or 0)
            time.sleep(wait)
            server.process.kill()
            server.process.wait()
            server.start()
            got = tuple(drives(server))
            expect(got in ((OLD,), (OLD, NEW)) and server.status("Store") == "ready", f"{got} after {wait} s")
            seen.add(got)
            server.stop()
            left = [name for name in os.listdir(f"{server.home}/lib") if name.endswith((".new", ".restore", ".restored"))]
            expect(not left, f"left after {wait} s: {left}")
            shutil.rmtree(server.home)
            shutil.copytree(f"{server.home}.kept", server.home)
        shutil.rmtree(f"{server.home}.kept")
        expect(len(seen) == 2, f"always {seen}")


if __name__ == "__main__":
    sys.exit(main())
