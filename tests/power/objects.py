"""A KMIP client at work, one change after the other, for the test of power loss. It notes what each object is about to be, and when it was acknowledged (judge.py):
  K number name state verb    object name is about to be in a state (several lines of one number: all or none); verb: that its audit event has
  L number uid                it was acknowledged; uid: of the event
"""
import kmip
from kmip import item, items, op, symmetric_key


class Objects:
    def __init__(self, env, note):
        self.client, self.note, self.number, self.made = kmip.Client(env), note, 0, 0

    def change(self, batch, verb, *states, **header):
        """states: (name, state) of each object that it changes; the answer's first payload."""
        self.number += 1
        for name, state in states:
            self.note(f"K {self.number} {name} {state} {verb}\n")
        answer = self.client.request(batch, **header)
        if not all(one.ok for one in answer.items):
            raise AssertionError(f"{verb}: {answer.items}")
        payload = answer[0].payload
        uid = payload.get("PrivateKeyUniqueIdentifier") or payload.get("UniqueIdentifier")
        self.note(f"L {self.number} {uid}\n")
        return uid

    def name(self):
        self.made += 1
        return f"object-{self.made}"

    def key_attributes(self, name):
        return self.client.attributes(CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt Decrypt DeriveKey", Name=name)

    def create(self, *more, state="PreActive", **header):
        name = self.name()
        return name, self.change([op("Create", item("ObjectType", "SymmetricKey"), self.key_attributes(name)), *more], "object-create", (name, state), **header)

    def register(self):
        name = self.name()
        return name, self.change([op("Register", item("ObjectType", "SymmetricKey"), self.key_attributes(name), symmetric_key(bytes(range(32))))],
                                 "object-register", (name, "PreActive"))

    def pair(self):
        private, public = self.name(), self.name()
        common = self.client.attributes("Common", CryptographicAlgorithm="EC", CryptographicLength=256)
        batch = [op("CreateKeyPair", common, self.client.attributes("PrivateKey", CryptographicUsageMask="Sign", Name=private),
                    self.client.attributes("PublicKey", CryptographicUsageMask="Verify", Name=public))]
        return private, self.change(batch, "object-create-pair", (private, "PreActive"), (public, "PreActive"))

    def simple(self, operation, verb, one, state):
        self.change([op(operation, UniqueIdentifier=one[1])], verb, (one[0], state))

    def revoke(self, one, reason, state):
        self.change([op("Revoke", item("UniqueIdentifier", one[1]), item("RevocationReason", items(RevocationReasonCode=reason)))], "object-revoke", (one[0], state))

    def derive(self, base):
        name = self.name()
        how = item("DerivationParameters", [item("CryptographicParameters", items(HashingAlgorithm="SHA_256"))])
        return name, self.change([op("DeriveKey", item("ObjectType", "SymmetricKey"), item("UniqueIdentifier", base[1]), item("DerivationMethod", "HASH"), how,
                                     self.key_attributes(name))], "object-derive", (name, "PreActive"))

    def rename(self, one, state):
        name = self.name()
        return name, self.change([op("ModifyAttribute", item("UniqueIdentifier", one[1]), self.client.one_attribute("Name", name))], "attribute-modify", (one[0], "none"), (name, state))

    def all_kinds(self):
        """Each kind of change once, and a batch whose items stand or fall together."""
        key, other, pair = self.create(), self.register(), self.pair()
        self.simple("Activate", "object-activate", key, "Active")
        derived = self.rename(self.derive(key), "PreActive")
        self.simple("Archive", "object-archive", derived, "PreActive")
        self.simple("Recover", "object-recover", derived, "PreActive")
        self.revoke(key, "CessationOfOperation", "Deactivated")
        self.simple("Destroy", "object-destroy", key, "Destroyed")
        self.revoke(pair, "KeyCompromise", "Compromised")
        self.simple("Destroy", "object-destroy", other, "Destroyed")
        self.create(op("Activate"), state="Active", ids=True, BatchOrderOption=True, BatchErrorContinuationOption="Undo")
        self.client.close()
