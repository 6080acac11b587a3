#!/usr/bin/env python3
"""Drives and their keys: writing, reading, appending, labels, encodings, algorithms, who is let in, what is recorded."""
import hashlib
import os
import re
import ssl
import sys
import xml.etree.ElementTree

from keyserver import LABEL, LABEL2, Site, read, wait_until, write
from kx import CONFIRM, Drive, Session, hello_fields, message, refusal
from peer import Host
from scenario import expect, main, run, test

SITE = Site()
KINDS = {"RSA3072": "SIZE(3072)", "RSA4096": "SIZE(4096)", "P384": "NISTECC SIZE(384)"}
for KIND, HOW in KINDS.items():
    SITE.master.label(f"Label_{KIND}", HOW)
HOST = Host(f"{SITE.folder}/host").make(SITE.master)
PYTHON = Drive(f"{SITE.folder}/python", "0000PYTHON01", "5005076302400001").make().signed_by(SITE.master)
DATA = os.urandom(200000) + b"compressible " * 20000


def serve(server, *hosts):
    """Start, take the drives in, point the hosts here."""
    server.start()
    for host in hosts:
        server.oper(f"adddrive -drivename {host.serial} -cert DRIVE.{host.serial}.CERT")
        if isinstance(host, Host):
            host.attach(server)
    for name in os.listdir(HOST.folder):
        if ".aws" in name:
            os.remove(os.path.join(HOST.folder, name))
    return server


def shown(server, volser):
    """Drive, WWN, aliases of a volume's newest usage."""
    line = [line for line in server.oper(f"query -volser {volser}").splitlines() if line.startswith(volser)]
    expect(line, f"{volser} is not in the key usage metadata")
    return line[0].split()[1:5]


# ---- Cartridges

@test
def what_is_written_is_read_back_and_each_file_has_its_own_key():
    with SITE.server() as server:
        serve(server, HOST)
        HOST.write("VOL001", DATA, "--kl1", LABEL, "--kl2", LABEL2)
        HOST.write("VOL001", b"second", "--append", "--kl1", LABEL2)
        HOST.write("VOL001", b"", "--append")
        expect(HOST.read("VOL001") == DATA and HOST.read("VOL001", "-f", "2") == b"second" and HOST.read("VOL001", "-f", "3") == b"", "content")
        listed = HOST.run("list", HOST.tape("VOL001"))
        expect(re.search(rf"2 .* L:{LABEL2} L:{LABEL2}", listed), f"one label given is used for both: {listed}")
        expect("VOL001" in run("tapemap", HOST.tape("VOL001"), status=None), "tapemap")
        text = read(HOST.tape("VOL001"), errors="replace")
        expect("compressible" not in text, "clear data on the tape")
        expect("KLM10" in HOST.read("VOL001", "-f", "4", status=1), "a file that is not there")
        expect(server.oper("query -volser VOL001").rstrip().endswith("3 entries"), "usage")


@test
def labels_are_those_of_the_request_then_of_the_drive_then_the_defaults():
    with SITE.server() as server:
        serve(server, HOST)
        for volser, setting, words, wanted in (
                ("LBL001", "", (), [LABEL, LABEL2]), ("LBL002", f"-rec1 Label_P384 -rec2 {LABEL}", (), ["Label_P384", LABEL]),
                ("LBL003", "", ("--kl1", LABEL2), [LABEL2, LABEL2]), ("LBL004", "-rec2", (), ["Label_P384", "Label_P384"])):
            if setting:
                server.oper(f"moddrive -drivename {HOST.serial} {setting}")
            HOST.write(volser, b"x", *words)
            expect(shown(server, volser)[2:] == wanted, f"{volser}: {shown(server, volser)}")
            expect(HOST.read(volser) == b"x", volser)
        server.oper(f"moddrive -drivename {HOST.serial} -rec1")
        server.oper("modconfig -unset -property drive.default.alias1")
        server.oper("modconfig -unset -property drive.default.alias2")
        expect("KLM0910E" in HOST.refused("LBL005", "EE31"), "no label at all")
        expect("KLM0911E Key label Nobody" in HOST.refused("LBL006", "EE31", "--kl1", "Nobody", "--kl2", LABEL), "a label that is not there")
        expect(HOST.read("LBL001") == b"x", "reading needs no labels")


