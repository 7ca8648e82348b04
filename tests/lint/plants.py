# SPDX-License-Identifier: LGPL-2.1-or-later
"""For each check a violation that it must find, and a neighbour that it must let pass.

A plant is (check, path, text or an edit of the file's present text, innocent); the check must
complain of path where the plant is guilty, and must not where it is innocent."""

HEAD = "/* SPDX-" + "License-Identifier: LGPL-2.1-or-later */\n"
UNIT = "agent/data/dps-agent.service.in"
CONTRACT = "dbus/org.dpsagent.Agent1.xml"


def attestor(arg):
    return ("<!-- SPDX-" + "License-Identifier: LGPL-2.1-or-later -->\n"
            '<node><interface name="org.dpsagent.Attestor1"><!-- Open: does. -->'
            f'<method name="Open">{arg}</method></interface></node>\n')


def replaced(old, new):
    def edit(text):
        if old not in text:
            raise AssertionError(f"there is no {old!r} to replace")
        return text.replace(old, new, 1)
    return edit


def appended(more):
    return lambda text: text + more


def include(name):
    return HEAD + f'#include "{name}"\n'


GUILTY, INNOCENT = False, True
PLANTS = [
    ("include-directions", "agent/common/planted.c", include("config/dps-config.h"), GUILTY),
    ("include-directions", "agent/net/planted.c", include("store/dps-store.h"), GUILTY),
    ("include-directions", "agent/cli/planted.c", include("common/dps-io.h"), GUILTY),
    ("include-directions", "plugins/symmetric-key/planted.c", include("common/dps-io.h"), GUILTY),
    ("include-directions", "agent/plugin-host/planted.c", include("config/dps-config.h"), GUILTY),
    ("include-directions", "agent/plugin-check/planted.c", include("abi/dps-plugin.h"), GUILTY),
    ("include-directions", "agent/plugin-check/planted.c", include("core/dps-plugin-runner.h"), INNOCENT),
    ("include-directions", "agent/plugin-check/dps-plugin-exercise.c",
     include("common/dps-io.h"), GUILTY),
    ("include-directions", "agent/nowhere/planted.c", HEAD, GUILTY),
    ("include-directions", "agent/core/planted.c", include("common/dps-io.h"), INNOCENT),
    ("include-directions", "plugins/symmetric-key/planted.c", include("dps-plugin.h"), INNOCENT),
    ("environment", "agent/core/planted.c", 'x = g_getenv ("HOME");\n', GUILTY),
    ("environment", "agent/core/planted.c", "x = getenv (name);\n", GUILTY),
    ("environment", "agent/core/planted.c",
     'x = g_getenv ("CREDENTIALS_DIRECTORY"); /* not getenv ("HOME") */\n', INNOCENT),
    ("attestor-types", "dbus/planted.xml", attestor('<arg name="device_key" type="ay"/>'), GUILTY),
    ("attestor-types", "dbus/planted.xml", attestor('<arg name="challenge" type="s"/>'), GUILTY),
    ("attestor-types", "dbus/planted.xml", attestor(
        '<arg name="pin" type="s"><annotation name="org.dpsagent.Secret" value="true"/></arg>'),
     GUILTY),
    ("attestor-types", "dbus/planted.xml", attestor(
        '<arg name="blob" type="h"/><arg name="secrets" type="a{sh}"/>'
        '<arg name="data" type="ay"/>'), INNOCENT),
    ("spdx", "agent/core/planted.c", "int x;\n", GUILTY),
    ("spdx", "tests/planted", "#!/bin/sh\n:\n", GUILTY),
    ("spdx", "agent/core/planted.c", HEAD, INNOCENT),
    ("file-length", "agent/core/planted.c", HEAD + "\n" * 600, GUILTY),
    ("file-length", "agent/core/planted.c", HEAD + "\n" * 599, INNOCENT),
    ("left-open", "agent/core/planted.c", "/* TO" + "DO: later */\n", GUILTY),
    ("formatting", "agent/core/planted.c", "int f(int x){return x;}\n", GUILTY),
    ("formatting", "agent/core/planted.c",
     "int\nf (int x)\n{\n  return x;\n}\n", INNOCENT),
    ("xml", "dbus/planted.xml", "<node><interface></node>\n", GUILTY),
    ("xml", "dbus/planted.conf", "<busconfig>\n", GUILTY),
    ("manual-pages", "agent/man/planted.8",
     ".TH planted 8\n.SH NAME\nplanted \\- x\n.nonsense\n", GUILTY),
    ("manual-pages", "agent/man/planted.8",
     ".TH planted 8\n.SH NAME\nplanted \\- x\n", INNOCENT),
    ("shell-syntax", "tests/planted.sh", "if true; then\n", GUILTY),
    ("shell-syntax", "debian/planted", "#!/bin/sh\ncase x in\n", GUILTY),
    ("shell-syntax", "tests/planted.sh", "[[ x == y ]] || :\n", INNOCENT),
    ("foreign-places", "README.planted", "from http://deb." + "debian.org/debian\n", GUILTY),
    ("foreign-places", "tests/planted", "cd /ho" + "me/someone/build\n", GUILTY),
    ("unit-files", UNIT, appended("Bogus=1\n"), GUILTY),
    ("unit-files", UNIT, replaced("SystemCallFilter=@system", "SystemCallFilter=@sistem"), GUILTY),
    ("sandbox", UNIT, appended("RuntimeDirectory=dps-agent\n"), GUILTY),
    ("sandbox", UNIT, replaced("AF_INET6 AF_NETLINK", "AF_INET6"), GUILTY),
    ("sandbox", UNIT, replaced("NoNewPrivileges=yes\n", ""), GUILTY),
    ("dbus-documentation", CONTRACT,
     replaced("</interface>", '<method name="Planted"/></interface>'), GUILTY),
    ("dbus-documentation", CONTRACT,
     replaced('<method name="Sign">', '<method name="Sign"><arg name="planted" type="s"/>'), GUILTY),
    ("dbus-documentation", "agent/man/planted.8", "call Control.Provizion\n", GUILTY),
    ("dbus-documentation", "planted.md", "call `Control.Provision` of Agent1.Control\n", INNOCENT),
    ("error-names", CONTRACT, replaced("LimitsExceeded, TimedOut}", "TimedOut}"), GUILTY),
    ("golden-files", "tests/data/store/v1/README.md", appended("more\n"), GUILTY),
    ("golden-files", "tests/data/store/v1/one/gen-00000002", "planted", GUILTY),
    ("golden-files", "tests/data/store/v2/one/gen-00000001", "planted", INNOCENT),
]
