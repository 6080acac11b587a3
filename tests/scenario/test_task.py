#!/usr/bin/env python3
"""The started task: what it says in which order, when it serves, how it stops, and what keeps it from starting."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from keyserver import BIN, SLOW, Site, free_port, read, tool, wait_until, write
from kx import Drive, Session
from scenario import expect, main, run, test

SITE = Site()
DRIVE = Drive(f"{SITE.folder}/drive").make().signed_by(SITE.master)
ORDER = ["ISKLM wrapper V", "ISKLM console interaction is now available.", "To submit commands to the ISKLM from the console:",
         "F ISKLM,APPL='ISKLM command'", "To stop the ISKLM properly:", "P ISKLM",
         "BPXM023I (KLMSERV) Loaded drive key store successfully",
         "BPXM023I (KLMSERV) Starting the Security Key Lifecycle Manager ", "BPXM023I (KLMSERV) Processing Arguments",
         "BPXM023I (KLMSERV) For support ", "BPXM023I (KLMSERV) Processing", "BPXM023I (KLMSERV) Server is started",
         "BPXM023I (KLMSERV) Server is running. TCP port: "]


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 10 * SLOW).close()
        return True
    except OSError:
        return False


def known(server):
    server.oper(f"adddrive -drivename {DRIVE.serial} -cert DRIVE.{DRIVE.serial}.CERT")
    return server


@test
def start_up_lines_come_in_the_documented_order():
    with SITE.server() as server:
        lines = server.start().splitlines()
        at = 0
        for wanted in ORDER:
            found = [i for i, line in enumerate(lines) if i >= at and line.startswith(wanted)]
            expect(found, f"{wanted} is missing or out of order: {lines}")
            at = found[0] + 1
        expect(lines[at - 1].endswith(f"TCP port: {server.tcp}, SSL port: {server.ssl}"), lines[at - 1])
        expect(len(lines) == len(ORDER) or "KLM0808I" in lines[at], f"other lines: {lines}")


@test
def the_user_in_console_lines_is_the_one_of_the_process_unless_set():
    with SITE.server() as server:
        server.unset("server.userid")
        expect("BPXM023I (ROOT) Server is started" in server.start() if os.geteuid() == 0 else True, server.console())
        expect(re.search(r"(?m)^BPXM023I \([A-Z0-9]{1,8}\) Server is started$", server.console()), server.console())


@test
def running_is_said_only_when_both_ports_serve():
    with SITE.server() as server:
        seen = []

        def watch():
            while server.process is None or "Server is running" not in server.console():
                time.sleep(0.002)
            seen.extend([connects(server.tcp), connects(server.ssl)])

        expect(not connects(server.tcp), "something else serves there")
        watcher = threading.Thread(target=watch)
        watcher.start()
        server.start()
        watcher.join(30 * SLOW)
        expect(seen == [True, True], str(seen))
        known(server)
        with Session(server, DRIVE) as session:
            session.verify()
        with Session(server, DRIVE, "ssl") as session:
            session.verify()


@test
def stop_by_the_operator_and_by_sigterm_ends_with_zero():
    with SITE.server() as server:
        server.start()
        said = server.system("P ISKLM")
        expect("Stop accepted" in said, said)
        expect(server.end() == 0, "exit status")
        server.says("KLM0809I")
        expect(server.console().rstrip().endswith("KLM0810I The task ended"), server.console())
        expect(not os.path.exists(server.socket), "the socket stays behind")
        server.start()
        server.signal(signal.SIGTERM)
        expect(server.end() == 0, "exit status")
        server.start()
        server.signal(signal.SIGINT)
        expect(server.end() == 0, "exit status")


@test
def sessions_get_their_answers_before_the_task_ends():
    with SITE.server() as server:
        server.start()
        known(server)
        with Session(server, DRIVE) as session:
            for _ in range(8):  # all at once, none is read
                session.send(0x11, b"WXY662" + bytes([0]))
            time.sleep(0.05)
            server.signal(signal.SIGTERM)
            got = [session.take()[0] for _ in range(8)]
            expect(got == [0x91] * 8, f"{[hex(one) for one in got]}")
            expect(session.closed(), "the session stays open")
        expect(server.end() == 0, "exit status")
        expect(not connects(server.tcp), "the port still answers")


@test
def a_second_sigterm_does_not_wait_for_sessions():
    with SITE.server() as server:
        server.start()
        known(server)
        with Session(server, DRIVE, room=2048) as session:
            session.stuff()  # answers that nobody reads cannot be drained
            begun = time.monotonic()
            server.signal(signal.SIGTERM)
            time.sleep(0.5)
            expect(server.runs(), "it did not wait for the session")
            server.signal(signal.SIGTERM)
            expect(server.end(10) == 0, "exit status")
            expect(time.monotonic() - begun < 10 * SLOW, "it took as long as sessions get")  # 15 s
        expect("KLM0811W 1 sessions did not finish in time" in server.console(), server.console())


@test
def sighup_is_a_refresh():
    with SITE.server() as server:
        server.start()
        known(server)
        with Session(server, DRIVE) as session:
            session.verify()
            server.set("drive.default.alias1=nobody", "drive.default.alias2=")
            since = server.mark()
            server.signal(signal.SIGHUP)
            wait_until("refresh", 5, lambda: re.search(r"drive\.default\.alias1 +nobody", server.oper("listconfig")))
            expect("KLM0" not in server.console()[since:].replace("KLM0130W", ""), server.console()[since:])
            session.verify()
            record = server.audited("command type=config-refresh")[-1]
            expect("  user=SIGHUP" in record and "  event type=SECURITY_MGMT_CONFIG" in record, str(record))


@test
def systemd_is_told_ready_reloading_and_stopping():
    with SITE.server() as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(f"{server.home}/n")
        notify.settimeout(10 * SLOW)
        server.start(env={"NOTIFY_SOCKET": f"{server.home}/n"}, wait=None)
        said = notify.recv(4096).decode().split("\n")
        expect("READY=1" in said and any(line.startswith("STATUS=") for line in said), str(said))
        expect("Server is running" in server.console() and connects(server.tcp), "ready before it serves")
        server.signal(signal.SIGHUP)
        said = notify.recv(4096).decode().split("\n")
        expect("RELOADING=1" in said, str(said))
        expect(any(line.startswith("MONOTONIC_USEC=") for line in said), f"systemd 253 wants the time of a reload: {said}")
        expect("READY=1" in notify.recv(4096).decode().split("\n"), "ready again")
        server.signal(signal.SIGTERM)
        expect("STOPPING=1" in notify.recv(4096).decode().split("\n"), "stopping")
        expect(server.end() == 0, "exit status")


@test
def systemd_is_told_through_an_abstract_socket_too():
    with SITE.server() as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(f"\0{server.home}/n")
        notify.settimeout(10 * SLOW)
        server.start(env={"NOTIFY_SOCKET": f"@{server.home}/n"})
        expect(b"READY=1" in notify.recv(4096), "ready")


@test
def display_shows_the_task():
    with SITE.server() as server:
        server.start()
        lines = server.system("D A,ISKLM").splitlines()
        expect(re.match(r"IEE115I \d\d\.\d\d\.\d\d \d{4}\.\d{3} ACTIVITY", lines[0]), str(lines))
        expect(lines[1].split()[:3] == ["ISKLM", "ISKLM", "STC"] and f"TCP port: {server.tcp}" in lines[1], str(lines))


@test
def the_shipped_sample_warns_of_inactive_profiles_alone_and_weak_settings_warn():
    with SITE.server() as server:
        said = server.start()
        expect(re.findall(r"KLM\d{4}[WEA]", said) == ["KLM1602W"], said)
        server.stop()
        server.set("TransportListener.ssl.clientauthentication=0", "drive.acceptUnknownDrives=true",
                   "TransportListener.ssl.protocols=SSL_TLS", "key.minimum.rsa.write=1024", "Audit.failure.action=continue",
                   "config.keystore.password=changeME", "TransportListener.ssl.keystore.password=Xyzzy-7734",
                   "config.keystore.provider=IBMJCECCA", "symmetricKeySet=des01-1f")
        said = server.start()
        for identifier in ("KLM0130W", "KLM0131W", "KLM0132W", "KLM0133W", "KLM0134W", "KLM0135W", "KLM0136W", "KLM0137W"):
            expect(identifier in said, f"{identifier} is missing: {said}")
        expect("Xyzzy" not in said and "changeME" not in said, said)


@test
def a_master_key_without_escrow_is_warned_of_at_each_start():
    with SITE.server() as server:
        path = server.value("config.masterkey.file")
        os.remove(path)
        shutil.rmtree(server.store)
        tool("klmsrv", "--make-master", path)
        server.authority()
        for _ in range(2):
            expect(f"KLM0932W The escrow of the master key in {path}" in server.start(), server.console())
            server.stop()
        tool("klmsrv", "--confirm-escrow", path)
        expect("KLM0932W" not in server.start(), server.console())


@test
def a_master_key_made_of_parts_opens_the_store_of_the_one_that_was_split():
    with SITE.server() as server:
        path = server.value("config.masterkey.file")
        parts = [f"{server.home}/part{i}" for i in (1, 2, 3)]
        tool("klmsrv", "--split-master", path, *parts)
        os.remove(path)
        tool("klmsrv", "--alone", "--enter-master", path, *parts[:2])
        expect("KLM0304E" in server.refuses_to_start(status=1), "two of three parts are the whole key")
        os.remove(path)
        expect("KLM1458W" in tool("klmsrv", "--alone", "--enter-master", path, parts[2], parts[0], parts[1]), "a warning")
        expect("KLM0932W" not in server.start(), server.console())
        write(parts[0], "00" * 31)
        expect("KLM0984E" in tool("klmsrv", "--alone", "--enter-master", f"{server.home}/x", *parts, status=1), "a short part")
        expect("KLM0985E" in tool("klmsrv", "--alone", "--enter-master", f"{server.home}/x", parts[1], status=2), "one part")
        expect(not os.path.exists(f"{server.home}/x"), "a file was made")


def as_officer(uid, *words, status=0, config=""):
    """Run klmsrv as somebody who logged in under that user id and became the task's user from there."""
    env = {name: value for name, value in os.environ.items() if name != "KLM_CONFIG"}
    return run("sh", "-c", 'echo "$0" >/proc/self/loginuid && exec "$@"', str(uid), f"{BIN}/klmsrv", *words, status=status,
               env={**env, "KLM_CONFIG": config} if config else env)


