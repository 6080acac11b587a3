"""Operator commands as other users of the system."""
import os
import socket
import struct

from keyserver import SLOW


def opened(server):
    """Let another user come up to the socket, and to the programs."""
    for folder in (os.path.dirname(server.home), server.home, f"{server.home}/run"):
        os.chmod(folder, 0o711)
    os.chmod(server.socket, 0o666)


def raw_oper(server, uid, command, system=False, gid=None):
    """A command as another user, over the socket itself, since that user may not be able to run our programs. Frames as in
    console/wire.h: u32 length, u8 type (1 command, 81 answer), a status in answers, text."""
    text = (command if system else "F ISKLM,APPL='" + command.replace("'", "''") + "'").encode()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"nothing"
        try:
            os.setgroups([])
            os.setresgid(gid or uid, gid or uid, gid or uid)
            os.setresuid(uid, uid, uid)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(10 * SLOW)
                sock.connect(server.socket)
                sock.sendall(struct.pack(">IB", 1 + len(text), 1) + text)
                got = sock.recv(65536)
                while len(got) < 4 or len(got) < 4 + struct.unpack(">I", got[:4])[0]:
                    some = sock.recv(65536)
                    if not some:
                        break
                    got += some
                said = got[6:]
        except OSError as error:
            said = repr(error).encode()
        finally:
            os.write(theirs, said[:60000])
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        said = answer.read().decode(errors="replace")
    os.waitpid(child, 0)
    return said
