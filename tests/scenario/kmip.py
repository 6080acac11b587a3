"""A KMIP client written from the specification alone (KMIP 1.4, 9.1; 2.1, 9.6): TTLV by numbers, TLS by Python's ssl.

    client = Client(env, version=(1, 4))               # env: what a test server wrote; or Client(port=..., cert=..., key=..., ca=...)
    key = client.create("AES", 256, Name="k")          # the new Unique Identifier
    got = client.ok("Get", UniqueIdentifier=key)       # the payload; fails the test when the operation does
    client.fails("Get", "ItemNotFound", UniqueIdentifier="x")
    answer = client.request([op("Locate", ...), op("Get")], BatchOrderOption=True)

A message is a tree of Item. item(name, value) makes one; its type follows from the name where that is an enumeration, a mask or a date, else from the Python value.
attributes(version, ...) writes attributes as the version has them.
"""
import os
import re
import socket
import ssl
import struct
import threading
import time
import xml.etree.ElementTree as ElementTree
from datetime import datetime

from kmip_numbers import ENUMS, MASKS, TAGS
from scenario import expect

STRUCTURE, INTEGER, LONG, BIG, ENUM, BOOLEAN, TEXT, BYTES, DATE, INTERVAL, DATE_EXTENDED = range(1, 12)
TYPES = {"Structure": STRUCTURE, "Integer": INTEGER, "LongInteger": LONG, "BigInteger": BIG, "Enumeration": ENUM, "Boolean": BOOLEAN,
         "TextString": TEXT, "ByteString": BYTES, "DateTime": DATE, "Interval": INTERVAL, "DateTimeExtended": DATE_EXTENDED}
NAMES = {}
for _name, _code in TAGS.items():
    NAMES.setdefault(_code, _name)
# Items whose values are those of another enumeration, or whose name is also that of one though they are none.
ENUM_OF = {"MaskGeneratorHashingAlgorithm": "HashingAlgorithm", "InitialDate": None, "UniqueIdentifier": None, "Data": None}
LONGS = {"UsageLimitsTotal", "UsageLimitsCount", "PrimeFieldSizeLong"}
INTERVALS = {"LeaseTime", "Offset", "RotateInterval", "RotateOffset"}
VERSIONS = [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 0), (2, 1)]


class Item:
    """One item of a message. Of a Structure the value is a list of Items."""

    def __init__(self, name, kind, value):
        self.name, self.kind, self.value = name, kind, value

    def all(self, name):
        return [one for one in self.value if one.name == name] if self.kind == STRUCTURE else []

    def get(self, name, default=None):
        """The value of the first item with this name; of a Structure the Item itself."""
        found = self.all(name)
        return default if not found else found[0] if found[0].kind == STRUCTURE else found[0].value

    def __getitem__(self, name):
        found = self.all(name)
        expect(found, f"{self.name} has no {name}: {self}")
        return found[0] if found[0].kind == STRUCTURE else found[0].value

    def __contains__(self, name):
        return bool(self.all(name))

    def names(self):
        return [one.name for one in self.value]

    def walk(self):
        yield self
        if self.kind == STRUCTURE:
            for one in self.value:
                yield from one.walk()

    def find(self, name):
        """The first item with this name at any depth, or None."""
        return next((one for one in self.walk() if one.name == name), None)

    def said(self):
        """The name of an enumeration's value."""
        return enum_name(self.name, self.value)

    def __repr__(self):
        if self.kind == STRUCTURE:
            return f"{self.name}{{{', '.join(map(repr, self.value))}}}"
        if self.kind == ENUM and isinstance(self.value, int):
            return f"{self.name}={self.said()}"
        return f"{self.name}={self.value.hex() if isinstance(self.value, bytes) else self.value!r}"


# ---- Making items

def enum_of(name):
    return ENUM_OF.get(name, name)


def enum_value(name, word):
    return word if isinstance(word, int) else ENUMS[enum_of(name)][word]


def enum_name(name, value):
    return next((word for word, code in ENUMS.get(enum_of(name), {}).items() if code == value), f"0x{value:08X}")