@test
def every_kind_of_key_and_both_encodings_work():
    with SITE.server() as server:
        serve(server, HOST)
        kinds = [LABEL, LABEL2, *(f"Label_{kind}" for kind in KINDS)]
        for i, label in enumerate(kinds):
            other = kinds[(i + 1) % len(kinds)]
            HOST.write(f"ALG00{i}", b"data %d" % i, "--kl1", label, "--enc1", "H", "--kl2", other, "--enc2", "L")
            listed = HOST.run("list", HOST.tape(f"ALG00{i}"))
            expect(re.search(rf"H:\S* L:{other}", listed), listed)
        server.stop()
        for label in kinds[::2]:  # only the other halves stay
            server.racf(f"ID(TAPEKMS) REMOVE(LABEL('{label}') RING(KeyStore4758))")
        server.set("drive.default.alias1=Label_RSA3072").start()
        for i in range(4):
            expect(HOST.read(f"ALG00{i}") == b"data %d" % i, f"cartridge {i} by one half")
        server.stop()
        for label in kinds[1::2]:
            server.racf(f"ID(TAPEKMS) REMOVE(LABEL('{label}') RING(KeyStore4758))")
        server.start()
        expect("KLM0915E" in HOST.refused("ALG000", "EE32", command="read"), "no key at all")
        expect(server.audited("Read Request", "ALG000", "unsuccessful"), "audit")


@test
def a_certificate_without_its_private_key_serves_beside_one_that_has_it():
    with SITE.server() as server:
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{server.home}/p.key", "-out", f"{server.files}/PARTNER", "-days", "30",
            "-subj", "/CN=Partner")
        server.racf("ID(TAPEKMS) ADD('PARTNER') TRUST WITHLABEL('Partner')")
        server.racf("ID(TAPEKMS) CONNECT(LABEL('Partner') RING(KeyStore4758))")
        serve(server, HOST)
        HOST.write("PAR001", b"for both", "--kl1", "Partner", "--kl2", LABEL2)
        expect(HOST.read("PAR001") == b"for both", "here")
        expect("KLM0912E" in HOST.refused("PAR002", "EE31", "--kl1", "Partner"), "nobody here could read it")
        # The partner opens the first EEDK with OpenSSL alone (PROTOCOL.md 5) and gets 32 bytes.
        with open(HOST.tape("PAR001"), "rb") as tape:
            raw = tape.read()
        at = raw.index(b"EEDK\x01\x01L\x07Partner")
        context, wrapped = raw[at:at + 15], raw[at + 15:at + 15 + 256]
        write(f"{server.home}/wrapped", wrapped)
        run("openssl", "pkeyutl", "-decrypt", "-inkey", f"{server.home}/p.key", "-in", f"{server.home}/wrapped", "-out", f"{server.home}/dk",
            "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256", "-pkeyopt",
            f"rsa_oaep_label:{context.hex()}")
        key = open(f"{server.home}/dk", "rb").read()
        expect(len(key) == 32, "the data key")
        found = [path for path in files_below(server.home) if secret_in(key, path) and not path.endswith("/dk")]
        expect(not found, f"f34: the data key is in {found}")


@test
def a_cartridge_is_wrapped_anew_for_other_labels():
    with SITE.server() as server:
        serve(server, HOST, PYTHON)
        with Session(server, PYTHON) as session:
            _, eedks, _ = session.create("TRN001", [LABEL])
            _, fresh, labels = session.translate("TRN001", eedks, ["Label_P384", (LABEL2, "H")])
            expect(labels == [("Label_P384", "L"), (LABEL2, "H")] and len(fresh) == 2, str(labels))
            session.get("TRN001", fresh)
            wrapped, _, _ = session.translate("TRN001", eedks, [LABEL2])
            expect(wrapped == bytes(40), "translate gives a key away")
            expect(refusal(session.translate, "TRN001", eedks, ["Nobody"]).code == 0xEE31, "label")
            expect(refusal(session.translate, "TRN001", [b"EEDK" + bytes(20)], [LABEL]).code == 0xEE23, "EEDK")
        HOST.write("TRN002", b"x", "--kl1", LABEL)
        said = HOST.run("translate", "--kl1", "Label_P384", HOST.tape("TRN002"))
        expect("Label_P384" in said, said)


