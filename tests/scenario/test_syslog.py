#!/usr/bin/env python3
"""Audit events to a real syslog-ng, over each transport and in each format: whole, in order, as its own parser reads them; and with
receivers that are down, killed, slow or show the wrong certificate."""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smf"))
import readjournal  # pylint: disable=wrong-import-position
import readsyslog  # pylint: disable=wrong-import-position
from confined import confined  # pylint: disable=wrong-import-position
from keyserver import BIN, SIGNED, SLOW, Site, read, wait_until, write  # pylint: disable=wrong-import-position
from scenario import BUILD, SOURCE, expect, main, run, test  # pylint: disable=wrong-import-position
from syslogng import SyslogNg  # pylint: disable=wrong-import-position

SITE = Site("Audit.isSyslog=true", "Audit.syslog.server.host=localhost", "Audit.syslog.transport=tcp",
            "Audit.syslog.resend.seconds=2", labels=False)
FIELDS = {}  # number in the journal: names by format
_NUMBERS = {name: int(number) for name, number in re.findall(r"(?m)^SMF_FIELD\((\w+), (\d+),", read(f"{SOURCE}/smf/fields.def"))}
for _row in re.findall(r'(?m)^SYSLOG_FIELD\((\w+), "(\w+)", (?:"(\w+)"|NULL), (?:"(\w+)"|NULL), "(\w+)"\)', read(f"{SOURCE}/smf/syslog_fields.def")):
    FIELDS[_NUMBERS[_row[0]]] = {"rfc5424": _row[1], "cef": _row[2], "label": _row[3], "leef": _row[4]}
# Characters that one or the other format has to escape, in a command that is refused.
ODD = r'''ID(TAPEKMS) LIST(LABEL('a"]b\c=d|eö;\"\]'))'''
REFUSED = "deletedrive -drivename "


def journal(server):
    """Records that sinks get: number, event bytes."""
    return [(number, event) for number, _, event, flags in readjournal.flagged(f"{server.home}/log/journal")
            if not flags & readjournal.LEFT_OUT]


def commands(server, lines):
    """Many commands through one oper."""
    done = subprocess.run([f"{BIN}/oper", "--socket", server.socket], input="".join(f"{line}\n" for line in lines), text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120 * SLOW, check=False)
    return done.returncode


def make_events(server, n=5):
    expect("KLM0938E" in server.racf(ODD, status=None), "the command was not refused")
    commands(server, [REFUSED + f"d{i}" for i in range(n)])


def last_number(server):
    return journal(server)[-1][0]


def all_arrived(server, receiver, seconds=15):
    """Stop the server, which sends what is left, and wait until the receiver has all of the journal."""
    server.stop()
    end = last_number(server)
    wait_until("the last event at the receiver", seconds, lambda: end in receiver.numbers())


def check_order(server, numbers):
    """Each number of the journal at least once, first occurrences in order."""
    first = list(dict.fromkeys(numbers))
    expect(first == [number for number, _ in journal(server)], f"{first} against the journal")


def check_fields(server, values_of, form):
    """Every field of every record, as the journal has it, and nothing else."""
    front = {"rfc5424": {"sequence", "kind", "outcome", "journal", "chain"},
             "leef": {"devTime", "devTimeFormat", "sev", "cat", "sequence", "server", "outcome", "journal", "chain", "src", "srcPort"}}
    seen = ""
    for number, event in journal(server):
        got, expected = values_of[number], readjournal.fields(event)
        outcome = "failure" if event[2] else "success"
        expect(got["outcome"] == outcome, f"{number}: {got}")
        for field, value in expected.items():
            name = FIELDS[field][form]
            if not name or (name in ("address", "klmAddress") and name not in got):
                continue
            if not got.get(name, "").endswith("..."):
                expect(got.get(name) == value, f"{number}: {name} is {got.get(name)!r}, not {value!r}")
            seen += value
        if form in front:
            extra = set(got) - front[form] - {FIELDS[field][form] for field in expected}
            expect(not extra, f"{number}: {extra}")
    for odd in '"]\\=|ö;':
        expect(odd in seen, f"no event had {odd}")