def mask_value(name, words):
    if isinstance(words, int):
        return words
    total = 0
    for word in words.split():
        total |= MASKS[name][word]
    return total


def kind_of(name, value):
    if isinstance(value, (list, tuple)):
        return STRUCTURE
    if name in MASKS:
        return INTEGER
    if enum_of(name) in ENUMS and not isinstance(value, bytes):
        return ENUM
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, str):
        return TEXT
    if isinstance(value, bytes):
        return BYTES
    if name.endswith("Date") or name == "TimeStamp":
        return DATE
    return INTERVAL if name in INTERVALS else LONG if name in LONGS else INTEGER


def item(name, value, kind=None):
    """An item; value: a list of items, or what it holds. An Item is passed through under the name."""
    kind = kind or kind_of(name, value)
    if kind == ENUM:
        value = enum_value(name, value)
    elif kind == INTEGER and name in MASKS:
        value = mask_value(name, value)
    elif kind == STRUCTURE:
        value = list(value)
    return Item(name, kind, value)


def big(name, number):
    return Item(name, BIG, number)


def items(**named):
    """Items by keyword, in order; a list of plain values repeats the item, None leaves it out."""
    out = []
    for name, value in named.items():
        if isinstance(value, Item):
            out.append(value)
        elif isinstance(value, list) and value and not isinstance(value[0], Item):
            out += [item(name, one) for one in value]
        elif value is not None:
            out.append(item(name, value))
    return out


# ---- TTLV

def encode(one):
    """The bytes of an item (KMIP 1.4, 9.1.1): tag, type, length, value, padded to 8 bytes."""
    kind, value = one.kind, one.value
    if kind == STRUCTURE:
        value = b"".join(map(encode, value))
    elif kind in (INTEGER, ENUM, INTERVAL):
        value = struct.pack(">I", value & 0xFFFFFFFF)
    elif kind in (LONG, BOOLEAN, DATE, DATE_EXTENDED):
        value = struct.pack(">q", int(value))
    elif kind == TEXT:
        value = value.encode()
    elif kind == BIG:
        size = (value.bit_length() // 8 + 8) // 8 * 8
        value = value.to_bytes(size, "big", signed=True)
    tag = one.name if isinstance(one.name, int) else TAGS[one.name]
    return tag.to_bytes(3, "big") + bytes([kind]) + struct.pack(">I", len(value)) + value + bytes(-len(value) % 8)


def decode(data):
    """Exactly one item from bytes; anything not as the specification has it fails the test."""
    one, rest = decode_item(data)
    expect(not rest, f"{len(rest)} bytes behind the message")
    return one


def decode_item(data):
    expect(len(data) >= 8, "an item is cut short")
    tag, kind, size = int.from_bytes(data[:3], "big"), data[3], struct.unpack(">I", data[4:8])[0]
    padded = size + -size % 8
    raw, rest = data[8:8 + size], data[8 + padded:]
    expect(len(data) >= 8 + padded and not any(data[8 + size:8 + padded]), f"tag {tag:06X}: length or padding")
    fixed = {INTEGER: 4, ENUM: 4, INTERVAL: 4, LONG: 8, BOOLEAN: 8, DATE: 8, DATE_EXTENDED: 8}.get(kind)
    expect(fixed is None or fixed == size, f"tag {tag:06X}: {size} bytes of type {kind}")
    if kind == STRUCTURE:
        value = []
        while raw:
            one, raw = decode_item(raw)
            value.append(one)
    elif kind == INTEGER:
        value = struct.unpack(">i", raw)[0]
    elif kind in (ENUM, INTERVAL):
        value = struct.unpack(">I", raw)[0]
    elif kind in (LONG, DATE, DATE_EXTENDED):
        value = struct.unpack(">q", raw)[0]
    elif kind == BOOLEAN:
        expect(raw[:7] == bytes(7) and raw[7] in (0, 1), f"tag {tag:06X}: no Boolean")
        value = bool(raw[7])
    elif kind == TEXT:
        value = raw.decode()
    elif kind == BIG:
        expect(size % 8 == 0 and size, f"tag {tag:06X}: a Big Integer of {size} bytes")
        value = int.from_bytes(raw, "big", signed=True)
    else:
        expect(kind == BYTES, f"tag {tag:06X}: type {kind}")
        value = raw
    return Item(NAMES.get(tag, tag), kind, value), rest


# ---- Attributes

# What 1.x calls an attribute is its name with blanks, but for these.
SPACED = {"X_509CertificateIdentifier": "X.509 Certificate Identifier", "X_509CertificateSubject": "X.509 Certificate Subject",
          "X_509CertificateIssuer": "X.509 Certificate Issuer", "PKCS_12FriendlyName": "PKCS#12 Friendly Name"}


def spaced(name):
    return SPACED.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)


