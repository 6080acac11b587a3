#!/usr/bin/env python3
"""The operator: every command of console/commands.def with its answers and refusals, files and edits, the dialogue, roles."""
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

from keyserver import BIN, LABEL, LABEL2, SLOW, Site, read, wait_until, write
from kx import Drive, Session
from otheruser import opened, raw_oper
from scenario import SOURCE, expect, main, run, test

SITE = Site()
DRIVE = Drive(f"{SITE.folder}/drive").make().signed_by(SITE.master)
ADD = f"adddrive -drivename {DRIVE.serial} -cert DRIVE.{DRIVE.serial}.CERT"
COMMANDS = re.findall(r'(?m)^CON_COMMAND\("([^"]+)", "([^"]*)", \w+, "[^"]*", (\w+), "((?:[^"\\]|\\.)*)"', read(f"{SOURCE}/console/commands.def"))


def refused(server, command, identifier, status=1):
    said = server.oper(command, status=status)
    expect(identifier in said, f"{command}: {said}")
    return said


def drives(server):
    return re.findall(r"(?m)^([0-9A-Z]{12})  ", server.oper("listdrives"))


def config_line(server, name):
    return [line for line in read(server.config).split("\n") if line.startswith(name + "=")]


# ---- Commands

@test
def every_command_is_listed_explained_and_has_its_syntax():
    with SITE.server() as server:
        server.start()
        listed = server.oper("help")
        expect(len(COMMANDS) > 25, "the table was not understood")
        for name, aliases, _, syntax in COMMANDS:
            expect(re.search(rf"(?m)^{name} ", listed), f"{name} is not listed")
            for word in (name, name.upper(), *filter(None, aliases.split(","))):
                expect(syntax.replace('\\"', '"') in server.oper(f"help {word}"), f"help {word}")
        expect(server.oper("?") == listed, "?")
        refused(server, "help nothing", "KLM0969E", 2)


@test
def syntax_errors_are_named_and_change_nothing():
    with SITE.server() as server:
        server.start()
        before = server.status("Changes in the store")
        for command, identifier in (
                ("adddrive", "KLM0908E"), ("adddrive -drivename", "KLM0972E"), (f"{ADD} -nonsense x", "KLM0971E"), (f"{ADD} more", "KLM0971E"),
                ("moddrive -rec1 x", "KLM0908E"), ("deletedrive", "KLM0908E"), ("acceptdrive", "KLM0908E"), ("rejectdrive", "KLM0908E"),
                ("list -alias", "KLM0972E"), ("listcerts -x", "KLM0971E"), ("listdrives -limit many", "KLM0904E"),
                ("listconfig -property", "KLM0972E"), ("modconfig", "KLM0908E"), ("modconfig -set -property debug", "KLM0908E"),
                ("query", "KLM0953E"), ("query -volser A -alias B", "KLM0953E"), ("query -volser TOOLONG", "KLM0905E"),
                ("refresh now", "KLM0971E"), ("status -v", "KLM0971E"), ("nothing", "KLM0969E"), ('list -alias "open', "KLM0962E")):
            refused(server, command, identifier, 2)
        for command in ("export -url FILE:x", "export -drivetab -config -url FILE:x", "export -drivetab", "import -drivetab -url FILE:x",
                        "import -merge -rewrite -drivetab -url FILE:x", "import -merge -url FILE:x", "modconfig -set -unset -property debug"):
            refused(server, command, "Usage: ", 2)
        for command in ("adddrive -drivename 12345", "adddrive -drivename 00000788842", "adddrive -drivename 00000788842-"):
            refused(server, command, "KLM0201E")
        refused(server, f"{ADD} -wwn 12", "KLM0202E")
        refused(server, "adddrive -drivename 000000000001 -kind TAPE", "KLM0954E", 2)
        expect(server.status("Changes in the store") == before and drives(server) == [], "something was changed")


@test
def system_commands_have_their_forms():
    with SITE.server() as server:
        server.start()
        for words in ("F ISKLM,APPL='status'", "f isklm,appl='status'", "MODIFY ISKLM,APPL='STATUS'", " F  ISKLM,APPL='status' "):
            expect("Server is running" in server.system(words), words)
        for words, identifier in (("F OTHER,APPL='status'", "KLM0964E"), ("F ISKLM,APPL=status", "KLM0965E"), ("F ISKLM,APPL='status", "KLM0965E"),
                                  ("F ISKLM,APPL='status'x", "KLM0965E"), ("P OTHER", "KLM0964E"), ("D A,OTHER", "KLM0966E"), ("D X", "KLM0966E")):
            said = server.system(words, status=2)
            expect(identifier in said, f"{words}: {said}")
        expect("Server is running" in server.system("DISPLAY A,ISKLM"), "display")
        expect(server.runs(), "the task ended")


