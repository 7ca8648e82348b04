# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rules. Each check yields "path:line: what is wrong" for a tree; Skip says why it cannot."""
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree

from tree import matches, without_comments


class Skip(Exception):
    """The check cannot be made on this machine."""


def need(command):
    if shutil.which(command) is None:
        raise Skip(f"{command} is not installed")
    return command


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False, **options)


# Who may include whom, downwards only: design.md section 3. A room may always include itself.
# "agent" and "attestor" stand for the code generated from dbus/org.dpsagent.*.xml.
MAY_INCLUDE = {
    "agent/abi": [],
    "agent/common": [],
    "agent/tpm": ["common"],
    "agent/store": ["tpm", "common"],
    "agent/dps": ["tpm", "common"],
    "agent/net": ["tpm", "common"],
    "agent/config": ["net", "tpm", "common"],
    "agent/core": ["config", "dps", "net", "store", "tpm", "common", "attestor"],
    "agent/bus": ["core", "dps", "net", "store", "tpm", "common", "agent"],
    "agent/daemon": ["bus", "core", "config", "dps", "net", "store", "tpm", "common"],
    "agent/plugin-host": ["abi", "common", "attestor"],
    "agent/plugin-check": ["core", "common"],
    "agent/plugin-check/dps-plugin-exercise.c": ["abi"],  # GLib and the header alone
    "agent/cli": ["agent"],
    "agent/data": ["config", "net", "common"],  # writes documents from their tables at build time
    "plugins": ["abi"],
    "plugins/tpm": ["abi", "tpm"],
    "plugins/x509": ["abi", "tpm"],
    "tests/emulator": [],
}


