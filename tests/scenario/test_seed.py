#!/usr/bin/env python3
"""The published examples of the process's users, as they stand: key ring and keys, the backup server, their properties file."""
import re
import shutil
import subprocess
import sys

from keyserver import BIN, SLOW, Server, Site, free_port, read, write
from peer import Host
from scenario import expect, main, test

SITE = Site(labels=False)
# On a terminal each line but the last of a command ends with a hyphen.
KEYS = ["""RACDCERT ID(TAPEKMS) ADDRING(KeyStore4758)""",
        """RACDCERT CERTAUTH GENCERT SUBJECTSDN(CN('MyLocalCA')O('MyCo')C('US')) -
WITHLABEL('MyLocalRACFCA') PCICC(LOCAL.RACF.CERTAUTH) SIZE(2048)""",
        """RACDCERT ID(TAPEKMS) GENCERT SUBJECTSDN(CN('ITOperations') -
O('MyCo') C('US')) WITHLABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20') PCICC(ITOPS.KLM20.CERT) -
SIZE(1024) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))""",
        """RACDCERT ID(TAPEKMS) GENCERT SUBJECTSDN(CN('ITOperations2') -
O('MyCo') C('US')) WITHLABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21') PCICC(ITOPS.KLM21.CERT) -
SIZE(1024) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))""",
        """RACDCERT ID(TAPEKMS) CONNECT(CERTAUTH LABEL('MyLocalRACFCA') RING(KeyStore4758))""",
        """RACDCERT ID(TAPEKMS) CONNECT(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20') -
RING(KeyStore4758))""",
        """RACDCERT ID(TAPEKMS) CONNECT(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21') -
RING(KeyStore4758))"""]
# The slides have a blank behind "ITOPS." and the user both as KLMSERV and KLMSESV.
PROFILES = ["""RDEFINE STARTED ISKLM*.* STDATA(USER(KLMSESV) -
GROUP(TASKS) TRACE(YES))""",
            """RDEFINE FACILITY IRR.DIGTCERT.LIST UACC(NONE)""",
            """RDEFINE FACILITY IRR.DIGTCERT.LISTRING UACC(NONE)""",
            """PERMIT IRR.DIGTCERT.LIST CLASS(FACILITY) ID(TAPEKMS) ACC(READ)""",
            """PERMIT IRR.DIGTCERT.LISTRING CLASS(FACILITY) ID(TAPEKMS) ACC(READ)""",
            """SETROPTS RACLIST(DIGTCERT) REFRESH""",
            """RDEFINE CSFKEYS ITOPS. KLM1.CERT UACC(NONE)""",
            """PERMIT ITOPS.KLM1.CERT CLASS(CSFKEYS) ID(KLMSERV) ACCESS(READ)""",
            """RDEFINE CSFKEYS ITOPS. KLM2.CERT UACC(NONE)""",
            """PERMIT ITOPS.KLM2.CERT CLASS(CSFKEYS) ID(KLMSERV) ACCESS(READ)""",
            """SETROPTS RACLIST(CSFKEYS) REFRESH"""]
BACKUP_PROFILES = ["""RDEFINE CSFKEYS ITOPS. KLM20.CERT UACC(NONE)""",
                   """PERMIT ITOPS.KLM1.CERT CLASS(CSFKEYS) ID(KLMSESV) ACCESS(READ)""",
                   """RDEFINE CSFKEYS ITOPS. KLM21.CERT UACC(NONE)""",
                   """PERMIT ITOPS.KLM2.CERT CLASS(CSFKEYS) ID(KLMSESV) ACCESS(READ)""",
                   """SETROPTS RACLIST(CSFKEYS) REFRESH"""]
# What the slides tell in words: accesses for KLMSESV to the ring and to the services.
TOLD = ["RDEFINE RDATALIB TAPEKMS.KEYSTORE4758.LST UACC(NONE)", "PERMIT TAPEKMS.KEYSTORE4758.LST CLASS(RDATALIB) ID(KLMSESV) ACCESS(READ)",
        "RDEFINE CSFSERV * UACC(NONE)", "PERMIT * CLASS(CSFSERV) ID(KLMSESV) ACCESS(READ)"]
