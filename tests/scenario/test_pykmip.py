#!/usr/bin/env python3
"""PyKMIP's client, which has no line in common with our server, in every version that it speaks (1.0 to 1.4 and 2.0): what works, and how it is told what does not. Its
TLS is what it comes with: Python's default suites, TLS 1.2."""
import os
import sys

DEBIAN = "/usr/bin/python3"  # the interpreter that Debian's packages are for
HERE = sys.path.pop(0)       # our own kmip.py would be found in the place of PyKMIP
try:
    import sqlalchemy  # noqa: F401  needed by PyKMIP: tells whether this is the interpreter that has it
    from kmip.core import enums, exceptions as core
    from kmip.core.factories.attributes import AttributeFactory
    from kmip.pie import client as pie, exceptions, objects
except ImportError:
    if os.path.realpath(sys.executable) == os.path.realpath(DEBIAN):
        raise
    os.execv(DEBIAN, [DEBIAN, os.path.abspath(__file__), *sys.argv[1:]])
for name in [name for name in sys.modules if name == "kmip" or name.startswith("kmip.")]:
    sys.modules["py" + name] = sys.modules.pop(name)  # from here on, kmip is ours
sys.path.insert(0, HERE)

from cryptography.hazmat.primitives import cmac, hashes, hmac, keywrap, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402
import kmip  # noqa: E402
from kmipserver import KmipSite  # noqa: E402
from scenario import expect, main, test  # noqa: E402

VERSIONS = [enums.KMIPVersion.KMIP_1_0, enums.KMIPVersion.KMIP_1_1, enums.KMIPVersion.KMIP_1_2, enums.KMIPVersion.KMIP_1_3, enums.KMIPVersion.KMIP_1_4,
            enums.KMIPVersion.KMIP_2_0]
Mask, Algorithm, Reason = enums.CryptographicUsageMask, enums.CryptographicAlgorithm, enums.ResultReason
AES = Algorithm.AES
BOTH = [Mask.ENCRYPT, Mask.DECRYPT]
ATTRIBUTES = AttributeFactory()
SITE = KmipSite()
KEY = bytes(range(32))


def named():
    """A name that no other object has: PyKMIP gives all of a kind the same one."""
    named.count += 1
    return f"object-{named.count}"


named.count = 0


def is_2(version):
    return version == enums.KMIPVersion.KMIP_2_0


def connect(server, version, name="alice", group="TESTS"):
    own = server.client(name, group)  # registers it
    return pie.ProxyKmipClient(hostname="127.0.0.1", port=own.port, cert=own.cert, key=own.key, ca=own.ca, kmip_version=version, config="none",
                               config_file=os.devnull)


def refuses(reason, function, *args, **named):
    """The call must fail on the server, with this reason (or one of several) and with a message."""
    reasons = reason if isinstance(reason, tuple) else (reason,)
    try:
        got = function(*args, **named)
    except (exceptions.KmipOperationFailure, core.OperationFailure) as e:
        expect(e.reason in reasons and str(e), f"{reasons} is expected, not {e.reason}: {e}")
        return
    raise AssertionError(f"{reasons} is expected, not {got!r}")


def in_each_version(function):
    """One test a version, all against one server."""
    def tests():
        with SITE.started() as server:
            for version in VERSIONS:
                with connect(server, version) as client:
                    try:
                        function(client, version, server)
                    except Exception as e:
                        raise AssertionError(f"{version.name}: {type(e).__name__}: {e}") from e
    tests.__name__ = function.__name__
    return test(tests)


def not_there(version):
    """KMIP 1.4, 11: Item Not Found; 2.0, 6.1: Object Not Found, or Item Not Found where an operation's table has that."""
    return (Reason.OBJECT_NOT_FOUND, Reason.ITEM_NOT_FOUND) if is_2(version) else Reason.ITEM_NOT_FOUND