@test
def each_key_part_is_entered_by_another_person():
    with SITE.server() as server:
        path = server.value("config.masterkey.file")
        parts = [f"{server.home}/part{i}" for i in (1, 2, 3)]
        tool("klmsrv", "--split-master", path, *parts)

        def enter(uid, part, of="3", status=0):
            return as_officer(uid, "--officers", of, "--enter-master", path, *([part] if isinstance(part, str) else part), status=status,
                              config=server.config)

        def kept():
            return sorted(name for name in os.listdir(os.path.dirname(path)) if ".part-" in name)

        expect("KLM0008E" in enter(1001, parts[0], status=1) and not kept(), "a master key is there")
        os.remove(path)
        for nobody in (0, 2**32 - 1):
            expect("KLM1450E" in enter(nobody, parts[0], status=1), "nobody in particular")
        expect("KLM1455E" in enter(1001, parts, status=2), "several at once")
        expect("KLM0985E" in enter(1001, parts[0], of="1", status=2) and "KLM0985E" in enter(1001, parts[0], of="9", status=2), "how many")
        expect(not kept(), "refused, and yet kept")
        expect("Part 1 of 3, entered by user 1001" in enter(1001, parts[0]), "the first")
        expect("KLM1451E" in enter(1001, parts[1], status=1), "the same person")
        expect("KLM1452E" in enter(1002, parts[0], status=1), "the same part")
        expect("KLM1453E" in enter(1002, parts[1], of="2", status=1), "another number of parts")
        expect(len(kept()) == 1 and os.stat(f"{os.path.dirname(path)}/{kept()[0]}").st_mode & 0o777 == 0o400, "what is kept")
        expect("Part 2 of 3" in enter(1002, parts[1]) and not os.path.exists(path), "the second")
        os.truncate(f"{os.path.dirname(path)}/{kept()[1]}", 31)
        expect("KLM1454E" in enter(1003, parts[2], status=1), "cut short")
        os.remove(f"{os.path.dirname(path)}/{kept()[1]}")
        enter(1002, parts[1])
        expect("Master key sealed" in enter(1003, parts[2]) and not kept(), "the last makes the key, and no part stays")
        server.start()
        for uid in (1001, 1002, 1003):
            expect(server.audited("key-ceremony", f"user {uid}", path, "result=successful"), f"the part of {uid} is on record")
        expect(server.audited("key-ceremony", "user 1001", "KLM1451E", "result=unsuccessful"), "and so is who tried twice")
        expect("KLM1244W" in as_officer(1001, "--confirm-escrow", path, config=server.config), "the task has the journal")
        expect("KLM1244W" not in as_officer(1001, "--confirm-escrow", path), "no server is named")


