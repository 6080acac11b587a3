"""A key server for scenario tests: made with tools/testserver, given keys with racdcert, started and looked at from outside.

Site() makes one set of rings and certificates in a script; every test takes a copy of it, so that tests do not see each other.
"""
import atexit
import fcntl
import hashlib
import importlib.machinery
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import types

from scenario import BUILD, SLOW, SOURCE, expect, patience, run

BIN = os.path.join(BUILD, "bin")
LEAST = 30  # seconds that anything is waited for: a machine may be busy with something else, and what comes ends the wait
RING = "safkeyring://TAPEKMS/KeyStore4758"
LABEL = "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20"   # RSA-2048
LABEL2 = "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_21"  # P-256, which is quicker to make
SERIAL, WWN = "000007888422", "500507630240FBCC"
SIGNED = "SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))"
PORTS = types.ModuleType("ports")  # a process less for each port
importlib.machinery.SourceFileLoader("ports", os.path.join(SOURCE, "tools", "free-port")).exec_module(PORTS)
_RUNNING = []


def free_ports(count):
    """Ports that no other test of the run is told."""
    counter = os.environ.get("KLM_TEST_PORTS")
    return PORTS.next_ports(counter, count) if counter else PORTS.any_ports(count)


def free_port():
    return free_ports(1)[0]


def wait_until(what, seconds, true):
    """Until true() gives something, which is returned. Seconds are when something is wrong, no measure of how quick it has to be."""
    seconds = max(seconds, LEAST)
    end = time.monotonic() + seconds * patience()
    while True:
        got = true()
        if got:
            return got
        expect(time.monotonic() < end, f"not in {seconds} s: {what}")
        time.sleep(0.02)


def in_time(seconds, action, tries=3):
    """It must take no longer than that. Whoever is held up by the server is so each time; a machine that is busy with something else for a moment has another try."""
    for _ in range(tries):
        began = time.monotonic()
        action()
        took = time.monotonic() - began
        if took < seconds * SLOW:
            return
    raise AssertionError(f"{took:.2f} s instead of {seconds}")