def name_of(value, kind="UninterpretedTextString"):
    """The value of a Name attribute."""
    return items(NameValue=value, NameType=kind)


def attribute_item(name, value):
    """An attribute as 2.x has it: an item under its own name."""
    if name == "Name" and isinstance(value, str):
        value = name_of(value)
    return item(name, value)


def attribute(name, value, index=None):
    """An attribute as 1.x has it. A name with "x-" or "y-" is a vendor's."""
    custom = name[1:2] == "-"
    one = item("AttributeValue", value) if custom else attribute_item(name, value)
    return item("Attribute", [*items(AttributeName=name if custom else spaced(name), AttributeIndex=index),
                              Item("AttributeValue", one.kind, one.value)])


def vendor_attribute(name, value):
    """The same of 2.x: x-Thing is Thing of the vendor x."""
    vendor, rest = name.split("-", 1)
    return item("Attribute", items(VendorIdentification=vendor, AttributeName=rest, AttributeValue=value))


def attribute_list(version, named):
    """Attributes by name, several values in a list, as the version has them; "x_Thing" is x-Thing."""
    out = []
    for name, value in named.items():
        name = re.sub(r"^([xy])_", r"\1-", name)
        several = isinstance(value, list) and value and not isinstance(value[0], Item)
        for n, one in enumerate(value if several else [value]):
            if version < (2, 0):
                out.append(attribute(name, one, n if several and n else None))
            else:
                out.append(vendor_attribute(name, one) if name[1:2] == "-" else attribute_item(name, one))
    return out


def attributes(version, wrapper=None, **named):
    """What an operation that makes an object takes: a Template-Attribute of 1.x, Attributes of 2.x. wrapper: "Common", "PrivateKey" or "PublicKey"."""
    return item((wrapper or "") + ("TemplateAttribute" if version < (2, 0) else "Attributes"), attribute_list(version, named))


def attribute_values(payload, name):
    """The values that an answer has for an attribute, in either form."""
    found = []
    for one in payload.all("Attribute"):
        own = one.get("AttributeName")
        vendor = one.get("VendorIdentification")
        if own == (spaced(name) if name[1:2] != "-" else name) or (vendor and f"{vendor}-{own}" == name):
            found += [value for value in one.value if value.name == "AttributeValue"]
    for bag in payload.all("Attributes"):
        found += bag.all(name) + attribute_values(bag, name)
    return [one if one.kind == STRUCTURE else one.value for one in found]


# ---- Objects

def key_block(material, form="Raw", algorithm=None, length=None, wrapping=None):
    """A Key Block; material: bytes, or a list of items of a transparent key."""
    return item("KeyBlock", items(KeyFormatType=form, KeyValue=[item("KeyMaterial", material)], CryptographicAlgorithm=algorithm,
                                  CryptographicLength=length, KeyWrappingData=wrapping))


def symmetric_key(material, algorithm="AES", form="Raw"):
    return item("SymmetricKey", [key_block(material, form, algorithm, 8 * len(material) if isinstance(material, bytes) else None)])


def secret_data(material, kind="Password", form="Opaque"):
    return item("SecretData", [item("SecretDataType", kind), key_block(material, form)])