@test
def a_bad_value_stops_the_start_with_its_line_and_what_is_allowed():
    with SITE.server() as server:
        server.set("TransportListener.tcp.port=99999")
        number = read(server.config).split("\n").index("TransportListener.tcp.port=99999") + 1
        said = server.refuses_to_start()
        expect(re.search(rf"KLM0100E Line {number} of \S+: TransportListener.tcp.port cannot be 99999; allowed: .*65535", said), said)


@test
def an_unknown_property_warns_with_its_line():
    with SITE.server() as server:
        write(server.config, read(server.config) + "drive.acceptunknowndrives=true\nno.such.property=1\n")
        n = len(read(server.config).splitlines())
        said = server.start()
        expect(re.search(rf"KLM0103W Line {n - 1} of .*drive.acceptUnknownDrives is", said), said)
        expect(re.search(rf"KLM0102W Line {n} of .*no.such.property", said), said)


@test
def a_feature_that_is_not_built_stops_the_start():
    for one in ("fips=on", "Server.password=x"):
        with SITE.server(one) as server:
            said = server.refuses_to_start()
            expect("KLM0106E" in said and one.split("=", 1)[0] in said, said)


@test
def a_missing_configuration_stops_the_start():
    with SITE.server() as server:
        os.remove(server.config)
        said = server.refuses_to_start()
        expect("KLM0001E" in said and server.config in said, said)