@test
def drives_are_added_changed_listed_and_deleted():
    with SITE.server() as server:
        server.start()
        server.oper(ADD + f" -wwn {DRIVE.wwn} -rec1 {LABEL} -kind 3592")
        server.oper("adddrive -drivename 0123456789")
        server.oper("adddrive -drivename fvtdrive0000 -kind LTO -symrec group1 -rec2 MixedCase")
        expect(drives(server) == [DRIVE.serial, "000123456789", "FVTDRIVE0000"], str(drives(server)))
        shown = server.oper(f"listdrives -drivename {DRIVE.serial}")
        for wanted in (rf"Alias 1\s+: {LABEL}", r"Kind\s+: 3592", rf"WWN\s+: {DRIVE.wwn}", r"Certificate\s+: [0-9a-f]{64}", "1 entry"):
            expect(re.search(wanted, shown), f"{wanted}: {shown}")
        expect(re.search(r"Alias 2\s+: MixedCase", server.oper("listdrives -v")), "case is kept")
        refused(server, ADD, "KLM0956E")
        refused(server, "adddrive -drivename 000123456789", "KLM0956E")
        server.oper(f"moddrive -drivename {DRIVE.serial} -rec1 -rec2 Other")
        shown = server.oper(f"listdrives -drivename {DRIVE.serial}")
        expect(re.search(r"Alias 1\s+: -", shown) and re.search(r"Alias 2\s+: Other", shown) and DRIVE.wwn in shown, shown)
        expect(server.oper("listdrives -limit 1").rstrip().endswith("1 entry"), "limit")
        for alias in ("deletedrive", "deldrive", "removedrive"):
            server.oper(f"{alias} -drivename {drives(server)[0]}")
        expect(drives(server) == [], str(drives(server)))
        for command in ("moddrive -drivename 000123456789 -rec1 x", "deletedrive -drivename 000123456789"):
            refused(server, command, "KLM0204E")
        refused(server, "listdrives -drivename 000123456789", "KLM0204E")
        refused(server, "acceptdrive -drivename 000123456789", "KLM0957E")
        refused(server, "rejectdrive -drivename 000123456789", "KLM0957E")
        record = server.audited("drive-delete 000123456789", "unsuccessful")[-1]
        expect("  outcome=[result=unsuccessful]" in record and "  message=KLM0204E Drive 000123456789 is not in the drive table" in record, str(record))
        server.stop()
        server.start()
        expect(drives(server) == [], "after a restart")


@test
def keys_and_certificates_of_the_ring_are_listed():
    with SITE.server() as server:
        server.start()
        for command in ("list", "list -cert", "list -key", "listcerts"):
            said = server.oper(command)
            expect(LABEL in said and LABEL2 in said and "RSA 2048" in said and said.rstrip().endswith("4 entries"), f"{command}: {said}")
        expect(server.oper("list -keysym").rstrip().endswith("0 entries"), "no symmetric keys")
        said = server.oper(f"listcerts -alias {LABEL2} -v")
        expect(re.search(r"SHA-256 Fingerprint\s+: [0-9a-f]{64}", said) and re.search(rf"Subject\s+: CN={LABEL2},O=MyCo,C=US", said), said)
        expect(LABEL not in said, said)
        refused(server, "listcerts -alias nobody", "KLM0911E")


@test
def refreshks_takes_new_labels_into_service():
    with SITE.server() as server:
        server.start()
        server.label("New_Label", token="NEW.LABEL")
        expect("New_Label" not in server.oper("list"), "it is served before refreshks")
        server.oper("refreshks")
        expect("New_Label" in server.oper("list"), "it is not served")
        server.racf("ID(TAPEKMS) REMOVE(LABEL('New_Label') RING(KeyStore4758))")
        server.oper("refreshks")
        expect("New_Label" not in server.oper("list"), "it is served still")