def room_of(path):
    rooms = [room for room in MAY_INCLUDE if path == room or path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def included_room(tree, path, name):
    """The room that #include "name" reaches from path; None for one's own or foreign."""
    generated = re.fullmatch(r"dps-(agent|attestor)(1|-generated)\.h", os.path.basename(name))
    if generated:
        return generated.group(1)
    if os.path.basename(name) == "dps-plugin.h":
        return "abi"
    if "/" in name:
        return os.path.dirname(name)
    here = os.path.join(os.path.dirname(path), name)
    if here in tree.paths or name == "config.h":
        return None
    owners = [p for p in tree.paths if os.path.basename(p) == name and p.startswith("agent/")]
    return owners[0].split("/")[1] if owners else None


def include_directions(tree):
    for path in tree.c_files("agent/", "plugins/", "tests/emulator/"):
        room = room_of(path)
        if room is None:
            yield f"{path}:1: lies in no room of the table in tests/lint/checks.py"
            continue
        text = without_comments(tree.text(path))
        for line, match in matches(text, r'(?m)^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]'):
            name = match.group(1)
            quoted = '"' in match.group(0)
            if not quoted and not os.path.basename(name).startswith("dps-"):
                continue
            target = included_room(tree, path, name)
            if target is None or "agent/" + target == room:
                continue
            if target not in MAY_INCLUDE[room]:
                yield f"{path}:{line}: {room} may not include {name} ({target})"


ENVIRONMENT = re.compile(r"CREDENTIALS_DIRECTORY|NOTIFY_SOCKET|LISTEN_\w+|DBUS_\w+")


def environment(tree):
    calls = (r'\b((?:g_|secure_|g_environ_)?getenv|g_get_environ|g_listenv)[ \t\n]*'
             r'\(\s*(?:"([^"]*)"\s*\))?')
    for path in tree.c_files("agent/", "plugins/", "tests/emulator/"):
        for line, match in matches(without_comments(tree.text(path)), calls):
            name = match.group(2)
            if name is None or not ENVIRONMENT.fullmatch(name):
                yield f"{path}:{line}: {match.group(1)} of {name or 'a computed name'}"


SECRET_WORDS = {"key", "keys", "blob", "blobs", "challenge", "secret", "secrets"}
SECRET_ANNOTATION = "org.dpsagent.Secret"


def attestor_types(tree):
    seen = False
    for path in tree.select(".xml", below=("dbus/",)):
        for interface in ElementTree.fromstring(tree.text(path)).iter("interface"):
            if not interface.get("name", "").endswith(".Attestor1"):
                continue
            seen = True
            for member in interface:
                for arg in member.iter("arg"):
                    name, kind = arg.get("name", ""), arg.get("type", "")
                    marked = any(a.get("name") == SECRET_ANNOTATION for a in arg)
                    words = set(re.split(r"[-_]", name.lower()))
                    if (marked or words & SECRET_WORDS) and kind not in ("h", "ah", "a{sh}"):
                        yield (f"{path}:1: {member.get('name')}.{name} crosses as {kind}; "
                               "secrets cross as memory files: h, ah or a{sh}")
    if not seen:
        raise Skip("there is no interface Attestor1 in dbus/")


def spdx(tree):
    wanted = (".c", ".h", ".xml", ".policy", ".py", ".sh", ".service", ".service.in", ".socket",
              ".socket.in", ".timer", ".path", ".target", ".conf", ".conf.in", ".rules")
    scripts = tree.scripts()
    for path in tree.paths:
        text = tree.text(path)
        program = path in scripts or text.startswith("#!")
        manual = re.search(r"\.[1-8](\.in)?$", path)
        if (path.endswith(wanted) or program or manual) and not path.startswith("tests/data/"):
            if "SPDX-License-Identifier: LGPL-2.1-or-later" not in "\n".join(
                    text.split("\n", 6)[:6]):
                yield f"{path}:1: no SPDX line at the top"


LINES_MAX = 600


def file_length(tree):
    for path in tree.select(".c", below=("agent/", "plugins/")):
        lines = tree.text(path).count("\n")
        if lines > LINES_MAX:
            yield f"{path}:{lines}: longer than {LINES_MAX} lines; look for the second noun in it"


def left_open(tree):
    for path in tree.c_files():
        for line, match in matches(tree.text(path), r"\b(TODO|FIXME|XXX)\b"):
            yield f"{path}:{line}: {match.group(1)}"


def formatting(tree):
    version = re.search(r"version (\d+)", run(need("clang-format"), "--version").stdout)
    if not version or version.group(1) != "14":
        raise Skip(f"clang-format is {version and version.group(1)}, not 14, for which "
                   ".clang-format is written")
    files = tree.c_files("agent/", "plugins/", "tests/")
    if not files:
        return
    done = run("clang-format", "--dry-run", "--Werror", *files, cwd=tree.root)
    first, count = {}, {}
    for path, line in re.findall(r"(?m)^([^ :]+):(\d+):\d+: error: ", done.stdout):
        first.setdefault(path, line)
        count[path] = count.get(path, 0) + 1
    for path, line in first.items():
        yield f"{path}:{line}: the first of {count[path]} that clang-format would change"
    if done.returncode and "error:" not in done.stdout:
        yield done.stdout


def xml(tree):
    need("xmllint")
    files = tree.select(".xml", ".policy") + tree.select(".conf", below=("dbus/",))
    for path in files:
        done = run("xmllint", "--nonet", "--noout", path, cwd=tree.root)
        if done.returncode:
            yield done.stdout.strip()


def manual_pages(tree):
    need("man")
    need("groff")
    pages = [tree.absolute(p) for p in tree.paths if re.search(r"/[\w.-]+\.[1-8]$", p)]
    built = os.environ.get("DPS_BUILD_ROOT")
    if built:
        pages += [os.path.join(built, folder, name)
                  for folder in ("agent/man", "agent/cli", "agent/data", "tests/emulator")
                  for name in sorted(os.listdir(os.path.join(built, folder))
                                     if os.path.isdir(os.path.join(built, folder)) else [])
                  if re.search(r"\.[1-8]$", name)]
    if not pages:
        raise Skip("there are no manual pages")
    variables = dict(os.environ, LC_ALL="C.UTF-8", MANROFFSEQ="", MANWIDTH="80")
    for page in pages:
        done = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page], env=variables,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        for line in done.stderr.splitlines():
            yield f"{os.path.relpath(page, tree.root)}: {line}"


def shell_syntax(tree):
    for path, interpreter in tree.scripts().items():
        done = run(interpreter, "-n", tree.absolute(path))
        if done.returncode:
            yield done.stdout.strip()