def check_received(server, receiver, form="rfc5424"):
    numbers = receiver.numbers()
    check_order(server, numbers)
    check_fields(server, dict(zip(numbers, receiver.messages())), form)
    raw = [message["raw"] for message in receiver.received()]
    expect(readsyslog.verify(form, raw) == sorted(set(numbers)), "chain")
    for message in receiver.received():
        found, values, text = readsyslog.parse(form, message["raw"])
        values.pop("hash", None)
        expect(message["host"] == "TEST" and message["app"] == "klmsrv" and message["msgid"] == found["msgid"], str(message))
        expect(message["pri"] == ("110" if values["outcome"] == "success" else "108"), str(message))
        expect(message["text"] == text, f"{message['text']!r}, not {text!r}")


def tls_files(server, folder):
    """Certificates by file: the authority's, and a receiver's that our authority signed, one of another host, and one of nobody."""
    os.makedirs(folder, exist_ok=True)
    made = {"ca": f"{server.home}/drive/ca.crt"}
    for name, alt in (("right", "ALTNAME(DOMAIN('localhost'))"), ("other", "ALTNAME(DOMAIN('other.example'))")):
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{folder}/{name}.key", "-out", f"{server.files}/{name.upper()}.CSR")
        server.racf(f"ID(TAPEKMS) GENCERT('{name.upper()}.CSR') WITHLABEL('{name}') ROLE(SERVER) {alt} {SIGNED}")
        server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{name}')) DSN('{name.upper()}.CERT') FORMAT(CERTB64)")
        made[name] = {"cert": f"{server.files}/{name.upper()}.CERT", "key": f"{folder}/{name}.key", "ca": made["ca"]}
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-keyout", f"{folder}/nobody.key", "-out", f"{folder}/nobody.crt")
    made["nobody"] = {"cert": f"{folder}/nobody.crt", "key": f"{folder}/nobody.key", "ca": made["ca"]}
    server.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('Audit of KLM') O('MyCo') C('US')) WITHLABEL('ISKLM_Syslog') "
                f"PCICC(ISKLM.SYSLOG.CERT) NISTECC SIZE(256) ROLE(CLIENT) {SIGNED}")
    server.racf("ID(TAPEKMS) CONNECT(LABEL('ISKLM_Syslog') RING(KeyStore4758))")
    return made


# ---- Each transport

def one_transport(source, *properties):
    with SITE.server(*properties) as server, SyslogNg(f"{server.home}/ng", source) as receiver:
        server.set(f"Audit.syslog.server.port={receiver.port}", f"Audit.syslog.socket={receiver.socket}")
        server.start()
        make_events(server)
        all_arrived(server, receiver)
        check_received(server, receiver)


@test
def over_tcp_every_event_arrives_in_order_with_its_fields():
    one_transport("tcp")


@test
def over_udp_every_event_arrives_in_order_with_its_fields():
    one_transport("udp", "Audit.syslog.transport=udp")


@test
def over_a_local_socket_of_datagrams_every_event_arrives():
    one_transport("dgram", "Audit.syslog.transport=local")


@test
def over_a_local_socket_that_is_a_stream_every_event_arrives_that_the_configuration_takes():
    one_transport("stream", "Audit.syslog.transport=local", "Audit.event.outcome=failure")


# ---- TLS

@test
def over_tls_both_sides_show_certificates_and_a_wrong_one_gets_nothing():
    with SITE.server("Audit.syslog.server.isSSL=true", "Audit.syslog.ssl.label=ISKLM_Syslog") as server:
        server.unset("Audit.syslog.transport")
        files = tls_files(server, f"{server.home}/tls")
        receiver = SyslogNg(f"{server.home}/ng", "tls", **files["nobody"])
        server.set(f"Audit.syslog.server.port={receiver.port}")
        with receiver:
            server.start()
            said = server.says("KLM0771E")
            expect("its certificate is refused" in said and f"tls:localhost:{receiver.port}" in said, said)
        receiver.tls = files["other"]
        with receiver:
            wait_until("the reason of the other name in the status", 15, lambda: re.search(r"mismatch", server.oper("status"), re.I))
            make_events(server)
        expect(receiver.received() == [], "something was sent")
        receiver.tls = files["right"]
        with receiver:
            said = server.says("KLM0772I", seconds=30)
            expect(re.search(r"again; \d+ waited", said), said)
            all_arrived(server, receiver)
            check_received(server, receiver)


