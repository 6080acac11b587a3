#!/usr/bin/env python3
"""A backup key server from its making (klmpartner) to the day it serves, and how what was written there comes home."""
import os
import re
import shutil
import subprocess
import sys

from keyserver import BIN, LABEL, LABEL2, Server
from partners import Pair, address
from peer import Host
from scenario import expect, main, test

PAIR = Pair()
HOST = Host(f"{PAIR.site.folder}/host").make(PAIR.site.master)
ADD = f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT"


def partner(server, *words, status=0):
    """klmpartner, as an operator of that server; what it printed."""
    env = {**os.environ, "KLM_CONFIG": server.config, "KLM_OPER_SOCKET": server.socket if server.runs() else f"{server.home}/run/none"}
    done = subprocess.run([f"{BIN}/klmpartner", *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == status, f"klmpartner {words}: exit status {done.returncode}, not {status}: {done.stdout}")
    return done.stdout


def newcomer(name, master):
    """A server without any key; with the master key of another, or one of its own."""
    server = Server(f"{PAIR.site.folder}/{name}").prepare(f"server.id={name.upper()}")
    server.unset("config.keygroup.xml.file")
    if master:
        shutil.copy(f"{PAIR.site.master.home}/masterkey/masterkey.sealed", f"{server.home}/masterkey/masterkey.sealed.new")
        os.replace(f"{server.home}/masterkey/masterkey.sealed.new", f"{server.home}/masterkey/masterkey.sealed")
    return server


def move(one, two):
    shutil.rmtree(f"{two.files}/KLM.PARTNER", ignore_errors=True)
    shutil.copytree(f"{one.files}/KLM.PARTNER", f"{two.files}/KLM.PARTNER")


@test
def klmpartner_establishes_a_backup_server_and_can_be_repeated():
    with PAIR.server("One") as one:
        said = partner(one, "give")
        expect(f"done     EXPORT   {LABEL} of TAPEKMS" in said and "done     KEYXFER  WRITE ITOPS.KLM20.CERT" in said, said)
        expect("stays    ISKLM_Server" in said, "the server's own certificate")
        expect("LOCAL.RACF.CERTAUTH" not in said, "the authority's private key")
        expect("WRITEKEYS" not in said and "WRITEGROUPS" not in said, "there are no stored keys")
        backup = newcomer("backup", master=True)
        move(one, backup)
        first = partner(backup, "take")
        expect(f"done     ADD      {LABEL} of TAPEKMS" in first and f"done     CONNECT  {LABEL2} to KeyStore4758" in first, first)
        expect("later    refreshks" in first, "the task is down")
        listed = backup.racf("ID(TAPEKMS) LISTRING(KeyStore4758)")
        expect(all(label in listed for label in (LABEL, LABEL2, "MyLocalRACFCA")) and "ISKLM_Server" not in listed, listed)
        again = partner(backup, "take")
        expect(again.count("there ") == 1 + 3 + 2 and "done     ADD" not in again and "done     KEYXFER" not in again, again)
        # What stands there under the same names is never replaced.
        shutil.rmtree(f"{backup.files}/KLM.PARTNER")
        with PAIR.server("Two") as two:
            two.racf(f"ID(TAPEKMS) DELETE(LABEL('{LABEL2}'))")
            two.label(LABEL2, token="ITOPS.KLM2X.CERT")
            partner(two, "give")
            move(two, backup)
        other = partner(backup, "take", status=1)
        expect(f"KLM1343E There is another certificate {LABEL2}" in other and "Nothing was changed" in other, other)


@test
def klmpartner_brings_stored_keys_and_key_groups_and_lto_volumes_are_read_at_the_partner():
    lto = Host(f"{PAIR.site.folder}/lto", serial="000000000017", wwn="5005076300C00017").make(PAIR.site.master, kind="LTO")
    add = "adddrive -drivename 000000000017 -kind LTO -cert DRIVE.000000000017.CERT -symrec TAPES"
    with PAIR.server("One") as one, PAIR.server("Two") as two:
        one.start(), two.start()
        for server in (one, two):
            server.oper(add)
        one.oper("addkeygroup -groupID TAPES")
        one.oper("createkeys -range des01-1f -groupID TAPES")
        lto.attach(one, two)
        lto.write("LTO001", b"secret of tape one")
        said = one.oper(f"drill -partner {address(two)}", status=1)
        expect("KLM1323W 1 volumes are EXPOSED" in said and re.search(r"TAPES +NOT 31 of 31 keys", said), said)
        said = partner(one, "give")
        expect("done     KEYXFER  WRITEKEYS 31 stored keys up to des00000000000000001f" in said and "done     KEYXFER  WRITEGROUPS" in said, said)
        move(one, two)
        path = f"{two.files}/KLM.PARTNER/S1"
        with open(path, "rb") as file:
            kept = file.read()
        with open(path, "wb") as file:
            file.write(kept.replace(b"Given: LTO001", b"Given: LTO002"))
        said = partner(two, "take", status=1)
        expect(re.search("KLM1342E .*S1 is missing or damaged", said) and "Nothing was changed" in said, said)
        with open(path, "wb") as file:
            file.write(kept)
        said = partner(two, "take")
        expect("done     KEYXFER  READKEYS 31 stored keys taken, 0 were here" in said, said)
        expect("done     KEYXFER  READGROUPS 1 key groups added, 0 changed, 0 removed; 0 of their keys not here" in said, said)
        again = partner(two, "take")
        expect("there    KEYXFER  READKEYS 0 stored keys taken, 31 were here" in again and "there    KEYXFER  READGROUPS" in again, again)
        said = one.oper(f"drill -partner {address(two)}")
        expect("KLM1322I" in said and re.search(r"TAPES +can open all of its keys +31 keys", said), said)
        one.kill()
        expect(lto.read("LTO001") == b"secret of tape one", "read at the partner")
        said = lto.write("LTO002", b"written there")
        expect("KL1=des000000000000000002" in said, f"the key of LTO001 is not given again: {said}")
        # Another key of the same alias is never replaced.
        two.oper("deletekeys -alias des1f-1f"), two.oper("createkeys -range des1f-1f")
        other = partner(two, "take", status=1)
        expect("KLM1731E There is another stored key des00000000000000001f here" in other and not re.search("(?m)^done", other), other)


@test
def another_master_key_a_damaged_folder_and_no_folder_change_nothing():
    with PAIR.server("One") as one:
        one.start()  # through the running task, too
        partner(one, "give", "-r", "TAPEKMS/KeyStore4758")
        other = newcomer("stranger", master=False)
        expect("KLM1342E" in partner(other, "take", status=1), "no folder")
        move(one, other)
        before = other.racf("ID(TAPEKMS) LIST")
        said = partner(other, "take", status=1)
        expect("KLM1344E" in said and "Nothing was changed" in said and "done" not in said, said)
        expect(other.racf("ID(TAPEKMS) LIST") == before, "as it was")
        # A task that runs tells its pattern: said even when names are taken, too.
        other.racf("CERTAUTH GENCERT SUBJECTSDN(CN('its own')) WITHLABEL('MyLocalRACFCA')")
        expect("KLM1343E" in partner(other, "take", status=1), "the name is taken")
        other.racf("ID(TAPEKMS) ADDRING(KeyStore4758)")
        other.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('s')) WITHLABEL('S') NISTECC SIZE(256) ROLE(SERVER)")
        other.racf("ID(TAPEKMS) CONNECT(LABEL('S') RING(KeyStore4758) DEFAULT)")
        other.start()
        expect("KLM1344E" in partner(other, "take", status=1), "the master key comes first")
        other.stop()
        other.racf("CERTAUTH DELETE(LABEL('MyLocalRACFCA'))")
        for name, harm in (("C2", b"x"), ("MANIFEST", b"\n"), ("K2", b"")):
            move(one, other)
            path = f"{other.files}/KLM.PARTNER/{name}"
            with open(path, "ab" if harm else "wb") as file:
                file.write(harm)
            said = partner(other, "take", status=1)
            expect("damaged" in said and "Nothing was changed" in said and "done" not in said, f"{name}: {said}")
        expect("give or take?" in partner(one, status=2) and "is not known" in partner(one, "keep", status=2), "usage")
        expect("needs a value" in partner(one, "give", "-r", status=2), "usage")


