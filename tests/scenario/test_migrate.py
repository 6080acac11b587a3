#!/usr/bin/env python3
"""A site that comes from another key manager: its configuration, drive listing, key groups and key usage are taken over by one command."""
import os
import re

from keyserver import LABEL, Site, read, write
from scenario import expect, main, test

SITE = Site()

# As the earlier product's sample has it, with what a site adds.
CONFIG = f"""# ISKLM configuration
Admin.ssl.keystore.name=safkeyring\\://TAPEKMS/KeyStore4758
Admin.ssl.keystore.password=password
Audit.event.outcome=success,failure
Audit.event.types=all
Audit.eventQueue.max=0
Audit.handler.file.directory=/KLMETC/Z1/audit
Audit.handler.file.size=10000
Audit.metadata.file.cachecount=0
Audit.metadata.file.name=/KLMETC/Z1/SKLMDData.xml
config.drivetable.file.url=FILE\\:/KLMETC/Z1/filedrive.table
config.keystore.file=safkeyring\\://TAPEKMS/KeyStore4758
config.keystore.password.obfuscated=A1B2C3D4E5F6
config.keystore.type=JCECCARACFKS
drive.default.alias1={LABEL}
fips=Off
symmetricKeySet=des01-1f
TransportListener.ssl.port=1443
TransportListener.tcp.port=3801
drive.pending.max=many
no.such.property=1
zOSCompatibility=true
"""
LISTING = f"""Drive entries: 4
SerialNumber = 0007888422
Alias1 = {LABEL}
WWN = 500507630240FBCC
SerialNumber = FVTDRIVE0000
WWN = 57574E414D453030
SerialNumber = 000000000017
SymAlias = TAPES
SerialNumber = 12345
"""
EVENT = """<KeyUsageEvent>
<driveSSN>{drive}</driveSSN>
<volSer>{volser}</volSer>
<driveWWN>500507630240FBCC</driveWWN>
<keyAlias2>Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21</keyAlias2>
<keyAlias1>Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20</keyAlias1>
<dateTime>Tue Oct 18 19:35:0{second} GMT 2011</dateTime>
</KeyUsageEvent>"""
USAGE = "<KeyUsageEvents>" + EVENT.format(drive="000007888422", volser="WXY662", second=8) + EVENT.format(drive="0007888422", volser="WXY663", second=9) + \
    EVENT.format(drive="none", volser="WXY664", second=9) + "</KeyUsageEvents>\n"
ALL = "migrate -config OLD.CONFIG -drivetab OLD.DRIVES -metadata FILE:OLD.SKLMData.xml"


def put(server, config=CONFIG, listing=LISTING, usage=USAGE):
    for name, text in (("OLD.CONFIG", config), ("OLD.DRIVES", listing), ("OLD.SKLMData.xml", usage)):
        write(f"{server.files}/{name}", text)


def state(server):
    return read(server.config), server.oper("listdrives -verbose"), server.oper("query -volser WXY662"), server.oper("listkeygroups")


def sums(said):
    found = re.search(r"(\d+) taken, (\d+) changed, (\d+) refused, (\d+) here already", said)
    if not found:  # the last row of the report
        found = re.search(r"in all\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+) here already", said)
    expect(found, said)
    return tuple(int(n) for n in found.groups())


@test
def all_of_it_is_taken_over_reported_and_not_taken_twice():
    with SITE.server() as server:
        server.start()
        put(server)
        before = state(server)
        dry = server.oper(f"{ALL} -dryrun")
        expect("dry run" in dry and state(server) == before, f"a dry run changed something: {dry}")
        said = server.oper(ALL)
        expect(sums(said) == sums(dry), f"{dry}\n{said}")
        for text in ("drive 000007888422", "drive FVTDRIVE0000", "drive 000000000017", "drive 12345", "no.such.property", "key usage events",
                     "passwords, also obfuscated ones", "belongs to its machine", "drive.pending.max"):
            expect(text in said, f"{text}: {said}")
        expect("A1B2C3D4E5F6" not in said + server.console(), "an obfuscated password was shown")
        config = read(server.config)
        expect("symmetricKeySet=des01-1f" in config and "A1B2C3" not in config and "/KLMETC" not in config and "no.such" not in config, config)
        listed = server.oper("listdrives -verbose")
        expect("500507630240FBCC" in listed and "57574E414D453030" in listed and "TAPES" in listed, listed)
        found = server.oper("query -drivename 0007888422")
        expect("WXY662" in found and "WXY663" in found and "WXY664" not in found and "Tue Oct 18 19:35:08 GMT 2011" in found, found)
        server.audited("migrate", "taken")
        whole = state(server)
        again = sums(server.oper(ALL))
        expect(again[0] == again[1] == 0 and again[2] == sums(said)[2] and state(server) == whole, f"taken twice: {again}")
        server.stop()
        server.start()
        expect(state(server)[1:] == whole[1:], "gone after a restart")


@test
def what_is_damaged_changes_nothing_of_anything():
    with SITE.server() as server:
        server.start()
        put(server)
        before = state(server)
        expect("KLM1500E" in server.oper("migrate -dryrun", status=2), "no file")
        for wrong, text in (({"listing": LISTING.replace("entries: 4", "entries: 5")}, "KLM1501E"), ({"usage": USAGE[:-20]}, "KLM1504E"),
                            ({"usage": USAGE[:USAGE.rindex("</KeyUsageEvents>")]}, "the end of the file is missing"),
                            ({"config": CONFIG + "x=\\u12"}, "KLM0109E")):
            put(server, **wrong)
            said = server.oper(ALL, status=1)
            expect(text in said and state(server) == before, said)
        put(server)
        write(f"{server.files}/OLD.GROUPS", "<?xml version='1.0'?><KeyGroups/>\n")
        said = server.oper(f"{ALL} -keygroups OLD.GROUPS", status=1)
        expect("KLM1502E" in said and "createkeys" in said and state(server) == before, said)


@test
def key_groups_of_this_product_come_with_it():
    with SITE.server("config.keygroup.xml.file=FILE:keygroups.xml") as one, SITE.server() as two:
        one.start()
        one.oper("createkeygroup")
        one.oper("addkeygroup -groupID OLDTAPES")
        one.oper("createkeys -range abc01-03 -groupID OLDTAPES")
        one.stop()
        groups = read(os.path.join(os.path.dirname(one.config), "keygroups.xml"))
        two.start()
        write(f"{two.files}/OLD.GROUPS", groups)
        expect("key group OLDTAPES" in two.oper("migrate -keygroups OLD.GROUPS -dryrun"), "dry run")
        expect("OLDTAPES" not in two.oper("listkeygroups"), "the dry run made a group")
        expect(sums(two.oper("migrate -keygroups OLD.GROUPS"))[0] == 1 and "OLDTAPES" in two.oper("listkeygroups"), "taken")
        expect(sums(two.oper("migrate -keygroups OLD.GROUPS"))[:2] == (0, 0), "taken twice")


@test
def only_a_security_administrator_migrates():
    with SITE.server("console.role.SECADMIN=nobody") as server:
        server.start()
        put(server)
        before = state(server)
        expect("KLM0900E" in server.oper(ALL, status=1) and state(server) == before, "an operator migrated")
        server.audited("migrate", "KLM0900E")


if __name__ == "__main__":
    main()