@test
def a_receiver_that_refuses_our_certificate_gets_nothing_and_a_missing_one_stops_the_start():
    with SITE.server("Audit.syslog.server.isSSL=true", "Audit.syslog.timeout.seconds=2") as server:
        server.unset("Audit.syslog.transport")
        files = tls_files(server, f"{server.home}/tls")
        # a receiver that trusts another authority than ours
        with SyslogNg(f"{server.home}/ng", "tls", **{**files["right"], "ca": files["nobody"]["cert"]}) as receiver:
            server.set(f"Audit.syslog.server.port={receiver.port}")
            server.start()
            said = server.says("KLM0771E")
            expect("alert" in said, said)
            expect(receiver.received() == [], "something was sent")
            server.stop()
        server.set("Audit.syslog.ssl.label=no such label")
        said = server.refuses_to_start()
        expect("KLM0778E" in said and "no such label" in said, said)


@test
def the_example_of_a_receiver_works_and_keeps_what_the_chain_is_checked_over():
    with SITE.server("Audit.syslog.transport=tls", "Audit.syslog.ssl.label=ISKLM_Syslog") as server:
        files, folder = tls_files(server, f"{server.home}/tls")["right"], f"{server.home}/ng"
        receiver = SyslogNg(folder, "tls")
        conf = read(f"{SOURCE}/examples/syslog-ng.conf")
        for old, new in (("6514", str(receiver.port)), ('"0.0.0.0"', '"127.0.0.1"'), ("/etc/syslog-ng/tls/loghost.crt", files["cert"]),
                         ("/etc/syslog-ng/tls/loghost.key", files["key"]), ("/etc/syslog-ng/tls/authority.crt", files["ca"]), ("/var/log/klm", folder)):
            expect(old in conf, f"the example has no {old}")
            conf = re.sub(rf"(?<!klmsrv@){re.escape(old)}", lambda _, new=new: new, conf)
        try:
            receiver.start(conf)
            server.set(f"Audit.syslog.server.port={receiver.port}")
            server.start()
            make_events(server)
            server.stop()
            numbers = [str(number) for number, _ in journal(server)]
            wait_until("the last event", 10, lambda: f' sequence="{numbers[-1]}" ' in read(f"{folder}/audit.raw"))
            said = run(sys.executable, f"{SOURCE}/tests/smf/readsyslog.py", "rfc5424", f"{folder}/audit.raw")
            expect(said.split() == numbers, said)
            short = read(f"{folder}/audit.short").splitlines()
            expect(len(short) == len(numbers) and any(" cert-list failure root " in line for line in short), str(short[-9:]))
        finally:
            receiver.kill()
        forged = read(f"{folder}/audit.raw").replace("failure", "success", 1)
        write(f"{folder}/forged", forged)
        expect("chain" in run(sys.executable, f"{SOURCE}/tests/smf/readsyslog.py", "rfc5424", f"{folder}/forged", status=1), "forged")


# ---- Formats for security event managers

def one_format(form, number):
    with SITE.server(f"Audit.syslog.format={form}") as server, SyslogNg(f"{server.home}/ng", "tcp") as receiver:
        server.set(f"Audit.syslog.server.port={receiver.port}")
        server.start()
        make_events(server)
        server.stop()
        end = last_number(server)
        wait_until("the last event at the receiver", 15, lambda: receiver.received() and
                   readsyslog.parse(form, receiver.received()[-1]["raw"])[1][number] == str(end))
        raw = [message["raw"] for message in receiver.received()]
        parsed = [readsyslog.parse(form, text) for text in raw]
        check_order(server, [int(values[number]) for _, values, _ in parsed])
        check_fields(server, {int(values[number]): values for _, values, _ in parsed}, form)
        readsyslog.verify(form, raw)
        for found, values, _ in parsed:
            expect(found[form][0:2] == ["klmsrv", "klmsrv"] and values["cat"], str(found))
        return parsed


