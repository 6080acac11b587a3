#!/usr/bin/env python3
"""Operation by object type by state by right, in the versions whose rules differ: what works, and what each mistake is called (KMIP 1.4, chapter 11; 2.1, the table of
errors of each operation in 6.1). The tables below are the rules; the tests are made from them."""
import subprocess
import sys
import tempfile

from kmip import ENUM, Client, Item, TAGS, attribute, attribute_list, item, items, key_block, op, spaced, symmetric_key, vendor_attribute
from kmipserver import KmipSite
from scenario import expect, main, test

SITE = KmipSite(clients=("alice", "bob", "carol"))
VERSIONS = [(1, 0), (1, 2), (1, 4), (2, 1)]
STATES = ["PreActive", "Active", "Deactivated", "Compromised", "Destroyed", "DestroyedCompromised"]
DEAD = ("Destroyed", "DestroyedCompromised")
KEY = bytes(range(32))
OK = "ok"

# ---- Objects: what is registered, and with which mask everything that its type can do is allowed


def openssl(*words, data=b""):
    return subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


PKCS1 = openssl("rsa", "-traditional", "-outform", "DER", data=openssl("genrsa", "2048"))
PUBLIC = openssl("rsa", "-inform", "DER", "-RSAPublicKey_out", "-outform", "DER", data=PKCS1)


def certificate():
    return openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-keyout", "/dev/null", "-outform", "DER")


OBJECTS = {
    "SymmetricKey": (symmetric_key(KEY), {"CryptographicAlgorithm": "AES", "CryptographicLength": 256},
                     "Encrypt Decrypt MACGenerate MACVerify DeriveKey WrapKey UnwrapKey"),
    "PublicKey": (item("PublicKey", [key_block(PUBLIC, "PKCS_1", "RSA", 2048)]), {"CryptographicAlgorithm": "RSA", "CryptographicLength": 2048}, "Encrypt Verify"),
    "PrivateKey": (item("PrivateKey", [key_block(PKCS1, "PKCS_1", "RSA", 2048)]), {"CryptographicAlgorithm": "RSA", "CryptographicLength": 2048}, "Decrypt Sign"),
    "SecretData": (item("SecretData", [item("SecretDataType", "Password"), key_block(b"secret", "Raw")]), {}, "DeriveKey"),
    "Certificate": (item("Certificate", items(CertificateType="X_509", CertificateValue=certificate())), {}, "Verify"),
    "OpaqueObject": (item("OpaqueObject", [item("OpaqueDataType", 0x80000001), item("OpaqueDataValue", b"anything")]), {}, None),
}
CRYPTOGRAPHIC = [name for name in OBJECTS if name != "OpaqueObject"]  # KMIP 1.4, 2.2: an Opaque Object is no cryptographic object

# ---- Requests: how an operation is asked for

AES_CBC = item("CryptographicParameters", items(BlockCipherMode="CBC", PaddingMethod="PKCS5"))
RSA_PAD = item("CryptographicParameters", items(PaddingMethod="PKCS1V1_5"))
RSA_SIGN = item("CryptographicParameters", items(PaddingMethod="PKCS1V1_5", HashingAlgorithm="SHA_256"))
HMAC = item("CryptographicParameters", items(CryptographicAlgorithm="HMAC_SHA256"))
IV = bytes(16)


def cipher(kind, data):
    return [RSA_PAD, item("Data", data)] if kind in ("PublicKey", "PrivateKey") else [AES_CBC, item("Data", data), item("IVCounterNonce", IV)]


REVOKED = item("RevocationReason", items(RevocationReasonCode="CessationOfOperation"))
COMPROMISED = item("RevocationReason", items(RevocationReasonCode="KeyCompromise"))
REQUESTS = {
    "Get": lambda kind, version: [],
    "GetAttributes": lambda kind, version: [],
    "GetAttributeList": lambda kind, version: [],
    "Activate": lambda kind, version: [],
    "Destroy": lambda kind, version: [],
    "ReKey": lambda kind, version: [],
    "ReKeyKeyPair": lambda kind, version: [],
    "Revoke": lambda kind, version: [COMPROMISED],
    "Archive": lambda kind, version: [],
    "Recover": lambda kind, version: [],
    "AddAttribute": lambda kind, version: [attribute("x-New", "1") if version < (2, 0) else item("NewAttribute", [vendor_attribute("x-New", "1")])],
    "Encrypt": lambda kind, version: cipher(kind, b"sixteen bytes..."),
    "Decrypt": lambda kind, version: cipher(kind, TEXTS[kind] if kind in TEXTS else bytes(32)),
    "Sign": lambda kind, version: [RSA_SIGN, item("Data", b"data")],
    "SignatureVerify": lambda kind, version: [RSA_SIGN, item("Data", b"data"), item("SignatureData", bytes(256))],
    "MAC": lambda kind, version: [HMAC, item("Data", b"data")],
    "MACVerify": lambda kind, version: [HMAC, item("Data", b"data"), item("MACData", bytes(32))],
}
TEXTS = {"SymmetricKey": openssl("enc", "-aes-256-cbc", "-K", KEY.hex(), "-iv", IV.hex(), data=b"sixteen bytes...")}