# ---- What is recorded

@test
def a_write_is_recorded_as_documented():
    with SITE.server() as server:
        serve(server, HOST)
        HOST.write("WXY662", b"x", "--kl1", LABEL, "--kl2", LABEL2)
        record = server.audited("Write Request", "WXY662")[-1]
        wanted = ["Runtime event:[", r"  timestamp=\w{3} \w{3} \d\d \d\d:\d\d:\d\d GMT \d{4}", r"  ComponentId=\[threadId=Thread\[.*\]\]",
                  r"  event source=\S+", "  outcome=[result=successful]", "  event type=SECURITY_RUNTIME",
                  f"  resource=[name=Write Request: Drive Serial Number: {HOST.serial} WWN:{HOST.wwn} VolSer: WXY662 "
                  f"Key Alias/Label[0]: {LABEL} Key Alias/Label[1]: {LABEL2};type=file]", "  action=stop", f"  user={HOST.serial}",
                  r"  sequence=\d+", r"  chain=[0-9a-f]{64}", "  ]"]
        for line, want in zip(record, wanted):
            expect(line == want or re.fullmatch(want, line), f"{line!r} is not {want!r}")
        expect(len(record) == len(wanted), "\n".join(record))
        HOST.read("WXY662")
        expect(server.audited("Read Request: Drive Serial Number", "WXY662", "successful"), "read")
        HOST.refused("WXY663", "EE31", "--kl1", "Nobody")
        expect(server.audited("Write Request", "WXY663", "outcome=[result=unsuccessful]", "message=KLM0911E"), "refusal")
        expect(server.audited("Authentication event", f"users={HOST.serial}", "authentication type=certificate"), "session")
        numbers = [int(line[11:]) for one in server.audit() for line in one if line.startswith("  sequence=")]
        expect(numbers == sorted(set(numbers)), "sequence numbers")


@test
def the_text_log_rolls_with_time_stamps_and_loses_and_splits_nothing():
    with SITE.server("Audit.handler.file.size=4") as server:
        serve(server, PYTHON)
        with Session(server, PYTHON) as session:
            for i in range(60):
                session.create(f"R{i:05}")
        wait_until("60 records", 10, lambda: sum("Write Request" in "".join(one) for one in server.audit()) == 60)
        names = sorted(name for name in os.listdir(f"{server.home}/log/audit") if not name.endswith(".cursor"))
        expect(len(names) > 3 and "isklm_audit.log" in names, str(names))
        for name in names:
            text = read(f"{server.home}/log/audit/{name}")
            expect(re.fullmatch(r"(\S[^\n]*:\[\n(  [^\n]*\n)*?  \]\n)*", text), f"{name} has a split record")
            expect(len(text) < 3 * 4096, f"{name} is long")
        numbers = [int(line[11:]) for one in server.audit() for line in one if line.startswith("  sequence=")]
        expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a record is missing")
        value = bytes(32)
        for one in server.audit():  # each chain value is over the one before and the record up to its sequence number
            value = hashlib.sha256(value + "".join(f"{line}\n" for line in one[:-2]).encode()).digest()
            expect(one[-2] == f"  chain={value.hex()}", f"the chain breaks: {one}")