@test
def modconfig_changes_memory_and_file_and_keeps_comments_and_order():
    with SITE.server() as server:
        server.start()
        server.oper(ADD)
        before = read(server.config).split("\n")
        server.oper("modconfig -set -property drive.default.alias1 -value CaseKept")
        expect("CaseKept" in server.oper("listconfig -property drive.default.alias1"), "memory")
        changed = read(server.config).split("\n")
        differing = [(old, new) for old, new in zip(before, changed) if old != new]
        expect(len(before) == len(changed) and differing == [(f"drive.default.alias1={LABEL}", "drive.default.alias1=CaseKept")], str(differing))
        server.oper("modconfig -unset -property drive.default.alias1")
        said = server.oper("listconfig -property drive.default.alias1")
        expect("CaseKept" not in said and config_line(server, "drive.default.alias1") == [], said)
        server.oper("modconfig -property drive.default.alias1 -value C:\\x=1")
        expect("C:\\x=1" in server.oper("listconfig -property drive.default.alias1"), "escapes")
        server.stop()
        server.start()
        expect("C:\\x=1" in server.oper("listconfig -property drive.default.alias1"), "escapes in the file")
        text = read(server.config)
        refused(server, "modconfig -set -property no.such -value 1", "KLM0958E")
        refused(server, "modconfig -set -property fips -value on", "KLM0107E")
        refused(server, "modconfig -set -property drive.pending.max -value -3", "KLM09", 2)
        refused(server, "modconfig -set -property drive.pending.max -value many", "KLM0101E")
        expect(read(server.config) == text, "a refused change is in the file")
        said = server.oper("modconfig -set -property store.cache.megabytes -value 64")
        expect("next start" in said, said)


@test
def secrets_are_never_shown():
    with SITE.server() as server:
        server.start()
        server.oper("modconfig -set -property config.keystore.password -value Xyzzy-7734")
        expect(config_line(server, "config.keystore.password") == ["config.keystore.password=Xyzzy-7734"], "the file")
        said = server.oper("listconfig") + server.oper("listconfig -property config.keystore.password")
        expect("****" in said and "Xyzzy" not in said, said)
        server.oper("export -config -url FILE:c")
        expect("Xyzzy" not in read(f"{server.files}/c"), "export")
        server.audited("config-set config.keystore.password")
        found = [path for path in files_below(server.home) if b"Xyzzy-7734" in read_bytes(path) and path != server.config]
        expect(not found, f"the password is in {found}")


@test
def stopekm_and_startekm_end_and_begin_serving_while_the_task_stays():
    with SITE.server() as server:
        server.start()
        server.oper(ADD)
        with Session(server, DRIVE) as session:
            session.verify()
            server.oper("stopekm")
            expect(session.closed(), "a session goes on")
        wait_until("stopped", 5, lambda: "Server is stopped" in server.oper("status"))
        try:
            Session(server, DRIVE)
            raise AssertionError("it still serves")
        except ConnectionRefusedError:
            pass
        server.oper("stopekm")
        server.oper("startekm")
        wait_until("running", 5, lambda: "Server is running" in server.oper("status"))
        with Session(server, DRIVE, "ssl") as session:
            session.verify()
        server.oper("startekm")
        expect("Server is running" in server.oper("status"), "twice")


@test
def version_login_and_exit_answer():
    with SITE.server() as server:
        server.start()
        expect(re.match(r"klmsrv \d+\.\d+", server.oper("version")), "version")
        for command in ("login", "logout", "logoff"):
            expect("no login is needed" in server.oper(command), command)
        for command in ("exit", "quit"):
            expect("the task goes on" in server.oper(command), command)
        expect(server.runs(), "the task ended")


# ---- Files

@test
def the_drive_table_is_exported_and_imported():
    with SITE.server() as server:
        server.start()
        server.oper(f"{ADD} -rec1 One")
        server.oper("adddrive -drivename 000000000002 -rec1 Two")
        server.oper("export -drivetab -url FILE:table")
        text = read(f"{server.files}/table")
        expect(text.startswith("filedrive.table 1\n") and text.endswith("\nend\n") and "count 2\n" in text, text)
        server.oper("moddrive -drivename 000000000002 -rec1 Changed")
        server.oper("adddrive -drivename 000000000003")
        said = server.oper("import -merge -drivetab -url FILE:table")
        expect(drives(server) == ["000000000002", "000000000003", DRIVE.serial], said)
        expect("Two" in server.oper("listdrives -drivename 000000000002"), said)
        said = server.oper("import -rewrite -drivetab -url FILE:table")
        expect(drives(server) == ["000000000002", DRIVE.serial], said)
        for name in ("../table", "/etc/passwd", "../files/table", "none"):
            expect(re.search(r"KLM00|KLM0963E", server.oper(f"import -merge -drivetab -url FILE:{name}", status=None)), name)
        expect(drives(server) == ["000000000002", DRIVE.serial], "a refused import changed something")
        os.symlink("/etc", f"{server.files}/link")
        refused(server, "export -drivetab -url FILE:link/klm-was-here", "KLM0003E")
        expect(not os.path.exists("/etc/klm-was-here"), "a link led out")


