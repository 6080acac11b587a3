#!/usr/bin/env python3
"""What is installed fits together: the unit, its folders and the shipped sample, which starts unchanged and without a warning."""
import os
import re
import sys

from keyserver import BIN, Server, free_port, read, tool, write
from scenario import BUILD, SOURCE, Folder, expect, main, run, test

os.chdir(SOURCE)
SAMPLE = "parmlib/samples/ISKLMConfig.properties.zos"


def unit():
    """Settings of the unit, the last of each."""
    return dict(re.findall(r"^(\w+)=(.*)$", read("packaging/klmsrv.service.in"), re.M))


def value(name):
    """What a property is in the sample, or its default that the sample shows in a comment."""
    found = re.findall(rf"^#?{re.escape(name)}=(.*)$", read(SAMPLE), re.M)
    expect(found, f"{name} is not in the sample")
    return found[0].replace("FILE\\:", "")


@test
def the_unit_names_the_sample_and_makes_its_folders():
    text, settings = read("packaging/klmsrv.service.in"), unit()
    expect("KLM_CONFIG=@CONFDIR@/" + os.path.basename(SAMPLE) in text and settings["ExecStart"] == "@SBINDIR@/klmsrv ${KLM_CONFIG}", text)
    for folder, kind, names in (
            ("/var/lib/", "StateDirectory", ("config.store.directory", "config.drivetable.file.url", "Audit.metadata.file.name", "tklm.backup.dir")),
            ("/var/log/", "LogsDirectory", ("Audit.handler.file.directory", "Audit.journal.directory", "Audit.smf.directory", "debug.output.file", "hardcopy.file")),
            ("/run/", "RuntimeDirectory", ("console.socket", "Audit.held.directory")),
            ("/etc/", "ConfigurationDirectory", ("config.masterkey.file", "console.files.directory"))):
        for name in names:
            expect(value(name).startswith((f"{folder}{settings[kind]}/", folder + settings[kind])), f"{name}={value(name)}")
    # Nothing else can be written; the configuration's folder only because it is named.
    expect(settings["ProtectSystem"] == "strict" and settings["ReadWritePaths"].split() == ["@CONFDIR@"], settings)
    # A restore makes the new store beside the old one, and moves both.
    expect(value("config.store.directory").startswith(f"/var/lib/{settings['StateDirectory']}/"), "the store is the folder itself")
    # The task starts itself again after a restore, and a helper loads a PKCS#11 library.
    expect("execve" not in " ".join(re.findall(r"(?m)^SystemCallFilter=~(.*)$", text)) and "NoExecPaths" not in settings, "exec")


@test
def the_user_of_the_unit_is_made_and_may_set_up_keys():
    user = unit()["User"]
    expect(re.search(rf"^u {user} ", read("packaging/klmsrv.sysusers"), re.M), "sysusers")
    expect(user in value("console.role.SECADMIN").split(","), value("console.role.SECADMIN"))
    made = re.findall(r"^d (\S+) (\d+) (\w+)", read("packaging/klmsrv.tmpfiles.in"), re.M)
    expect({"@CONFDIR@", "/var/lib/isklm", "/var/log/isklm"} == {path for path, _, _ in made}, str(made))
    expect(all(owner == user for _, _, owner in made), str(made))


@test
def the_sample_starts_unchanged_but_for_its_places_and_warns_of_inactive_profiles_alone():
    with Folder() as folder:
        text = read(SAMPLE)
        for path in ("/etc/isklm", "/var/lib/isklm", "/var/log/isklm"):
            text = text.replace(path, folder + path)
        text = text.replace("root,klmserv", run("id", "-un").strip())
        server = Server(folder)
        server.config, server.socket = f"{folder}/etc/isklm/{os.path.basename(SAMPLE)}", f"{folder}/oper.sock"
        server.env = {"KLM_OPER_SOCKET": server.socket, "KLM_CONFIG": server.config}
        os.makedirs(f"{folder}/etc/isklm")
        os.makedirs(f"{folder}/log")
        write(server.config, text)
        # A bare container has no name localhost.
        server.set("TransportListener.tcp.host=127.0.0.1", "TransportListener.ssl.host=127.0.0.1")
        server.set(f"console.socket={server.socket}", f"TransportListener.tcp.port={free_port()}", f"TransportListener.ssl.port={free_port()}")
        master = f"{folder}/etc/isklm/masterkey/masterkey.sealed"
        tool("klmsrv", "--make-master", master)
        tool("klmsrv", "--confirm-escrow", master)
        for command in ("ID(TAPEKMS) ADDRING(KeyStore4758)",
                        "CERTAUTH GENCERT SUBJECTSDN(CN('ca')) WITHLABEL('CA') NISTECC SIZE(256)",
                        "ID(TAPEKMS) GENCERT SUBJECTSDN(CN('s')) WITHLABEL('S') NISTECC SIZE(256) ROLE(SERVER) ALTNAME(DOMAIN('localhost')) SIGNWITH(CERTAUTH LABEL('CA'))",
                        "ID(TAPEKMS) CONNECT(CERTAUTH LABEL('CA') RING(KeyStore4758))",
                        "ID(TAPEKMS) CONNECT(LABEL('S') RING(KeyStore4758) DEFAULT)"):
            tool("racdcert", "-c", server.config, command)
        server.start()
        said = server.console()
        expect("Server is running" in said and re.findall(r"KLM\d{4}[WEA]", said) == ["KLM1602W"], said)
        server.stop()
        expect(os.path.isfile(f"{folder}/var/lib/isklm/metadata/SKLMData.xml"), "its folder was not made")


@test
def every_manual_page_and_sample_is_installed():
    with Folder() as folder:
        programs = " ".join(sorted(os.listdir(BIN)))
        run("packaging/install.sh", "install", env=dict(os.environ, B=BUILD, DESTDIR=folder, PREFIX="/usr", SYSCONFDIR="/etc",
                                                         PROGRAMS=programs, SBIN_PROGRAMS="klmsrv"))
        for page in os.listdir("docs/man"):
            expect(os.path.isfile(f"{folder}/usr/share/man/man{page[-1]}/{page}"), page)
        for sample in (*os.listdir("parmlib/samples"), "SMFDUMP.JCL", "SMF2LOG.JCL"):
            expect(os.path.isfile(f"{folder}/usr/share/doc/klmsrv/samples/{sample}"), sample)
        for program in ("klmsrv", "oper", "racf", "racdcert", "keyxfer", "iosdrive", "smfdump", "smf2log", "kmipdump"):
            expect(os.path.isfile(f"{folder}/usr/share/bash-completion/completions/{program}"), program)
        placed = read(f"{folder}/usr/lib/systemd/system/klmsrv.service")
        expect("ExecStart=/usr/sbin/klmsrv ${KLM_CONFIG}" in placed and os.access(f"{folder}/usr/sbin/klmsrv", os.X_OK), placed)


if __name__ == "__main__":
    sys.exit(main())