def wrong_state(version):
    """KMIP 1.4, 11.20: Permission Denied; 2.0, 6.1.1.1: Wrong Key Lifecycle State."""
    return Reason.WRONG_KEY_LIFECYCLE_STATE if is_2(version) else Reason.PERMISSION_DENIED


def state(client, uid):
    _, found = client.get_attributes(uid, ["State"])
    return found[0].attribute_value.value


@in_each_version
def a_key_is_made_found_fetched_and_lives_through_its_states(client, version, _server):
    name = f"life-{version.name}"
    uid = client.create(AES, 256, name=name, cryptographic_usage_mask=BOTH)
    expect(state(client, uid) == enums.State.PRE_ACTIVE, "it is Pre-Active")
    wanted = [ATTRIBUTES.create_attribute(enums.AttributeType.NAME, core_name(name))]
    expect(client.locate(attributes=wanted) == [uid], "found by its name")
    key = client.get(uid)
    expect(isinstance(key, objects.SymmetricKey) and key.cryptographic_length == 256 and len(key.value) == 32, "32 bytes")
    client.activate(uid)
    expect(state(client, uid) == enums.State.ACTIVE, "it is Active")
    expect(client.locate(attributes=[*wanted, ATTRIBUTES.create_attribute(enums.AttributeType.STATE, enums.State.ACTIVE)]) == [uid], "found by its state")
    expect(client.locate(attributes=[*wanted, ATTRIBUTES.create_attribute(enums.AttributeType.STATE, enums.State.PRE_ACTIVE)]) == [], "and not by another")
    refuses(wrong_state(version), client.activate, uid)
    refuses((Reason.PERMISSION_DENIED, Reason.WRONG_KEY_LIFECYCLE_STATE), client.destroy, uid)
    client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
    expect(state(client, uid) == enums.State.DEACTIVATED, "it is Deactivated")
    client.destroy(uid)


def core_name(text):
    return name_type.create(text, enums.NameType.UNINTERPRETED_TEXT_STRING)


name_type = sys.modules["pykmip.core.attributes"].Name


@in_each_version
def what_is_not_there_is_refused_with_the_reason_of_the_version(client, version, _server):
    for function in (client.get, client.activate, client.destroy, client.get_attribute_list):
        refuses(not_there(version), function, "no-such-object")
    refuses(not_there(version), client.revoke, enums.RevocationReasonCode.CESSATION_OF_OPERATION, "no-such-object")


@in_each_version
def objects_of_all_types_come_back_as_they_were_registered(client, version, server):
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    pkcs8 = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with open(server.certificate("alice")[0], "rb") as file:
        cert = load_certificate(file.read())
    for one in (objects.SymmetricKey(AES, 256, KEY, masks=BOTH, name=f"sym-{version.name}"),
                objects.PublicKey(Algorithm.RSA, 2048, public, enums.KeyFormatType.PKCS_1, masks=[Mask.VERIFY], name=named()),
                objects.PrivateKey(Algorithm.RSA, 2048, pkcs8, enums.KeyFormatType.PKCS_8, masks=[Mask.SIGN], name=named()),
                objects.X509Certificate(cert, masks=[Mask.VERIFY], name=named()),
                objects.SecretData(b"a secret", enums.SecretDataType.PASSWORD, masks=[Mask.DERIVE_KEY], name=named()),
                objects.OpaqueObject(b"anything", enums.OpaqueDataType.NONE, name=named())):
        uid = client.register(one)
        got = client.get(uid)
        expect(type(got) is type(one) and got.value == one.value, f"{type(one).__name__}: {got}")
        expect(getattr(got, "key_format_type", None) == getattr(one, "key_format_type", None), "the format is that of before")


def load_certificate(pem):
    from cryptography import x509
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


@in_each_version
def what_does_not_fit_together_is_not_registered(client, version, _server):
    short = objects.SymmetricKey(AES, 256, KEY, masks=BOTH, name=named())
    short.value = KEY[:5]
    refuses((Reason.INVALID_FIELD, Reason.INVALID_ATTRIBUTE_VALUE, Reason.INVALID_ATTRIBUTE, Reason.CRYPTOGRAPHIC_FAILURE), client.register, short)
    refuses((Reason.INVALID_FIELD, Reason.INVALID_ATTRIBUTE_VALUE, Reason.CRYPTOGRAPHIC_FAILURE), client.create, AES, 257)


