#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""summary.py TESTLOG STATUS: counts the TAP cases of a meson test run.

Prints what each program reported, the whole output of those that failed, the reason of every
skip, and last "N passed, N failed, N skipped". Exits 1 where anything failed.
"""
import json
import re
import sys

LINE = re.compile(r"^(not )?ok\b[ \t]*(\d*)[ \t-]*(.*?)(?:[ \t]*#[ \t]*(SKIP|TODO)\b[ \t]*(.*))?$",
                  re.IGNORECASE)
PLAN_SKIP = re.compile(r"^1\.\.0[ \t]*#[ \t]*SKIP\b[ \t]*(.*)$", re.IGNORECASE)


class Program:
    """One test program and what its TAP says."""

    def __init__(self, entry):
        self.name = entry["name"]
        self.output = entry.get("stdout") or ""
        self.errors = entry.get("stderr") or ""
        self.passed = self.failed = 0
        self.skips = []
        for line in self.output.splitlines():
            self.read(line)
        # A program that died, ran over its time or printed a wrong plan failed, whatever it
        # had counted until then; one that counted nothing at all tested nothing.
        broken = entry["result"] not in ("OK", "EXPECTEDFAIL", "SKIP")
        if (broken and not self.failed) or not (self.passed or self.failed or self.skips):
            self.failed += 1
        self.result = entry["result"]
        self.seconds = entry.get("duration", 0)

    def read(self, line):
        plan = PLAN_SKIP.match(line)
        if plan:
            self.skips.append(("all", plan.group(1) or "no reason given"))
            return
        case = LINE.match(line)
        if not case:
            return
        if case.group(4) and case.group(4).upper() == "SKIP":
            self.skips.append((case.group(3), case.group(5) or "no reason given"))
        elif case.group(1):
            self.failed += 1
        else:
            self.passed += 1


def main(path, status):
    with open(path, encoding="utf-8") as log:
        programs = [Program(json.loads(line)) for line in log if line.strip()]
    for program in programs:
        print(f"{'FAIL' if program.failed else 'ok':4} {program.name}: {program.passed} passed, "
              f"{program.failed} failed, {len(program.skips)} skipped ({program.seconds:.1f} s)")
        figures = [line[2:] for line in program.output.splitlines() if line.startswith("# FIGURE ")]
        for figure in figures:
            print(f"       {figure[7:]}")
    for program in programs:
        if program.failed:
            print(f"\n--- {program.name} ({program.result}) ---\n{program.output}{program.errors}")
    for program in programs:
        for case, reason in program.skips:
            print(f"skipped: {program.name}: {case}: {reason}")
    passed = sum(p.passed for p in programs)
    failed = sum(p.failed for p in programs)
    skipped = sum(len(p.skips) for p in programs)
    if status and not failed:
        print(f"meson test ended with status {status} though no case failed")
        failed = 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not programs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