def renegotiates(*words):
    """Ask for a renegotiation by openssl s_client with these words, a version of TLS that knows it: what came of it."""
    client = subprocess.Popen(["openssl", "s_client", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    watch = threading.Timer(LEAST * patience(), client.kill)
    watch.start()
    said, asked = b"", False
    while some := os.read(client.stdout.fileno(), 65536):
        said += some
        if not asked and b"Verify return code" in said:  # the handshake is over
            client.stdin.write(b"R\n")
            client.stdin.flush()
            asked = True
        if re.search(rb"RENEGOTIATING[\s\S]*(no renegotiation|alert|error|handshake failure|unexpected eof)", said):
            break
    watch.cancel()
    client.kill()
    client.communicate()
    expect(b"RENEGOTIATING" in said, said[-500:])
    return said.split(b"RENEGOTIATING")[1].decode(errors="replace")


def read(path, errors="replace"):
    try:
        with open(path, encoding="utf-8", errors=errors) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write(path, text):
    with open(path, "w" if isinstance(text, str) else "wb", **({"encoding": "utf-8", "newline": ""} if isinstance(text, str) else {})) as file:
        file.write(text)


def tool(name, *words, status=0, **named):
    """Run one of our programs; what it printed."""
    named["env"] = {**os.environ, "KLM_OPER_SOCKET": "/nowhere/socket", **named.get("env", {})}
    return run(os.path.join(BIN, name), *words, status=status, **named)


def end_all():
    for process in _RUNNING:
        if process.poll() is None:
            process.kill()
            process.wait()


atexit.register(end_all)


class Server:
    """A server's folder, and the process when it runs."""

    def __init__(self, home):
        self.home, self.process = home, None
        self.config = f"{home}/etc/ISKLMConfig.properties.zos"
        self.socket, self.console_path = f"{home}/run/oper.sock", f"{home}/log/console"
        self.files, self.store = f"{home}/files", f"{home}/store"
        self.audit_path = f"{home}/log/audit/isklm_audit.log"
        self.table = f"{home}/lib/filedrive.table"
        self.env = {"KLM_OPER_SOCKET": self.socket, "KLM_CONFIG": self.config}

    # ---- Set-up

    def prepare(self, *properties):
        env = dict(os.environ, KLM_BIN=BIN, KLM_PORTS=" ".join(map(str, free_ports(4))))
        run(f"{SOURCE}/tools/testserver", "prepare", self.home, "store.cache.megabytes=16", *properties, env=env)
        return self

    def copy_to(self, home):
        """The same server in another folder, on ports of its own."""
        shutil.copytree(self.home, home, ignore=shutil.ignore_patterns("RESERVE"))  # it is made anew, which is quicker than to copy it
        other = Server(home)
        write(other.config, read(other.config).replace(self.home, home))
        other.set("TransportListener.tcp.port=%d" % free_port(), "TransportListener.ssl.port=%d" % free_port())
        other.set(*(f"{name}={free_port()}" for name in ("KMIPListener.ssl.port", "KMIPListener.https.port") if other.value(name)))
        return other

    def set(self, *properties):
        """Set properties in the file: in place, or at its end."""
        text = read(self.config)
        for one in properties:
            name, value = one.split("=", 1)
            line = name + "=" + value.replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")
            text, n = re.subn(rf"(?m)^{re.escape(name)}=.*$", lambda _, line=line: line, text)
            if not n:
                text += line + "\n"
        write(self.config + ".new", text)  # in one step, as the task may read it
        os.replace(self.config + ".new", self.config)
        return self

    def unset(self, *names):
        text = read(self.config)
        for name in names:
            text = re.sub(rf"(?m)^{re.escape(name)}=.*\n", "", text)
        write(self.config, text)
        return self

    def value(self, name):
        found = re.findall(rf"(?m)^{re.escape(name)}=(.*)$", read(self.config))
        return re.sub(r"\\(.)", r"\1", found[-1]) if found else None

    @property
    def tcp(self):
        return int(self.value("TransportListener.tcp.port"))

    @property
    def ssl(self):
        return int(self.value("TransportListener.ssl.port"))

    def racf(self, command, status=0, **named):
        """RACDCERT: through the task when it runs, else on the store."""
        return self.tool("racdcert", command, status=status, **named)

    def xfer(self, command, status=0):
        return self.tool("keyxfer", command, status=status)

    def tool(self, name, *words, status=0, **named):
        env = {"KLM_CONFIG": self.config, "KLM_OPER_SOCKET": self.socket if self.runs() else f"{self.home}/run/none"}
        return tool(name, *words, status=status, env=env, **named)

    def label(self, label, kind="NISTECC SIZE(256)", token=None, connect=True):
        """A key label in the ring."""
        self.racf(f"ID(TAPEKMS) GENCERT SUBJECTSDN(CN('{label}') O('MyCo') C('US')) WITHLABEL('{label}') "
                  f"PCICC({token or label.upper()[-30:]}) {kind} {SIGNED}")
        if connect:
            self.racf(f"ID(TAPEKMS) CONNECT(LABEL('{label}') RING(KeyStore4758))")

    def authority(self, rsa=False):
        kind = "SIZE(2048)" if rsa else "NISTECC SIZE(256)"
        self.racf("ID(TAPEKMS) ADDRING(KeyStore4758)")
        self.racf("CERTAUTH GENCERT SUBJECTSDN(CN('MyLocalCA')O('MyCo')C('US')) WITHLABEL('MyLocalRACFCA') "
                  f"PCICC(LOCAL.RACF.CERTAUTH) {kind}")
        self.racf("ID(TAPEKMS) CONNECT(CERTAUTH LABEL('MyLocalRACFCA') RING(KeyStore4758))")
        self.racf("ID(TAPEKMS) GENCERT SUBJECTSDN(CN('ISKLM server') O('MyCo') C('US')) WITHLABEL('ISKLM_Server') "
                  "PCICC(ISKLM.SERVER.CERT) NISTECC SIZE(256) ROLE(SERVER) "
                  f"ALTNAME(DOMAIN('localhost') IP(127.0.0.1)) {SIGNED}")
        self.racf("ID(TAPEKMS) CONNECT(LABEL('ISKLM_Server') RING(KeyStore4758) DEFAULT)")
        self.racf("CERTAUTH EXPORT(LABEL('MyLocalRACFCA')) DSN('CA.CERT') FORMAT(CERTB64)")
        os.makedirs(f"{self.home}/drive", exist_ok=True)
        shutil.copy(f"{self.files}/CA.CERT", f"{self.home}/drive/ca.crt")

    # ---- The task

    def start(self, env=None, wait="Server is running", limits=None, wrap=(), unset=()):
        """Start the task and wait for a line; limits: {resource: most}. Returns what it printed since."""
        expect(not self.runs(), "it runs already")
        began = len(read(self.console_path))
        environment = {**os.environ, **(env or {})}
        for name in unset:
            environment.pop(name, None)

        def limit():
            for what, most in (limits or {}).items():
                resource.setrlimit(what, (most, most))

        with open(self.console_path, "ab") as console:
            self.process = subprocess.Popen([*wrap, f"{BIN}/klmsrv", self.config], stdin=subprocess.DEVNULL, stdout=console,
                                            stderr=subprocess.STDOUT, env=environment, preexec_fn=limit)
        _RUNNING.append(self.process)
        if wait:
            end = time.monotonic() + 30 * patience()
            while wait not in read(self.console_path)[began:]:
                expect(self.process.poll() is None, f"it ended: {read(self.console_path)[began:]}")
                expect(time.monotonic() < end, f"it does not start: {read(self.console_path)[began:]}")
                time.sleep(0.02)
        return read(self.console_path)[began:]

    def refuses_to_start(self, status=78, **named):
        """Start it; it must end with this status (None: any failure). What it said."""
        began = len(read(self.console_path))
        self.start(wait=None, **named)
        try:
            got = self.process.wait(30 * patience())
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("it started: " + read(self.console_path)[began:]) from None
        said = read(self.console_path)[began:]
        expect("KLM0812E The task cannot start" in said and "is running" not in said, said)
        expect(got == status or (status is None and got in (1, 78)), f"exit status {got}, not {status}: {said}")
        return said

    def runs(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, seconds=25):
        """Wait for its end; the exit status."""
        return self.process.wait(seconds * patience())

    def stop(self, status=0):
        if self.runs():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            got = self.end()
            expect(got == status, f"exit status {got}: {self.console()[-2000:]}")

    def kill(self):
        if self.runs():
            self.process.kill()
            self.process.wait()

    def console(self):
        return read(self.console_path)

    def says(self, text, seconds=10, since=0):
        """Wait until the console has the text behind a position; what it has there."""
        wait_until(f"{text} on the console", seconds, lambda: text in self.console()[since:])
        return self.console()[since:]

    def mark(self):
        return len(self.console())

    # ---- Its operator

    def oper(self, command, status=0, **named):
        """A product command; what it printed."""
        quoted = command.replace("'", "''")
        return self.system(f"F ISKLM,APPL='{quoted}'", status=status, **named)

    def system(self, *words, status=0, wrap=(), **named):
        return run(*wrap, f"{BIN}/oper", "--socket", self.socket, *words, status=status, **named)

    def status(self, item):
        found = re.search(rf"(?m)^{re.escape(item)}\s+(.*)$", self.oper("status"))
        expect(found, f"status has no {item}")
        return found.group(1).strip()

    def audit(self):
        """The records of the text log as lists of their lines."""
        folder = os.path.dirname(self.audit_path)
        files = [name for name in os.listdir(folder) if re.fullmatch(r"isklm_audit\.log(\.\d{17})?", name)]
        files.sort(key=lambda name: (name == "isklm_audit.log", name))
        text = "".join(read(os.path.join(folder, name)) for name in files)
        return [record.splitlines() for record in re.findall(r"(?ms)^\S[^\n]*:\[\n.*?^  \]\n", text)]

    def audited(self, *texts, seconds=5):
        """The records that hold all of the texts, waiting for one."""
        return wait_until(f"{texts} in the audit log", seconds,
                          lambda: [record for record in self.audit() if all(text in "\n".join(record) for text in texts)])


def made_once(name, home, make):
    """A server's folder as make(server) makes it, in home. Scripts of one run that ask for the same name share it: the first makes it, each has a copy."""
    shared = os.environ.get("KLM_TEST_SHARED")
    if not shared:
        return make(Server(home))
    kept = Server(os.path.join(shared, name))
    with open(f"{kept.home}.lock", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(f"{kept.home}.made"):
            shutil.rmtree(kept.home, ignore_errors=True)  # of a script that was ended meanwhile
            os.mkdir(kept.home)
            make(kept)
            write(f"{kept.home}.made", "")
    return kept.copy_to(home)


class Site:
    """Rings, authority and labels made once; a copy for each test."""

    def __init__(self, *properties, labels=True, master=None, also=()):
        """master: makes another master key, before there are keys under it. also: what else is made, as (function, word ...), called with the server and the words; what
        one test changes it must change in its copy."""
        self.folder = tempfile.mkdtemp(prefix="k-")
        atexit.register(shutil.rmtree, self.folder, True)
        self.count = 0

        def make(server):
            server.prepare(*properties)
            server.unset("config.keygroup.xml.file")
            if master:
                master(server)
            server.authority()
            if labels:
                server.label(LABEL, "SIZE(2048)", "ITOPS.KLM20.CERT")
                server.label(LABEL2, token="ITOPS.KLM21.CERT")
                server.set(f"drive.default.alias1={LABEL}", f"drive.default.alias2={LABEL2}")
            for function, *words in also:
                function(server, *words)
            return server

        home = f"{self.folder}/0"
        if properties or master:
            self.master = make(Server(home))
        else:
            name = repr((labels, [(function.__qualname__, *words) for function, *words in also]))
            self.master = made_once(hashlib.sha256(name.encode()).hexdigest()[:16], home, make)

    def server(self, *properties):
        """with site.server(...) as server: a copy that is gone afterwards."""
        return _Copy(self, properties)


class _Copy:
    def __init__(self, site, properties):
        self.site, self.properties = site, properties

    def __enter__(self):
        self.site.count += 1
        self.server = self.site.master.copy_to(f"{self.site.folder}/{self.site.count}")
        return self.server.set(*self.properties)

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.server.stop()
        finally:
            self.server.kill()
            if kind is not None:
                tail = self.server.console()[-3000:]
                print("".join(f"#   console: {line}\n" for line in tail.splitlines()), end="")
            shutil.rmtree(self.server.home, ignore_errors=True)