def op(operation, *payload, **named):
    """A batch item of a request, without its Unique Batch Item ID. None as payload leaves the payload out."""
    inside = [] if payload == (None,) else [item("RequestPayload", [*items(**named), *payload])]
    return item("BatchItem", [item("Operation", operation), *inside])


def message(version, batch, ids=None, **header):
    """A request message. ids: Unique Batch Item IDs (True: 1, 2, ... in 8 bytes)."""
    if ids is True:
        ids = [struct.pack(">Q", n + 1) for n in range(len(batch))]
    for one, own in zip(batch, ids or []):
        if own is not None:
            one.value.insert(1, item("UniqueBatchItemID", own))
    order = ["MaximumResponseSize", "ClientCorrelationValue", "ServerCorrelationValue", "AsynchronousIndicator", "AttestationCapableIndicator",
             "AttestationType", "Authentication", "BatchErrorContinuationOption", "BatchOrderOption", "TimeStamp"]
    fields = [field for name in order if name in header for field in items(**{name: header[name]})]
    expect(set(header) <= set(order), f"no header field: {set(header) - set(order)}")
    return item("RequestMessage", [
        item("RequestHeader", [item("ProtocolVersion", items(ProtocolVersionMajor=version[0], ProtocolVersionMinor=version[1])),
                               *fields, item("BatchCount", len(batch))]), *batch])


# ---- Answers

class Result:
    """A batch item of an answer."""

    def __init__(self, one):
        self.item = one
        self.operation = enum_name("Operation", one.get("Operation")) if "Operation" in one else None
        self.status = enum_name("ResultStatus", one["ResultStatus"])
        self.reason = enum_name("ResultReason", one.get("ResultReason")) if "ResultReason" in one else None
        self.message = one.get("ResultMessage")
        self.id = one.get("UniqueBatchItemID")
        self.payload = one.get("ResponsePayload", Item("ResponsePayload", STRUCTURE, []))

    @property
    def ok(self):
        return self.status == "Success"

    def __repr__(self):
        return f"{self.operation} {self.status} {self.reason or ''} {self.message or ''} {self.payload}"


class Answer:
    def __init__(self, tree):
        self.tree = tree
        expect(tree.name == "ResponseMessage", f"no answer: {tree}")
        expect(tree.names()[:1] == ["ResponseHeader"], f"an answer without header: {tree}")
        self.header = tree["ResponseHeader"]
        version = self.header["ProtocolVersion"]
        self.version = (version["ProtocolVersionMajor"], version["ProtocolVersionMinor"])
        self.items = [Result(one) for one in tree.all("BatchItem")]
        expect(self.header["BatchCount"] == len(self.items), f"Batch Count: {tree}")

    def __getitem__(self, n):
        return self.items[n]

    def __len__(self):
        return len(self.items)


# ---- The client