@in_each_version
def attributes_are_listed_read_changed_and_deleted(client, version, _server):
    uid = client.create(AES, 128, name=f"attr-{version.name}", cryptographic_usage_mask=BOTH)
    names = client.get_attribute_list(uid)
    for needed in ("Name", "State", "Cryptographic Algorithm", "Cryptographic Length", "Object Type", "Unique Identifier", "Initial Date", "Digest"):
        expect(needed in names, f"{needed} is not in {names}")
    _, found = client.get_attributes(uid, ["Cryptographic Length", "Cryptographic Usage Mask"])
    values = {one.attribute_name.value: one.attribute_value.value for one in found}
    expect(values == {"Cryptographic Length": 128, "Cryptographic Usage Mask": Mask.ENCRYPT.value | Mask.DECRYPT.value}, values)
    if is_2(version):
        modify_2_0(client, uid)
    else:
        modify_1(client, uid)
    refuses(not_there(version), client.get_attributes, "no-such-object", ["State"])


def modify_1(client, uid):
    new = ATTRIBUTES.create_attribute(enums.AttributeType.NAME, core_name("renamed"), 0)
    client.modify_attribute(unique_identifier=uid, attribute=new)
    _, found = client.get_attributes(uid, ["Name"])
    expect(found[0].attribute_value.name_value.value == "renamed", found)
    read_only = ATTRIBUTES.create_attribute(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 256)
    refuses(Reason.PERMISSION_DENIED, client.modify_attribute, unique_identifier=uid, attribute=read_only)
    client.delete_attribute(unique_identifier=uid, attribute_name="Name")
    expect("Name" not in client.get_attribute_list(uid), "it is deleted")
    refuses(Reason.ITEM_NOT_FOUND, client.delete_attribute, unique_identifier=uid, attribute_name="Name")
    refuses(Reason.PERMISSION_DENIED, client.delete_attribute, unique_identifier=uid, attribute_name="State")


def modify_2_0(client, uid):
    client.set_attribute(unique_identifier=uid, attribute_name="Sensitive", attribute_value=True)
    _, found = client.get_attributes(uid, ["Sensitive"])
    expect(found[0].attribute_value.value is True, found)
    refuses((Reason.READ_ONLY_ATTRIBUTE, Reason.ATTRIBUTE_READ_ONLY), client.set_attribute, unique_identifier=uid,
            attribute_name="Cryptographic Length", attribute_value=256)


@in_each_version
def key_pairs_are_linked_and_their_halves_belong_together(client, version, _server):
    public, private = client.create_key_pair(Algorithm.RSA, 2048, public_name=f"pub-{version.name}", public_usage_mask=[Mask.VERIFY],
                                             private_name=f"priv-{version.name}", private_usage_mask=[Mask.SIGN])
    half, whole = client.get(public), client.get(private)
    load = serialization.load_der_private_key
    numbers = load(whole.value, None).public_key().public_numbers()
    if half.key_format_type == enums.KeyFormatType.PKCS_1:
        own = serialization.load_der_public_key(spki_of(half.value)).public_numbers()
    else:
        own = serialization.load_der_public_key(half.value).public_numbers()
    expect(numbers == own and whole.cryptographic_length == 2048, "one pair")
    refuses((Reason.INVALID_FIELD, Reason.CRYPTOGRAPHIC_FAILURE, Reason.INVALID_ATTRIBUTE_VALUE), client.create_key_pair, Algorithm.RSA, 1000)


def spki_of(pkcs1):
    """PKCS#1 as SubjectPublicKeyInfo, which is what the library reads."""
    def der(tag, body):
        size = len(body).to_bytes(2, "big")
        return bytes([tag, 0x82]) + size + body
    return der(0x30, bytes.fromhex("300d06092a864886f70d0101010500") + der(0x03, b"\0" + pkcs1))


