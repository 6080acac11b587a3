#!/usr/bin/env python3
# time-limit: 600
"""Clients of one device group change the same object at the same moment: what each is answered, and the state that is left, is what some order of the requests one after the
other would have given, and no transition is one that the specification does not have (KMIP 1.4, 3.22; 2.1, 4.57). RACE_ROUNDS (default 200) and RACE_SEED (default: the clock)."""
import itertools
import os
import random
import struct
import time

from kmip import Answer, decode, encode, enum_name, item, items, message, op
from kmipserver import KmipSite
from scenario import expect, main, test

ROUNDS = int(os.environ.get("RACE_ROUNDS", "200"))
SEED = int(os.environ.get("RACE_SEED", time.time_ns() // 1000 % 1000000))
CLIENTS = ("alice", "bob", "carol", "dave")
SITE = KmipSite(clients=CLIENTS)
TOGETHER = 40  # objects made at once

# Figure "Cryptographic Object States and Transitions".
LEGAL = {"PreActive": {"Active", "Destroyed", "Compromised"}, "Active": {"Deactivated", "Compromised"}, "Deactivated": {"Destroyed", "Compromised"},
         "Compromised": {"DestroyedCompromised"}, "Destroyed": {"DestroyedCompromised"}, "DestroyedCompromised": set()}
DEAD = ("Destroyed", "DestroyedCompromised")
REQUESTS = {
    "Activate": lambda uid: op("Activate", UniqueIdentifier=uid),
    "Cease": lambda uid: op("Revoke", item("UniqueIdentifier", uid), item("RevocationReason", items(RevocationReasonCode="CessationOfOperation"))),
    "Compromise": lambda uid: op("Revoke", item("UniqueIdentifier", uid), item("RevocationReason", items(RevocationReasonCode="KeyCompromise"))),
    "Destroy": lambda uid: op("Destroy", UniqueIdentifier=uid),
    "Get": lambda uid: op("Get", UniqueIdentifier=uid),
}
WAYS = {"PreActive": [], "Active": ["Activate"], "Deactivated": ["Activate", "Cease"], "Compromised": ["Compromise"], "Destroyed": ["Destroy"]}


def post(client, batch):
    """A message out; the answer is not waited for."""
    client.connect()
    client.socket.sendall(encode(message(client.version, batch)))


def answer(client):
    head = client.read(8)
    return Answer(decode(head + client.read(struct.unpack(">I", head[4:])[0])))


def at_once(clients, ones):
    """A request of each client, all on their way before the first answer is read; the results."""
    for client, one in zip(clients, ones):
        post(client, [one])
    return [answer(client)[0] for client, _ in zip(clients, ones)]


def make(client, n, **named):
    attributes = client.attributes(CryptographicAlgorithm="AES", CryptographicLength=128, CryptographicUsageMask="Encrypt Decrypt", **named)
    results = client.request([op("Create", item("ObjectType", "SymmetricKey"), attributes) for _ in range(n)], True).items
    expect(all(one.ok for one in results), results)
    return [one.payload["UniqueIdentifier"] for one in results]


def bring(client, uids, state):
    for way in WAYS[state]:
        results = client.request([REQUESTS[way](uid) for uid in uids], True).items
        expect(all(one.ok for one in results), results)


def states(client, uids):
    results = client.request([op("GetAttributes", item("UniqueIdentifier", uid), item("AttributeName", "State")) for uid in uids], True).items
    return [enum_name("State", one.payload.find("AttributeValue").value) for one in results]


def learn(client):
    """What each request does alone, in each state: whether it succeeds, and the state behind it, which must be a legal one."""
    table = {}
    for state in LEGAL:
        if state not in WAYS:
            continue
        for name in REQUESTS:
            uid = make(client, 1)[0]
            bring(client, [uid], state)
            ok = client.request([REQUESTS[name](uid)])[0].ok
            now = states(client, [uid])[0]
            expect(now == state or (ok and now in LEGAL[state]), f"{name} of a {state} object: {ok}, {now}")
            table[state, name] = (ok, now)
    for name in REQUESTS:
        table["DestroyedCompromised", name] = (table["Destroyed", name][0] and name == "Compromise", "DestroyedCompromised")
    expect(table["Active", "Destroy"][0] is False and table["Active", "Get"] == (True, "Active") and table["Destroyed", "Get"][0] is False, str(table))
    return table


def explained(table, state, names, oks, now):
    """Is there an order in which the requests give these answers and this state?"""
    for order in itertools.permutations(range(len(names))):
        at, fits = state, True
        for n in order:
            ok, at = table[at, names[n]]
            # Whether a dead object may still be marked as compromised is of no matter here: its answer is not judged.
            fits = fits and (ok == oks[n] or (at in DEAD and names[n] in ("Compromise", "Cease")))
        if fits and at == now:
            return True
    return False


@test
def states_that_clients_change_at_once_have_a_legal_history_and_what_is_destroyed_is_gone_for_all():
    print(f"seed {SEED}", flush=True)
    dice = random.Random(SEED)
    with SITE.started() as server:
        clients = [server.client(name, group="RACE") for name in CLIENTS]
        table, done, gone = learn(clients[0]), 0, 0
        while done < ROUNDS:
            state = dice.choice(list(WAYS))
            uids = make(clients[0], TOGETHER)
            bring(clients[0], uids, state)
            histories = []
            for uid in uids:
                names = [dice.choice(list(REQUESTS)) for _ in range(dice.randint(2, len(clients)))]
                dice.shuffle(clients)
                histories.append((names, at_once(clients, [REQUESTS[name](uid) for name in names])))
            for uid, now, (names, results) in zip(uids, states(clients[0], uids), histories):
                oks = [one.ok for one in results]
                expect(explained(table, state, names, oks, now), f"seed {SEED}: from {state}: {list(zip(names, results))}, then {now}")
                if now in DEAD:
                    gone += 1
                    expect(not any(one.ok for one in at_once(clients, [REQUESTS["Get"](uid)] * len(clients))), f"seed {SEED}: a destroyed key was given")
            done += len(uids)
        print(f"seed {SEED}: {done} rounds, {gone} objects destroyed")
        expect(gone > 0, "nothing was ever destroyed")


@test
def of_a_limit_no_more_is_given_than_it_allows_and_a_name_goes_to_one():
    dice = random.Random(SEED)
    with SITE.started() as server:
        clients = [server.client(name, group="RACE") for name in CLIENTS]
        for n in range(max(10, ROUNDS // 20)):
            uid = make(clients[0], 1, UsageLimits=items(UsageLimitsTotal=10, UsageLimitsUnit="Byte"))[0]
            clients[0].activate(uid)
            share = dice.choice([2, 3, 4, 6])
            results = at_once(clients, [op("GetUsageAllocation", UniqueIdentifier=uid, UsageLimitsCount=share)] * len(clients))
            most = min(len(clients), 10 // share)
            expect(sum(one.ok for one in results) == most, f"{share} of 10 each: {results}")
            left = clients[0].attribute(uid, "UsageLimits")[0].get("UsageLimitsCount")
            expect(left == 10 - share * most, f"{left} are left of 10 after {most} times {share}")
            named = [op("Create", item("ObjectType", "SymmetricKey"), clients[0].attributes(CryptographicAlgorithm="AES", CryptographicLength=128,
                                                                                           CryptographicUsageMask="Encrypt", Name=f"one-{n}"))] * len(clients)
            results = at_once(clients, named)
            expect(sum(one.ok for one in results) == 1 and len(clients[0].locate(Name=f"one-{n}")) == 1, f"one name: {results}")


if __name__ == "__main__":
    main()