class Client:
    """A connection, made when first used. version: that of its requests."""

    def __init__(self, env=None, version=(1, 4), port=None, cert=None, key=None, ca=None, tls=None, seconds=30):
        env = env or {}
        self.version = version
        self.port = int(port or env["KLM_KMIP_PORT"])
        self.ca = ca or env["KLM_CA_CERT"]
        self.cert, self.key = cert or env.get("KLM_CLIENT_CERT"), key or env.get("KLM_CLIENT_KEY")
        self.seconds = seconds * float(os.environ.get("KLM_TEST_SLOW", "1"))
        self.tls = tls or {}
        self.socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.ca)
        if self.cert:
            context.load_cert_chain(self.cert, self.key)
        for name, value in self.tls.items():
            setattr(context, name, value) if name != "ciphers" else context.set_ciphers(value)
        return context

    def connect(self):
        if not self.socket:
            plain = socket.create_connection(("127.0.0.1", self.port), self.seconds)
            self.socket = self.context().wrap_socket(plain)
        return self

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            expect(more, f"the server closed after {len(data)} of {n} bytes")
            data += more
        return data

    def send(self, data):
        """Bytes out, and the bytes of the answer."""
        self.connect()
        self.socket.sendall(data)
        head = self.read(8)
        return head + self.read(struct.unpack(">I", head[4:])[0])

    def exchange(self, tree):
        return Answer(decode(self.send(encode(tree))))

    def request(self, batch, ids=None, version=None, **header):
        """Send a batch; the answer, which must be in the version of the request."""
        version = version or self.version
        answer = self.exchange(message(version, batch, ids, **header))
        expect(answer.version == version, f"the answer is in {answer.version}, the request was in {version}")
        return answer

    def do(self, operation, *payload, **named):
        """One operation; its Result."""
        answer = self.request([op(operation, *payload, **named)])
        expect(len(answer) == 1, f"{len(answer)} results")
        return answer[0]

    def ok(self, operation, *payload, **named):
        """One operation that must succeed; its payload."""
        result = self.do(operation, *payload, **named)
        expect(result.ok, f"KMIP {self.version}: {result}")
        return result.payload

    def fails(self, operation, reason, *payload, **named):
        """One operation that must fail with this reason (or one of several)."""
        result = self.do(operation, *payload, **named)
        reasons = [reason] if isinstance(reason, str) else list(reason)
        expect(not result.ok and result.reason in reasons, f"KMIP {self.version}: {reasons} is expected, not {result}")
        expect(result.message, f"a failure without a message: {result}")
        return result

    # ---- Common operations, in any version

    def attributes(self, wrapper=None, **named):
        return attributes(self.version, wrapper, **named)

    def create(self, algorithm="AES", length=256, mask="Encrypt Decrypt", **named):
        """A symmetric key; its identifier."""
        return self.ok("Create", item("ObjectType", "SymmetricKey"), self.attributes(
            CryptographicAlgorithm=algorithm, CryptographicLength=length, CryptographicUsageMask=mask, **named))["UniqueIdentifier"]

    def create_pair(self, algorithm="RSA", length=2048, private="Sign", public="Verify", **named):
        """A key pair; the identifiers of private and public key."""
        made = self.ok("CreateKeyPair", self.attributes("Common", CryptographicAlgorithm=algorithm, CryptographicLength=length, **named),
                       self.attributes("PrivateKey", CryptographicUsageMask=private), self.attributes("PublicKey", CryptographicUsageMask=public))
        return made["PrivateKeyUniqueIdentifier"], made["PublicKeyUniqueIdentifier"]

    def register(self, kind, thing, **named):
        """An object that is brought; its identifier."""
        return self.ok("Register", item("ObjectType", kind), self.attributes(**named), thing)["UniqueIdentifier"]

    def register_key(self, material, algorithm="AES", mask="Encrypt Decrypt", **named):
        return self.register("SymmetricKey", symmetric_key(material, algorithm), CryptographicAlgorithm=algorithm,
                             CryptographicLength=8 * len(material), CryptographicUsageMask=mask, **named)

    def activate(self, uid):
        self.ok("Activate", UniqueIdentifier=uid)
        return uid

    def revoke(self, uid, reason="CessationOfOperation", **named):
        return self.ok("Revoke", item("UniqueIdentifier", uid), item("RevocationReason", items(RevocationReasonCode=reason)), *items(**named))

    def destroy(self, uid):
        return self.ok("Destroy", UniqueIdentifier=uid)

    def get(self, uid, **named):
        return self.ok("Get", item("UniqueIdentifier", uid), **named)

    def material(self, uid, **named):
        """The key material of an object: bytes, or the Structure of a transparent key."""
        return self.get(uid, **named).find("KeyMaterial").value

    def locate(self, *more, **named):
        """Identifiers of the objects with these attributes. more: other items, as Maximum Items."""
        inside = attribute_list(self.version, named)
        if self.version >= (2, 0):
            inside = [item("Attributes", inside)]
        return [one.value for one in self.ok("Locate", *more, *inside).all("UniqueIdentifier")]

    def attribute(self, uid, name):
        """All values of an attribute of an object."""
        if self.version < (2, 0):
            wanted = [item("AttributeName", spaced(name) if name[1:2] != "-" else name)]
        elif name[1:2] == "-":
            wanted = [item("AttributeReference", items(VendorIdentification=name[0], AttributeName=name[2:]))]
        else:
            wanted = [Item("AttributeReference", ENUM, TAGS[name])]
        return attribute_values(self.ok("GetAttributes", item("UniqueIdentifier", uid), *wanted), name)

    def state(self, uid):
        return enum_name("State", self.attribute(uid, "State")[0])

    def add_attribute(self, uid, name, value):
        return self.ok("AddAttribute", item("UniqueIdentifier", uid), self.one_attribute(name, value))

    def one_attribute(self, name, value, wrapper="NewAttribute"):
        if self.version < (2, 0):
            return attribute(name, value)
        return item(wrapper, [vendor_attribute(name, value) if name[1:2] == "-" else attribute_item(name, value)])