def answered(client, function):
    """What the server answered, in our own reading: PyKMIP asks for wrapped keys, but expects a Structure where KMIP 1.4, 2.1.3 has a Byte String."""
    receive, seen = client.proxy._receive_message, []

    def listen():
        stream = receive()
        seen.append(bytes(stream.buffer))
        return stream
    client.proxy._receive_message = listen
    try:
        function()
    except core.ReadValueError:
        pass
    finally:
        client.proxy._receive_message = receive
    return kmip.decode(seen[-1])


@in_each_version
def a_key_is_given_out_wrapped_by_another(client, version, _server):
    if version == enums.KMIPVersion.KMIP_1_0 or version == enums.KMIPVersion.KMIP_1_1:
        return  # PyKMIP asks for the Encoding Option No Encoding, which these have not or, in 1.1, not all of
    kek = client.register(objects.SymmetricKey(AES, 256, KEY, masks=[Mask.WRAP_KEY], name=named()))
    secret = bytes(reversed(range(16)))
    uid = client.register(objects.SymmetricKey(AES, 128, secret, masks=BOTH, name=named()))
    asked = {"wrapping_method": enums.WrappingMethod.ENCRYPT, "encoding_option": enums.EncodingOption.NO_ENCODING, "encryption_key_information": {
        "unique_identifier": kek, "cryptographic_parameters": {"block_cipher_mode": enums.BlockCipherMode.NIST_KEY_WRAP}}}
    refuses((Reason.PERMISSION_DENIED, Reason.WRONG_KEY_LIFECYCLE_STATE), client.get, uid, key_wrapping_specification=asked)
    client.activate(kek)
    answer = answered(client, lambda: client.get(uid, key_wrapping_specification=asked))
    expect(keywrap.aes_key_unwrap(KEY, answer.find("KeyValue").value) == secret, "RFC 3394")
    asked["encryption_key_information"]["unique_identifier"] = "no-such-key"
    refuses((Reason.ITEM_NOT_FOUND, Reason.WRAPPING_OBJECT_NOT_FOUND, Reason.OBJECT_NOT_FOUND), client.get, uid, key_wrapping_specification=asked)


def since(version, first):
    return VERSIONS.index(version) >= VERSIONS.index(first)


@in_each_version
def data_is_encrypted_and_decrypted_and_agrees_with_another_library(client, version, _server):
    uid = client.register(objects.SymmetricKey(AES, 256, KEY, masks=BOTH, name=named()))
    parameters = {"block_cipher_mode": enums.BlockCipherMode.CBC, "padding_method": enums.PaddingMethod.PKCS5, "cryptographic_algorithm": AES}
    iv, text = bytes(16), b"sixteen bytes..." * 2 + b"and some"
    if not since(version, enums.KMIPVersion.KMIP_1_2):
        refuses((Reason.OPERATION_NOT_SUPPORTED, Reason.INVALID_MESSAGE), client.encrypt, text, uid, parameters, iv)
        return
    refuses(wrong_state(version), client.encrypt, text, uid, parameters, iv)
    client.activate(uid)
    data, _ = client.encrypt(text, uid, parameters, iv)
    decryptor = Cipher(algorithms.AES(KEY), modes.CBC(iv)).decryptor()
    expect(decryptor.update(data) + decryptor.finalize() == text + bytes([8]) * 8, "the other library decrypts it")
    expect(client.decrypt(data, uid, parameters, iv) == text, "so do we")
    refuses((Reason.CRYPTOGRAPHIC_FAILURE, Reason.BAD_CRYPTOGRAPHIC_PARAMETERS), client.decrypt, data[:-1], uid, parameters, iv)
    only = client.register(objects.SymmetricKey(AES, 256, KEY, masks=[Mask.ENCRYPT], name=named()))
    client.activate(only)
    refuses((Reason.PERMISSION_DENIED, Reason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK), client.decrypt, data, only, parameters, iv)


