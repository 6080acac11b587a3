#!/usr/bin/env python3
"""Certificates in and out, against OpenSSL's command line: packages both ways, requests and what comes back for them, renewal; and passwords that stand
nowhere."""
import glob
import os
import re
import subprocess
import sys

from keyserver import LABEL, LABEL2, Site, read, tool, write
from peer import Host
from scenario import SOURCE, expect, main, run, test

SITE = Site()
HOST = Host(f"{SITE.folder}/host").make(SITE.master)
PASSWORD = "Don't tell 7734"
QUOTED = PASSWORD.replace("'", "''")


def openssl(*words, **named):
    return run("openssl", *words, **named)


def at(server, name):
    return f"{server.files}/{name}"


def fingerprints(text):
    """Of the certificates in a PEM text, as OpenSSL says."""
    found = []
    for one in re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S):
        done = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=one, text=True, stdout=subprocess.PIPE, check=True)
        found.append(done.stdout.split("=")[1].strip())
    return found


def public(text_or_path, *words):
    return openssl(*words, "-in", text_or_path)


@test
def openssl_reads_what_is_exported_rsa_and_ec_with_the_chain():
    with SITE.server() as server:
        server.racf("CERTAUTH EXPORT(LABEL('MyLocalRACFCA')) DSN('CA') FORMAT(CERTB64)")
        authority = fingerprints(read(at(server, "CA")))
        for label in (LABEL, LABEL2):
            server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{label}')) DSN('ONE')")
            want = fingerprints(read(at(server, "ONE"))) + authority
            server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{label}')) DSN('P7') FORMAT(PKCS7DER)")
            got = openssl("pkcs7", "-inform", "DER", "-in", at(server, "P7"), "-print_certs")
            expect(sorted(fingerprints(got)) == sorted(want), got)
            server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{label}')) DSN('P7.PEM') FORMAT(PKCS7B64)")
            got = openssl("pkcs7", "-in", at(server, "P7.PEM"), "-print_certs")
            expect(sorted(fingerprints(got)) == sorted(want), got)
            server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{label}')) DSN('P12') FORMAT(PKCS12DER) PASSWORD('{QUOTED}')")
            words = ("pkcs12", "-in", at(server, "P12"), "-passin", f"pass:{PASSWORD}", "-nodes")
            got = openssl(*words)
            expect(fingerprints(got) == want and f"friendlyName: {label}" in got, got)
            write(at(server, "P12.TXT"), got)
            key = openssl("pkey", "-in", at(server, "P12.TXT"), "-pubout")
            expect(key == openssl("x509", "-in", at(server, "ONE"), "-noout", "-pubkey"), "the key is another one")
            openssl(*words[:-2], "pass:wrong", "-nodes", status=1)
            said = server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{label}')) DSN('P12') FORMAT(PKCS12B64)", status=2)
            expect("KLM0472E" in said, said)