@test
def the_text_log_is_filtered_and_the_journal_is_not():
    with SITE.server("Audit.event.types=runtime", "Audit.event.outcome=failure") as server:
        serve(server, PYTHON)
        with Session(server, PYTHON) as session:
            refusal(session.create, "FLT000", ["Nobody"])
        server.audited("FLT000")
        before = len(server.audit())  # events of tools, from when all types were asked for
        with Session(server, PYTHON) as session:
            session.create("FLT001")
            refusal(session.create, "FLT002", ["Nobody"])
        server.audited("FLT002")
        server.oper("deletedrive -drivename 000000000099", status=1)
        with Session(server, PYTHON) as session:
            refusal(session.create, "FLT003", ["Nobody"])
        server.audited("FLT003")  # and all before it
        text = "\n".join("\n".join(one) for one in server.audit()[before:])
        kinds = set(re.findall(r"event type=(\S+)", text))
        expect("FLT001" not in text, "a success is in the log")
        server.oper("modconfig -set -property Audit.event.types -value all")
        server.oper("deletedrive -drivename 000000000098", status=1)
        server.audited("000000000098")
        expect(not [one for one in server.audit() if "000000000099" in "\n".join(one)] and kinds == {"SECURITY_RUNTIME"}, f"another type is in the log: {kinds}")
        expect(int(server.status("Audit events")) > len(server.audit()), "the journal is filtered")


