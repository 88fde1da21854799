"""The program can be imported where the modules of POSIX systems do not exist, as on Windows."""

import subprocess
import sys

_CODE = """
import builtins
import sys

real = builtins.__import__
gone = {"fcntl", "resource", "pwd", "grp", "termios", "posix_ipc", "pty", "tty", "syslog"}
for name in gone:
    sys.modules.pop(name, None)


def refuse(name, globals=None, locals=None, fromlist=(), level=0):
    caller = (globals or {}).get("__name__", "")
    if name.partition(".")[0] in gone and caller.startswith("causal_ivae"):
        raise ModuleNotFoundError(f"No module named '{name}', which {caller} imports", name=name)
    return real(name, globals, locals, fromlist, level)


builtins.__import__ = refuse
import causal_ivae.batch.plan
import causal_ivae.batch.runner
import causal_ivae.cli
import causal_ivae.exports
"""


def test_nothing_of_posix_is_imported_at_the_start():
    done = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
