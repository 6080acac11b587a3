#!/usr/bin/env python3
"""A tape library that has its keys over KMIP, in the versions of its trade: key identifier and barcode lead back to the key, and the volume is found wherever those of
drives are: usage metadata, SKLMData.xml, text log, reports, drills."""
import glob
import re
import sys

from kmip import Client, item, items, op
from kmipserver import KmipServer, KmipSite
from keyserver import BIN, read, wait_until
from partners import Pair, address
from scenario import Folder, expect, main, run, test

SITE = KmipSite(clients=("library",))
# An identifier as LTO 4 has it (12 bytes), and one of LTO 5 and later at its longest (92 bytes).
SHORT, LONG = "00112233445566778899AABB", "0123456789ABCDEF" * 11 + "01234567"


class Library:
    """What a library does: a key for the first write of a cartridge; to read, the key by the identifier that the drive found on the tape."""

    def __init__(self, client, namespace="LIBRARY-LTO"):
        self.client, self.namespace = client, namespace

    def information(self, identifier):
        return items(ApplicationNamespace=self.namespace, ApplicationData=identifier)

    def names(self, identifier, barcode):
        """Barcode as Alternative Name, which is there from 1.2 on; before, x-Barcode."""
        named = {"ApplicationSpecificInformation": self.information(identifier)}
        if self.client.version >= (1, 2):
            named["AlternativeName"] = items(AlternativeNameValue=barcode, AlternativeNameType="UninterpretedTextString")
        else:
            named["x_Barcode"] = barcode
        return named

    def write(self, identifier, barcode):
        """Create and Get as one batch, by the ID Placeholder."""
        attributes = self.client.attributes(CryptographicAlgorithm="AES", CryptographicLength=256, CryptographicUsageMask="Encrypt Decrypt",
                                            **self.names(identifier, barcode))
        answer = self.client.request([op("Create", item("ObjectType", "SymmetricKey"), attributes), op("Get")], ids=True, BatchOrderOption=True)
        expect(answer[0].ok and answer[1].ok, f"{answer[0]} {answer[1]}")
        return answer[0].payload["UniqueIdentifier"], answer[1].payload.find("KeyMaterial").value

    def read(self, identifier):
        sought = {"ApplicationSpecificInformation": self.information(identifier)}
        if self.client.version < (2, 0):
            sought = self.client.attributes(**sought).value
        else:
            sought = [self.client.attributes(**sought)]
        answer = self.client.request([op("Locate", *sought), op("Get")], ids=True, BatchOrderOption=True)
        expect(answer[0].ok and answer[1].ok, f"{answer[0]} {answer[1]}")
        return answer[1].payload.find("KeyMaterial").value


def usage(server, words):
    """The rows of a usage query, by column."""
    lines = [line for line in server.oper(f"query {words}").splitlines() if line.strip()]
    head = next(n for n, line in enumerate(lines) if line.startswith("VolSer"))
    starts = [found.start() for found in re.finditer(r"(?<=  )\S|^\S", lines[head])]
    names = [lines[head][a:b].strip() for a, b in zip(starts, starts[1:] + [None])]
    return [dict(zip(names, (line[a:b].strip() for a, b in zip(starts, starts[1:] + [None])))) for line in lines[head + 1:]
            if not line.endswith((" entry", " entries"))]