# Put together from parts, so that this file is not its own first finding.
FOREIGN = "|".join(re.escape("".join(parts)) for parts in (
    ("deb.", "debian.org"), ("security.", "debian.org"), ("snapshot.", "debian.org"),
    ("archive.", "ubuntu.com"), ("py", "pi.org"), ("files.python", "hosted.org"),
    ("registry.", "npmjs.org"), ("crates", ".io"), ("proxy.", "golang.org"),
    ("gh", "cr.io"), ("docker", ".io"), ("/wo", "rk/"), ("/root", "/."),
)) + "|" + "/ho" + r"me/\w+/"


def foreign_places(tree):
    for path in tree.paths:
        for line, match in matches(tree.text(path), FOREIGN):
            yield f"{path}:{line}: names {match.group(0)}"


UNIT = re.compile(r"^agent/data/([\w@-]+\.(?:service|socket|path|timer|target))(?:\.in)?$")
INSTALLED = {"bindir": "/usr/bin", "libexecdir": "/usr/libexec", "confdir": "/etc/dps-agent",
             "vendorconfdir": "/usr/lib/dps-agent", "statedir": "/var/lib/dps-agent"}


def installed_text(tree, path):
    return re.sub(r"@(\w+)@", lambda m: INSTALLED.get(m.group(1), m.group(0)), tree.text(path))


def unit_files(tree):
    """Each unit by systemd's own judgement, in a root of its own with what it starts."""
    need("systemd-analyze")
    version = re.search(r"systemd (\d+)", run("systemd-analyze", "--version").stdout)
    if not version or int(version.group(1)) < 250:
        raise Skip("systemd-analyze verify --root= needs systemd 250")
    with tempfile.TemporaryDirectory(dir="/run") as root:
        folder = os.path.join(root, "usr/lib/systemd/system")
        os.makedirs(folder)
        os.symlink("usr/lib", os.path.join(root, "lib"))
        for name in os.listdir("/lib/systemd/system"):
            if name.endswith(".target") or name.startswith("dbus."):
                shutil.copy(os.path.join("/lib/systemd/system", name), folder)
        names = {}
        for path in tree.paths:
            match = UNIT.match(path)
            if not match:
                continue
            names[match.group(1)] = path
            text = installed_text(tree, path)
            with open(os.path.join(folder, match.group(1)), "w", encoding="utf-8") as file:
                file.write(text)
            for program in re.findall(r"(?m)^Exec\w+=[-@:+!]*(/\S+)", text):
                stub = root + program
                os.makedirs(os.path.dirname(stub), exist_ok=True)
                with open(stub, "w", encoding="utf-8") as file:
                    file.write("#!/bin/sh\n")
                os.chmod(stub, 0o755)
        for name, path in names.items():
            done = run("systemd-analyze", "verify", "--root=" + root, "--man=no",
                       "--recursive-errors=no", name)
            for line in done.stdout.splitlines():
                yield f"{path}: {line.replace(root, '')}"
            if done.returncode and not done.stdout.strip():
                yield f"{path}: systemd-analyze verify says no more than status {done.returncode}"


# What the sandbox of the daemon may not lose: design.md section 6.
SANDBOX = {
    "Type": "dbus", "User": "dps-agent", "NotifyAccess": "main", "Restart": "on-failure",
    "StartLimitIntervalSec": "0", "StateDirectoryMode": "0700", "CapabilityBoundingSet": "",
    "AmbientCapabilities": "", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ReadOnlyPaths": "/run",
    "ReadWritePaths": "/run/dps-agent/state", "DevicePolicy": "closed", "LimitCORE": "0",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures": "native", "MemoryDenyWriteExecute": "yes",
    "ProtectProc": "invisible", "ProcSubset": "pid", "PrivateTmp": "yes",
    "RestrictNamespaces": "yes", "LockPersonality": "yes", "UMask": "0077",
}
FORBIDDEN = ("RuntimeDirectory", "DynamicUser", "Environment", "EnvironmentFile")