class HttpsClient(Client):
    """The same by POST /kmip (KMIP Profiles 2.1, 5.5), in TTLV."""

    def send(self, data, media="application/octet-stream", path="/kmip"):
        self.connect()
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        status = int(head.split()[1])
        size = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
        body = self.read(size)
        expect(status == 200, f"HTTP {status}: {body!r}")
        return body


# ---- Conversations in XML

class Variable(str):
    """A value that is not known beforehand: $NAME."""


def from_xml(element, parent=None):
    """An element of a conversation as an item. A value that begins with $ stays a Variable of the item's type."""
    name, kind = element.tag, TYPES[element.get("type", "Structure")]
    if name == "TTLV":
        name = int(element.get("tag"), 16)
        name = NAMES.get(name, name)
    if kind == STRUCTURE:
        one = Item(name, kind, [])
        for child in element:
            one.value.append(from_xml(child, one))
        return one
    text = element.get("value")
    if text.startswith("$"):
        return Item(name, kind, Variable(text))
    of = name
    if name == "AttributeValue" and parent and parent.get("AttributeName"):
        of = re.sub(r"[^A-Za-z0-9]", "", parent.get("AttributeName"))
    return Item(name, kind, value_from_xml(of, kind, text))


def value_from_xml(name, kind, text):
    if kind in (INTEGER, LONG, INTERVAL):
        return int(text, 0) if re.fullmatch(r"-?(0x[0-9A-Fa-f]+|\d+)", text) else mask_value(name, text)
    if kind == ENUM:
        if name == "AttributeReference" and text in TAGS:
            return TAGS[text]
        return int(text, 0) if re.fullmatch(r"0x[0-9A-Fa-f]+|\d+", text) else enum_value(name, text)
    if kind == BOOLEAN:
        return {"true": True, "false": False}[text]
    if kind == BYTES:
        return bytes.fromhex(text)
    if kind == BIG:
        return int.from_bytes(bytes.fromhex(text), "big", signed=True)
    if kind == DATE:
        return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) if "T" in text else int(text, 0)
    return text


def conversation(path):
    """The requests and expected answers of a file, as pairs of trees."""
    trees = [from_xml(element) for element in ElementTree.parse(path).getroot()]
    expect(len(trees) % 2 == 0 and all(one.name == ("ResponseMessage" if n % 2 else "RequestMessage") for n, one in enumerate(trees)), path)
    return list(zip(trees[::2], trees[1::2]))


def in_order(one):
    """The items of a Structure, its Attributes by their names and without an index of 0."""
    kept = [child for child in one.value if child.name != "AttributeIndex" or child.value != 0]
    attributes_of = sorted((child for child in kept if child.name == "Attribute"), key=lambda child: child.get("AttributeName"))
    return [attributes_of.pop(0) if child.name == "Attribute" else child for child in kept]