@test
def two_listeners_on_one_port_are_refused():
    with SITE.server() as server:
        server.set(f"TransportListener.ssl.port={server.tcp}")
        expect("KLM0122E" in server.refuses_to_start(), server.console())


@test
def a_port_in_use_stops_the_start_and_leaves_all_as_it_was():
    with SITE.server() as server, socket.socket() as other:
        other.bind(("127.0.0.1", server.ssl))
        other.listen()
        said = server.refuses_to_start(status=1)
        expect(f"KLM0800E Port {server.ssl} of 127.0.0.1 cannot be opened: " in said, said)
        server.set(f"TransportListener.ssl.port={free_port()}")
        server.start()


@test
def f29_without_its_master_key_the_task_does_not_start_and_writes_nothing():
    with SITE.server() as server:
        path = server.value("config.masterkey.file")
        before = folder_state(server.store)
        os.rename(path, path + ".away")
        said = server.refuses_to_start()
        expect(f"KLM0400E There is no master key file {path}" in said, said)
        expect(folder_state(server.store) == before, "something was written to the store")
        os.rename(path + ".away", path)
        server.start()


@test
def f29_another_master_key_is_refused_and_nothing_is_written():
    with SITE.server() as server:
        path = server.value("config.masterkey.file")
        before = folder_state(server.store)
        os.rename(path, path + ".away")
        tool("klmsrv", "--make-master", path)
        tool("klmsrv", "--confirm-escrow", path)
        said = server.refuses_to_start(status=1)
        expect(f"KLM0304E The store {server.store} was made under another key" in said, said)
        expect(folder_state(server.store) == before, "something was written to the store")
        os.remove(path)
        os.rename(path + ".away", path)
        server.start()


@test
def f29_a_damaged_or_open_master_key_file_is_refused():
    with SITE.server() as server:
        path = server.value("config.masterkey.file")
        with open(path, "rb") as file:
            good = file.read()
        os.chmod(path, 0o600)
        for what, bad in (("cut", good[:-1]), ("long", good + b"\0"), ("empty", b""), ("bit", good[:-5] + bytes([good[-5] ^ 1]) + good[-4:])):
            write(path, bad)
            said = server.refuses_to_start(status=None)
            expect(re.search(r"KLM040[1-4]E", said) and path in said, f"{what}: {said}")
        write(path, good)
        os.chmod(path, 0o644)
        expect("KLM0404E" in server.refuses_to_start(status=None), server.console())
        os.chmod(path, 0o400)
        server.start()