@test
def packages_of_openssl_come_in_rsa_and_ec_with_their_keys_and_chain():
    with SITE.server() as server:
        files = server.files
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", f"{files}/ca.key", "-out", f"{files}/ca.crt",
                "-subj", "/CN=Other CA", "-days", "30")
        for name, kind in (("rsa", ("rsa:2048",)), ("ec", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"))):
            openssl("req", "-newkey", *kind, "-nodes", "-keyout", f"{files}/{name}.key", "-out", f"{files}/{name}.csr", "-subj", f"/CN=from {name}")
            openssl("x509", "-req", "-in", f"{files}/{name}.csr", "-CA", f"{files}/ca.crt", "-CAkey", f"{files}/ca.key", "-out", f"{files}/{name}.crt",
                    "-days", "20")
            openssl("pkcs12", "-export", "-in", f"{files}/{name}.crt", "-inkey", f"{files}/{name}.key", "-certfile", f"{files}/ca.crt",
                    "-out", f"{files}/{name}.p12", "-passout", f"pass:{PASSWORD}")
            said = server.racf(f"ID(TAPEKMS) ADD('{name}.p12') WITHLABEL('{name}') PASSWORD('wrong')", status=1)
            expect("KLM0471E" in said and "wrong" not in said, said)
            said = server.racf(f"CHECKCERT('{name}.p12') PASSWORD('{QUOTED}')")
            expect(f"CN=from {name}" in said and "CN=Other CA" in said and "private key" in said, said)
            write(f"{files}/password", PASSWORD + "\n")
            said = server.tool("racdcert", "--password-file", f"{files}/password", f"ID(TAPEKMS) ADD('{name}.p12') HIGHTRUST WITHLABEL('{name}')")
            said = server.racf(f"ID(TAPEKMS) LIST(LABEL('{name}'))")
            expect("HIGHTRUST" in said and "IRR.DIGTCERT.TAPEKMS" in said, said)
            server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{name}')) DSN('BACK') FORMAT(PKCS12DER) PASSWORD('x')")
            got = openssl("pkcs12", "-in", at(server, "BACK"), "-passin", "pass:x", "-nodes")
            write(at(server, "BACK.TXT"), got)
            expect(openssl("pkey", "-in", at(server, "BACK.TXT")) == openssl("pkey", "-in", f"{files}/{name}.key"), "the key came back as another")
            expect(len(fingerprints(got)) == 2, got)
        said = server.racf("CERTAUTH LIST")
        expect(said.count("CN=Other CA") >= 1 and len(re.findall(r"LABEL[0-9a-f]{16}", said)) == 1, said)
        openssl("crl2pkcs7", "-nocrl", "-certfile", f"{files}/ca.crt", "-certfile", f"{files}/rsa.crt", "-out", f"{files}/both.p7")
        server.racf("SITE ADD('both.p7') NOTRUST WITHLABEL('FROM P7')")
        said = server.racf("SITE LIST(LABEL('FROM P7'))")
        expect("CN=from rsa" in said and "NOTRUST" in said, said)
        # openssl base64 writes no lines around it.
        openssl("base64", "-in", f"{files}/rsa.p12", "-out", f"{files}/bare.b64")
        expect("CN=from rsa" in server.racf(f"CHECKCERT('bare.b64') PASSWORD('{QUOTED}')"), "bare base64")
        openssl("x509", "-in", f"{files}/ca.crt", "-outform", "DER", "-out", f"{files}/ca.der")
        openssl("base64", "-A", "-in", f"{files}/ca.der", "-out", f"{files}/ca.b64")
        expect("CN=Other CA" in server.racf("CHECKCERT('ca.b64')"), "a bare certificate")
        write(f"{files}/slip.b64", read(f"{files}/bare.b64")[:-5] + "=====")
        expect("KLM0470E" in server.racf(f"CHECKCERT('slip.b64') PASSWORD('{QUOTED}')", status=1), "no base64")
        # What old tools encrypt certificates with is named, and told apart from damage.
        openssl("pkcs12", "-export", "-legacy", "-in", f"{files}/rsa.crt", "-inkey", f"{files}/rsa.key", "-out", f"{files}/old.p12",
                "-passout", f"pass:{PASSWORD}")
        said = server.racf(f"CHECKCERT('old.p12') PASSWORD('{QUOTED}')", status=1)
        expect("KLM0473E" in said and "RC2" in said, said)
        write(f"{files}/cut.p12", open(f"{files}/rsa.p12", "rb").read()[:-1])
        said = server.racf("ID(TAPEKMS) ADD('cut.p12') WITHLABEL('CUT') PASSWORD('x')", status=1)
        expect("KLM0470E" in said, said)


@test
def a_request_is_signed_elsewhere_and_comes_back_to_its_label():
    with SITE.server() as server:
        server.start()
        files = server.files
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{files}/ca.key", "-out", f"{files}/ca.crt",
                "-subj", "/CN=Authority", "-days", "30")
        server.racf(f"ID(TAPEKMS) GENREQ(LABEL('{LABEL2}')) DSN('REQ')")
        expect("verify OK" in openssl("req", "-in", at(server, "REQ"), "-verify", "-noout", "-text").replace("Certificate request self-signature ", ""), "REQ")

        def sign(out, *more):
            openssl("x509", "-req", "-in", at(server, "REQ"), "-CA", f"{files}/ca.crt", "-CAkey", f"{files}/ca.key", "-out", f"{files}/{out}",
                    "-days", "10", *more)
        sign("good.crt")
        sign("other-name.crt", "-subj", "/CN=Somebody else")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{files}/x.key", "-out", f"{files}/other-key.crt", "-subj", "/CN=x")
        said = server.racf(f"ID(TAPEKMS) ADD('other-key.crt') WITHLABEL('{LABEL2}')", status=1)
        expect("KLM0476E" in said, said)
        said = server.racf(f"ID(TAPEKMS) ADD('other-name.crt') WITHLABEL('{LABEL2}')", status=1)
        expect("KLM0477E" in said, said)
        said = server.racf("ID(TAPEKMS) ADD('other-key.crt')", status=2)
        expect("KLM0479E" in said, said)
        # The third problem of a returned certificate: an end beyond what is kept.
        openssl("x509", "-req", "-in", at(server, "REQ"), "-CA", f"{files}/ca.crt", "-CAkey", f"{files}/ca.key", "-out", f"{files}/long.crt", "-days", "20000")
        said = server.racf("ID(TAPEKMS) ADD('long.crt')", status=1)
        expect("KLM0488E" in said and "50 years" in said, said)
        server.oper("modconfig -set -property maximum.keycert.expiration.period.in.years -value 2")
        openssl("x509", "-req", "-in", at(server, "REQ"), "-CA", f"{files}/ca.crt", "-CAkey", f"{files}/ca.key", "-out", f"{files}/three.crt", "-days", "1100")
        expect("KLM0488E" in server.racf("ID(TAPEKMS) ADD('three.crt')", status=1), "three years")
        expect("KLM0488E" in server.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('X') NOTAFTER(DATE(2040-01-01))", status=1), "made here")
        expect("KLM0488E" in server.racf(f"ID(TAPEKMS) REKEY(LABEL('{LABEL2}')) WITHLABEL('X') NOTAFTER(DATE(2040-01-01))", status=1), "made again")
        server.racf("ID(TAPEKMS) ADD('good.crt')")  # found by its key
        said = server.racf("ID(TAPEKMS) ADD('good.crt')", status=1)
        expect("already" in said, said)
        said = server.racf(f"ID(TAPEKMS) LIST(LABEL('{LABEL2}'))")
        expect("CN=Authority" in said and "ITOPS.KLM21.CERT" in said, said)
        expect(LABEL2 in server.racf("ID(TAPEKMS) LISTRING(KeyStore4758)"), "no longer in the ring")
        server.oper("refreshks")
        expect("certificate and private key" in server.oper(f"list -alias {LABEL2}"), "its key")


@test
def a_label_is_altered_rekeyed_and_rolled_over():
    with SITE.server() as server:
        server.racf(f"ID(TAPEKMS) REKEY(LABEL('{LABEL2}')) WITHLABEL('SECOND') PCICC(ITOPS.SECOND)")
        said = server.racf("ID(TAPEKMS) LIST(LABEL('SECOND'))")
        expect("ITOPS.SECOND" in said and "NISTECC 256" in said, said)
        said = server.racf(f"ID(TAPEKMS) ROLLOVER(LABEL('{LABEL2}')) NEWLABEL('{LABEL}')", status=1)
        expect("KLM0482E" in said, said)
        server.racf(f"ID(TAPEKMS) ROLLOVER(LABEL('{LABEL2}')) NEWLABEL('SECOND')")
        said = server.racf("ID(TAPEKMS) LISTRING(KeyStore4758)")
        expect("SECOND" in said and LABEL2 not in said, said)
        said = server.racf(f"ID(TAPEKMS) LIST(LABEL('{LABEL2}'))")
        expect("(none)" in said, said)  # retired
        said = server.racf(f"ID(TAPEKMS) GENREQ(LABEL('{LABEL2}')) DSN('REQ')", status=1)
        expect("KLM0480E" in said, said)
        server.racf("ID(TAPEKMS) ALTER(LABEL('SECOND')) NOTRUST NEWLABEL('THIRD')")
        said = server.racf("ID(TAPEKMS) LIST(LABEL('THIRD'))")
        expect("NOTRUST" in said and "ITOPS.SECOND" in said, said)
        expect("THIRD" in server.racf("ID(TAPEKMS) LISTRING(KeyStore4758)"), "the ring lost it")
        said = server.racf("ID(TAPEKMS) ALTER(LABEL('THIRD'))", status=2)
        expect("KLM0481E" in said, said)


@test
def a_server_certificate_is_renewed_without_an_outage_as_the_guide_says():
    with SITE.server() as server:
        server.start()
        server.oper(f"adddrive -drivename {HOST.serial} -cert DRIVE.{HOST.serial}.CERT")
        HOST.attach(server)
        guide = read(f"{SOURCE}/docs/operators-guide.md")
        part = guide[guide.index("### 1.8 "):guide.index("## 2. Drives")]
        steps = re.findall(r'^    racdcert "((?:[^"]*REKEY|[^"]*GENREQ[^"]*SERVER2|[^"]*GENCERT|[^"]*ROLLOVER)[^"]*)"', part, re.M)
        expect([re.search(r"REKEY|GENREQ|GENCERT|ROLLOVER", step).group(0) for step in steps] == ["REKEY", "GENREQ", "GENCERT", "ROLLOVER"], str(steps))
        before = server.racf("ID(TAPEKMS) LISTRING(KeyStore4758)")
        expect(re.search(r"ISKLM_Server .*YES", before), before)
        for step in steps:
            server.racf(step)
        server.oper("refreshks")
        after = server.racf("ID(TAPEKMS) LISTRING(KeyStore4758)")
        expect(re.search(r"ISKLM_Server_2 .*YES", after), after)
        HOST.write("RNW001", b"data", "--kl1", LABEL)
        expect("KLM0487W" not in server.console(), server.console())
        # The same without the step that has it signed: said at once, before the first drive is refused.
        server.racf("ID(TAPEKMS) REKEY(LABEL('ISKLM_Server_2')) WITHLABEL('ISKLM_Server_3')")
        server.racf("ID(TAPEKMS) ROLLOVER(LABEL('ISKLM_Server_2')) NEWLABEL('ISKLM_Server_3')")
        server.oper("refreshks")
        expect("KLM0487W Server certificate ISKLM_Server_3 leads to no authority" in server.console(), server.console())


@test
def a_request_signed_here_takes_only_the_place_of_its_own_certificate():
    with SITE.server() as server:
        server.racf(f"ID(TAPEKMS) GENREQ(LABEL('{LABEL2}')) DSN('REQ')")
        sign = "SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))"
        said = server.racf(f"ID(TAPEKMS) GENCERT('REQ') WITHLABEL('{LABEL}') {sign}", status=1)
        expect("KLM0476E" in said, said)
        said = server.racf(f"ID(TAPEKMS) GENCERT('REQ') SUBJECTSDN(CN('another')) WITHLABEL('{LABEL2}') {sign}", status=1)
        expect("KLM0477E" in said, said)
        token = re.search(r"PCICC\) : (\S+)", server.racf(f"ID(TAPEKMS) LIST(LABEL('{LABEL2}'))")).group(1)
        server.racf(f"ID(TAPEKMS) GENCERT('REQ') WITHLABEL('{LABEL2}') {sign}")
        expect(f"PCICC) : {token}" in server.racf(f"ID(TAPEKMS) LIST(LABEL('{LABEL2}'))"), "its private key")
        server.start()
        expect("certificate and private key" in server.oper(f"list -alias {LABEL2}"), "its key")


@test
def a_password_stands_in_no_log_and_no_store():
    with SITE.server() as server:
        server.start()
        server.racf(f"ID(TAPEKMS) EXPORT(LABEL('{LABEL2}')) DSN('P12') FORMAT(PKCS12DER) PASSWORD('Zz-9-secret')")
        server.racf(f"ID(TAPEKMS) ADD('P12') WITHLABEL('AGAIN') PASSWORD('Zz-9-secret')", status=1)  # it is there
        tool("oper", "RACDCERT ID(TAPEKMS) CHECKCERT('P12') PASSWORD('Zz-9-secret')", env={"KLM_OPER_SOCKET": server.socket})
        server.audited("cert-export")
        server.stop()
        for path in glob.glob(f"{server.home}/**", recursive=True):
            if os.path.isfile(path):
                expect(b"Zz-9-secret" not in open(path, "rb").read(), path)


if __name__ == "__main__":
    sys.exit(main())
