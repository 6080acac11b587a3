"""A real syslog-ng as an ordinary process: a configuration, files and ports of the test's own."""
import json
import os
import subprocess

from keyserver import free_port, read, wait_until, write
from scenario import expect

OPTIONS = "keep-hostname(yes); use-dns(no); log-msg-size(65536); stats-freq(0); flush-lines(1); time-reopen(1);"
START = "--klm--"  # so that a line behind half a one is found
TEMPLATE = (START + "$(format-json --key .SDATA.* pri=$PRI host=$HOST app=$PROGRAM pid=$PID msgid=$MSGID "
            "time=${S_FULLDATE} frac=${S_USEC} text=$MESSAGE raw=$RAWMSG)\\n")
FLAGS = "flags(syslog-protocol, store-raw-message)"


class SyslogNg:
    """source: one of dgram, stream, udp, tcp, tls, bsd (what syslog(3) writes)."""

    def __init__(self, folder, source, **tls):
        self.folder, self.source, self.tls = folder, source, tls
        os.makedirs(folder, exist_ok=True)
        self.port, self.socket, self.process = free_port(), f"{folder}/log.sock", None
        self.out, self.conf = f"{folder}/out", f"{folder}/conf"

    def statement(self):
        if self.source in ("dgram", "stream"):
            return f'unix-{self.source}("{self.socket}" {FLAGS})'
        if self.source == "bsd":
            return f'unix-dgram("{self.socket}" flags(store-raw-message))'
        tls = ""
        if self.source == "tls":
            tls = ('tls(cert-file("{cert}") key-file("{key}") ca-file("{ca}") peer-verify(required-trusted))'.format(**self.tls))
        room = "so-rcvbuf(2097152)" if self.source == "udp" else ""  # what finds no room is lost, that is UDP
        return f'syslog(ip(127.0.0.1) port({self.port}) transport({self.source}) {room} {tls} flags(store-raw-message))'

    def start(self, conf=None):
        write(self.conf, conf or "@version: 3.38\noptions { " + OPTIONS + " };\nsource s { " + self.statement() + "; };\n"
              'destination d { file("' + self.out + '" template("' + TEMPLATE + '")); };\nlog { source(s); destination(d); };\n')
        own = [f"--{name}={self.folder}/{file}" for name, file in
               (("cfgfile", "conf"), ("persist-file", "persist"), ("pidfile", "pid"), ("control", "ctl"))]
        with open(f"{self.folder}/said", "ab") as said:
            began = said.tell()
            self.process = subprocess.Popen(["syslog-ng", "--foreground", "--no-caps", "--stderr", *own], stdin=subprocess.DEVNULL,
                                            stdout=said, stderr=subprocess.STDOUT)
        wait_until(f"syslog-ng runs: {read(self.folder + '/said')}", 10,
                   lambda: "starting up" in read(f"{self.folder}/said")[began:] or self.process.poll() is not None)
        expect(self.process.poll() is None, read(f"{self.folder}/said"))
        return self

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def received(self):
        """The messages that stand in its file, as it parsed them. A kill may leave half a line, which the next one follows."""
        lines = [line.rpartition(START)[2] for line in read(self.out).split("\n")[:-1]]
        return [json.loads(line) for line in lines if line.endswith("}")]

    def messages(self):
        """Their structured data, as syslog-ng parsed it, in the order of arrival."""
        return [message["_SDATA"]["klmsrv@32473"] for message in self.received()]

    def numbers(self):
        return [int(message["sequence"]) for message in self.messages()]