@test
def the_configuration_is_exported_and_imported_but_for_local_and_secret_properties():
    with SITE.server() as server:
        server.start()
        server.oper("export -config -url FILE:c")
        exported = read(f"{server.files}/c")
        expect("drive.default.alias1=" + LABEL in exported, exported)
        port = server.tcp
        write(f"{server.files}/c", exported.replace(f"drive.default.alias1={LABEL}", "drive.default.alias1=Theirs")
              .replace(f"tcp.port={port}", "tcp.port=3801"))
        server.oper("import -merge -config -url FILE:c")
        expect("Theirs" in server.oper("listconfig -property drive.default.alias1"), "not taken over")
        expect(server.tcp == port, "a local property was taken over")
        write(f"{server.files}/c", exported.replace(LABEL, "Bad") + "drive.pending.max=many\n")
        refused(server, "import -merge -config -url FILE:c", "KLM0100E")
        expect("Theirs" in server.oper("listconfig -property drive.default.alias1"), "half of a bad file was taken over")


@test
def f31_a_broken_configuration_at_refresh_leaves_the_old_one_in_force():
    with SITE.server() as server:
        server.start()
        server.oper(ADD)
        good = read(server.config)
        with Session(server, DRIVE) as session:
            session.verify()
            for what, text, identifier in (
                    ("a bad value", good.replace("drive.default.alias1=", "drive.pending.max=many\ndrive.default.alias1=no"), "KLM0100E Line"),
                    ("a bad port", re.sub(r"tcp.port=\d+", "tcp.port=0", good), "KLM0100E Line"),
                    ("a later feature", good + "fips=on\n", "KLM0106E"), ("a bad escape", good + "debug=\\uZZZZ\n", "KLM0109E"),
                    ("a NUL", good + "debug=\0\n", "KLM0111E"), ("a long line", good + "debug=" + "x" * 70000 + "\n", "KLM0112E"),
                    ("another ring", re.sub(r"config.keystore.file=.*", "config.keystore.file=safkeyring\\\\://TAPEKMS/None", good), "KLM0"),
                    ("a ring that is none", re.sub(r"config.keystore.file=.*", "config.keystore.file=/etc/keys", good), "KLM0"),
                    ("EBCDIC", ebcdic(good), "KLM0"), ("nothing", "", "KLM0105E"),
                    ("too much", "# " + "x" * 998 + "\n" + ("#" + "y" * 998 + "\n") * 1100, "KLM0")):
                write(server.config, text)
                refused(server, "refresh", identifier, None)
                expect(LABEL in server.oper("listconfig -property drive.default.alias1"), f"{what}: the old state is gone")
                session.verify()
                expect(session.create()[2][0][0] == LABEL, what)
            os.remove(server.config)
            refused(server, "refresh", "KLM0001E")
            since = server.mark()
            server.signal(signal.SIGHUP)
            server.says("KLM0001E", since=since)
            session.verify()
            write(server.config, good.replace(LABEL, LABEL2))
            server.oper("refresh")
            expect(session.create()[2][0][0] == LABEL2, "a good one is not in force")


@test
def refresh_under_load_drops_no_session():
    with SITE.server() as server:
        server.start()
        server.oper(ADD)
        stop, errors, done = threading.Event(), [], []

        def work():
            try:
                with Session(server, DRIVE) as session:
                    while not stop.is_set():
                        done.append(session.create()[2])
            except Exception as error:
                errors.append(repr(error))

        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        for turn in range(10):
            server.set(f"drive.default.alias1={(LABEL, LABEL2)[turn % 2]}")
            server.oper("refresh")
            server.oper("refreshks")
        stop.set()
        for worker in workers:
            worker.join(20 * SLOW)
        expect(not errors and len(done) > 20, f"{errors} {len(done)}")


def ebcdic(text):
    """As a z/OS editor leaves it: lines end with NEL."""
    return text.encode("cp037").replace(b"\x25", b"\x15")


