"""SoftHSM tokens for scenario tests: a configuration and a folder of tokens of their own, so that nothing of the machine's is touched."""
import os
import re

from keyserver import read, write
from scenario import run

PIN, SO_PIN = "431256", "87654321"
# Debian has it in one of two places.
LIBRARY = next((path for path in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so") if os.path.exists(path)), "")


class Token:
    """A token KLM, found through SOFTHSM2_CONF, which this process and all that it starts inherit."""

    def __init__(self, folder, label="KLM"):
        self.folder, self.label = folder, label
        self.tokens, self.pin_file = f"{folder}/tokens", f"{folder}/pin"
        os.makedirs(self.tokens)
        write(f"{folder}/softhsm2.conf", f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = f"{folder}/softhsm2.conf"
        self.set_pin(PIN)
        self.make(label)
        self.serial = re.search(r"Serial number:\s+(\S+)", run("softhsm2-util", "--show-slots")).group(1)

    def make(self, label):
        return run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN)

    def slot(self):
        """Where the token is now."""
        slots = re.split(r"(?m)^Slot ", run("softhsm2-util", "--show-slots"))
        return [int(text.split()[0]) for text in slots if re.search(rf"Serial number:\s+{self.serial}", text)][0]

    def set_pin(self, pin, mode=0o600):
        if os.path.exists(self.pin_file):
            os.remove(self.pin_file)
        write(self.pin_file, pin + "\n")
        os.chmod(self.pin_file, mode)

    def properties(self, **more):
        """What the configuration says of it."""
        named = {"library": LIBRARY, "token": f"pkcs11:token={self.label};serial={self.serial}", "pin.file": self.pin_file, **more}
        return [f"pkcs11.{name}={value}" for name, value in named.items()]

    def hide(self):
        os.rename(self.tokens, self.tokens + ".away")

    def show(self):
        os.rename(self.tokens + ".away", self.tokens)


def helper_of(server):
    """Process number of the server's helper: the child of its spawner."""
    for spawner in read(f"/proc/{server.pid}/task/{server.pid}/children").split():
        if read(f"/proc/{spawner}/comm").strip() == "klm-spawner":
            helpers = read(f"/proc/{spawner}/task/{spawner}/children").split()
            return int(helpers[0]) if helpers and read(f"/proc/{helpers[0]}/cmdline") else None
    return None
