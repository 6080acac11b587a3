"""The confinement of the systemd unit, where systemd itself does not run: read from the unit, and laid on a program by this one.
   confined.py FOLDER... -- PROGRAM [ARGUMENT...]      run the program; all is read-only but the folders
What it lays on: ProtectSystem=strict, PrivateDevices, ProcSubset and ProtectProc, limits, no capabilities, NoNewPrivileges, SystemCallFilter, MemoryDenyWriteExecute,
RestrictAddressFamilies, and what RestrictSUIDSGID and RestrictNamespaces take away whole, UMask. It wants root, as systemd does."""
import ctypes
import errno
import os
import platform
import re
import resource
import struct
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "s390x": 0x80000016}
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
CLONE_NEWNS, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 0x20000, 22, 24, 38
LOAD, EQUAL, SET, AND, RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
PROT_WRITE, PROT_EXEC = 2, 4
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}


def unit():
    """All settings of the unit, in order."""
    with open(f"{SOURCE}/packaging/klmsrv.service.in", encoding="utf-8") as file:
        return re.findall(r"(?m)^(\w+)=(.*)$", file.read())


def values(name):
    return [value for key, value in unit() if key == name]


def groups():
    """Sets of system calls as this systemd knows them."""
    out, members = {}, []
    for line in subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        if line.startswith("@"):
            members = out.setdefault(line.strip(), [])
        elif re.fullmatch(r" +[@\w-]+", line):
            members.append(line.strip())
    return out


def allowed_calls():
    known, allowed = groups(), set()

    def expand(name):
        return {call for member in known[name] for call in expand(member)} if name.startswith("@") else {name}

    allowed |= expand("@default")
    for value in values("SystemCallFilter"):
        calls = {call for name in value.lstrip("~").split() for call in expand(name)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def numbers():
    defined = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-xc", "/dev/null"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)\b", defined)}


def argument(n):
    """Place of the lower word of an argument in what a filter sees."""
    return 16 + 8 * n + (4 if sys.byteorder == "big" else 0)


def program():
    """The filter: pairs of a comparison and what follows when it fits."""
    number, code = numbers(), []

    def add(op, value, yes=0, no=0):
        code.append(struct.pack("=HBBI", op, yes, no, value))

    def special(name, *rest):
        """One call by its argument; rest are (op, value, yes, no)."""
        add(EQUAL, number[name], 0, len(rest))
        for op in rest:
            add(*op)

    refuse, allow = (RETURN, REFUSE | errno.EPERM), (RETURN, ALLOW)
    add(LOAD, 4)
    add(EQUAL, ARCHITECTURES[platform.machine()], 1, 0)
    add(*refuse)
    add(LOAD, 0)
    if values("MemoryDenyWriteExecute") == ["yes"]:
        special("mprotect", (LOAD, argument(2)), (SET, PROT_EXEC, 0, 1), refuse, allow)
        special("mmap", (LOAD, argument(2)), (AND, PROT_WRITE | PROT_EXEC), (EQUAL, PROT_WRITE | PROT_EXEC, 0, 1), refuse, allow)
    # What a filter cannot look into, systemd says the kernel has not; the C library and we have other ways.
    if values("RestrictSUIDSGID") == ["yes"]:
        special("openat2", (RETURN, REFUSE | errno.ENOSYS))
    if values("RestrictNamespaces") == ["yes"]:
        special("clone3", (RETURN, REFUSE | errno.ENOSYS))
        special("unshare", refuse)
        special("setns", refuse)
    families = [FAMILIES[name] for name in values("RestrictAddressFamilies")[0].split()]
    special("socket", (LOAD, argument(0)), *[step for family in families for step in ((EQUAL, family, 0, 1), allow)],
            (RETURN, REFUSE | errno.EAFNOSUPPORT))
    for call in sorted(number[name] for name in allowed_calls() if name in number):
        add(EQUAL, call, 0, 1)
        add(*allow)
    add(*refuse)
    return b"".join(code), len(code)


LIBC = ctypes.CDLL(None, use_errno=True)


def must(done, what):
    if done != 0:
        raise OSError(ctypes.get_errno(), what)


def mount(source, target, flags, kind=None, options=None):
    must(LIBC.mount(source and source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), options and options.encode()), f"mount {target}")


def read_only_but(folders):
    must(LIBC.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", MS_REC | MS_PRIVATE)
    for folder in folders:
        mount(folder, folder, MS_BIND | MS_REC)
    with open("/proc/self/mounts", encoding="utf-8") as file:
        places = [line.split()[1].encode().decode("unicode_escape") for line in file]
    for place in places:
        if not any(place == folder or place.startswith(folder + "/") for folder in (*folders, "/dev", "/proc", "/sys")):
            mount(None, place, MS_REMOUNT | MS_BIND | MS_RDONLY)


def private_devices():
    """A /dev with what systemd leaves there, and the place of the log if there is one."""
    kept = {name: os.open(f"/dev/{name}", os.O_PATH) for name in (*DEVICES, *(["log"] if os.path.exists("/dev/log") else []))}
    mount("tmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "tmpfs", "mode=755,size=64k")
    os.makedirs("/dev/shm")
    for name, fd in kept.items():
        os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o644))
        mount(f"/proc/self/fd/{fd}", f"/dev/{name}", MS_BIND)
        os.close(fd)
    mount(None, "/dev", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC)


def own_proc():
    try:
        mount("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "proc", "subset=%s,hidepid=%s" % (values("ProcSubset")[0], values("ProtectProc")[0]))
    except OSError as error:  # a container that covers parts of its own gives no other one
        if error.errno != errno.EPERM:
            raise


def limits():
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    for key, value in unit():
        if key.startswith("Limit"):
            what, most = getattr(resource, f"RLIMIT_{key[len('Limit'):]}"), int(value.rstrip("KMG")) * units.get(value[-1], 1)
            there = resource.getrlimit(what)[1]
            most = most if there == resource.RLIM_INFINITY else min(most, there)  # a container's own may be less
            resource.setrlimit(what, (most, most))


def main(argv):
    at = argv.index("--")
    code, n = program()
    read_only_but([os.path.realpath(folder) for folder in argv[:at]])
    if values("PrivateDevices") == ["yes"]:
        private_devices()
    own_proc()
    limits()
    os.umask(int(values("UMask")[0], 8))
    for capability in range(64):
        LIBC.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0)  # those that the kernel has not are refused
    must(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    buffer = ctypes.create_string_buffer(code)
    filter_program = struct.pack("@HP", n, ctypes.addressof(buffer))
    must(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.create_string_buffer(filter_program), 0, 0), "seccomp")
    if "ASAN_OPTIONS" in os.environ:  # a look for leaks wants ptrace
        os.environ["ASAN_OPTIONS"] += ":detect_leaks=0"
    os.execv(argv[at + 1], argv[at + 1:])


def confined(*folders):
    """Words that run the program behind them so."""
    return (sys.executable, os.path.abspath(__file__), *folders, "--")


if __name__ == "__main__":
    main(sys.argv[1:])
