"""An operator at work: drives, configuration, rings and certificates, one command after the other, through the programs a person uses. Each
command is noted before it is sent and when it was acknowledged (judge.py reads the notes)."""
import os
import subprocess
import threading

ALIASES = ["Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20", "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_21"]
PROPERTY = "TransportListener.handshake.timeout"


class Operator:
    """note(line) keeps a line; programs are found in bin; env names the server."""

    def __init__(self, bin_folder, env, dice, note):
        self.bin, self.env, self.dice, self.note = bin_folder, env, dice, note
        self.number, self.drives, self.rings = 0, [], []
        self.acked, self.thread, self.going = 0, None, False

    def ask(self, change, program, *words):
        """Whether the change was acknowledged. A failure leaves it open: the server may have been killed behind it."""
        self.number += 1
        self.note(f"O {self.number} {change}\n")
        done = subprocess.run([os.path.join(self.bin, program), *words], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.said = done.stdout
        if done.returncode:
            return False
        self.note(f"P {self.number}\n")
        self.acked += 1
        return True

    def apply(self, change, command):
        return self.ask(change, "oper", f"F ISKLM,APPL='{command}'")

    def add_drive(self):
        serial, alias = f"K{self.number:011}", self.dice.choice(ALIASES)
        if self.apply(f"drive {serial} {alias} drive-add", f"adddrive -drivename {serial} -rec1 {alias}"):
            self.drives.append(serial)

    def modify_drive(self):
        if not self.drives:
            return self.add_drive()
        serial, alias = self.dice.choice(self.drives), self.dice.choice(ALIASES)
        return self.apply(f"drive {serial} {alias} drive-modify", f"moddrive -drivename {serial} -rec1 {alias}")

    def delete_drive(self):
        if len(self.drives) < 3:
            return self.add_drive()
        serial = self.drives.pop(self.dice.randrange(len(self.drives)))
        return self.apply(f"drive {serial} gone drive-delete", f"deletedrive -drivename {serial}")

    def set_property(self):
        value = self.dice.randint(10, 99)
        return self.apply(f"config {PROPERTY} {value} config-set", f"modconfig -set -property {PROPERTY} -value {value}")

    def add_ring(self):
        name = f"RING{self.number}"
        if self.ask(f"ring TAPEKMS/{name} here ring-add", "racdcert", f"ID(TAPEKMS) ADDRING({name})"):
            self.rings.append(name)

    def delete_ring(self):
        if not self.rings:
            return self.add_ring()
        name = self.rings.pop()
        return self.ask(f"ring TAPEKMS/{name} gone ring-delete", "racdcert", f"ID(TAPEKMS) DELRING({name})")

    def make_cert(self):
        name = f"CERT{self.number}"
        return self.ask(f"cert TAPEKMS/{name} here cert-generate", "racdcert",
                        f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('{name}')) WITHLABEL('{name}') PCICC({name}) NISTECC SIZE(256)")

    def switch_smf(self):
        """Nothing that anybody could lose: the data sets are judged by what the journal says."""
        subprocess.run([os.path.join(self.bin, "oper"), "I SMF"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)

    def one(self):
        self.dice.choice([self.add_drive, self.modify_drive, self.modify_drive, self.delete_drive, self.set_property,
                          self.add_ring, self.delete_ring, self.make_cert, self.switch_smf])()

    def _work(self):
        while self.going:
            self.one()

    def start(self):
        self.going = True
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def stop(self):
        self.going = False
        self.thread.join()
