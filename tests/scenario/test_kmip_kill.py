#!/usr/bin/env python3
# time-limit: 600
"""kill -9 while KMIP clients change objects: what was acknowledged is there as it was acknowledged, what was not is there whole or not at all, each change is recorded.

Each client has objects of its own and keeps in mind what they have to be like. An operation that a kill cut off may have happened or not, but all of it or nothing: both
keys of a pair with their links, a new key with both links to the old one, every item of a batch. KMIP_KILLS (default 4) and KILL_SEED (default: the clock) choose how often
and when.
"""
import copy
import hashlib
import os
import random
import re
import ssl
import subprocess
import threading
import time

from kmip import Item, attribute_list, enum_name, item, items, op, symmetric_key
from keyserver import BIN
from kmipserver import KmipSite
from scenario import SLOW, expect, main, test

KILLS = int(os.environ.get("KMIP_KILLS", "4"))
SEED = int(os.environ.get("KILL_SEED", time.time_ns() // 1000 % 1000000))
CLIENTS = ("alice", "bob", "carol")
SITE = KmipSite(clients=CLIENTS)
LIMIT = 100000
GONE = ("Destroyed", "DestroyedCompromised")


class Thing:
    """What an object has to be like."""

    def __init__(self, kind, name, **named):
        self.kind, self.name, self.uid = kind, name, None
        self.state, self.x, self.links, self.material, self.left, self.archived = "PreActive", {}, {}, None, None, False
        self.__dict__.update(named)

    def seen(self):
        return (self.kind, self.state, self.name, sorted(self.x.items()), sorted(self.links.items()), self.material, self.left, self.archived)


def after(thing, **named):
    """The same object as it is when a change has happened."""
    changed = copy.deepcopy(thing)
    changed.__dict__.update(named)
    return changed


def key_attributes(client, name, state="PreActive", **named):
    return client.attributes(CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt Decrypt DeriveKey", Name=name, **named)


class Change:
    """An operation under way: its batch, objects before and after, new objects, and where the answer names them."""

    def __init__(self, batch, changed=(), new=(), events=(), client=None, **header):
        self.batch, self.changed, self.new, self.events, self.client, self.header = batch, list(changed), list(new), events, client, header


class Worker:
    """A client that changes objects of its own until the server is killed."""

    def __init__(self, server, name, seed):
        self.server, self.name, self.dice = server, name, random.Random(f"{seed} {name}")
        self.things, self.under_way, self.count, self.answered, self.cut = {}, None, 0, 0, 0
        self.events, self.problems, self.ways = [], [], {}
        self.client = server.client(name, group=f"KILL{name}")
        self.newer = server.client(name, group=f"KILL{name}", version=(2, 1))  # for what 1.4 does not have

    # ---- Changes

    def new_name(self):
        self.count += 1
        return f"{self.name}-{self.count}"

    def one(self, *states, kind="SymmetricKey"):
        fit = [thing for thing in self.things.values() if thing.state in states and thing.kind == kind and not thing.archived]
        return self.dice.choice(fit) if fit else None

    def create(self):
        thing = Thing("SymmetricKey", self.new_name(), left=LIMIT)
        limits = items(UsageLimitsTotal=LIMIT, UsageLimitsUnit="Byte")
        return Change([op("Create", item("ObjectType", "SymmetricKey"), key_attributes(self.client, thing.name, UsageLimits=limits))], new=[thing], events=["object-create"])

    def pair(self):
        private, public = Thing("PrivateKey", self.new_name()), Thing("PublicKey", self.new_name())
        private.links, public.links = {"PublicKeyLink": public}, {"PrivateKeyLink": private}
        common = self.client.attributes("Common", CryptographicAlgorithm="EC", CryptographicLength=256)
        return Change([op("CreateKeyPair", common, self.client.attributes("PrivateKey", CryptographicUsageMask="Sign", Name=private.name),
                          self.client.attributes("PublicKey", CryptographicUsageMask="Verify", Name=public.name))], new=[private, public], events=["object-create-pair"])

    def register(self):
        key = self.dice.randbytes(32)
        thing = Thing("SymmetricKey", self.new_name(), material=hashlib.sha256(key).hexdigest())
        return Change([op("Register", item("ObjectType", "SymmetricKey"), key_attributes(self.client, thing.name), symmetric_key(key))],
                      new=[thing], events=["object-register"])

    def rekey(self):
        old = self.one("Active")
        if not old or "ReplacementObjectLink" in old.links or "DerivedKeyLink" in old.links:
            return None
        new = Thing("SymmetricKey", old.name, state="Active", x=dict(old.x), links={"ReplacedObjectLink": old}, left=LIMIT if old.left is not None else None)
        return Change([op("ReKey", UniqueIdentifier=old.uid)], [(old, after(old, name=None, links={**old.links, "ReplacementObjectLink": new}))], [new], ["object-rekey"])

    def rekey_pair(self):
        old = self.one("PreActive", kind="PrivateKey")
        if not old or "ReplacementObjectLink" in old.links:
            return None
        public = self.things[old.links["PublicKeyLink"].uid]
        if public.state != "PreActive":
            return None
        new, other = Thing("PrivateKey", old.name, x=dict(old.x)), Thing("PublicKey", public.name, x=dict(public.x))
        new.links, other.links = {"PublicKeyLink": other, "ReplacedObjectLink": old}, {"PrivateKeyLink": new, "ReplacedObjectLink": public}
        return Change([op("ReKeyKeyPair", PrivateKeyUniqueIdentifier=old.uid)], [
            (old, after(old, name=None, links={**old.links, "ReplacementObjectLink": new})),
            (public, after(public, name=None, links={**public.links, "ReplacementObjectLink": other}))], [new, other], ["object-rekey-pair"])

    def derive(self):
        base = next((thing for thing in self.things.values() if thing.state == "Active" and thing.left is None and not thing.archived and thing.kind == "SymmetricKey"
                     and not thing.links), None)
        if not base:
            return None
        new = Thing("SymmetricKey", self.new_name(), links={"DerivationBaseObjectLink": base})
        how = item("DerivationParameters", [item("CryptographicParameters", items(HashingAlgorithm="SHA_256"))])
        return Change([op("DeriveKey", item("ObjectType", "SymmetricKey"), item("UniqueIdentifier", base.uid), item("DerivationMethod", "HASH"), how,
                          key_attributes(self.client, new.name))], [(base, after(base, links={"DerivedKeyLink": new}))], [new], ["object-derive"])

    def certify(self):
        key = self.one("PreActive", kind="PublicKey")
        if not key or "CertificateLink" in key.links:
            return None
        new = Thing("Certificate", self.new_name(), links={"PublicKeyLink": key})
        return Change([op("Certify", item("UniqueIdentifier", key.uid), self.newer.attributes(CertificateSubjectCN=new.name, Name=new.name))],
                      [(key, after(key, links={**key.links, "CertificateLink": new}))], [new], ["object-certify"], client=self.newer)

    def recertify(self):
        old = self.one("PreActive", "Active", kind="Certificate")
        if not old or "ReplacementObjectLink" in old.links:
            return None
        key = self.things[old.links["PublicKeyLink"].uid]
        if key.state not in ("PreActive", "Active"):
            return None
        new = Thing("Certificate", old.name, links={"PublicKeyLink": key, "ReplacedObjectLink": old})
        return Change([op("ReCertify", UniqueIdentifier=old.uid)], [(old, after(old, name=None, links={**old.links, "ReplacementObjectLink": new})),
                                                                    (key, after(key, links={**key.links, "CertificateLink": new}))], [new], ["object-recertify"])

    def archive(self):
        thing = self.one("PreActive", "Deactivated")
        return thing and Change([op("Archive", UniqueIdentifier=thing.uid)], [(thing, after(thing, archived=True))], events=["object-archive"])

    def recover(self):
        thing = next((thing for thing in self.things.values() if thing.archived), None)
        return thing and Change([op("Recover", UniqueIdentifier=thing.uid)], [(thing, after(thing, archived=False))], events=["object-recover"])

    def encrypt(self):
        thing = self.one("Active")
        if not thing or not thing.left:
            return None
        n = self.dice.randint(1, 50)
        mode = item("CryptographicParameters", items(BlockCipherMode="ECB", PaddingMethod="PKCS5"))
        return Change([op("Encrypt", item("UniqueIdentifier", thing.uid), mode, item("Data", bytes(n)))], [(thing, after(thing, left=thing.left - n))], events=["object-encrypt"])

    def set_attribute(self):
        thing = self.one("PreActive", "Active", kind=self.dice.choice(["SymmetricKey", "PrivateKey"]))
        value = f"contact {self.dice.random()}"
        return thing and Change([op("SetAttribute", item("UniqueIdentifier", thing.uid), item("NewAttribute", items(ContactInformation=value)))],
                                [(thing, after(thing, x={**thing.x, "Contact Information": value}))], client=self.newer)

    def lease(self):
        thing = self.one("Active")
        return thing and Change([op("ObtainLease", UniqueIdentifier=thing.uid)])

    def activate(self):
        thing = self.one("PreActive")
        return thing and Change([op("Activate", UniqueIdentifier=thing.uid)], [(thing, after(thing, state="Active"))], events=["object-activate"])

    def revoke(self):
        thing = self.one("PreActive", "Active", kind=self.dice.choice(["SymmetricKey", "PrivateKey"]))
        if not thing:
            return None
        bad = thing.state == "PreActive" or self.dice.random() < 0.5
        reason = item("RevocationReason", items(RevocationReasonCode="KeyCompromise" if bad else "CessationOfOperation"))
        return Change([op("Revoke", item("UniqueIdentifier", thing.uid), reason, *([Item("CompromiseOccurrenceDate", 9, 1500000000)] if bad else []))],
                      [(thing, after(thing, state="Compromised" if bad else "Deactivated"))], events=["object-revoke"])

    def destroy(self):
        thing = self.one("PreActive", "Deactivated", "Compromised", kind=self.dice.choice(["SymmetricKey", "SymmetricKey", "PublicKey"]))
        if not thing:
            return None
        return Change([op("Destroy", UniqueIdentifier=thing.uid)],
                      [(thing, after(thing, state="DestroyedCompromised" if thing.state == "Compromised" else "Destroyed", material=None))], events=["object-destroy"])

    def attribute(self):
        thing = self.one("PreActive", "Active")
        if not thing:
            return None
        value = f"value {self.dice.random()}"
        if "x-A" not in thing.x:
            verb, rest, x = "AddAttribute", attribute_list((1, 4), {"x_A": value}), {**thing.x, "x-A": value}
        elif self.dice.random() < 0.5:
            verb, rest, x = "ModifyAttribute", attribute_list((1, 4), {"x_A": value}), {**thing.x, "x-A": value}
        else:
            verb, rest, x = "DeleteAttribute", items(AttributeName="x-A"), {name: one for name, one in thing.x.items() if name != "x-A"}
        return Change([op(verb, item("UniqueIdentifier", thing.uid), *rest)], [(thing, after(thing, x=x))])

    def allocate(self):
        thing = self.one("Active")
        if not thing or thing.left is None:
            return None
        n = self.dice.randint(1, 50)
        return Change([op("GetUsageAllocation", UniqueIdentifier=thing.uid, UsageLimitsCount=n)], [(thing, after(thing, left=thing.left - n))])

    def batch(self):
        """Two changes in one message that stand or fall together: a new key that is active at once."""
        thing = Thing("SymmetricKey", self.new_name(), state="Active")
        batch = [op("Create", item("ObjectType", "SymmetricKey"), key_attributes(self.client, thing.name)), op("Activate")]
        return Change(batch, new=[thing], ids=True, BatchOrderOption=True, BatchErrorContinuationOption="Undo")

    def undone(self):
        """A batch whose last item fails: nothing of it is ever there, and what it changed is as it was."""
        thing = self.one("PreActive", "Active")
        batch = [op("Create", item("ObjectType", "SymmetricKey"), key_attributes(self.client, self.new_name()))]
        if thing:
            batch.append(op("Revoke", item("UniqueIdentifier", thing.uid), item("RevocationReason", items(RevocationReasonCode="KeyCompromise"))))
        batch.append(op("Activate", UniqueIdentifier="nobody"))
        return Change(batch, ids=True, BatchOrderOption=True, BatchErrorContinuationOption="Undo")

    # ---- Load

    def step(self):
        way = self.dice.choice([self.create, self.create, self.pair, self.register, self.rekey, self.rekey_pair, self.derive, self.certify, self.recertify, self.activate,
                                self.activate, self.revoke, self.destroy, self.archive, self.recover, self.attribute, self.attribute, self.set_attribute, self.allocate,
                                self.encrypt, self.lease, self.batch, self.undone])
        change = way()
        if not change:
            return
        self.under_way = change
        answer = (change.client or self.client).request(change.batch, **change.header)
        self.under_way = None
        undone = way == self.undone
        expect(undone != all(result.ok for result in answer.items), f"{way.__name__}: {answer.items}")
        if undone:
            return
        payload = answer[0].payload
        uids = [payload.get(name) for name in ("PrivateKeyUniqueIdentifier", "PublicKeyUniqueIdentifier")] if "PrivateKeyUniqueIdentifier" in payload \
            else [payload.get("UniqueIdentifier")]
        self.done(change, uids)
        self.answered += 1
        self.ways[way.__name__] = self.ways.get(way.__name__, 0) + 1
        self.events += [f"{verb} {uids[0]}" for verb in change.events]

    def done(self, change, uids):
        for thing, uid in zip(change.new, uids):
            thing.uid = uid
            self.things[uid] = thing
        for before, now in change.changed:
            self.things[before.uid] = now

    def load(self):
        try:
            while True:
                self.step()
        except (OSError, EOFError, ssl.SSLError):
            self.cut += self.under_way is not None
        except AssertionError as said:
            if "the server closed" in str(said):
                self.cut += self.under_way is not None
            else:
                self.problems.append(str(said))
        self.client.close()
        self.newer.close()

    # ---- After the restart

    def look(self, uid):
        """The object as the server has it, in the form of seen()."""
        got = {}
        for one in self.client.ok("GetAttributes", UniqueIdentifier=uid).all("Attribute"):
            got.setdefault(one["AttributeName"], []).append(one.all("AttributeValue")[0] if one.all("AttributeValue") else one.get("AttributeValue"))
        values = {name: [one.value for one in found] for name, found in got.items()}
        kind, state = enum_name("ObjectType", values["Object Type"][0]), enum_name("State", values["State"][0])
        name = next((one.get("NameValue") for one in got.get("Name", [])), None)
        links = {enum_name("LinkType", one.get("LinkType")): one.get("LinkedObjectIdentifier") for one in got.get("Link", [])}
        limits = got.get("Usage Limits")
        material, archived = None, False
        if kind == "SymmetricKey":
            result = self.client.do("Get", UniqueIdentifier=uid)
            archived = result.reason == "ObjectArchived"
            expect(archived or result.ok != (state in GONE), f"Get of a {state} key: {result}")
            if result.ok:
                material = hashlib.sha256(result.payload.find("KeyMaterial").value).hexdigest()
        return (kind, state, name, sorted((one, values[one][0]) for one in values if one.startswith("x-") or one == "Contact Information"), sorted(links.items()), material,
                limits[0].get("UsageLimitsCount") if limits else None, archived)

    def same(self, thing, got):
        """Is it as it has to be? What a key's bytes are is learned when they are seen first."""
        if thing.kind == "SymmetricKey" and thing.state not in GONE and thing.material is None:
            thing.material = got[5]
        kind, state, name, x, links, material, left, archived = thing.seen()
        if archived:
            material = None  # it is there, and not given
        return (kind, state, name, x, [(one, other.uid if isinstance(other, Thing) else other) for one, other in links], material, left, archived) == got

    def settle(self):
        """The operation that was cut off: did it happen?"""
        change, self.under_way = self.under_way, None
        if not change:
            return
        if change.new:
            found = [self.client.locate(Name=thing.name) for thing in change.new]
            known = {before.uid for before, _ in change.changed}
            found = [[uid for uid in uids if uid not in known] for uids in found]
            expect(len({len(uids) for uids in found}) == 1 and len(found[0]) <= 1, f"half of it: {change.batch} {found}")
            if found[0]:
                self.done(change, [uids[0] for uids in found])
        elif change.changed:
            before, now = change.changed[0]
            got = self.look(before.uid)
            if self.same(copy.deepcopy(now), got):
                self.done(change, [])

    def judge(self):
        self.settle()
        for uid, thing in self.things.items():
            got = self.look(uid)
            if not self.same(thing, got):
                self.problems.append(f"{self.name} {uid} has to be {thing.seen()} and is {got}")
        there = set(self.client.locate())
        lost = {uid for uid, thing in self.things.items() if thing.state not in GONE and not thing.archived} - there
        more = there - set(self.things)
        if lost or more:
            self.problems.append(f"{self.name}: lost {lost}, nobody's {more}")


@test
def acknowledged_changes_of_objects_survive_kills_and_no_half_of_one_is_left():
    print(f"seed {SEED}", flush=True)
    with SITE.started("KMIPListener.ssl.host=127.0.0.1", "kmip.certify.label=MyLocalRACFCA") as server:
        dice = random.Random(SEED)
        workers = [Worker(server, name, SEED) for name in CLIENTS]
        for _ in range(KILLS):
            threads = [threading.Thread(target=worker.load) for worker in workers]
            goal = sum(worker.answered for worker in workers) + dice.randint(20, 150)
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 30 * SLOW
            while sum(worker.answered for worker in workers) < goal and time.monotonic() < deadline and any(thread.is_alive() for thread in threads):
                time.sleep(0.001)
            time.sleep(dice.uniform(0, 0.005))
            server.kill()
            for thread in threads:
                thread.join()
            server.start()
            for worker in workers:
                worker.judge()
            problems = [problem for worker in workers for problem in worker.problems]
            expect(not problems, f"seed {SEED}: {len(problems)} problems\n" + "\n".join(problems[:10]))
        server.stop()
        records = re.findall(r"name=(object-[a-z-]+ [0-9a-f-]{36})", "\n".join("\n".join(one) for one in server.audit() if any("[result=successful]" in line for line in one)))
        missing = [event for worker in workers for event in worker.events if event not in set(records)]
        expect(not missing, f"seed {SEED}: no record of {missing[:10]}")
        cut, answered = sum(worker.cut for worker in workers), sum(worker.answered for worker in workers)
        print(f"seed {SEED}: {KILLS} kills, {answered} changes acknowledged, {cut} cut off, {sum(len(worker.things) for worker in workers)} objects")
        ways = sorted({way for worker in workers for way in worker.ways})
        expect(len(ways) == 19 or answered < 1000, f"only {ways}")
        expect(answered >= 20 * KILLS and cut > 0, f"{answered} changes, {cut} cut off")


@test
def keys_that_an_operator_makes_in_numbers_survive_kills_whole_and_with_names_that_go_on():
    dice = random.Random(SEED)
    with SITE.started("KMIPListener.ssl.host=127.0.0.1") as server, server.client("alice", group="MADE") as client:
        group, asked, there = server.registered["alice"], 0, []
        for command, step, each in ((f"createclientkeys -group {group} -algorithm AES -prefix abc -count 2000", 50, 1), (f"createclientkeys -group {group} -algorithm RSA -prefix abc -count 12", 8, 2)):
            for _ in range(2):
                maker = subprocess.Popen([f"{BIN}/oper", "--socket", server.socket, f"F ISKLM,APPL='{command}'"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                deadline = time.monotonic() + 20 * SLOW
                while len(client.locate()) == len(there) and maker.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.001)
                time.sleep(dice.uniform(0, 0.02))
                server.kill()
                said = maker.communicate()[0]
                client.close()
                server.start()
                now = client.locate()
                expect(set(there) <= set(now), "what was there before is lost")
                made = len(now) - len(there)
                expect(made > 0 and (maker.returncode == 0 or made % step == 0), f"half of a change: {made} objects more, {said}")
                asked, there = asked + made // each, now
        names = {}
        for uid in there:
            names.setdefault(client.attribute(uid, "Name")[0]["NameValue"].removesuffix(".public"), []).append(uid)
        expect(sorted(names) == [f"abc{n:018x}" for n in range(1, asked + 1)], f"{len(names)} names for {asked}")
        for name, uids in names.items():
            links = [set(one["LinkedObjectIdentifier"] for one in client.attribute(uid, "Link")) for uid in uids]
            expect(links == [set()] if len(uids) == 1 else links == [{uids[1]}, {uids[0]}], f"{name}: {uids} {links}")
            expect(all(client.do("Get", UniqueIdentifier=uid).ok for uid in uids), f"{name} has no key")
        server.oper(f'modobject -uuid {there[0]} -attributes "{{contactInformation me}}"')
        server.oper(f"delobject -uuid {there[1]}")
        server.kill()
        client.close()
        server.start()
        expect(client.attribute(there[0], "ContactInformation") == ["me"] and client.state(there[1]) == "Destroyed", "what was acknowledged is undone")


if __name__ == "__main__":
    main()