@test
def in_cef_every_event_is_read_back_by_another_parser():
    for found, values, _ in one_format("cef", "externalId"):
        expect(found["cef"][5] == ("3" if values["outcome"] == "success" else "7"), str(found))
        expect(re.fullmatch(r"\d{13}", values["rt"]) and values["deviceExternalId"] == "TEST", str(values))
        for n in range(1, 7):
            expect((f"cs{n}" in values) == (f"cs{n}Label" in values), str(values))


@test
def in_leef_every_event_is_read_back_by_another_parser():
    for _, values, _ in one_format("leef", "sequence"):
        expect(values["sev"] == ("3" if values["outcome"] == "success" else "7"), str(values))
        expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", values["devTime"]), values["devTime"])


# ---- Kills

@test
def of_a_receiver_and_a_server_that_are_killed_in_mid_stream_no_event_is_missing():
    with SITE.server() as server, SyslogNg(f"{server.home}/ng", "tcp") as receiver:
        server.set(f"Audit.syslog.server.port={receiver.port}")
        server.start()
        busy = threading.Thread(target=commands, args=(server, [REFUSED + "x"] * 1500))
        busy.start()
        wait_until("some events", 10, lambda: len(receiver.received()) > 30)
        receiver.kill()
        server.says("KLM0770W")
        receiver.start()
        server.says("KLM0772I")
        busy.join()
        busy, seen, mark = threading.Thread(target=commands, args=(server, [REFUSED + "y"] * 1500)), len(receiver.received()), server.mark()
        busy.start()
        wait_until("events again", 10, lambda: len(receiver.received()) > seen + 30)
        receiver.stop()
        server.says("KLM0770W", since=mark)
        receiver.start()
        server.says("KLM0772I", since=mark)
        busy.join()
        busy = threading.Thread(target=commands, args=(server, [REFUSED + "x"] * 1500))
        seen = len(receiver.received())
        busy.start()
        wait_until("some more events", 10, lambda: len(receiver.received()) > seen + 30)
        server.kill()
        busy.join()
        server.start()
        make_events(server)
        all_arrived(server, receiver)
        check_received(server, receiver)
        expect(len(receiver.numbers()) > len(set(receiver.numbers())), "nothing was sent twice: the kills came too late")


# ---- A receiver that does not read

def memory(server):
    """Its own, without the pages of files that it looks into."""
    return int(re.search(r"(?m)^RssAnon:\s+(\d+) kB", read(f"/proc/{server.pid}/status"))[1])