def private_text():
    """Something encrypted for the private key."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(openssl("rsa", "-inform", "DER", "-pubout", "-outform", "DER", data=PKCS1))
        file.flush()
        return openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", file.name, data=b"secret")


TEXTS["PrivateKey"] = private_text()

# ---- Rules. An operation: first version, object types it is for, states in which it works, the mask it needs; then what it is called (in 1.x, in 2.x) when the type, the
# state or the mask is wrong. Several names: the specification leaves it open. None: nothing is said, anything but a broken connection is right.
DENIED = "PermissionDenied"
STATE = (DENIED, "WrongKeyLifecycleState")
ALL, LIVE = list(OBJECTS), [state for state in STATES if state not in DEAD]
PROCESS = ["Active", "Deactivated", "Compromised"]
RULES = {
    # operation: (since, types, states, mask, wrong type, wrong state, wrong mask, dead)
    "Get": ((1, 0), ALL, LIVE, None, None, None, None, (DENIED, "ObjectDestroyed ObjectNotFound KeyValueNotPresent")),
    "GetAttributes": ((1, 0), ALL, STATES, None, None, None, None, None),
    "GetAttributeList": ((1, 0), ALL, STATES, None, None, None, None, None),
    "AddAttribute": ((1, 0), ALL, LIVE, None, None, None, None, None),
    "Activate": ((1, 0), CRYPTOGRAPHIC, ["PreActive"], None, ("IllegalOperation", "InvalidObjectType"), STATE, None, (DENIED, "WrongKeyLifecycleState ObjectDestroyed")),
    "Revoke": ((1, 0), CRYPTOGRAPHIC, ["PreActive", "Active", "Deactivated", "Destroyed"], None, ("IllegalOperation", "InvalidObjectType"), None, None, None),
    "Destroy": ((1, 0), ALL, ["PreActive", "Deactivated", "Compromised"], None, None, STATE, None, (DENIED, "ObjectDestroyed")),
    "Encrypt": ((1, 2), ["SymmetricKey", "PublicKey"], ["Active"], "Encrypt", (DENIED, "InvalidObjectType"), STATE, (DENIED, "IncompatibleCryptographicUsageMask"),
                (DENIED, "WrongKeyLifecycleState ObjectDestroyed")),
    "Decrypt": ((1, 2), ["SymmetricKey", "PrivateKey"], PROCESS, "Decrypt", (DENIED, "InvalidObjectType"), STATE, (DENIED, "IncompatibleCryptographicUsageMask"),
                (DENIED, "WrongKeyLifecycleState ObjectDestroyed")),
    "Sign": ((1, 2), ["PrivateKey"], ["Active"], "Sign", (DENIED, "InvalidObjectType"), STATE, (DENIED, "IncompatibleCryptographicUsageMask"),
             (DENIED, "WrongKeyLifecycleState ObjectDestroyed")),
    "SignatureVerify": ((1, 2), ["PublicKey"], PROCESS, "Verify", (DENIED, "InvalidObjectType"), STATE, (DENIED, "IncompatibleCryptographicUsageMask"),
                        (DENIED, "WrongKeyLifecycleState ObjectDestroyed")),
    "MAC": ((1, 2), ["SymmetricKey"], ["Active"], "MACGenerate", (DENIED, "InvalidObjectType"), STATE, (DENIED, "IncompatibleCryptographicUsageMask"),
            (DENIED, "WrongKeyLifecycleState ObjectDestroyed")),
    "MACVerify": ((1, 2), ["SymmetricKey"], PROCESS, "MACVerify", (DENIED, "InvalidObjectType"), STATE, (DENIED, "IncompatibleCryptographicUsageMask"),
                  (DENIED, "WrongKeyLifecycleState ObjectDestroyed")),
    "ReKey": ((1, 0), ["SymmetricKey"], ["PreActive", "Active", "Deactivated"], None, (DENIED, "InvalidObjectType"), None, None, None),
    "ReKeyKeyPair": ((1, 1), ["PrivateKey"], [], None, (DENIED, "InvalidObjectType"), None, None, None),
    "Archive": ((1, 0), [], [], None, None, None, None, None),
    "Recover": ((1, 0), [], [], None, None, None, None, None),
}
# What changes an object gets one of its own each time.
CHANGING = {"Activate", "Revoke", "Destroy", "AddAttribute", "ReKey"}
UNKNOWN = ("ItemNotFound", "ObjectNotFound")


def reasons(version, names):
    return names[version >= (2, 0)].split() if names else None


def wanted(operation, kind, state, version):
    """OK, a list of reasons, or None (nothing is said) for an object of the type in the state, whose mask allows everything."""
    _, kinds, states, _, wrong_type, wrong_state, mask, dead = RULES[operation]
    if kind not in kinds:  # of a type at fault and a state or mask at fault either may be told
        if (operation, kind) in ABLE:
            return None
        return [*reasons(version, wrong_type), *(reasons(version, mask) or [])] if wrong_type and state == "Active" else None
    if state in DEAD and state not in states:
        return reasons(version, dead)
    return OK if state in states else reasons(version, wrong_state)


# ---- Making objects

def register_item(client, kind, mask=...):
    thing, about, full = OBJECTS[kind]
    mask = full if mask is ... or full is None else mask
    return op("Register", item("ObjectType", kind), client.attributes(**about, **({"CryptographicUsageMask": mask} if mask is not None else {})), thing)


def register_each(client, kinds, state, mask=...):
    """An object of each type, in a state; their identifiers by type. In few messages, for each is a change that goes to the disk."""
    made = checked(client.request([register_item(client, kind, mask) for kind in kinds], True))
    uids = {kind: result.payload["UniqueIdentifier"] for kind, result in zip(kinds, made)}
    bring(client, list(uids.values()), state)
    return uids


def checked(answer):
    for result in answer.items:
        expect(result.ok, f"preparing: {result}")
    return answer.items


STEPS = {"PreActive": [], "Active": ["Activate"], "Deactivated": ["Activate", "Cease"], "Compromised": ["Compromise"], "Destroyed": ["Destroy"],
         "DestroyedCompromised": ["Compromise", "Destroy"]}


def bring(client, uids, state):
    """Objects into a state, in one batch."""
    def step(name, uid):
        if name in ("Cease", "Compromise"):
            return op("Revoke", item("UniqueIdentifier", uid), REVOKED if name == "Cease" else COMPROMISED)
        return op(name, UniqueIdentifier=uid)
    for name in STEPS[state]:
        checked(client.request([step(name, uid) for uid in uids], True))


def possible(kind, state):
    """An Opaque Object has no states between there and gone."""
    return kind in CRYPTOGRAPHIC or state in ("PreActive", "Destroyed")


def judge(failures, where, result, rule):
    """Compare a result with the rule; a failure is noted, so that one does not hide others."""
    if rule is None:
        return
    if rule == OK:
        if not result.ok:
            failures.append(f"{where}: should work, but {result.reason}: {result.message}")
    elif result.ok or result.reason not in rule:
        failures.append(f"{where}: {' or '.join(rule)}, not {result.reason or 'Success'} {result.message or ''}")


def ask(client, operation, cells):
    """The operation on each of (type, identifier), in one batch; the results."""
    name = "UniqueIdentifier" if operation != "ReKeyKeyPair" else "PrivateKeyUniqueIdentifier"
    batch = [op(operation, item(name, uid), *REQUESTS[operation](kind, client.version)) for kind, uid in cells]
    return client.request(batch, True, BatchErrorContinuationOption="Continue").items if batch else []


def told(failures):
    expect(not failures, f"{len(failures)} cells differ:\n" + "\n".join(failures[:60]))


@test
def each_operation_on_each_object_in_each_state_ends_as_the_specification_says():
    failures = []
    with SITE.started() as server, server.client("alice") as maker:
        kept = {state: register_each(maker, [kind for kind in OBJECTS if possible(kind, state)], state) for state in STATES}
        for version in VERSIONS:
            with server.client("alice", version=version) as client:
                for operation, rule in RULES.items():
                    for state in STATES if version >= rule[0] else []:
                        kinds = [kind for kind in kept[state] if wanted(operation, kind, state, version) is not None]
                        uids = register_each(maker, kinds, state) if kinds and operation in CHANGING else kept[state]
                        for kind, result in zip(kinds, ask(client, operation, [(kind, uids[kind]) for kind in kinds])):
                            judge(failures, f"KMIP {version[0]}.{version[1]} {operation} of a {kind} that is {state}", result, wanted(operation, kind, state, version))
    told(failures)


@test
def an_operation_that_the_usage_mask_does_not_allow_is_refused():
    failures = []
    with SITE.started() as server, server.client("alice") as maker:
        for operation, (since, kinds, _, mask, _, _, wrong, _) in RULES.items():
            for kind in kinds if mask else []:
                others = " ".join(word for word in OBJECTS[kind][2].split() if word != mask) or "Export"
                uids = register_each(maker, [kind], "Active", others)
                for version in VERSIONS:
                    if version >= since:
                        with server.client("alice", version=version) as client:
                            judge(failures, f"KMIP {version} {operation} with a {kind} that may not", ask(client, operation, uids.items())[0], reasons(version, wrong))
    told(failures)


# A private key has its public half in it, and a secret may be what a MAC is made with: that these work is nobody's loss.
ABLE = {("Encrypt", "PrivateKey"), ("SignatureVerify", "PrivateKey"), ("SignatureVerify", "Certificate"), ("Encrypt", "Certificate"), ("MAC", "SecretData"),
        ("MACVerify", "SecretData")}


@test
def an_object_of_another_type_is_refused_whatever_its_mask_says():
    failures = []
    with SITE.started() as server, server.client("alice") as maker:
        uids = register_each(maker, CRYPTOGRAPHIC, "Active", "Encrypt Decrypt Sign Verify MACGenerate MACVerify")
        for version in VERSIONS:
            with server.client("alice", version=version) as client:
                for operation, (since, kinds, _, mask, wrong, *_) in RULES.items():
                    others = [kind for kind in uids if mask and version >= since and kind not in kinds and (operation, kind) not in ABLE]
                    for kind, result in zip(others, ask(client, operation, [(kind, uids[kind]) for kind in others])):
                        judge(failures, f"KMIP {version} {operation} with a {kind}", result, reasons(version, wrong))
    told(failures)


NOTHING = "00000000-0000-7000-8000-000000000000"


@test
def what_is_not_there_and_what_belongs_to_others_are_told_alike():
    """A group is closed: its objects do not even exist for others."""
    failures = []
    with SITE.started() as server, server.client("alice") as maker:
        theirs = register_each(maker, CRYPTOGRAPHIC, "Active")
        for version in VERSIONS:
            with server.client("bob", group="OTHERS", version=version) as client:
                for operation, rule in RULES.items():
                    for kind in (rule[1] or ["SymmetricKey"]) if version >= rule[0] else []:
                        if kind not in theirs:
                            continue
                        none, other = ask(client, operation, [(kind, NOTHING), (kind, theirs[kind])])
                        where = f"KMIP {version[0]}.{version[1]} {operation}"
                        judge(failures, f"{where} of nothing", none, reasons(version, UNKNOWN))
                        judge(failures, f"{where} of another group's {kind}", other, reasons(version, UNKNOWN))
                        if (none.message or "").replace(NOTHING, theirs[kind]) != other.message:
                            failures.append(f"{where}: the messages tell which is there: {none.message}, {other.message}")
                expect(client.locate() == [] and client.locate(ObjectType="SymmetricKey") == [], "nothing is located")
        expect(sorted(maker.locate()) == sorted(theirs.values()), "they are all there still")
    told(failures)


def references(client, own, uid):
    """Requests that name an object elsewhere than as their own: an identifier, and nothing else of them, is what differs."""
    about = [item("WrappingMethod", "Encrypt"), item("EncryptionKeyInformation", items(UniqueIdentifier=uid)), item("EncodingOption", "NoEncoding")]
    how = item("DerivationParameters", [item("CryptographicParameters", items(HashingAlgorithm="SHA_256"))])
    made = client.attributes(CryptographicAlgorithm="AES", CryptographicLength=128, CryptographicUsageMask="Encrypt")
    link = items(LinkType="ParentLink", LinkedObjectIdentifier=uid)
    derive = lambda *bases: op("DeriveKey", item("ObjectType", "SymmetricKey"), *[item("UniqueIdentifier", one) for one in bases], item("DerivationMethod", "HASH"), how, made)
    yield op("Get", item("UniqueIdentifier", own), item("KeyWrappingSpecification", about))
    yield derive(uid)
    yield derive(own, uid)
    yield op("ReKeyKeyPair", PrivateKeyUniqueIdentifier=uid)
    yield op("AddAttribute", item("UniqueIdentifier", own), client.one_attribute("Link", link))
    if client.version < (2, 0):
        yield op("Locate", *attribute_list(client.version, {"UniqueIdentifier": uid}))
    else:
        yield op("Locate", item("Attributes", items(UniqueIdentifier=uid)))
        yield op("Locate", item("Attributes", [item("ShortUniqueIdentifier", bytes.fromhex(uid.replace("-", "")))]))
        yield op("Certify", item("UniqueIdentifier", uid), client.attributes(CertificateSubjectCN="x"))
        yield op("Certify", item("CertificateRequestUniqueIdentifier", uid))


@test
def objects_of_others_are_unknown_wherever_an_identifier_stands():
    nobody = "01a20000-0000-7000-8000-000000000000"
    with SITE.started("kmip.certify.label=MyLocalRACFCA") as server, server.client("alice") as maker:
        theirs = maker.activate(maker.register_key(KEY, mask="WrapKey UnwrapKey DeriveKey Encrypt"))
        for version in [(1, 2), (1, 4), (2, 1)]:
            with server.client("bob", group="OTHERS", version=version) as client:
                own = client.activate(client.register_key(bytes(32), mask="WrapKey UnwrapKey DeriveKey Encrypt"))
                other = client.activate(client.register_key(bytes(32), mask="WrapKey UnwrapKey DeriveKey Encrypt"))  # the same as own: each has its links
                for mine, none in zip(references(client, own, theirs), references(client, other, nobody)):
                    told_theirs, told_none = (repr(client.request([one])[0]).replace(theirs, "?").replace(nobody, "?").replace(own, "=").replace(other, "=") for one in (mine, none))
                    expect(told_theirs == told_none and KEY.hex() not in told_theirs, f"{version}: {told_theirs}, {told_none}")
        expect(maker.attribute(theirs, "Link") == [], "theirs has got links")


@test
def clients_of_one_group_share_what_they_have():
    with SITE.started() as server, server.client("alice") as one, server.client("carol") as two:
        uid = one.create(Name="shared")
        expect(two.locate(Name="shared") == [uid], "located")
        two.activate(uid)
        expect(one.state(uid) == "Active" and two.material(uid) == one.material(uid), "the same object")
        two.revoke(uid)
        one.destroy(uid)
        two.fails("Get", [DENIED], UniqueIdentifier=uid)


@test
def a_name_is_one_objects_in_a_group_and_free_in_another():
    """KMIP 1.4, 11.2 and 11.15; 2.1, 6.1.8.1: Invalid Field, then Non Unique Name Attribute."""
    with SITE.started() as server:
        for version in VERSIONS:
            name = f"name-{version[0]}{version[1]}"
            with server.client("alice", version=version) as one, server.client("bob", group="OTHERS", version=version) as two:
                uid = one.create(Name=name)
                one.fails("Create", "NonUniqueNameAttribute" if version >= (2, 0) else "InvalidField", item("ObjectType", "SymmetricKey"), one.attributes(
                    CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt", Name=name))
                other = one.create()
                one.fails("AddAttribute", "NonUniqueNameAttribute" if version >= (2, 0) else "IllegalOperation", item("UniqueIdentifier", other),
                          one.one_attribute("Name", name))
                expect(two.create(Name=name) != uid, "another group's name is its own")


@test
def clients_of_a_group_without_enablekmipdelete_destroy_nothing():
    with SITE.started() as server:
        server.groups.add(f"KEEPING_{server.round}")
        server.oper(f"adddevicegroup -name KEEPING_{server.round}")  # as a group is by default
        for version in VERSIONS:
            with server.client("bob", group="KEEPING", version=version) as client:
                uid = client.create()
                client.fails("Destroy", DENIED, UniqueIdentifier=uid)
                client.activate(uid)
                client.revoke(uid)
                client.fails("Destroy", DENIED, UniqueIdentifier=uid)
                expect(len(client.material(uid)) == 32, "it is there still")


@test
def an_archived_object_is_told_as_such_until_it_is_recovered():
    """KMIP 1.4, 11: Object is archived. 2.1 has that reason for few operations and no other for the rest."""
    failures = []
    with SITE.started() as server, server.client("alice") as maker:
        for version in VERSIONS:
            with server.client("alice", version=version) as client:
                uid = register_each(maker, ["SymmetricKey"], "Active")["SymmetricKey"]
                client.ok("Archive", UniqueIdentifier=uid)
                for operation in ("Get", "Archive", "Encrypt"):
                    if version >= RULES[operation][0]:
                        judge(failures, f"KMIP {version} {operation} of an archived key", ask(client, operation, [("SymmetricKey", uid)])[0], ["ObjectArchived"])
                client.ok("Recover", UniqueIdentifier=uid)
                expect(client.material(uid) == KEY, "it is back")
    told(failures)


@test
def attributes_that_are_the_servers_stay_as_they_are():
    """KMIP 1.4, 11.15 to 11.17; 2.1, 6.1.2.1, 6.1.13.1, 6.1.34.1, 6.1.51.1."""
    failures = []
    with SITE.started() as server:
        for version in VERSIONS:
            with server.client("alice", version=version) as client:
                two = version >= (2, 0)
                uid = client.create(Name=f"attributes-{version}")
                read_only = ["ReadOnlyAttribute", "AttributeReadOnly"] if two else [DENIED]
                state = client.one_attribute("State", "Active")
                length = client.one_attribute("CryptographicLength", 128)
                for operation, what in (("ModifyAttribute", state), ("ModifyAttribute", length)):
                    judge(failures, f"KMIP {version} {operation}: {what}", client.do(operation, item("UniqueIdentifier", uid), what), read_only)
                judge(failures, f"KMIP {version} deleting State", client.do("DeleteAttribute", item("UniqueIdentifier", uid), *named(version, "State")), read_only)
                judge(failures, f"KMIP {version} deleting what is not there",
                      client.do("DeleteAttribute", item("UniqueIdentifier", uid), *named(version, "ContactInformation")), ["AttributeNotFound"] if two else ["ItemNotFound"])
                if two:
                    judge(failures, f"KMIP {version} setting State", client.do("SetAttribute", item("UniqueIdentifier", uid), state), read_only)
                expect(client.state(uid) == "PreActive" and client.attribute(uid, "CryptographicLength") == [256], "nothing was changed")
    told(failures)


def named(version, name):
    return [item("AttributeName", spaced(name))] if version < (2, 0) else [Item("AttributeReference", ENUM, TAGS[name])]


@test
def a_stranger_gets_nothing_and_learns_nothing():
    """A certificate that nobody registered, though the server's own authority signed it."""
    with SITE.started() as server:
        with server.client("alice") as maker:
            uid = maker.create()
        cert, key = server.certificate("dave")
        for version in VERSIONS:
            with Client(version=version, port=server.port, cert=cert, key=key, ca=f"{server.home}/drive/ca.crt") as stranger:
                for operation in ("Get", "GetAttributes", "Activate", "Destroy", "Locate"):
                    result = stranger.do(operation, *([item("UniqueIdentifier", uid)] if operation != "Locate" else []))
                    expect(not result.ok and result.reason in ("AuthenticationNotSuccessful", DENIED, "NotAuthorised"), f"{version} {operation}: {result}")
                result = stranger.do("Create", item("ObjectType", "SymmetricKey"), stranger.attributes(CryptographicAlgorithm="AES", CryptographicLength=256))
                expect(not result.ok, result)


@test
def operations_that_a_version_does_not_have_are_not_supported_in_it():
    with SITE.started() as server:
        for operation, first in (("DiscoverVersions", (1, 1)), ("Encrypt", (1, 2)), ("Hash", (1, 2)), ("SetAttribute", (2, 0))):
            for version in ((1, 0), (1, 1), (1, 3), (1, 4), (2, 0)):
                if version < first:
                    with server.client("alice", version=version) as client:
                        result = client.do(operation)
                        expect(not result.ok and result.reason in ("OperationNotSupported", "InvalidMessage"), f"{version} {operation}: {result}")


if __name__ == "__main__":
    sys.exit(main())