class Script:
    """Plays one side of conversations: what variables mean, and whether an answer is exactly the expected one."""

    def __init__(self, now=None):
        self.known, self.now = {}, int(now or time.time())

    def moment(self, variable):
        found = re.fullmatch(r"\$NOW([+-]\d+)?", variable)
        return self.now + int(found.group(1) or 0) if found else None

    def fill(self, one, invent=False):
        """A copy without variables. invent: give those a value that have none."""
        value = one.value
        if one.kind == STRUCTURE:
            return Item(one.name, one.kind, [self.fill(child, invent) for child in value])
        if isinstance(value, Variable):
            moment = self.moment(value)
            if moment is not None:
                return Item(one.name, one.kind, moment)
            if value not in self.known and invent:
                text = f"value-{len(self.known) + 1}"
                self.known[value] = text.encode() if one.kind == BYTES else text
            expect(value in self.known, f"{value} has no value yet")
            return Item(one.name, one.kind, self.known[value])
        return Item(one.name, one.kind, value)

    def same(self, wanted, got, path=""):
        """Exactly the expected answer. A variable takes any value of its type, always the same; $ANY... another each time, $NOW any date of the last minutes.
        Left to the server: the order of Attributes, an Attribute Index of 0, Server Information, and what Query reports besides."""
        path = f"{path}/{wanted.name}"
        expect(wanted.name == got.name and wanted.kind == got.kind, f"{path} is expected, not {got}")
        if wanted.name == "ServerInformation":
            return
        if wanted.kind == STRUCTURE:
            ours, theirs = in_order(wanted), in_order(got)
            if wanted.name == "ResponsePayload" and "Operation" in wanted:
                theirs = [one for one in theirs if one.name not in ("Operation", "ObjectType") or any(repr(one) == repr(our) for our in ours)]
                ours, theirs = sorted(ours, key=repr), sorted(theirs, key=repr)
            expect([one.name for one in ours] == [one.name for one in theirs], f"{path}: {ours} are expected, not {theirs}")
            for one, two in zip(ours, theirs):
                self.same(one, two, path)
        elif isinstance(wanted.value, Variable):
            self.bind(wanted.value, got, path)
        else:
            expect(wanted.value == got.value, f"{path}: {wanted} is expected, not {got}")

    def bind(self, variable, got, path):
        moment = self.moment(variable)
        if moment is not None:
            expect(abs(got.value - moment) < 600, f"{path}: {variable} is expected, not {got}")
        elif not variable.startswith("$ANY"):
            expect(self.known.setdefault(variable, got.value) == got.value, f"{path}: {variable} was {self.known[variable]!r}, not {got}")
        expect(got.kind not in (TEXT, BYTES) or got.value, f"{path}: {variable} is empty")

    def play(self, client, pairs):
        for n, (request, wanted) in enumerate(pairs):
            got = decode(client.send(encode(self.fill(request))))
            self.same(wanted, got, f"answer {n + 1}")


class Mirror:
    """A KMIP server on loopback that answers the n-th request with the n-th expected answer of a conversation, changed by a function when one is given.

        with Mirror(pairs, cert, key, ca) as mirror: ... mirror.port ... mirror.seen"""

    def __init__(self, pairs, cert, key, ca, change=None):
        self.pairs, self.change, self.seen = pairs, change, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.context.load_verify_locations(ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join(20)

    def serve(self):
        try:
            plain, _ = self.listener.accept()
            with self.context.wrap_socket(plain, server_side=True) as connection:
                self.answer_all(connection)
        except (OSError, AssertionError):
            pass  # the player left: it tells what it saw

    def answer_all(self, connection):
        script, peer = Script(), Client(port=1, ca="none")
        peer.socket = connection
        for n, (asked, wanted) in enumerate(self.pairs):
            head = peer.read(8)
            self.seen.append(decode(head + peer.read(struct.unpack(">I", head[4:])[0])))
            try:  # what the client invented
                script.same(asked, self.seen[-1])
            except AssertionError:
                pass
            answer = script.fill(wanted, invent=True)
            if self.change:
                answer = self.change(n, answer)
            connection.sendall(encode(answer))


# ---- A server to talk to

def read_env(path):
    """The variables of a test server's env file."""
    with open(path, encoding="utf-8") as file:
        return dict(re.findall(r"(?m)^export (\w+)='?([^'\n]*)'?$", file.read()))
