"""Row of a label whose private key is in a PKCS#11 token (SoftHSM), against what the token does by itself with that key in the same minute."""
import os
import sys

NAME = "get@8, PKCS#11-wrapped"
KEY = "BENCH.TOKEN.KEY"
LABEL = "Bench_Token_Key"
THREADS = 2  # as the helper has, one a worker (print_settings shows server.threads.workers)


def wanted(bench):
    return bench.wanted(NAME)


def make_token(bench):
    os.environ["KLM_BUILD"] = bench.BUILD
    sys.path.insert(0, os.path.join(bench.SOURCE, "tests", "scenario"))
    import softhsm  # of the scenario tests
    return softhsm.Token(os.path.join(bench.WORK, "hsm")), softhsm.LIBRARY


def rows(bench, servers):
    token, library = make_token(bench)
    server = bench.Server("token", [*token.properties(), f"server.threads.workers={THREADS}"])
    servers.append(server)
    server.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('{LABEL}')) WITHLABEL('{LABEL}') PCICC({KEY}) SIZE(2048) HARDWARE "
                "SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))")
    server.racf(f"ID(TAPEKMS) CONNECT(LABEL('{LABEL}') RING(KeyStore4758))")
    server.oper("refreshks")
    server.oper(f"moddrive -drivename 000007888422 -rec1 {LABEL}")
    row = bench.Row(NAME, f"the token's own private operation, {THREADS} threads", 0.60, 0.80)

    def pair():
        run = server.load("get", 8, "tcp", row=row.name)
        return run, run["ops_per_s"] / bench.ceiling("token", "-l", library, "-k", KEY, "-p", token.pin_file, "-t", THREADS,
                                                     "-d", bench.SECONDS, row=row.name)["ops_per_s"]

    row.fill(pair)