@test
def a_secondary_says_that_it_serves_and_what_it_wrote_comes_home():
    with PAIR.server("One", "partner.role=primary") as one, PAIR.server("Two", "partner.role=secondary") as two:
        one.start(), two.start()
        for server in (one, two):
            server.oper(ADD)
        HOST.attach(one, two)
        HOST.write("HOM001", b"at the primary")
        expect(one.status("Role among partners") == "primary" and "KLM1332W" not in one.console(), "a primary serves")
        port = address(one)
        one.kill()
        HOST.write("HOM002", b"at the secondary"), HOST.write("HOM003", b"again")
        said = two.says("KLM1332W This server is a secondary and began to serve keys")
        expect(said.count("KLM1332W") == 1 and HOST.serial in said and "HOM002" in said, said)
        expect(two.status("Keys served since") == "2" and two.status("Volumes written since, not sent home") == "2", two.oper("status"))
        expect(two.audited("began to serve keys", "HOM002"), "on record")
        two.oper("adddrive -drivename 000000000009")
        down = two.oper(f"sync -home -ipaddr {port}", status=1)
        expect("KLM1308E" in down and "KLM1309E" in down, down)
        one.start()
        home = two.oper(f"sync -home -ipaddr {port}")
        expect(re.search(r"usage +taken +2 key usage events in 1 pages", home), home)
        expect(re.search(r"drivetab +taken +1 drives added", home), home)
        expect("KLM1333I What this secondary served, 2 keys and 2 volumes written" in two.console(), two.console()[-800:])
        expect(two.oper("status").find("Serving as the secondary") < 0, "it is over")
        for volser in ("HOM001", "HOM002", "HOM003"):
            expect("1 entry" in one.oper(f"query -volser {volser}"), volser)
        expect("000000000009" in one.oper("listdrives"), "the drive came, too")
        again = two.oper(f"sync -usage -ipaddr {port}")
        expect("0 key usage events in 0 pages" in again, again)
        # What came from elsewhere is not sent on as one's own; and a new store gets all again.
        back = one.oper(f"sync -usage -ipaddr {address(two)}")
        expect("1 key usage events in 1 pages" in back, back)
        expect("1 entry" in two.oper("query -volser HOM001") and "1 entry" in two.oper("query -volser HOM002"), "each once")
        said = one.oper(f"drill -partner {address(two)}")
        expect("3 of 3 volumes could be read" in said, said)


if __name__ == "__main__":
    sys.exit(main())
