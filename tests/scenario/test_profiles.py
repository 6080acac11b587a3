#!/usr/bin/env python3
"""Profiles in a running server: who has no READ is refused whatever way he comes, drive or operator, and every refusal is audited."""
import getpass
import sys

from keyserver import LABEL2, Site, tool
from peer import Host
from scenario import expect, main, test

SITE = Site()
ME = getpass.getuser().upper()


def racf(server, command, status=0):
    return server.tool("racf", command, status=status)


def refused_and_audited(server, resource, *texts):
    record = "\n".join(server.audited("KLM160", resource, *texts)[-1])
    expect("unsuccessful" in record, record)


@test
def a_drive_without_read_is_refused_on_both_ports_and_served_when_it_is_permitted():
    with SITE.server() as server:
        server.start()
        host = Host(f"{server.home}/host", server).make(server)
        other = Host(f"{server.home}/other", server, serial="000007888433", wwn="500507630240FBEE", ssl=True).make(server)
        for one in (host, other):
            server.oper(f"adddrive -drivename {one.serial} -cert DRIVE.{one.serial}.CERT")
            one.write(f"V{one.serial[-5:]}", b"before", "--kl1", LABEL2)
        expect("KLM1602W" in server.console(), server.console())
        racf(server, "RDEFINE CSFKEYS ** UACC(NONE)")
        racf(server, "SETROPTS CLASSACT(CSFKEYS) RACLIST(CSFKEYS)")
        for one in (host, other):
            one.refused("NEW001", "EE30", "--kl1", LABEL2)
            said = one.refused(f"V{one.serial[-5:]}", "EE30", command="read")
            expect("KLM1600E" in said, said)
            refused_and_audited(server, f"Write Request: Drive Serial Number: {one.serial}")
            refused_and_audited(server, f"Read Request: Drive Serial Number: {one.serial}")
        said = racf(server, f"PERMIT ** CLASS(CSFKEYS) ID({host.serial})")
        expect("REFRESH" in said, said)
        host.refused("NEW001", "EE30", "--kl1", LABEL2)  # not before the refresh
        racf(server, "SETROPTS RACLIST(CSFKEYS) REFRESH")
        host.write("NEW001", b"permitted", "--kl1", LABEL2)
        expect(host.read("NEW001") == b"permitted", "content")
        other.refused("NEW002", "EE30", "--kl1", LABEL2)
        racf(server, f"PERMIT ** CLASS(CSFKEYS) ID({ME})")  # the task's own user, for all its drives
        racf(server, f"PERMIT ** CLASS(CSFKEYS) ID({host.serial}) ACCESS(NONE)")
        racf(server, "SETROPTS RACLIST(CSFKEYS) REFRESH")
        other.write("NEW002", b"by the task", "--kl1", LABEL2)
        host.refused("NEW003", "EE30", "--kl1", LABEL2)


@test
def an_operator_is_refused_over_the_socket_and_on_the_store_and_profiles_last():
    with SITE.server() as server:
        server.start()
        racf(server, "RDEFINE FACILITY IRR.DIGTCERT.** UACC(NONE)")
        racf(server, "SETROPTS CLASSACT(FACILITY)")
        said = server.racf("ID(TAPEKMS) LIST", status=1)
        expect("KLM1600E" in said and "IRR.DIGTCERT.LIST" in said, said)
        refused_and_audited(server, "cert-list")
        said = tool("oper", "RACDCERT ID(TAPEKMS) LISTRING(*)", status=1, env={"KLM_OPER_SOCKET": server.socket})
        expect("KLM1600E" in said, said)
        server.stop()
        said = server.racf("CERTAUTH EXPORT(LABEL('MyLocalRACFCA')) DSN('X.CERT')", status=1)  # the tool opens the store itself
        expect("KLM1600E" in said and "CONTROL" in said, said)
        racf(server, f"PERMIT IRR.DIGTCERT.** CLASS(FACILITY) ID({ME}) ACCESS(UPDATE)")
        server.racf("ID(TAPEKMS) LIST")
        server.racf("CERTAUTH LIST", status=1)
        said = server.start()
        expect("inactive classes STARTED, RDATALIB, CSFSERV, CSFKEYS" in said, said)
        refused_and_audited(server, "cert-export")
        server.racf("ID(TAPEKMS) LIST")


@test
def a_task_that_may_not_read_its_ring_does_not_start():
    with SITE.server() as server:
        racf(server, "RDEFINE RDATALIB TAPEKMS.** UACC(NONE)")
        racf(server, "SETROPTS CLASSACT(RDATALIB)")
        said = server.refuses_to_start(status=1)  # a restart helps as soon as it is permitted
        expect("KLM1600E" in said and "TAPEKMS.KEYSTORE4758.LST" in said and ME in said, said)
        racf(server, "RDEFINE STARTED ISKLM*.* STDATA(USER(KLMSERV) GROUP(TASKS) TRACE(YES))")
        racf(server, "SETROPTS CLASSACT(STARTED)")
        racf(server, "PERMIT TAPEKMS.** CLASS(RDATALIB) ID(KLMSERV)")
        said = server.start()
        expect("KLM1618I Profile ISKLM*.* of class STARTED was used: the task runs as user KLMSERV, group TASKS" in said, said)


if __name__ == "__main__":
    sys.exit(main())