@in_each_version
def signatures_verify_here_and_with_another_library(client, version, _server):
    if not since(version, enums.KMIPVersion.KMIP_1_2):
        return
    private = rsa.generate_private_key(65537, 2048)
    pkcs8 = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pkcs1 = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    signer = client.register(objects.PrivateKey(Algorithm.RSA, 2048, pkcs8, enums.KeyFormatType.PKCS_8, masks=[Mask.SIGN], name=named()))
    verifier = client.register(objects.PublicKey(Algorithm.RSA, 2048, pkcs1, enums.KeyFormatType.PKCS_1, masks=[Mask.VERIFY], name=named()))
    parameters = {"padding_method": enums.PaddingMethod.PKCS1v15, "cryptographic_algorithm": Algorithm.RSA,
                  "hashing_algorithm": enums.HashingAlgorithm.SHA_256}
    client.activate(signer)
    client.activate(verifier)
    signature = client.sign(b"message", signer, parameters)
    private.public_key().verify(signature, b"message", padding.PKCS1v15(), hashes.SHA256())
    expect(client.signature_verify(b"message", signature, verifier, parameters) == enums.ValidityIndicator.VALID, "it is valid")
    expect(client.signature_verify(b"massage", signature, verifier, parameters) == enums.ValidityIndicator.INVALID, "another message's is not")
    refuses((Reason.PERMISSION_DENIED, Reason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK, Reason.INVALID_OBJECT_TYPE), client.sign, b"x", verifier, parameters)


@in_each_version
def message_authentication_codes_are_those_of_another_library(client, version, _server):
    if not since(version, enums.KMIPVersion.KMIP_1_2):
        return
    uid = client.register(objects.SymmetricKey(Algorithm.HMAC_SHA256, 256, KEY, masks=[Mask.MAC_GENERATE], name=named()))
    client.activate(uid)
    wanted = hmac.HMAC(KEY, hashes.SHA256())
    wanted.update(b"data")
    expect(client.mac(b"data", uid, Algorithm.HMAC_SHA256)[1] == wanted.finalize(), "HMAC-SHA256")
    block = client.register(objects.SymmetricKey(AES, 256, KEY, masks=[Mask.MAC_GENERATE], name=named()))
    client.activate(block)
    wanted = cmac.CMAC(algorithms.AES(KEY))
    wanted.update(b"data")
    got = client.mac(b"data", block, AES)[1]
    expect(got == wanted.finalize(), "CMAC")
    refuses(not_there(version), client.mac, b"data", "no-such-key", AES)


@in_each_version
def a_new_key_takes_the_place_of_an_old_one(client, version, _server):
    uid = client.create(AES, 256, name=f"rekey-{version.name}", cryptographic_usage_mask=BOTH)
    client.activate(uid)
    new = client.rekey(uid)
    expect(new != uid and client.get(new).value != client.get(uid).value, "another key")
    expect(state(client, uid) == enums.State.ACTIVE, "the old one is as it was")
    wanted = [ATTRIBUTES.create_attribute(enums.AttributeType.NAME, core_name(f"rekey-{version.name}"))]
    expect(client.locate(attributes=wanted) == [new], "the name is the new one's")
    refuses(not_there(version), client.rekey, "no-such-key")


@in_each_version
def clients_of_other_groups_see_nothing(client, version, server):
    uid = client.create(AES, 256, name=f"mine-{version.name}", cryptographic_usage_mask=BOTH)
    with connect(server, version, "bob", "OTHERS") as other:
        refuses((Reason.ITEM_NOT_FOUND, Reason.OBJECT_NOT_FOUND, Reason.PERMISSION_DENIED), other.get, uid)
        refuses((Reason.ITEM_NOT_FOUND, Reason.OBJECT_NOT_FOUND, Reason.PERMISSION_DENIED), other.destroy, uid)
        expect(other.locate() == [], "nothing is located")


if __name__ == "__main__":
    sys.exit(main())