@test
def f29_the_store_of_another_site_is_refused():
    with SITE.server() as server:
        from keyserver import Server
        other = Server(f"{server.home}/o").prepare()
        other.racf("ID(TAPEKMS) ADDRING(KeyStore4758)")
        shutil.rmtree(server.store)
        shutil.copytree(other.store, server.store)
        expect("KLM0304E" in server.refuses_to_start(status=1), server.console())


@test
def two_servers_cannot_share_a_store():
    with SITE.server() as server:
        server.start()
        second = f"{server.home}/etc/second"
        write(second, read(server.config).replace(f"={server.tcp}", f"={free_port()}").replace(f"={server.ssl}", f"={free_port()}"))
        said = tool("klmsrv", second, status=None)
        expect("KLM0301E" in said and f"process {server.pid}" in said and "is running" not in said, said)
        expect("Server is running" in server.oper("status"), "the first one is disturbed")


@test
def a_tool_asks_the_task_and_does_not_open_its_store():
    with SITE.server() as server:
        server.start()
        env = {"KLM_CONFIG": server.config, "KLM_OPER_SOCKET": f"{server.home}/run/none"}
        said = tool("racdcert", "ID(TAPEKMS) LISTRING(*)", status=1, env=env)
        expect("KLM0301E" in said, said)
        expect("KeyStore4758" in server.racf("ID(TAPEKMS) LISTRING(*)"), "through the task")


@test
def a_ring_without_a_server_certificate_stops_the_start():
    with SITE.server("TransportListener.ssl.keystore.name=safkeyring://TAPEKMS/None") as server:
        expect("KLM0410E" in server.refuses_to_start() or "KLM0929E" in server.console(), server.console())
        server.racf("ID(TAPEKMS) ADDRING(None)")
        expect("KLM0930E" in server.refuses_to_start(), server.console())


@test
def wrong_arguments_are_usage_errors_and_help_is_none():
    for name in ("klmsrv", "oper", "racf", "racdcert", "keyxfer", "iosdrive"):
        said = tool(name, "--help")
        expect("Usage:" in said or "usage:" in said.lower(), f"{name}: {said}")
        said = tool(name, "--no-such-option", status=2)
        expect("--no-such-option" in said or name == "iosdrive", f"{name}: {said}")
        expect(re.search(r"\d+\.\d+", tool(name, "--version")), name)
    expect("one configuration file" in tool("klmsrv", status=2), "klmsrv")
    tool("klmsrv", "a", "b", status=2)
    tool("iosdrive", status=2)
    tool("iosdrive", "no-such-command", status=2)


@test
def without_a_task_the_console_says_so():
    said = tool("oper", "D A,ISKLM", status=1)
    expect("KLM0981E" in said and "/nowhere/socket" in said, said)


@test
def verification_of_a_good_store_says_what_it_looked_at():
    with SITE.server() as server:
        server.start()
        server.stop()
        said = tool("klmsrv", "--verify", server.config)
        expect(re.search(r"store: [1-9]\d* records, 0 damaged", said) and re.search(r"journal: [1-9]\d* events, chain intact", said), said)


@test
def the_started_task_is_run_by_the_test_server_script():
    with SITE.server() as server:
        env = dict(os.environ, KLM_BIN=BIN)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/testserver")
        run(script, "run", server.home, env=env)
        shown = dict(line.removeprefix("export ").split("=", 1) for line in read(f"{server.home}/env").splitlines())
        expect(os.path.exists(f"/proc/{shown['KLM_PID']}"), str(shown))
        said = subprocess.run([f"{BIN}/oper", "status"], env={**os.environ, "KLM_OPER_SOCKET": server.socket}, text=True,
                              stdout=subprocess.PIPE, check=True).stdout
        expect(f"TCP port: {shown['KLM_TCP_PORT']}, SSL port: {shown['KLM_SSL_PORT']}" in said, said)
        expect("a server runs there already" in run(script, "run", server.home, env=env, status=1), "twice")
        run(script, "stop", server.home, env=env)
        expect(read(f"/proc/{shown['KLM_PID']}/cmdline") == "", "it still runs")


def folder_state(folder):
    """Names, sizes and contents, but for the lock's process number."""
    out = {}
    for top, _, names in os.walk(folder):
        for name in names:
            if name not in ("LOCK",):
                with open(os.path.join(top, name), "rb") as file:
                    out[name] = file.read()
    return out


if __name__ == "__main__":
    sys.exit(main())