def sandbox(tree):
    for path in tree.paths:
        match = UNIT.match(path)
        if not match or match.group(1) != "dps-agent.service":
            continue
        settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", installed_text(tree, path)))
        for key, value in SANDBOX.items():
            if settings.get(key) != value:
                yield f"{path}:1: {key}= is {settings.get(key)!r}, not {value!r}"
        for key in FORBIDDEN:
            if key in settings:
                yield f"{path}:1: {key}= has no place here"


def dbus_documentation(tree):
    """Every member and argument of the XML is explained; what documents name, exists."""
    members = {}
    for path in tree.select(".xml", below=("dbus/",)):
        text = tree.text(path)
        interfaces = ElementTree.fromstring(text).iter("interface")
        for interface in interfaces:
            short = interface.get("name", "").rsplit(".", 1)[-1]
            members[short] = {m.get("name"): [a.get("name") for a in m.iter("arg")]
                              for m in interface if m.tag in ("method", "property", "signal")}
        known = {name: args for short in members for name, args in members[short].items()}
        tags = r'(?:<!--((?:(?!-->).)*)-->\s*)?<(?:method|property|signal)\s+name="(\w+)"'
        for line, match in matches(text, "(?s)" + tags):
            comment, name = match.group(1) or "", match.group(2)
            if not re.search(rf"(?m)^\s*{name}:", comment):
                yield f"{path}:{line}: no comment explains {name}"
                continue
            for arg in known.get(name, []):
                if not re.search(rf"@{arg}:", comment):
                    yield f"{path}:{line}: nothing explains {name}'s argument {arg}"
    documents = [p for p in tree.paths
                 if re.search(r"\.(md|[1-8]|[1-8]\.in|conf\.in|service\.in|README\.Debian)$", p)]
    for path in documents:
        # A member's name begins with a capital; roff may escape or break before the dot.
        pattern = r"\b(Agent1|Credentials|Control|Attestor1)\.([A-Z][A-Za-z]+)\b"
        for line, match in matches(tree.text(path), pattern):
            interface, name = match.groups()
            if name in members or interface not in members:
                continue
            if name not in members[interface]:
                yield f"{path}:{line}: {interface} has no member {name}"


def error_names(tree):
    """The errors of the code are those that the contract announces."""
    code, contract = "agent/common/dps-error.c", "dbus/org.dpsagent.Agent1.xml"
    if code not in tree.paths or contract not in tree.paths:
        return
    defined = set(re.findall(r'DPS_ERROR_PREFIX "(\w+)"', tree.text(code)))
    listed = re.search(r"org\.dpsagent\.Error\.\{([^}]*)\}", tree.text(contract))
    announced = set(re.findall(r"\w+", listed.group(1))) if listed else set()
    for name in sorted(defined ^ announced):
        yield f"{contract}:1: it and {code} differ in the error {name}"


# Hosts in the field hold what these files hold. They are kept for ever: NEVER change this line,
# nor a file below its directory, add one or take one away. A new format is a new directory.
GOLDEN = {"tests/data/store/v1": "9edfa4ec290879f5e91c9ed1e4a50cd2a90936d9a9213cfa9ae7eb3f48d3f253"}


def golden_files(tree):
    for folder, wanted in GOLDEN.items():
        paths, total = tree.select("", below=(folder + "/",)), hashlib.sha256()
        for path in paths:
            with open(tree.absolute(path), "rb") as file:
                content = hashlib.sha256(file.read()).hexdigest()
            total.update(f"{path} {content}\n".encode())
        if total.hexdigest() != wanted:
            yield f"{folder}: its names and contents (now {total.hexdigest()}) have changed"
            yield from (f"{path}:1: is one of them, or the reason" for path in paths)


CHECKS = {
    "include-directions": include_directions,
    "environment": environment,
    "attestor-types": attestor_types,
    "spdx": spdx,
    "file-length": file_length,
    "left-open": left_open,
    "formatting": formatting,
    "xml": xml,
    "manual-pages": manual_pages,
    "shell-syntax": shell_syntax,
    "foreign-places": foreign_places,
    "unit-files": unit_files,
    "sandbox": sandbox,
    "dbus-documentation": dbus_documentation,
    "error-names": error_names,
    "golden-files": golden_files,
}