@test
def a_cartridge_is_found_in_every_place_where_those_of_drives_are():
    made = {}
    with SITE.started("Audit.metadata.file.cachecount=1") as server:
        for n, version in enumerate(((1, 0), (1, 2), (1, 4), (2, 1))):
            with server.client("library", version=version) as client:
                library = Library(client, "LIBRARY-LTO4" if n == 0 else f"ACME-LIBRARY-LTO{n + 5}")
                identifier = f"{n:02X}" + (SHORT if n == 0 else LONG)[2:]
                uid, key = library.write(identifier, f"LIB00{n}L{n + 4}")
                expect(library.read(identifier) == key and len(key) == 32, "the key of the identifier")
                made[f"LIB00{n}"] = (uid, identifier)
        for volser, (uid, identifier) in made.items():
            rows = usage(server, f"-volser {volser}")
            expect(len(rows) == 1, rows)
            expect((rows[0]["Key Alias 1"], rows[0]["DKi"], rows[0]["Drive or Client"]) == (uid, identifier, "library"), rows)
        expect([row["VolSer"] for row in usage(server, "-client library")] == sorted(made, reverse=True), "by client")
        xml_path = f"{server.home}/lib/metadata/SKLMData.xml"
        xml = wait_until("the events in the file", 10, lambda: "LIB003" in read(xml_path) and read(xml_path))
        uid, identifier = made["LIB003"]
        expect(re.search(rf"<driveSSN></driveSSN>\s*<volSer>LIB003</volSer>.*?<keyAlias1>{uid}</keyAlias1>.*?<dki>{identifier}</dki>\s*<client>library</client>",
                         xml, re.S), xml[-800:])
        expect(server.audited("object-create Client: library VolSer: LIB003", uid, "result=successful"), "the text log: written")
        expect(server.audited("object-get Client: library VolSer: LIB003", uid, "result=successful"), "the text log: read")
        server.stop()
        with Folder() as folder:
            out = run(f"{BIN}/smfdump", "--report", f"{folder}/r.html", *sorted(glob.glob(f"{server.home}/log/smf/*.MAN*")))
            page = read(f"{folder}/r.html")
            volumes = re.search(r"<caption>Volumes</caption>.*?</table>", page, re.S)
            expect(volumes, out)
            for volser in made:  # one key to write, two Gets
                row = re.search(rf"{volser}</t[dh]>(.*?)</tr>", volumes.group(0), re.S)
                expect(row and re.findall(r">([^<]*)</td>", row.group(1))[:3] == ["1", "2", "0"], f"{volser}: {row and row.group(1)}")
            expect("key, for a tape library" in page and "new key, for a tape library" in page and identifier[:64] not in ("",), "what was served")
            text = run(f"{BIN}/smfdump", "--format", "json", *sorted(glob.glob(f"{server.home}/log/smf/*.MAN*")))
            expect(f'"dki":"{identifier}"' in text.replace('": "', '":"') and '"volser":"LIB003"' in text.replace('": "', '":"'), text[-2000:])


@test
def a_key_that_was_answered_is_in_usage_metadata_after_a_kill():
    with SITE.started("Audit.metadata.file.cachecount=10000") as server:
        with server.client("library") as client:
            library = Library(client)
            uids = {f"KIL{n:03d}": library.write(f"{n:024X}", f"KIL{n:03d}L8")[0] for n in range(5)}
            server.kill()
        server.start()
        for volser, uid in uids.items():
            rows = usage(server, f"-volser {volser}")
            expect(len(rows) == 1 and rows[0]["Key Alias 1"] == uid, f"{volser}: {rows}")
        with server.client("library") as client:
            Library(client).read(f"{4:024X}")


@test
def a_drill_tells_which_cartridges_of_a_library_the_partner_could_not_read():
    pair = Pair("KMIPListener.ssl.host=127.0.0.1", "KMIPListener.ssl.port=1", labels=False)
    pair.site.master = KmipServer(pair.site.master.home)
    pair.site.master.certificate("library")
    with pair.server("One") as one, pair.server("Two") as two:
        one, two = KmipServer(one.home), KmipServer(two.home)
        try:
            one.start(), two.start()
            with one.client("library") as client:
                uid, _ = Library(client).write(SHORT, "DRL001L7")
            said = one.oper(f"drill -partner {address(two)}", status=1)
            expect(re.search(rf"volume +DRL001 +managed object {uid}: MISSING there", said), said)
            expect("KLM1323W 1 volumes are EXPOSED" in said, said)
            # A copy of the first server is the second one: its key is proved.
            one.stop(), two.stop()
            run("cp", "-a", "--", f"{one.home}/store/.", f"{two.home}/store/")
            one.start(), two.start()
            said = one.oper(f"drill -partner {address(two)}")
            expect("1 of 1 volumes could be read" in said and "KLM1322I 0 volumes are exposed" in said, said)
        finally:
            one.kill(), two.kill()


if __name__ == "__main__":
    sys.exit(main())