@test
def a_receiver_that_does_not_read_stops_nobody_and_the_backlog_is_shown():
    with SITE.server("Audit.syslog.timeout.seconds=1") as server, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(16)  # connections that are tried again find room, too
        server.set(f"Audit.syslog.server.port={deaf.getsockname()[1]}")
        server.start(env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"})
        flood = ["modconfig -set -property fips -value " + "x" * 400] * 800
        commands(server, flood)
        said = server.says("KLM0770W", seconds=20)
        expect("the receiver takes nothing" in said, said)
        # Were the backlog kept in memory, each flood would add to it; a disk that is slow for a while makes the journal's buffers larger once, and the first three or four find room that they keep.
        used = [memory(server)]
        for _ in range(7):
            commands(server, flood)
            used.append(memory(server))
        least = min(after - before for before, after in zip(used, used[1:]))
        own = 1 if SLOW == 1 else 16  # a sanitizer keeps several bytes for each that is touched, and looks for leaks by itself
        expect(least * 1024 < len(flood) * 400 * own, f"each flood makes the task larger: {used} kB")
        began = time.monotonic()
        server.oper("listdrives")
        expect(time.monotonic() - began < 4 * SLOW, "the task waits for the receiver")
        status = server.status("Audit to syslog")
        behind = int(re.search(r"(\d+) behind", status)[1])
        expect(behind >= 300 and "takes nothing" in status, status)
        began = time.monotonic()
        server.set("Audit.handler.file.threadlifespan=1")
        server.stop()
        expect(time.monotonic() - began < 16 * SLOW, "the stop waits for the receiver")


# ---- The plug-in

@test
def a_plug_in_that_is_missing_stops_the_start_with_a_message():
    with SITE.server("Audit.syslog.transport=evtlog", "Audit.syslog.plugin=/nowhere/evtlog.so") as server:
        said = server.refuses_to_start()
        expect("KLM0773E" in said and "/nowhere/evtlog.so" in said, said)


PLUGGED = ("Audit.syslog.transport=evtlog", f"Audit.syslog.plugin={BUILD}/plugins/evtlog.so", "Audit.syslog.timeout.seconds=1")


def with_log_at(server, receiver):
    """Words that run a program in a name space of its own, where /dev/log is the receiver's socket; nobody else sees that."""
    script = ('set -e; d=$1; s=$2; shift 2; mkdir -p "$d"; mount -t tmpfs none "$d"; for f in null zero full random urandom tty; do '
              ': >"$d/$f"; mount --bind "/dev/$f" "$d/$f"; done; ln -s "$s" "$d/log"; mount --rbind "$d" /dev; exec "$@"')
    return ("unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), "sh", "-c", script, "sh", f"{server.home}/dev", receiver.socket)


@test
def in_the_confinement_of_the_unit_the_plug_in_is_loaded_and_its_events_arrive():
    with SITE.server(*PLUGGED) as server, SyslogNg(f"{server.home}/ng", "bsd") as receiver:
        server.start(wrap=(*with_log_at(server, receiver), *confined(server.home)))
        expect(re.search(r"(?m)^Seccomp:\s+2$", read(f"/proc/{server.pid}/status")), "confined")
        make_events(server)
        server.stop()
        end = last_number(server)
        wait_until("the last event at the receiver", 15, lambda: f"sequence='{end}'," in read(receiver.out))


@test
def through_the_eventlog_library_every_event_arrives_with_its_tags():
    with SITE.server(*PLUGGED) as server, SyslogNg(f"{server.home}/ng", "bsd") as receiver:
        server.start(wrap=with_log_at(server, receiver))
        make_events(server)
        # syslog(3) blocks while nobody reads: that holds up nobody else
        receiver.process.send_signal(signal.SIGSTOP)
        commands(server, [REFUSED + "z"] * 1500)
        said = server.says("KLM0770W")
        expect("does not come back" in said and "does not come back" in server.status("Audit to syslog"), said)
        receiver.process.send_signal(signal.SIGCONT)
        server.says("KLM0772I")
        server.stop()
        end = last_number(server)
        wait_until("the last event at the receiver", 15, lambda: f"sequence='{end}'," in read(receiver.out))
        got = {}
        for message in receiver.received():
            expect(message["app"] == "klmsrv" and message["pri"] in ("110", "108"), str(message))
            got[int(re.search(r"; sequence='(\d+)', ", message["text"])[1])] = message["text"]
        check_order(server, list(got))
        for number, event in journal(server):
            for field, value in readjournal.fields(event).items():
                tag = f"{FIELDS[field]['rfc5424']}='" + value.replace("'", "\\'") + "'"
                expect(tag in got[number], f"{number}: no {tag} in {got[number]}")


# ---- The manual

@test
def the_manual_names_every_field_as_the_messages_do():
    rows = [re.findall(r"`([^`]+)`", line) for line in read(f"{SOURCE}/docs/syslog.md").split("\n") if line.startswith("| ")]
    for number, names in FIELDS.items():
        found = [row for row in rows if names["rfc5424"] in row and names["leef"] in row and (not names["cef"] or names["cef"] in row)]
        expect(len(found) == 1, f"{number}: {names} stand in {len(found)} rows")
        expect(not names["label"] or names["label"] in found[0], f"{number}: label")
    expect(len(FIELDS) == len(_NUMBERS), "a field has no names")


if __name__ == "__main__":
    sys.exit(main())
