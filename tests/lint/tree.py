# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files that lint looks at, and how it reads them."""
import os
import re
import shutil
import subprocess

C_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', re.S)


class Tree:
    """A source tree; paths are relative to its root."""

    def __init__(self, root, paths):
        self.root = root
        self.paths = sorted(paths)

    @classmethod
    def tracked(cls, root):
        # The checkout may belong to the user for whom root runs the tests.
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached"],
            stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
        return cls(root, [p for p in listed if os.path.isfile(os.path.join(root, p))])

    def copy(self, to):
        for path in self.paths:
            target = os.path.join(to, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(self.root, path), target)
        return Tree(to, self.paths)

    def absolute(self, path):
        return os.path.join(self.root, path)

    def text(self, path):
        with open(self.absolute(path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def select(self, *endings, below=("",)):
        return [p for p in self.paths
                if p.endswith(endings) and p.startswith(tuple(below))]

    def c_files(self, *below):
        return self.select(".c", ".h", below=below or ("",))

    def scripts(self):
        """Shell scripts with their interpreter: sh or bash."""
        found = {}
        for path in self.paths:
            head = self.text(path)[:80].split("\n", 1)[0]
            match = re.match(r"#!\s*(?:/usr)?/bin/(?:env )?(ba|da)?sh\b", head)
            if match:
                found[path] = "bash" if match.group(1) == "ba" else "sh"
            elif path.endswith(".sh") or "bash-completion" in path or path.endswith(".bash"):
                found[path] = "bash"
        return found


def without_comments(text):
    """C text with its comments blanked, line numbers kept."""
    def blank(match):
        token = match.group(0)
        return token if token[0] == '"' else "\n" * token.count("\n")
    return C_TOKEN.sub(blank, text)


def matches(text, pattern):
    """(line number, match) of each match."""
    for match in re.finditer(pattern, text):
        yield text.count("\n", 0, match.start()) + 1, match