def written(server, text):
    """The drive table as the server has written it, with this in it: it may be a second late."""
    return wait_until(f"{text} in the drive table", 5, lambda: text in read(server.table) and read(server.table))


def edit(server, last, change):
    """Edit the drive table as an operator does, once the server has written it."""
    write(server.table, change(written(server, last)))


@test
def f22_an_edited_drive_table_is_merged_at_refresh():
    with SITE.server() as server:
        server.start()
        server.oper(f"{ADD} -rec1 One")
        server.oper("adddrive -drivename 000000000002 -rec1 Two")
        server.oper("adddrive -drivename 000000000003 -rec1 Three")
        edit(server, " Three ", lambda text: re.sub(r"(?m)^000000000003.*\n", "", text.replace(" Two ", " Edited ")).replace("\nend\n", "\n0000000004 3592 - New\r\nend\n"))
        server.oper("refresh")
        expect(drives(server) == ["000000000002", "000000000004", DRIVE.serial], str(drives(server)))
        expect("Edited" in server.oper("listdrives -drivename 000000000002"), "changed")
        for identifier in ("KLM0230I", "KLM0231I", "KLM0232I", "KLM0933I"):
            server.says(identifier)
        expect(re.search(r"Certificate\s+: [0-9a-f]{64}", server.oper(f"listdrives -drivename {DRIVE.serial}")), "the pinned certificate is lost")
        wait_until("written anew", 5, lambda: "\n000000000004 3592   -  " in read(server.table))
        since = server.mark()
        server.oper("refresh")
        expect("KLM0933I" not in server.console()[since:], "its own file is taken for an edit")


@test
def f22_both_sides_changed_keeps_the_store_and_says_so():
    with SITE.server() as server:
        server.start()
        server.oper("adddrive -drivename 000000000002 -rec1 Two")
        edit(server, " Two ", lambda text: text.replace(" Two ", " Edited "))
        server.oper("moddrive -drivename 000000000002 -rec1 Console")
        write(server.table, read(server.table).replace(" Console ", " Edited ").replace(" Two ", " Edited "))
        server.oper("refresh")
        shown = server.oper("listdrives -drivename 000000000002")
        expect("Console" in shown or "Edited" in shown, shown)


@test
def f22_damaged_drive_tables_are_refused_with_line_and_column():
    with SITE.server() as server:
        server.start()
        server.oper(ADD)
        server.oper("adddrive -drivename 000000000002 -rec1 Two")
        good = written(server, " Two ")
        line = "000000000002 3592"
        n = good.split("\n").index(next(one for one in good.split("\n") if one.startswith(line))) + 1
        cases = (
            ("cut", good[:-4].encode(), "KLM0214E"), ("cut in a drive", good[:good.index(line) + 10].encode(), f"KLM0216E.*line {n}, column 11"),
            ("NUL", good.replace(" Two ", " T\0o ").encode(), rf"KLM0213E.*{n}"), ("EBCDIC", ebcdic(good), "KLM0212E"),
            ("twice", good.replace("\nend\n", "\n000000000002 3592\nend\n").encode(), "KLM0215E.*000000000002"),
            ("a bad kind", good.replace(line, "000000000002 TAPE").encode(), rf"KLM0216E.*{n}.*14"),
            ("a bad serial", good.replace(line, "00000000000 3592").encode(), rf"KLM02(16|01)E.*{n}"),
            ("a bad WWN", good.replace("\nend\n", "\n000000000009 3592 50050763\nend\n").encode(), r"KLM02(16|02)E.*\d+"),
            ("an open quote", good.replace(" Two ", ' "Two ').encode(), rf"KLM0216E.*{n}"), ("other magic", b"filedrive 1\n" + good.encode(), "KLM0210E"),
            ("a later version", good.replace("table 1", "table 2").encode(), "KLM0211E"), ("empty", b"", "KLM0210E|KLM0214E"),
            ("binary", bytes(range(256)) * 40, "KLM02"))
        with Session(server, DRIVE) as session:
            for what, text, identifier in cases:
                write(server.table, text)
                said = server.oper("refresh", status=1)
                expect(re.search(identifier, said), f"{what}: {said}")
                expect(len(drives(server)) == 2, f"{what}: the drives are gone")
                session.verify()
        write(server.table, good.replace("\n", "\r\n"))
        server.oper("refresh")
        write(server.table, "\ufeff" + good.replace("wwn", "WWN"))
        server.oper("refresh")
        expect(len(drives(server)) == 2, "CRLF or a byte order mark")