OUT = ["""RACDCERT ID(TAPEKMS) EXPORT (LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20')) -
DSN('TAPEKMS.LBL20.PUBKEY') FORMAT(CERTDER)""",
       """RACDCERT ID(TAPEKMS) EXPORT (LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21')) -
DSN('TAPEKMS.LBL21.PUBKEY') FORMAT(CERTDER)""",
       """RACDCERT CERTAUTH EXPORT (LABEL('MyLocalRACFCA')) DSN('TAPEKMS.CA.CERT') -
FORMAT(CERTDER)"""]
WRITE = ["""KEYXFER WRITE,-
ITOPS.KLM20.CERT,-
CRYPTOR2.CCATEST.PARMS(KLM20)""", """KEYXFER WRITE,-
ITOPS.KLM21.CERT,-
CRYPTOR2.CCATEST.PARMS(KLM21)"""]
READ = [one.replace("WRITE", "READ") + ",-\nOVERWRITE" for one in WRITE]
IN = ["""RACDCERT CERTAUTH ADD('TAPEKMS.CA.CERT') WITHLABEL('MyLocalRACFCA')""",
      """RACDCERT ID(TAPEKMS) ADD('TAPEKMS.LBL20.PUBKEY') TRUST -
WITHLABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20') -
PCICC(ITOPS.KLM20.CERT)""",
      # The published text has 2048 in this one label, a slip: it is connected as 1024 below.
      """RACDCERT ID(TAPEKMS) ADD('TAPEKMS.LBL21.PUBKEY') TRUST -
WITHLABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21') -
PCICC(ITOPS.KLM21.CERT)"""]
SERVER = ["ID(TAPEKMS) GENCERT SUBJECTSDN(CN('ISKLM server') O('MyCo') C('US')) WITHLABEL('ISKLM_Server') PCICC(ISKLM.SERVER.CERT) NISTECC "
          "SIZE(256) ROLE(SERVER) ALTNAME(DOMAIN('localhost') IP(127.0.0.1)) {}",
          "ID(TAPEKMS) CONNECT(LABEL('ISKLM_Server') RING(KeyStore4758) DEFAULT)"]
PROPERTIES = """Admin.ssl.keystore.name=safkeyring\\://TAPEKMS/KeyStore4758
Audit.handler.file.size=10000
debug.output.file=/KLMLOGS/Z1/debug
config.keystore.provider=IBMJCECCA
Admin.ssl.keystore.password=password
config.keystore.type=JCECCARACFKS
TransportListener.ssl.truststore.name=safkeyring\\://TAPEKMS/KeyStore4758
Audit.handler.file.name=isklm_audit.log
TransportListener.ssl.port=1443
zOSCompatibility=true
TransportListener.tcp.port=3801
config.keygroup.xml.file=FILE\\:/KLMETC/Z1/keygroup.xml
config.drivetable.file.url=FILE\\:/KLMETC/Z1/filedrive.table
TransportListener.ssl.keystore.name=safkeyring\\://TAPEKMS/KeyStore4758
Audit.handler.file.directory=/KLMLOGS/Z1/logs
Audit.metadata.file.cachecount=0
Audit.eventQueue.max=0
Audit.event.outcome=success,failure
ds8k.acceptUnknownDrives=true
debug=none
TransportListener.ssl.ciphersuites=JSSE_ALL
config.keystore.file=safkeyring\\://TAPEKMS/KeyStore4758
Audit.event.types=all
TransportListener.ssl.clientauthentication=0
TransportListener.ssl.host=localhost
TransportListener.ssl.protocols=SSL_TLS
config.keystore.password=password
requireHardwareProtectionForSymmetricKeys=true
drive.default.alias2=Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21
drive.default.alias1=Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20
Audit.metadata.file.name=/KLMETC/Z1/metadata/SKLMDData.xml
symmetricKeySet=des01-1f
debug.output=simple_file
drive.acceptUnknownDrives=true
Admin.ssl.truststore.name=safkeyring\\://TAPEKMS/KeyStore4758
fips=Off
TransportListener.ssl.keystore.password=password
"""


def type_in(server, name, text, status=0):
    """On standard input, as a batch job would."""
    env = {"KLM_CONFIG": server.config, "KLM_OPER_SOCKET": server.socket if server.runs() else "/nowhere/x"}
    done = subprocess.run([f"{BIN}/{name}"], input=text + "\n", env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=60 * SLOW)
    expect(done.returncode == status, f"{text}: exit status {done.returncode}: {done.stdout}")
    return done.stdout


def make(folder, least=1024):
    """A server whose keys are those of the examples, and its own certificate."""
    server = Server(folder).prepare(f"key.minimum.rsa.write={least}")
    server.unset("config.keygroup.xml.file")
    for text in KEYS:
        type_in(server, "racdcert", text)
    for text in SERVER:
        server.racf(text.format("SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))"))
    return server


FIRST = make(f"{SITE.folder}/seed")
HOST = Host(f"{SITE.folder}/host", FIRST)
FIRST.racf("CERTAUTH EXPORT(LABEL('MyLocalRACFCA')) DSN('CA.CERT') FORMAT(CERTB64)")
shutil.copy(f"{FIRST.files}/CA.CERT", f"{FIRST.home}/drive/ca.crt")
HOST.make(FIRST)
LABELS = ("--kl1", "Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20", "--kl2", "Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21")


