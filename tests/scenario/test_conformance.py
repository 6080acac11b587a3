#!/usr/bin/env python3
"""The player of KMIP test cases, against a server that does nothing but answer what a case expects, over a real connection and with a codec of its own; then the
same with one item wrong, which must not pass."""
import glob
import os
import subprocess
import sys

from kmip import BYTES, ENUM, INTEGER, TEXT, Item, Mirror, conversation
from scenario import BUILD, SLOW, SOURCE, Folder, expect, main, run, test

PLAYER = f"{BUILD}/conformance/player"
VECTORS = sorted(glob.glob(f"{SOURCE}/tests/golden/kmip/*.xml"))


def openssl(*words):
    run("openssl", *words)


def certificates(folder):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=authority", "-days", "2",
            "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt")
    for name, usage in (("server", "serverAuth"), ("client", "clientAuth")):
        with open(f"{folder}/ext", "w", encoding="utf-8") as file:
            file.write(f"extendedKeyUsage={usage}\nsubjectAltName=IP:127.0.0.1\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
        openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{folder}/ext", "-out", f"{folder}/{name}.crt")


def play(folder, path, change=None, status=0):
    """Play a case against a mirror; what the player printed, and what the mirror was asked."""
    with Mirror(conversation(path), f"{folder}/server.crt", f"{folder}/server.key", f"{folder}/ca.crt", change) as mirror:
        done = subprocess.run([PLAYER, "--port", str(mirror.port), "--cert", f"{folder}/client.crt", "--key", f"{folder}/client.key",
                               "--authority", f"{folder}/ca.crt", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60 * SLOW, check=False)
        expect(done.returncode == status, f"{path}: exit status {done.returncode}\n{done.stdout}")
        return done.stdout, mirror.seen


def altered(one):
    """The same item with another value."""
    if one.kind == TEXT:
        return Item(one.name, one.kind, one.value + "~")
    if one.kind == BYTES:
        return Item(one.name, one.kind, one.value + b"~")
    if one.kind == ENUM:
        return Item(one.name, one.kind, one.value ^ 0x700000)
    return Item(one.name, one.kind, not one.value if isinstance(one.value, bool) else one.value + 1)


def spoil(answer, name):
    """The first item with this name, anywhere, is altered."""
    for one in answer.walk():
        if isinstance(one.value, list):
            for n, child in enumerate(one.value):
                if child.name == name and not isinstance(child.value, list):
                    one.value[n] = altered(child)
                    return answer
    return answer


@test
def every_vector_of_our_own_passes_against_a_server_that_answers_it():
    expect(len(VECTORS) >= 14, "there are vectors")
    with Folder() as folder:
        certificates(folder)
        for path in VECTORS:
            out, seen = play(folder, path)
            name = os.path.basename(path)[:-4]
            expect(out == f"pass {name}\n1 passed, 0 failed\n", out)
            expect(len(seen) == len(conversation(path)), f"{name}: {len(seen)} requests came")


@test
def a_vector_with_one_wrong_item_in_its_last_answer_fails_there():
    with Folder() as folder:
        certificates(folder)
        for path in VECTORS:
            last = len(conversation(path)) - 1
            for name in ("ResultStatus", "ProtocolVersionMinor", "Operation"):
                out, _ = play(folder, path, lambda n, answer, name=name, last=last: spoil(answer, name) if n == last else answer, status=1)
                expect(out.startswith("fail ") and f"request {last + 1} of" in out and ("is expected, not" in out or "no value of this" in out), f"{path} {name}: {out}")
                expect(out.endswith("0 passed, 1 failed\n"), out)


@test
def a_server_that_breaks_off_or_sends_no_ttlv_fails_the_case():
    with Folder() as folder:
        certificates(folder)

        def leave(_n, _answer):
            raise OSError

        out, _ = play(folder, VECTORS[0], leave, status=1)
        expect("the server closed the connection" in out, out)
        out, _ = play(folder, VECTORS[0], lambda _n, answer: Item("ResponseMessage", INTEGER, 1), status=1)
        expect("no TTLV message" in out, out)


@test
def without_a_server_a_case_is_an_error_and_nothing_passes():
    with Folder() as folder:
        certificates(folder)
        out = run(PLAYER, "--port", "1", "--cert", f"{folder}/client.crt", "--key", f"{folder}/client.key", "--authority", f"{folder}/ca.crt", VECTORS[0], status=1)
        expect("no server is there" in out and out.startswith("error ") and out.endswith("0 passed, 1 failed\n"), out)
        out = run(PLAYER, "--mirror", folder, status=1)
        expect(out == "0 passed, 0 failed\n", out)  # nothing played is no success
        run(PLAYER, "--mirror", f"{folder}/none", status=2)


@test
def the_player_takes_one_case_or_one_version():
    names = [os.path.basename(path)[:-4] for path in VECTORS]
    out = run(PLAYER, "--mirror", "--case", names[3], f"{SOURCE}/tests/golden/kmip")
    expect(out == f"pass {names[3]}\n1 passed, 0 failed\n", out)
    count = sum(int(run(PLAYER, "--mirror", "--version", version, f"{SOURCE}/tests/golden/kmip", status=None).splitlines()[-1].split()[0])
                for version in ("1.0", "1.1", "1.2", "1.3", "1.4", "2.0", "2.1"))
    expect(count == len(names), f"{count} of {len(names)} by version")
    shares = [run(PLAYER, "--mirror", "--share", share, f"{SOURCE}/tests/golden/kmip") for share in ("1/2", "2/2")]
    expect(sum(out.count("pass ") for out in shares) == len(names), shares)


if __name__ == "__main__":
    sys.exit(main())