@test
def usage_is_queried_by_volume_alias_and_drive_and_is_in_the_xml_file():
    with SITE.server() as server:
        serve(server, HOST, PYTHON)
        with Session(server, PYTHON) as session:
            for volser, labels in (("AAA001", [LABEL]), ("AAA002", [LABEL, LABEL2]), ("AAA001", [LABEL2])):
                session.create(volser, labels)
        HOST.write("BBB001", b"x")
        volumes = lambda text: [line.split()[0] for line in text.splitlines() if re.match(r"[AB]{3}00\d ", line)]
        expect(volumes(server.oper("query -volser AAA001")) == ["AAA001"] * 2, "volser")
        newest = server.oper("query -volser AAA001 -limit 1")
        expect(LABEL2 in newest and LABEL not in newest, f"newest first: {newest}")
        expect(volumes(server.oper(f"query -alias {LABEL2}")) == ["BBB001", "AAA001", "AAA002"], "alias")
        expect(volumes(server.oper(f"query -drivename {PYTHON.serial}")) == ["AAA001", "AAA002", "AAA001"], "drive")
        path = f"{server.home}/lib/metadata/SKLMData.xml"
        wait_until("the file", 5, lambda: read(path).count("<KeyUsageEvent>") == 4)
        root = xml.etree.ElementTree.parse(path).getroot()
        expect(root.tag == "KeyUsageEvents" and all(one.tag == "KeyUsageEvent" for one in root), "elements")
        last = {child.tag: child.text for child in root[-1]}
        expect(set(last) == {"driveSSN", "volSer", "driveWWN", "keyAlias1", "keyAlias2", "dateTime"}, str(last))
        expect((last["driveSSN"], last["volSer"], last["driveWWN"], last["keyAlias1"], last["keyAlias2"]) == (HOST.serial, "BBB001", HOST.wwn, LABEL, LABEL2), str(last))
        expect(re.fullmatch(r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d GMT \d{4}", last["dateTime"]), last["dateTime"])


@test
def the_drive_table_learns_contacts_and_the_last_volume():
    with SITE.server() as server:
        serve(server, PYTHON)
        with Session(server, PYTHON) as session:
            session.create("LAST01")
        server.stop()
        line = [line for line in read(server.table).splitlines() if line.startswith(PYTHON.serial)][0].split()
        expect("LAST01" in line and PYTHON.wwn in line and len([word for word in line if re.match(r"20\d\d-", word)]) == 2, str(line))


# ---- Who is let in

@test
def unknown_drives_are_refused_listed_or_accepted():
    with SITE.server("drive.acceptUnknownDrives=false") as server:
        server.start()
        refused = refusal(Session, server, PYTHON)
        expect(refused.code == 0xEF01 and refused.identifier == "KLM0204E", str(refused))
        expect(server.oper("listpending").rstrip().endswith("0 entries"), "refused drives are listed")
        expect(server.audited("unsuccessful", "KLM0204E", PYTHON.serial), "audit")
        server.oper("modconfig -set -property drive.acceptUnknownDrives -value pending")
        for _ in range(2):
            refused = refusal(Session, server, PYTHON)
            expect(refused.code == 0xEF01 and refused.identifier == "KLM0926W", str(refused))
        listed = server.oper("listpending")
        expect(PYTHON.serial in listed and PYTHON.wwn in listed and "127.0.0.1" in listed and listed.rstrip().endswith("1 entry"), listed)
        server.oper(f"rejectdrive -drivename {PYTHON.serial}")
        expect(refusal(Session, server, PYTHON).code == 0xEF01, "rejected, so again unknown")
        server.oper(f"acceptdrive -drivename {PYTHON.serial} -rec1 {LABEL2}")
        expect(server.oper("listpending").rstrip().endswith("0 entries"), "it still waits")
        with Session(server, PYTHON) as session:
            expect(session.create()[2] == [(LABEL2, "L")] * 2, "its alias")
        server.oper(f"deletedrive -drivename {PYTHON.serial}")
        server.oper("modconfig -set -property drive.acceptUnknownDrives -value true")
        with Session(server, PYTHON) as session:
            expect([label for label, _ in session.create()[2]] == [LABEL, LABEL2], "default aliases")
        server.says(f"KLM0925W Unknown drive {PYTHON.serial}")
        expect(PYTHON.wwn in server.oper(f"listdrives -drivename {PYTHON.serial}"), "it is not in the table")


@test
def the_pending_list_is_bounded():
    with SITE.server("drive.pending.max=2") as server:
        drives = [Drive(f"{server.home}/p{i}", f"0000PEND000{i}", f"500507630240000{i}").make().signed_by(server) for i in range(3)]
        server.start()
        codes = [refusal(Session, server, drive).identifier for drive in drives]
        expect(codes == ["KLM0926W", "KLM0926W", "KLM0927E"], str(codes))
        expect(server.oper("listpending").rstrip().endswith("2 entries"), "the list")


@test
def a_known_drive_must_show_its_own_certificate():
    with SITE.server() as server:
        other = Drive(f"{server.home}/other", PYTHON.serial, PYTHON.wwn).make().signed_by(server, name="AGAIN")
        wwn = Drive(f"{server.home}/wwn", PYTHON.serial, "5005076302409999").make().signed_by(server, name="WWN")
        serve(server, PYTHON)
        refused = refusal(Session, server, other)
        expect(refused.code == 0xEE2B and refused.identifier == "KLM0923E", str(refused))
        expect(refusal(Session, server, wwn).identifier in ("KLM0923E", "KLM0924E"), "other WWN")
        server.oper(f"moddrive -drivename {PYTHON.serial} -cert DRIVE.AGAIN.CERT")
        with Session(server, other) as session:
            session.verify()
        expect(refusal(Session, server, PYTHON).identifier == "KLM0923E", "the old certificate")


@test
def claims_that_differ_from_the_certificate_are_refused():
    with SITE.server() as server:
        serve(server, PYTHON, HOST)
        for serial, wwn in ((HOST.serial, PYTHON.wwn), (PYTHON.serial, HOST.wwn), (HOST.serial, HOST.wwn)):
            claim = Drive(PYTHON.folder, serial, wwn)
            expect(refusal(Session, server, claim).code == 0xEE2C, f"{serial} {wwn}")
            expect(refusal(Session, server, claim, "ssl").code == 0xEE2C, f"{serial} {wwn}")
        session = Session(server, PYTHON, confirm=False)
        expect(refusal(session.confirm, hellos=bytes(32)).code == 0xEE29, "hellos")
        expect(session.closed(), "it stays open")
        session = Session(server, PYTHON, confirm=False)
        expect(refusal(session.confirm, fields=hello_fields(HOST_AS_DRIVE)).code == 0xEE29, "another drive than in the clear hello")
        session = Session(server, PYTHON, "ssl", confirm=False)
        expect(refusal(session.confirm, hellos=bytes(31) + b"\1").code == 0xEE29, "hellos on the SSL port are zeros")


@test
def only_certificates_of_drives_and_of_our_authority_are_let_in():
    with SITE.server() as server:
        label = Drive(f"{server.home}/label", "0000LABEL001").make(role=False).signed_by(server, role="LABEL")
        client = Drive(f"{server.home}/client", "0000CLIENT01").make(role=False).signed_by(server, role="CLIENT")
        foreign = Drive(f"{server.home}/foreign", "0000FOREIGN1").make()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{server.home}/ca.key",
            "-out", f"{server.home}/ca.pem", "-subj", "/CN=MyLocalCA/O=MyCo/C=US", "-days", "30")
        run("openssl", "x509", "-req", "-in", foreign.request, "-CA", f"{server.home}/ca.pem", "-CAkey", f"{server.home}/ca.key", "-out", foreign.cert,
            "-days", "30", "-copy_extensions", "copyall")
        own = Drive(f"{server.home}/own", "0000OWNSIGN1").make()
        run("openssl", "x509", "-req", "-in", own.request, "-signkey", own.key, "-out", own.cert, "-days", "30", "-copy_extensions", "copyall")
        server.set("drive.acceptUnknownDrives=true").start()
        for who in (label, client):
            for port in ("tcp", "ssl"):
                try:
                    refused = refusal(Session, server, who, port)
                    expect(refused.code == 0xEE2C and refused.identifier == "KLM0921E", str(refused))
                except (ssl.SSLError, ConnectionError, EOFError):
                    pass  # an alert in the handshake is as good
        for who in (foreign, own):
            for port in ("tcp", "ssl"):
                try:
                    Session(server, who, port)
                    raise AssertionError(f"{who.folder} was let in")
                except (ssl.SSLError, ConnectionError, EOFError):
                    pass
        try:
            Session(server, PYTHON, cert=False)
            raise AssertionError("no certificate is let in")
        except (ssl.SSLError, ConnectionError, EOFError):
            pass
        expect("0 entries" in server.oper("listdrives"), "somebody is in the table")


@test
def a_request_cannot_take_the_role_of_a_drive_when_another_was_given():
    with SITE.server() as server:
        asks = Drive(f"{server.home}/asks", "0000ASKS0001").make()
        write(f"{server.files}/ASKS", read(asks.request))
        for role in ("LABEL", "CLIENT", "SERVER"):
            said = server.racf(f"ID(TAPEKMS) GENCERT('ASKS') WITHLABEL('Asks') ROLE({role}) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))", status=1)
            expect("KLM0443E" in said, said)
        server.racf("ID(TAPEKMS) GENCERT('ASKS') WITHLABEL('Asks') SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))")
        plain = Drive(f"{server.home}/plain", "0000PLAIN001").make(role=False)
        write(f"{server.files}/PLAIN", read(plain.request))
        said = server.racf("ID(TAPEKMS) GENCERT('PLAIN') WITHLABEL('Plain') ROLE(DRIVE) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))", status=1)
        expect("KLM0443E" in said, said)


@test
def without_client_authentication_a_drive_proves_itself_by_signature():
    for level in (0, 1, 2):
        with SITE.server(f"TransportListener.ssl.clientauthentication={level}") as server:
            serve(server, HOST)
            for on_ssl in (False, True):
                HOST.ssl = on_ssl
                HOST.attach(server)
                HOST.write(f"CA{level}00{int(on_ssl)}", b"x")
                expect(HOST.read(f"CA{level}00{int(on_ssl)}") == b"x", f"{level}")
            HOST.ssl = False
            if level < 2:
                refused = refusal(Session, server, PYTHON, cert=False)
                expect(refused.code == 0xEE2B and refused.identifier == "KLM0920E", str(refused))
                # A certificate with a signature that is none, or one made elsewhere.
                with open(HOST.drive + "/drive.crt", "rb") as file:
                    der = run_der(file.read())
                for signature in (b"\0" * 64, os.urandom(71)):
                    session = Session(server, Drive(PYTHON.folder, HOST.serial, HOST.wwn), confirm=False, cert=False,
                                      hello=message(1, bytes(4) + hello_fields(HOST_AS_DRIVE, capabilities=1)))
                    body = bytes(4) + session.hellos + hello_fields(HOST_AS_DRIVE, capabilities=1) + len(der).to_bytes(2, "big") + der
                    session.sock.sendall(message(CONFIRM, body + len(signature).to_bytes(2, "big") + signature))
                    expect(refusal(session.answer, 0x82).code == 0xEE29, "a bad signature")


HOST_AS_DRIVE = Drive(HOST.folder, HOST.serial, HOST.wwn)


def run_der(pem):
    return ssl.PEM_cert_to_DER_cert(pem.decode())


@test
def tls_12_is_spoken_only_where_it_is_configured():
    old = {"least": ssl.TLSVersion.TLSv1_2, "most": ssl.TLSVersion.TLSv1_2}
    with SITE.server() as server:
        serve(server, PYTHON)
        for port in ("tcp", "ssl"):
            try:
                Session(server, PYTHON, port, **old)
                raise AssertionError("TLS 1.2 is spoken")
            except (ssl.SSLError, ConnectionError):
                pass
    with SITE.server("TransportListener.ssl.protocols=TLSv1.2") as server:
        serve(server, PYTHON, HOST)
        for port in ("tcp", "ssl"):
            with Session(server, PYTHON, port, **old) as session:
                expect(session.sock.version() == "TLSv1.2" and session.create(), "TLS 1.2")
        HOST.write("TLS012", b"x", "--tls12")
        with Session(server, PYTHON) as session:
            expect(session.sock.version() == "TLSv1.3", "TLS 1.3 is not preferred")


@test
def a_drive_that_is_removed_gets_no_more_keys_in_its_session():
    with SITE.server() as server:
        serve(server, PYTHON)
        with Session(server, PYTHON) as session:
            _, eedks, _ = session.create()
            server.oper(f"deletedrive -drivename {PYTHON.serial}")
            expect(refusal(session.create).code == 0xEF01, "create")
            expect(refusal(session.get, "WXY662", eedks).code == 0xEF01, "get")
            expect(refusal(session.translate, "WXY662", eedks, [LABEL]).code == 0xEF01, "translate")
        expect(refusal(Session, server, PYTHON).code == 0xEF01, "a new session")


@test
def eedks_that_were_changed_are_refused():
    with SITE.server() as server:
        serve(server, PYTHON)
        with Session(server, PYTHON) as session:
            _, eedks, _ = session.create("EED001", [LABEL, LABEL2])
            for index, at in ((0, 5), (0, 6), (0, 7), (0, 10), (0, -1), (1, -1), (1, -70)):
                bad = bytearray(eedks[index])
                bad[at] ^= 1
                code = refusal(session.get, "EED001", [bytes(bad)]).code
                expect(code in (0xEE23, 0xEE32), f"{index} {at}: {code:04X}")
            swapped = eedks[0][:8 + eedks[0][7]].replace(b"Lbl_20", b"Lbl_21") + eedks[0][8 + eedks[0][7]:]
            expect(refusal(session.get, "EED001", [swapped]).code in (0xEE32, 0xEE23), "moved under another label")
            expect(refusal(session.get, "EED001", [eedks[0][:-1]]).code in (0xEE32, 0xEE23), "cut")
            expect(refusal(session.get, "EED001", [eedks[1][:-1]]).code == 0xEE23, "cut")
            session.get("EED001", [swapped, eedks[1]])
            expect(session.verify() is not None, "the session ended")


@test
def expired_labels_are_read_and_not_written():
    with SITE.server() as server:
        server.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('Past')) WITHLABEL('Past') PCICC(PAST) NISTECC SIZE(256) NOTBEFORE(DATE(2020-01-01)) "
                    "NOTAFTER(DATE(2021-01-01))")
        server.racf("ID(TAPEKMS) CONNECT(LABEL('Past') RING(KeyStore4758))")
        serve(server, PYTHON)
        with Session(server, PYTHON) as session:
            refused = refusal(session.create, "OLD001", ["Past"])
            expect(refused.code == 0xEE31 and refused.identifier == "KLM0914E", str(refused))
            server.oper("modconfig -set -property cert.valiDATE -value false")
            _, eedks, _ = session.create("OLD001", ["Past"])
            server.oper("modconfig -set -property cert.valiDATE -value true")
            session.get("OLD001", eedks)


def files_below(folder):
    return [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names]


def secret_in(key, path):
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        text = file.read()
    return key in text or key.hex().encode() in text.lower()


if __name__ == "__main__":
    sys.exit(main())