@test
def the_examples_make_keys_that_serve():
    said = FIRST.racf("ID(TAPEKMS) LISTRING(KeyStore4758)")
    for label in ("MyLocalRACFCA", "Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20", "Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21"):
        expect(label in said, said)
    said = FIRST.racf("ID(TAPEKMS) LIST(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20'))")
    expect("1024" in said and "CN=ITOperations,O=MyCo,C=US" in said and "ITOPS.KLM20.CERT" in said, said)
    FIRST.start()
    try:
        FIRST.oper(f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT")
        said = HOST.write("WXY662", b"content", *LABELS, "--dsn", "PET.ENCY.PLX.TEST", "--job", "ENCRYPT", "--step", "STEP2")
        lines = [line for line in said.split("\n") if line]
        wanted = [r"IEC205I SYSUT2,ENCRYPT,STEP2,FILESEQ=1, COMPLETE VOLUME LIST, \d{3}", r"VOLS=WXY662,LISTED VOL\(S\) HAVE BEEN DATA",
                  r"ENCRYPTED,KL1CD:L,KL2CD:L,", r"KL1=Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20,", r"KL2=Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21,TOTALBLOCKS=\d+"]
        expect(len(lines) == 5 and all(re.fullmatch(one, line) for one, line in zip(wanted, lines)), said)
        expect(HOST.read("WXY662") == b"content", "content")
    finally:
        FIRST.stop()


@test
def keys_of_1024_bits_read_and_do_not_write_at_the_usual_minimum():
    FIRST.set("key.minimum.rsa.write=1024").start()
    FIRST.oper(f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT", status=None)
    HOST.write("OLD001", b"old", *LABELS)
    FIRST.stop()
    FIRST.set("key.minimum.rsa.write=2048").start()
    try:
        said = HOST.refused("NEW001", "EE31", *LABELS)
        expect("KLM0913E Key label Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20 has an RSA key of 1024 bits; writes need 2048" in said, said)
        expect(HOST.read("OLD001") == b"old", "an old cartridge is not read")
    finally:
        FIRST.stop()
    type_in(FIRST, "racdcert", KEYS[2].replace("Lbl_20", "Lbl_22").replace("KLM20", "KLM22"), status=1)
    FIRST.set("key.minimum.rsa.write=1024")


@test
def the_published_profiles_let_the_task_serve_its_drives_and_nobody_else():
    server = FIRST.copy_to(f"{SITE.folder}/profiles")
    for text in PROFILES + BACKUP_PROFILES + TOLD:
        type_in(server, "racf", text)
    host = Host(f"{SITE.folder}/host3", server, serial="000007888488", wwn="500507630240FBD3").make(server)
    type_in(server, "racf", "SETROPTS CLASSACT(STARTED FACILITY RDATALIB CSFSERV CSFKEYS) RACLIST(CSFKEYS RDATALIB CSFSERV)")
    said = server.start()
    try:
        expect("KLM1618I Profile ISKLM*.* of class STARTED was used: the task runs as user KLMSESV, group TASKS" in said, said)
        expect("KLM1602W" not in said, said)
        server.oper(f"adddrive -drivename {host.serial} -cert DRIVE.{host.serial}.CERT")
        said = host.refused("WXY664", "EE30", *LABELS)  # the slides define the labels' profiles and permit others
        expect("KLM1600E" in said and "ITOPS.KLM20.CERT" in said, said)
        for label in ("KLM20", "KLM21"):
            type_in(server, "racf", f"PERMIT ITOPS.{label}.CERT CLASS(CSFKEYS) ID(KLMSESV) ACCESS(READ)")
        type_in(server, "racf", "SETROPTS RACLIST(CSFKEYS) REFRESH")
        host.write("WXY664", b"content", *LABELS)
        expect(host.read("WXY664") == b"content", "content")
        expect("KLM1600E" in server.racf("ID(TAPEKMS) LISTRING(KeyStore4758)", status=1), "somebody else lists the ring")
    finally:
        server.stop()


@test
def the_backup_server_is_made_as_published():
    for text in OUT:
        type_in(FIRST, "racdcert", text)
    for text in WRITE:
        said = type_in(FIRST, "keyxfer", text)
        expect("WAS WRITTEN" in said, said)
    backup = Server(f"{SITE.folder}/backup")
    backup.prepare("key.minimum.rsa.write=1024")
    shutil.copy(FIRST.value("config.masterkey.file"), backup.value("config.masterkey.file"))  # the same master key at both sites
    for name in ("TAPEKMS.LBL20.PUBKEY", "TAPEKMS.LBL21.PUBKEY", "TAPEKMS.CA.CERT", f"DRIVE.{HOST.serial}.CERT"):
        shutil.copy(f"{FIRST.files}/{name}", f"{backup.files}/{name}")
    shutil.copytree(f"{FIRST.files}/CRYPTOR2.CCATEST.PARMS", f"{backup.files}/CRYPTOR2.CCATEST.PARMS")
    for text in READ:
        said = type_in(backup, "keyxfer", text)
        expect("WAS READ" in said, said)
    for text in [KEYS[0], *IN, *KEYS[4:]]:
        type_in(backup, "racdcert", text)
    # The slide permits KLM1 and KLM2, slips for the KLM20 and KLM21 that it defines: they are no profiles of this site.
    for text in BACKUP_PROFILES:
        type_in(backup, "racf", text, status=int(text.startswith("PERMIT")))
        if text.startswith("PERMIT"):
            type_in(backup, "racf", text.replace("KLM1", "KLM20").replace("KLM2.", "KLM21."))
    backup.racf(SERVER[0].format(""))  # its own, by itself: the authority's private key is at the other site
    backup.racf(SERVER[1])
    backup.racf("ID(TAPEKMS) EXPORT(LABEL('ISKLM_Server')) DSN('SELF.CERT') FORMAT(CERTB64)")
    FIRST.start()
    backup.start()
    try:
        for server in (FIRST, backup):
            server.oper(f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT", status=None)
        HOST.attach(FIRST, backup)
        HOST.write("WXY663", b"from the primary", *LABELS)
        FIRST.stop()
        write(f"{HOST.drive}/ca.crt", read(f"{FIRST.files}/CA.CERT") + read(f"{backup.files}/SELF.CERT"))
        expect(HOST.read("WXY663") == b"from the primary", "content")
        expect(backup.audited("Read Request", "WXY663"), "audit")
    finally:
        FIRST.stop()
        backup.stop()
        HOST.attach(FIRST)


@test
def the_published_properties_load_unchanged_but_for_paths_and_ports():
    server = Server(f"{SITE.folder}/props")
    shutil.copytree(FIRST.home, server.home)
    text = PROPERTIES.replace("/KLMETC/Z1", f"{server.home}/lib").replace("/KLMLOGS/Z1", f"{server.home}/log")
    text = text.replace("1443", str(free_port())).replace("3801", str(free_port()))
    # Ours: where the product has no property, on other places than the usual ones.
    text += f"console.socket={server.socket}\nconfig.masterkey.file={server.home}/masterkey/masterkey.sealed\nconfig.store.directory={server.home}/store\n"
    text += f"key.minimum.rsa.write=1024\nconsole.files.directory={server.files}\n"
    write(server.config, text)
    server.audit_path = f"{server.home}/log/logs/isklm_audit.log"
    said = server.start()
    try:
        expect(not re.search(r"KLM\d{4}[EA]", said), said)
        for identifier in ("KLM0130W", "KLM0131W", "KLM0132W", "KLM0135W", "KLM0137W"):
            expect(identifier in said, f"{identifier}: {said}")
        host = Host(f"{SITE.folder}/host2", server, serial="000007888499", wwn="500507630240FBDD").make(server)
        host.write("SEED01", b"content")  # an unknown drive, default aliases, 1024 bits, no client authentication
        expect(host.read("SEED01") == b"content", "content")
        expect("KLM0925W Unknown drive 000007888499" in server.console(), server.console())
        server.says("KLM0925W")
        shown = server.oper("query -volser SEED01")
        expect("Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20" in shown and "Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21" in shown, shown)
        record = server.audited("Write Request", "SEED01")[-1]
        wanted = [r"Runtime event:\[", r"  timestamp=\w{3} \w{3} \d\d \d\d:\d\d:\d\d GMT \d{4}", r"  ComponentId=\[threadId=Thread\[.*\]\]",
                  r"  event source=\S+", r"  outcome=\[result=successful\]", r"  event type=SECURITY_RUNTIME",
                  r"  resource=\[name=Write Request: Drive Serial Number: 000007888499 WWN:500507630240FBDD VolSer: SEED01 "
                  r"Key Alias/Label\[0\]: Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20 Key Alias/Label\[1\]: Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21;type=file\]",
                  r"  action=stop", r"  user=\S+", r"  sequence=\d+", r"  chain=[0-9a-f]{64}", r"  \]"]
        expect(len(record) == len(wanted) and all(re.fullmatch(one, line) for one, line in zip(wanted, record)), "\n".join(record))
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