@test
def f22_a_damaged_drive_table_at_start_is_set_aside():
    with SITE.server() as server:
        server.start()
        server.oper(ADD)
        server.stop()
        write(server.table, "filedrive.table 1\nnonsense\n")
        said = server.start()
        expect("KLM0934W" in said and f"{server.table}.damaged" in said and re.search(r"KLM021\dE", said), said)
        expect(read(f"{server.table}.damaged").endswith("nonsense\n"), "the operator's file is lost")
        expect(drives(server) == [DRIVE.serial], "the drives are gone")
        wait_until("written anew", 5, lambda: DRIVE.serial in read(server.table))


@test
def f22_lower_case_wwn_is_the_same_drive():
    with SITE.server() as server:
        server.start()
        server.oper(f"{ADD} -wwn {DRIVE.wwn.lower()}")
        expect(DRIVE.wwn in server.oper(f"listdrives -drivename {DRIVE.serial}"), "WWN")
        with Session(server, DRIVE) as session:
            session.verify()


# ---- Dialogue, batch, hard copy

class Terminal:
    """oper on a terminal."""

    def __init__(self, server, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=server.home, TERM="vt100", KLM_OPER_SOCKET=server.socket)
            os.execv(f"{BIN}/oper", ["oper", *words])
        self.text = ""

    def expect(self, text, seconds=10, count=1):
        end = time.monotonic() + seconds * SLOW
        while self.text.count(text) < count:
            expect(time.monotonic() < end, f"no {text!r} in {self.text!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:
                    expect(self.text.count(text) >= count, f"it ended: {self.text!r}")
        got, self.text = self.text, ""
        return got

    def type(self, text):
        """Keys, once the program reads them one by one."""
        wait_until("raw mode", 5, lambda: not termios.tcgetattr(self.fd)[3] & termios.ICANON)
        os.write(self.fd, text.encode())

    def end(self):
        """Its exit status, once it has ended by itself."""
        end = time.monotonic() + 30 * SLOW
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    os.read(self.fd, 4096)
                except OSError:
                    break
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@test
def the_dialogue_edits_remembers_and_shows_messages():
    with SITE.server() as server:
        server.start()
        terminal = Terminal(server, "--hardcopy", f"{server.home}/copy")
        terminal.expect("ISKLM> ")
        terminal.type("verXion\x1b[D\x1b[D\x1b[D\x7fs\r")  # left three times, X becomes s
        terminal.expect("klmsrv ")
        terminal.type("version\r")
        expect("klmsrv " in terminal.expect("klmsrv "), "version")
        terminal.type("\x10\r")  # the command before
        terminal.expect("klmsrv ")
        terminal.type("half a comm")
        terminal.expect("half a comm")
        since = server.mark()
        write(server.table, "nonsense")
        server.signal(signal.SIGHUP)
        server.says("KLM0210E", since=since)
        said = terminal.expect("half a comm")  # it is shown again below the message
        expect("BPXM023I (KLMSERV) KLM0210E" in said, said)
        terminal.type("\x15D A,ISKLM\r")
        terminal.expect("ACTIVITY")
        terminal.type("exit\r")
        expect(terminal.end() == 0, "exit status")
        expect(server.runs(), "the task ended")
        copy = read(f"{server.home}/copy")
        expect(re.search(r"(?m)^\d{4}-\d\d-\d\dT\S+ > version$", copy) and "klmsrv " in copy and "KLM0210E" in copy, copy)
        again = Terminal(server)
        again.expect("ISKLM> ")
        again.type("\x10\x10\r")
        again.expect("ACTIVITY")  # of the dialogue before
        server.signal(signal.SIGTERM)
        again.expect("KLM0809I")
        expect(server.end() == 0, "exit status")
        expect(again.end() == 1, "the end of the task is told")


@test
def a_password_is_not_kept_in_history_or_hard_copy():
    with SITE.server() as server:
        server.start()
        terminal = Terminal(server, "--hardcopy", f"{server.home}/copy")
        terminal.expect("ISKLM> ")
        terminal.type("modconfig -set -property config.keystore.password -value Xyzzy-7734\r")
        terminal.expect("The property is set")
        terminal.type("exit\r")
        terminal.end()
        found = [path for path in files_below(server.home) if b"Xyzzy" in read_bytes(path) and path != server.config]
        expect(not found, f"the password is in {found}")


@test
def commands_come_in_a_batch_and_the_last_failure_is_told():
    with SITE.server() as server:
        server.start()
        batch = "# a comment\nversion\n\nF ISKLM,APPL='status'\nnothing\nadddrive -drivename 000000000001\nexit\nadddrive -drivename 000000000002\n"
        done = subprocess.run([f"{BIN}/oper", "-s", server.socket], input=batch, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=30 * SLOW)
        expect(done.returncode == 2, f"{done.returncode} {done.stderr}")
        expect("klmsrv " in done.stdout and "Server is running" in done.stdout and "KLM0969E" in done.stderr, done.stdout + done.stderr)
        expect(drives(server) == ["000000000001"], "behind exit")


@test
def the_task_keeps_a_hard_copy_of_commands_and_messages():
    with SITE.server() as server:
        server.start()
        server.oper("version")
        server.stop()
        copy = read(f"{server.home}/log/hardcopy")
        expect(re.search(r"(?m)^\d{4}-\d\d-\d\dT\S+ BPXM023I \(KLMSERV\) KLM0810I", copy) or "KLM0809I" in copy, copy)
        expect(re.search(r"(?m)^\S+Z .*root.*version", copy), f"a command is missing: {copy}")


# ---- Rights

@test
def another_user_without_a_role_is_refused():
    with SITE.server() as server:
        server.start()
        expect(os.stat(server.socket).st_mode & 0o007 == 0 or os.stat(os.path.dirname(server.socket)).st_mode & 0o007 == 0, "others reach the socket")
        opened(server)
        for command in ("status", "version", "listconfig", "listdrives", "list", "help", ADD, "refresh", "stopekm", "export -config -url FILE:x"):
            said = raw_oper(server, 65534, command)
            expect("KLM0994E nobody has no role" in said, f"{command}: {said}")
        for command in ("P ISKLM", "D A,ISKLM", "RACDCERT ID(TAPEKMS) LISTRING(*)", "KEYXFER WRITE,ITOPS.KLM20.CERT,X(Y)"):
            said = raw_oper(server, 65534, command, system=True)
            expect("KLM0994E nobody has no role" in said, f"{command}: {said}")
        time.sleep(0.2)
        expect(server.runs() and drives(server) == [], "something was done")
        expect(server.audited("Authentication event", "  users=nobody", "unsuccessful"), "it is not audited")


@test
def roles_decide_who_may_do_what():
    with SITE.server() as server:
        users = {"OPERATOR": ("daemon", 1), "AUDITOR": ("bin", 2), "SECADMIN": ("sys", 3), "BACKUP": ("games", 5)}
        server.set(*(f"console.role.{role}={name}" for role, (name, _) in users.items()))
        server.start()
        opened(server)
        everybody = set(users)
        matrix = (("F ISKLM,APPL='status'", everybody), ("F ISKLM,APPL='listdrives'", everybody), ("F ISKLM,APPL='list'", everybody),
                  ("F ISKLM,APPL='query -volser A'", everybody), ("RACDCERT ID(TAPEKMS) LISTRING(*)", everybody),
                  ("F ISKLM,APPL='adddrive -drivename 000000000001'", {"OPERATOR", "SECADMIN"}),
                  ("F ISKLM,APPL='deletedrive -drivename 000000000001'", {"OPERATOR", "SECADMIN"}),
                  ("F ISKLM,APPL='export -config -url FILE:x'", {"OPERATOR", "SECADMIN"}),
                  ("F ISKLM,APPL='refreshks'", {"OPERATOR", "SECADMIN"}),
                  ("F ISKLM,APPL='modconfig -set -property drive.default.alias1 -value x'", {"OPERATOR", "SECADMIN"}),
                  ("F ISKLM,APPL='modconfig -set -property drive.acceptUnknownDrives -value false'", {"SECADMIN"}),
                  ("F ISKLM,APPL='modconfig -set -property Audit.event.types -value all'", {"SECADMIN", "AUDITOR"}),
                  ("F ISKLM,APPL='modconfig -set -property console.role.SECADMIN -value sys,daemon'", {"SECADMIN"}),
                  ("RACDCERT ID(X) ADDRING(R)", {"SECADMIN"}), ("RACDCERT ID(X) DELRING(R)", {"SECADMIN"}),
                  ("RACDCERT CERTAUTH DELETE(LABEL('nobody'))", {"SECADMIN"}), ("RACDCERT ID(X) GENCERT WITHLABEL('x')", {"SECADMIN"}),
                  (f"RACDCERT ID(TAPEKMS) EXPORT(LABEL('{LABEL}')) DSN('X.Y')", {"SECADMIN"}), ("KEYXFER WRITE,ITOPS.KLM20.CERT,X.Y(Z)", {"SECADMIN"}),
                  ("KEYXFER READ,ITOPS.KLM20.CERT,X.Y(Z)", {"SECADMIN"}))
        for command, allowed in matrix:
            for role, (name, uid) in users.items():
                if command.endswith("sys,daemon'") and role == "SECADMIN":
                    continue
                said = raw_oper(server, uid, command, system=True)
                denied = "KLM0900E" in said or "KLM0959E" in said
                expect(denied == (role not in allowed), f"{role}: {command}: {said}")
        expect("KLM0900E" in raw_oper(server, 2, "P ISKLM", system=True), "an auditor stops the task")
        expect("Stop accepted" in raw_oper(server, 1, "P ISKLM", system=True), "an operator cannot stop it")
        expect(server.end() == 0, "exit status")


@test
def a_role_can_be_given_to_a_group():
    with SITE.server() as server:
        server.set("console.role.OPERATOR=%games", "console.role.AUDITOR=", "console.role.BACKUP=", "console.role.SECADMIN=root")
        server.start()
        opened(server)
        expect("Server is running" in raw_oper(server, 5, "status", gid=60), "the group games")
        expect("KLM0994E" in raw_oper(server, 65534, "status"), "another group")


# ---- Hostile input

@test
def f32_long_binary_and_many_lines_are_answered_and_bounded():
    with SITE.server() as server:
        server.start()
        said = run("sh", "-c", f"head -c 65000 /dev/zero | tr '\\0' x | {BIN}/oper -s {server.socket}", status=None)
        expect("KLM0968E" in said or "KLM0969E" in said, said[:500])
        done = subprocess.run([f"{BIN}/oper", "-s", server.socket], input=b"A" * 70000 + b"\nversion\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=30 * SLOW)
        expect(done.returncode != 0, "a line of 70,000 characters is taken")
        done = subprocess.run([f"{BIN}/oper", "-s", server.socket], input=bytes(range(1, 256)) * 8 + b"\nversion\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=30 * SLOW)
        expect(b"klmsrv " in done.stdout, str(done))
        done = subprocess.run([f"{BIN}/oper", "-s", server.socket], input=b"nothing\n" * 3000, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60 * SLOW)
        expect(done.returncode == 2 and done.stderr.count(b"KLM0969E") == 3000, f"{done.returncode} {done.stderr.count(b'KLM0969E')}")
        expect("Server is running" in server.oper("status"), "status")


@test
def f32_what_is_typed_cannot_forge_lines():
    with SITE.server() as server:
        server.start()
        forged = "x\nBPXM023I (KLMSERV) KLM0810I The task ended\x1b[2J"
        for command in (f"deletedrive -drivename {forged}", f"list -alias {forged}", forged, f"listconfig -property {forged}"):
            said = server.oper(command, status=None)
            expect("\x1b" not in said, repr(said))
        for path in (server.console_path, f"{server.home}/log/hardcopy", server.audit_path):
            text = read(path)
            expect("\x1b" not in text and not re.search(r"(?m)^BPXM023I \(KLMSERV\) KLM0810I", text), path)


@test
def f32_broken_frames_close_the_connection_and_nothing_else():
    with SITE.server() as server:
        server.start()
        for junk in (b"", b"\0", b"\xff" * 64, struct.pack(">IB", 0xFFFFFFFF, 1) + b"x" * 1000, os.urandom(5000), b"GET / HTTP/1.0\r\n\r\n"):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(5)
                sock.connect(server.socket)
                try:
                    sock.sendall(junk)
                except OSError:
                    pass
        many = []
        try:
            for _ in range(40):  # more than there is room for
                sock = socket.socket(socket.AF_UNIX)
                many.append(sock)
                sock.connect(server.socket)
        finally:
            for sock in many:
                sock.close()
        wait_until("room for an operator", 10, lambda: "Server is running" in server.oper("status", status=None))


def files_below(folder):
    return [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names if not os.path.islink(os.path.join(top, name))]


def read_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # a socket
        return b""


if __name__ == "__main__":
    sys.exit(main())
