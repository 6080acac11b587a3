#!/usr/bin/env python3
"""Clauses of the specifications that clients of one version meet with objects of another, and refusals that a version names in its own way (KMIP 1.4, 2.0, 2.1)."""
import glob
import hashlib
import json
import socket
import ssl

from kmip import BYTES, ENUM, ENUMS, INTEGER, STRUCTURE, TAGS, VERSIONS, Answer, Client, Item, decode, encode, item, items, key_block, message, op, secret_data
from kmipserver import KmipSite
from keyserver import BIN
from scenario import Folder, expect, main, run, test

SITE = KmipSite(clients=("alice",))


def in_version(client, version):
    return Client(version=version, port=client.port, cert=client.cert, key=client.key, ca=client.ca)


def formats(client, uid):
    return [(one.find("KeyFormatType").said(), one["DigestValue"]) for one in client.attribute(uid, "Digest")]


def digest(material):
    """KMIP 2.1, 4.21: of a structure, over its TTLV."""
    return hashlib.sha256(material.value if material.kind != 1 else encode(material)).digest()


@test
def a_failure_has_a_reason_in_every_version():
    """KMIP 1.4, 6.10: Result Reason is REQUIRED of a failure. Sensitive and Not Extractable came with 1.4, Encoding Option Error with 1.1."""
    with SITE.started() as server:
        client = server.client("alice")
        wrapper = client.activate(client.register_key(bytes(32), mask="WrapKey"))
        objects = {"Sensitive": client.create(Sensitive=True), "NotExtractable": client.create(Extractable=False)}
        wrapping = item("KeyWrappingSpecification", [
            item("WrappingMethod", "Encrypt"), item("EncryptionKeyInformation", [item("UniqueIdentifier", wrapper)]), item("AttributeName", "State"),
            item("EncodingOption", "NoEncoding")])
        for version in VERSIONS:
            other = in_version(client, version)
            for reason, uid in objects.items():
                other.fails("Get", reason if version >= (1, 4) else "PermissionDenied", UniqueIdentifier=uid)
            other.fails("Get", "EncodingOptionError" if version >= (1, 1) else "FeatureNotSupported", item("UniqueIdentifier", client.create()), wrapping)


@test
def an_attribute_whose_value_a_version_does_not_know_is_left_out_whole():
    with SITE.started() as server:
        client = server.client("alice", version=(2, 1))
        uid = client.create("ChaCha20", 256)
        for version in [(1, 0), (1, 3)]:
            payload = in_version(client, version).ok("GetAttributes", UniqueIdentifier=uid)
            for one in payload.all("Attribute"):
                expect("AttributeValue" in one, f"an attribute without a value: {one}")
            listed = in_version(client, version).ok("GetAttributeList", UniqueIdentifier=uid)
            expect("Cryptographic Algorithm" not in [one.value for one in listed.all("AttributeName")], str(listed))
        expect(in_version(client, (1, 4)).attribute(uid, "CryptographicAlgorithm"), "1.4 knows it")


@test
def a_key_is_made_in_the_format_that_is_asked_for_or_not_at_all():
    """KMIP 2.1, 4.26: "The server SHALL comply with the client's requested format or SHALL fail the request.\""""
    with SITE.started() as server:
        client = server.client("alice", version=(2, 1))
        uid = client.create(KeyFormatType="TransparentSymmetricKey")
        block = client.get(uid).find("KeyBlock")
        expect(block.find("KeyFormatType").said() == "TransparentSymmetricKey" and block.find("Key"), str(block.names()))
        found = formats(client, uid)
        expect([name for name, _ in found] == ["TransparentSymmetricKey", "Raw"], str(found))
        expect(found[0][1] == digest(block.find("KeyMaterial")), "over the TTLV")
        expect(found[1][1] == hashlib.sha256(block.find("Key").value).digest(), "over the bytes")
        client.fails("Create", "InvalidAttributeValue", item("ObjectType", "SymmetricKey"), client.attributes(
            CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt", KeyFormatType="PKCS_1"))
        pair = client.ok("CreateKeyPair", client.attributes("Common", CryptographicAlgorithm="RSA", CryptographicLength=2048),
                         client.attributes("PrivateKey", CryptographicUsageMask="Sign", KeyFormatType="PKCS_8"),
                         client.attributes("PublicKey", CryptographicUsageMask="Verify", KeyFormatType="X_509"))
        for uid, form in ((pair["PrivateKeyUniqueIdentifier"], "PKCS_8"), (pair["PublicKeyUniqueIdentifier"], "X_509")):
            expect(client.get(uid).find("KeyFormatType").said() == form, form)
            expect([name for name, _ in formats(client, uid)] == [form, "PKCS_1"], "both digests")
        client.fails("Register", "InvalidAttributeValue", item("ObjectType", "SymmetricKey"), client.attributes(
            CryptographicUsageMask="Encrypt", KeyFormatType="TransparentSymmetricKey"),
            item("SymmetricKey", [item("KeyBlock", items(KeyFormatType="Raw", KeyValue=[item("KeyMaterial", bytes(16))], CryptographicAlgorithm="AES",
                                                         CryptographicLength=128))]))


@test
def keys_of_elliptic_curves_have_the_usual_format_of_their_version():
    """KMIP 2.1, 4.26, table 81; the format came with 1.3, and earlier versions are given another one."""
    with SITE.started() as server:
        client = server.client("alice", version=(2, 1))
        private, public = client.create_pair("ECDSA", 256)
        expect(formats(client, private) == [("TransparentECPrivateKey", digest(client.get(private).find("KeyMaterial")))], "digest")
        for version in VERSIONS:
            new = version >= (1, 3)
            for uid, form in ((private, "TransparentECPrivateKey" if new else "PKCS_8"), (public, "TransparentECPublicKey" if new else "X_509")):
                got = in_version(client, version).get(uid).find("KeyFormatType").said()
                expect(got == form, f"{version}: {got}")
        old = in_version(client, (1, 4))
        expect(old.get(old.create_pair("EC", 256)[0]).find("KeyFormatType").said() == "PKCS_8", "1.4 has no such table")


@test
def what_cannot_be_read_is_a_codec_error_in_the_version_of_the_request():
    """KMIP 2.1, 11.46: Codec Error; 1.4, 11.1: Invalid Message."""
    with SITE.started() as server:
        client = server.client("alice")
        for version in VERSIONS:
            data = bytearray(encode(message(version, [op("Locate")])))
            where = data.index(TAGS["Operation"].to_bytes(3, "big"))
            data[where + 3] = 0x0F  # no item type
            answer = Answer(decode(in_version(client, version).send(bytes(data))))
            expect(answer.version == version, f"{answer.version}, not {version}")
            expect(answer[0].reason == ("CodecError" if version >= (2, 0) else "InvalidMessage"), str(answer[0]))


@test
def a_critical_extension_refuses_all_of_the_message():
    """KMIP 2.1, 9.13: "the receiver SHALL reject the entire message\""""
    with SITE.started() as server:
        client = server.client("alice")
        extension = item("MessageExtension", [item("VendorIdentification", "x"), item("CriticalityIndicator", True), item("VendorExtension", [])])
        for version in VERSIONS:
            other = in_version(client, version)
            name = f"critical-{version[0]}{version[1]}"
            create = op("Create", item("ObjectType", "SymmetricKey"), other.attributes(
                CryptographicAlgorithm="AES", CryptographicLength=128, CryptographicUsageMask="Encrypt", Name=name))
            last = op("Query", QueryFunction=["QueryOperations"])
            last.value.append(extension)
            answer = other.request([create, last], ids=True, BatchErrorContinuationOption="Continue")
            for one in answer.items:
                expect(one.reason == ("UnknownMessageExtension" if version >= (2, 0) else "FeatureNotSupported"), str(one))
            expect(not other.locate(Name=name), "nothing was made")


@test
def a_key_whose_value_is_elsewhere_cannot_be_used_and_says_why():
    """KMIP 1.4, 3.40 and 11.30 to 11.35; 2.1, 4.28: Key Value Not Present."""
    with SITE.started() as server:
        client = server.client("alice")
        block = item("KeyBlock", items(KeyFormatType="Raw", CryptographicAlgorithm="AES", CryptographicLength=128))
        where = items(KeyValueLocationValue="safe 4", KeyValueLocationType="UninterpretedTextString")
        uid = client.activate(client.register("SymmetricKey", item("SymmetricKey", [block]), CryptographicAlgorithm="AES", CryptographicLength=128,
                                              CryptographicUsageMask="Encrypt Decrypt MACGenerate MACVerify WrapKey", KeyValueLocation=where))
        wrapping = item("KeyWrappingSpecification", [item("WrappingMethod", "Encrypt"), item("EncryptionKeyInformation", [item("UniqueIdentifier", uid)])])
        data = item("Data", bytes(16))
        for version in VERSIONS[2:]:
            other = in_version(client, version)
            mode = item("CryptographicParameters", items(BlockCipherMode="ECB"))
            for operation in ("Encrypt", "Decrypt"):
                other.fails(operation, "KeyValueNotPresent", item("UniqueIdentifier", uid), mode, data)
            hmac = item("CryptographicParameters", items(CryptographicAlgorithm="HMAC_SHA256"))
            other.fails("MAC", "KeyValueNotPresent", item("UniqueIdentifier", uid), hmac, data)
            other.fails("MACVerify", "KeyValueNotPresent", item("UniqueIdentifier", uid), hmac, data, item("MACData", bytes(32)))
            other.fails("Get", "KeyValueNotPresent", item("UniqueIdentifier", client.create()), wrapping)


@test
def a_certificate_is_found_by_its_serial_number_as_bytes_and_as_der():
    """KMIP 1.4, 3.9; 2.1, 4.61: a Byte String "from the Serial Number field of the X.509 certificate"."""
    with SITE.started() as server:
        client = server.client("alice")
        path = server.certificate("alice")[0]
        run("openssl", "x509", "-in", path, "-outform", "DER", "-out", server.path("x.der"))
        with open(server.path("x.der"), "rb") as file:
            value = file.read()
        uid = client.register("Certificate", item("Certificate", items(CertificateType="X_509", CertificateValue=value)), CryptographicUsageMask="Verify")
        found = client.attribute(uid, "X_509CertificateIdentifier")[0]
        issuer, serial = found["IssuerDistinguishedName"], found["CertificateSerialNumber"]
        der = bytes([2, len(serial)]) + serial
        expect(der in value, "the INTEGER of the certificate")
        for version in VERSIONS[1:]:
            other = in_version(client, version)
            for wanted, there in ((serial, [uid]), (der, [uid]), (b"\x04" + der[1:], []), (der[:-1], []), (der + b"\0", []), (b"\2\0", [])):
                got = other.locate(X_509CertificateIdentifier=items(IssuerDistinguishedName=issuer, CertificateSerialNumber=wanted))
                expect(got == there, f"{version} {wanted.hex()}: {got}")


@test
def a_certificate_request_that_is_none_or_not_signed_is_called_so():
    """KMIP 2.1, 6.1.6.1 and 6.1.45.1: Invalid CSR; 1.4, 11.8 and 11.9: Invalid Field, for one "that does not contain a signed certificate request"."""
    with SITE.started("kmip.certify.label=MyLocalRACFCA") as server:
        client = server.client("alice", version=(2, 1))
        public = client.create_pair()[1]
        certificate = client.ok("Certify", item("UniqueIdentifier", public), client.attributes(CertificateSubjectCN="x"))["UniqueIdentifier"]
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-outform", "DER", "-keyout",
            server.path("x.key"), "-out", server.path("x.csr"))
        with open(server.path("x.csr"), "rb") as file:
            signed = file.read()
        for version in VERSIONS:
            other = in_version(client, version)
            for request in (b"no request", signed[:-1] + bytes([signed[-1] ^ 1])):
                for operation, uid in (("Certify", public), ("ReCertify", certificate)):
                    other.fails(operation, "InvalidCSR" if version >= (2, 0) else "InvalidField", item("UniqueIdentifier", uid),
                                item("CertificateRequestType", "PKCS_10"), Item("CertificateRequest", BYTES, request))


@test
def a_storage_that_is_not_here_is_named_by_the_key_it_is_for():
    """KMIP 2.1, 6.1.9.1"""
    with SITE.started() as server:
        client = server.client("alice", version=(2, 1))
        common = client.attributes("Common", CryptographicAlgorithm="RSA", CryptographicLength=2048)
        for which in ("Private", "Public"):
            client.fails("CreateKeyPair", f"{which}ProtectionStorageUnavailable", common,
                         client.attributes("PrivateKey", CryptographicUsageMask="Sign"), client.attributes("PublicKey", CryptographicUsageMask="Verify"),
                         item(f"{which}ProtectionStorageMasks", [item("ProtectionStorageMask", "Hardware")]))


def half_closed(client, data):
    """Bytes out, then the end of what is sent. What comes back."""
    # Python's ssl closes both ways at once, so TLS is done in memory.
    plain = socket.create_connection(("127.0.0.1", client.port), client.seconds)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.context().wrap_bio(incoming, outgoing, server_side=False)

    def pump(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                if outgoing.pending:
                    plain.sendall(outgoing.read())
                more = plain.recv(65536)
                incoming.write(more) if more else incoming.write_eof()

    with plain:
        pump(tls.do_handshake)
        tls.write(data)
        plain.sendall(outgoing.read())
        plain.shutdown(socket.SHUT_WR)
        answer = b""
        while len(answer) < 8 or len(answer) < 8 + int.from_bytes(answer[4:8], "big"):
            try:
                more = pump(lambda: tls.read(65536))
            except (ssl.SSLError, OSError):
                break
            if not more:
                break
            answer += more
        return answer


@test
def a_client_that_sends_no_more_gets_its_answers():
    with SITE.started() as server:
        client = server.client("alice")
        one = encode(message(client.version, [op("Query", QueryFunction=["QueryOperations"])]))
        pair = encode(message(client.version, [op("CreateKeyPair", client.attributes("Common", CryptographicAlgorithm="RSA", CryptographicLength=2048),
                                                  client.attributes("PrivateKey", CryptographicUsageMask="Sign"),
                                                  client.attributes("PublicKey", CryptographicUsageMask="Verify"))]))
        for data in (one, pair):  # answered on the loop, and by a worker while the end comes
            answer = Answer(decode(half_closed(client, data)))
            expect(answer[0].ok, str(answer[0]))
        client.ok("Query", QueryFunction=["QueryOperations"])


@test
def objects_that_came_with_a_later_version_are_kept_for_those_that_know_them():
    """KMIP 1.4, 2.2.9, PGP Key; 2.1, 2.2, Certificate Request."""
    with SITE.started() as server:
        client = server.client("alice", version=(2, 1))
        things = {"PGPKey": ((1, 2), item("PGPKey", [item("PGPKeyVersion", 4), key_block(b"-----BEGIN PGP", "Raw")]), {"CryptographicUsageMask": "Sign"}),
                  "CertificateRequest": ((2, 0), Item("CertificateRequest", STRUCTURE, items(CertificateRequestType="PKCS_10", CertificateRequestValue=b"0\0")), {})}
        for kind, (since, thing, named) in things.items():
            uid = client.register(kind, thing, **named)
            for version in VERSIONS:
                other = in_version(client, version)
                offered = [one.said() for one in other.ok("Query", QueryFunction=["QueryObjects"]).all("ObjectType")]
                expect((kind in offered) == (version >= since), f"{version}: {offered}")
                if version >= since:
                    expect(encode(other.get(uid).find(kind)) == encode(thing), f"{version}: as it came")
                    expect(uid in other.locate(ObjectType=kind), "found")
                else:
                    other.fails("Get", "InvalidField", UniqueIdentifier=uid)
                    other.fails("Register", "InvalidField", item("ObjectType", kind), other.attributes(**named), thing)


@test
def a_generator_that_is_asked_for_is_the_one_that_is_here_or_no_key_is_made():
    """KMIP 1.4, 3.44; 2.1, 4.46"""
    with SITE.started() as server:
        for version in [(1, 3), (1, 4), (2, 0), (2, 1)]:
            client = server.client("alice", version=version)
            ours = client.attribute(client.create(), "RandomNumberGenerator")[0]
            client.create(RandomNumberGenerator=ours.value)
            client.create(RandomNumberGenerator=items(RNGAlgorithm="DRBG", DRBGAlgorithm="CTR"))
            uid = client.create(RandomNumberGenerator=items(RNGAlgorithm="Unspecified"))
            expect(encode(client.attribute(uid, "RandomNumberGenerator")[0]) == encode(ours), "it says which one it was")
            client.fails("Create", "InvalidField" if version < (2, 0) else "InvalidAttributeValue", item("ObjectType", "SymmetricKey"), client.attributes(
                CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt", RandomNumberGenerator=items(RNGAlgorithm="ANSIX9_31")))


@test
def a_name_is_given_once():
    with SITE.started() as server:
        for version, reason in {(1, 0): "InvalidField", (2, 1): "NonUniqueNameAttribute"}.items():
            client = server.client("alice", version=version)
            client.fails("Create", reason, item("ObjectType", "SymmetricKey"), client.attributes(
                CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt", Name=["same", "same"]))


@test
def the_certificates_of_a_pkcs12_are_found_by_the_public_key():
    """KMIP 2.1, 6.1.19: "using the private key's Public Key link to get the corresponding public key, ... that public key's PKCS#12 Certificate Link\""""
    with SITE.started() as server, Folder() as folder:
        client = server.client("alice", version=(2, 1))
        private, public = client.create_pair()
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=root", "-keyout", f"{folder}/k", "-out", f"{folder}/c", "-outform", "DER")
        with open(f"{folder}/k2", "wb") as file:
            file.write(client.material(private, KeyFormatType="PKCS_8"))
        run("openssl", "req", "-new", "-x509", "-key", f"{folder}/k2", "-keyform", "DER", "-subj", "/CN=base", "-out", f"{folder}/c2", "-outform", "DER")
        certificates = []
        for name in ("c2", "c"):
            with open(f"{folder}/{name}", "rb") as file:
                certificates.append(client.register("Certificate", item("Certificate", items(CertificateType="X_509", CertificateValue=file.read()))))
        password = client.register("SecretData", secret_data(b"open sesame", "Password", "Opaque"), CryptographicUsageMask="Verify")
        for uid, kind, to in ((private, "PKCS_12PasswordLink", password), (public, "PKCS_12CertificateLink", certificates[0]),
                              (certificates[0], "PKCS_12CertificateLink", certificates[1])):
            client.add_attribute(uid, "Link", items(LinkType=kind, LinkedObjectIdentifier=to))
        with open(f"{folder}/p12", "wb") as file:
            file.write(client.material(private, KeyFormatType="PKCS_12"))
        out = run("openssl", "pkcs12", "-in", f"{folder}/p12", "-passin", "pass:open sesame", "-nodes")
        expect("CN = base" in out and "CN = root" in out and "PRIVATE KEY" in out, out)


@test
def data_of_an_item_is_what_an_earlier_one_made():
    """KMIP 2.x: 2.1, 7.9, Data as an enumeration or a number; 8.3, Ephemeral: "the Data output of the operation should not be returned\""""
    with SITE.started() as server:
        for version in [(2, 0), (2, 1)]:
            client = server.client("alice", version=version)
            key = client.activate(client.create(CryptographicParameters=items(BlockCipherMode="ECB", PaddingMethod="PKCS5")))
            number, sha = (lambda n: Item("Data", INTEGER, n)), item("CryptographicParameters", items(HashingAlgorithm="SHA_256"))

            def named(word):
                return Item("Data", ENUM, ENUMS["Data"][word])

            secret = op("RNGRetrieve", DataLength=24)
            secret.value.insert(1, item("Ephemeral", True))
            batch = [secret, op("Encrypt", item("UniqueIdentifier", key), named("RNGRetrieve")), op("Decrypt", item("UniqueIdentifier", key), named("Encrypt")),
                     op("Hash", sha, named("Decrypt")), op("Hash", sha, number(0)), op("Hash", sha, number(-3))]
            answer = client.request(batch, ids=True)
            expect(all(one.ok for one in answer.items), str(answer.items))
            expect("Data" not in answer[0].payload, "the random bytes stay")
            clear = answer[2].payload["Data"]
            expect(len(clear) == 24 and answer[1].payload["Data"] != clear, "they were encrypted")
            for n in (3, 4, 5):  # the third one before item 5 is the output of Decrypt
                expect(answer[n].payload["Data"] == hashlib.sha256(clear).digest(), f"item {n}")
            for wrong in (named("SignSignatureData"), number(0), number(-1), number(7), Item("Data", ENUM, 0x77)):
                client.fails("Hash", "InvalidField", sha, wrong)
            # All references of a message stand for as much as a message may bring (KMIPListener.message.max).
            long = [op("Encrypt", item("UniqueIdentifier", key), item("Data", bytes(200000))), *[op("Hash", sha, number(0)) for _ in range(6)]]
            answer = client.request(long, ids=True)
            expect([one.ok for one in answer.items] == [True] * 6 + [False] and answer[6].reason == "InvalidField", str(answer[6]))
        old = in_version(client, (1, 4))
        old.fails("Hash", "InvalidField", sha, named("Hash"))


@test
def every_part_of_a_certificates_names_is_an_attribute():
    """KMIP 2.1, 4.5: multiple instances are permitted."""
    with SITE.started() as server, Folder() as folder:
        client = server.client("alice", version=(2, 1))
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=a/OU=b/OU=c/CN=d", "-keyout", f"{folder}/k", "-out", f"{folder}/c", "-outform", "DER")
        with open(f"{folder}/c", "rb") as file:
            uid = client.register("Certificate", item("Certificate", items(CertificateType="X_509", CertificateValue=file.read())))
        for who in ("Subject", "Issuer"):
            expect(client.attribute(uid, f"Certificate{who}OU") == ["b", "c"] and client.attribute(uid, f"Certificate{who}CN") == ["d"], who)
        for ou in ("b", "c"):
            expect(client.locate(CertificateSubjectOU=ou) == [uid], f"found by {ou}")


@test
def members_of_a_group_are_asked_for_by_a_word_that_there_is():
    with SITE.started() as server:
        client = server.client("alice", version=(2, 1))
        client.fails("Locate", "InvalidField", Item("ObjectGroupMember", ENUM, 9), item("Attributes", []))


@test
def a_field_that_stands_twice_is_refused():
    """KMIP 1.4, 11.1: "The same field is contained in a ... payload more than once": Invalid Message."""
    with SITE.started() as server:
        for version in [(1, 0), (1, 4), (2, 1)]:
            client = server.client("alice", version=version)
            uid, other = client.create(), client.create()
            for twice in ([item("UniqueIdentifier", uid), item("UniqueIdentifier", other)], [item("UniqueIdentifier", uid), *[item("KeyFormatType", "Raw")] * 2]):
                client.fails("Get", "InvalidMessage", *twice)
            client.ok("Query", QueryFunction=["QueryOperations", "QueryObjects"])


@test
def a_sensitive_key_that_came_wrapped_leaves_so():
    """KMIP 2.1, 4.55: a sensitive object is not retrieved unless it is wrapped by another key."""
    with SITE.started() as server:
        for version in [(1, 4), (2, 1)]:
            client = server.client("alice", version=version)
            kek = client.activate(client.register_key(bytes(32), mask="WrapKey UnwrapKey"))
            wrapping = item("KeyWrappingSpecification", [
                item("WrappingMethod", "Encrypt"), item("EncryptionKeyInformation", [
                    item("UniqueIdentifier", kek), item("CryptographicParameters", items(BlockCipherMode="NISTKeyWrap"))]), item("EncodingOption", "NoEncoding")])
            came = client.get(client.create(), KeyWrappingSpecification=wrapping).find("SymmetricKey")
            uid = client.register("SymmetricKey", came, CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt", Sensitive=True)
            for _ in range(2):
                expect(encode(client.get(uid).find("SymmetricKey")) == encode(came), "as it came")
            client.fails("Get", "Sensitive", UniqueIdentifier=uid, KeyWrapType="NotWrapped")


@test
def what_is_derived_counts_for_the_limits_wherever_its_data_come_from():
    """KMIP 2.1, 4.59: bytes that are protected; here the derivation data, in the request or in a second object, or else what is made of the key."""
    with SITE.started() as server:
        client = server.client("alice", version=(2, 1))
        limits = items(UsageLimitsTotal=100, UsageLimitsUnit="Byte")
        secret = client.activate(client.register("SecretData", secret_data(bytes(24), "Seed", "Raw"), CryptographicUsageMask="DeriveKey"))

        def left(method, *bases, **parameters):
            key = client.activate(client.register_key(bytes(32), mask="DeriveKey", UsageLimits=limits))
            client.ok("DeriveKey", item("ObjectType", "SecretData"), item("UniqueIdentifier", key), *[item("UniqueIdentifier", one) for one in bases],
                      item("DerivationMethod", method),
                      item("DerivationParameters", [item("CryptographicParameters", items(HashingAlgorithm="SHA_256")), *items(**parameters)]),
                      client.attributes(CryptographicLength=128, CryptographicUsageMask="Encrypt"))
            return client.attribute(key, "UsageLimits")[0]["UsageLimitsCount"]

        expect(left("HMAC", DerivationData=bytes(10)) == 90, "data of the request")
        expect(left("HMAC", secret) == 76, "data of an object")
        expect(left("HASH") == 84, "no data")


@test
def what_either_side_calls_a_request_stands_in_the_smf_data_set():
    """KMIP 1.4, 6.18 and 6.19: both are to be logged, and what the server calls it is to be unique."""
    with SITE.started() as server:
        client = server.client("alice", version=(2, 1))
        called = []
        for n in range(4):
            client = in_version(client, client.version) if n == 2 else client
            answer = client.request([op("Ping")], ClientCorrelationValue=f"copy {n} of the backup")
            called.append(answer.header["ServerCorrelationValue"])
        expect(len(set(called)) == 4 and called[0][-2:] == called[2][-2:] == "-1" and called[0][:-1] == called[1][:-1] != called[2][:-1], str(called))
        expect("ServerCorrelationValue" not in client.request([op("Ping")]).header, "who sends none is given none")

        server.stop()
        lines = run(f"{BIN}/smfdump", "--format", "json", *sorted(glob.glob(f"{server.home}/log/smf/*.MAN*"))).splitlines()
        recorded = [json.loads(line) for line in lines if line.startswith("{")]
        expect({event["request"]: event["correlation"] for event in recorded if "correlation" in event} ==
               {name: f"copy {n} of the backup" for n, name in enumerate(called)}, str(lines[-4:]))


if __name__ == "__main__":
    main()
