#!/usr/bin/env python3
"""Checks the corpus of bad inputs, and with --binary runs it.

    check.py                            format of all cases, and a count
    check.py --binary PATH [--only TEXT]  every case against the binary

The format is described in README.md beside this file. Standard library only.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT_AT = "2026-01-15T12:00:00Z"
TIMEOUT_SECONDS = 20
MEMORY_LIMIT_KB = 64 * 1024
OUTPUT_LIMIT = 64 * 1024  # bytes: what a message quotes is cut
READ_LIMIT = 4 * 1024 * 1024
OTHER_UID = 65534  # permissions do not stop root, so such cases run as this user

CSV = "timestamp,integrity_score,status\n2026-01-15T10:00:00Z,97.5,ok\n"
HEALTHY = {
    "trust_lock_state.json": '{"locked": false}\n',
    "exports/integrity_metrics_registry.csv": CSV,
    "federation/weighted_consensus.json": '{"weighted_agreement_pct": 95.0, "peers_checked": 3}\n',
    "federation/reputation_index.json": '{"peers": [{"peer": "a", "reputation_score": 85.0}]}\n',
    "forensics/forensics_anomaly_forecast.json": '{"status": "success", "risk_level": "low"}\n',
    "forensics/response_history.jsonl": "",
}
# signal -> (where its file may stand, key in `inputs`, safe default)
SIGNALS = {
    "trust": (["trust_lock_state.json", "state/trust_lock_state.json"], "trust_locked", False),
    "integrity": (["exports/integrity_metrics_registry.csv"], "integrity_score", 100),
    "consensus": (["federation/weighted_consensus.json"], "consensus_pct", 100),
    "reputation": (["federation/reputation_index.json"], "reputation_score", 100),
    "forecast": (["forensics/forensics_anomaly_forecast.json"], "forecast_risk", "low"),
    "responses": (["forensics/response_history.jsonl"], "recent_responses", 0),
    "policy": (["policy/policy_thresholds.json"], None, None),
}
ONCE = ["file", "about", "expect", "level", "warns", "at", "prefix", "suffix"]
REPEATED = ["also", "also-link", "also-fifo", "remove", "make"]
LEVELS = ["GREEN", "YELLOW", "RED"]


class BadCase(Exception):
    pass


def unescape(text, end_allowed=False):
    """Bytes of an escaped text: \\xHH, \\\\ and, at the very end of a body, \\c."""
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode("ascii")
            at += 1
        elif text.startswith("\\\\", at):
            out += b"\\"
            at += 2
        elif re.match(r"\\x[0-9A-F]{2}", text[at:at + 4]):
            out.append(int(text[at + 2:at + 4], 16))
            at += 4
        elif end_allowed and text[at:] in ("\\c", "\\c\n"):
            return bytes(out)
        else:
            raise BadCase(f"unknown escape `{text[at:at + 4]}`")
    return bytes(out)


def parse_value(name, text):
    if name == "policy":
        key, _, number = text.partition("=")
        return key, float(number)
    if name == "trust":
        return {"true": True, "false": False}[text]
    if name == "forecast":
        return {"low": "low", "medium": "medium", "high": "high"}[text]
    return int(text) if name == "responses" else float(text)


def level_of(name, value):
    """The level that one value demands when all others are healthy (reference policy)."""
    if name == "trust":
        return "RED" if value else "GREEN"
    if name == "forecast":
        return {"low": "GREEN", "medium": "YELLOW", "high": "RED"}[value]
    if name == "responses":
        return "RED" if value >= 8 else "YELLOW" if value >= 4 else "GREEN"
    red, yellow = {"integrity": (90, 95), "consensus": (85, 90), "reputation": (-1, 80)}[name]
    return "RED" if value < red else "YELLOW" if value < yellow else "GREEN"


class Case:
    def __init__(self, path):
        self.path = path
        self.signal = path.parent.name
        self.id = f"{self.signal}/{path.stem}"
        raw = path.read_bytes()
        if not raw.isascii() or re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw):
            raise BadCase("only printable ASCII and newlines: write other bytes as \\xHH")
        text = raw.decode("ascii")
        if re.search(r" $", text, re.M):
            raise BadCase("a blank at the end of a line: write it as \\x20")
        head, mark, body = text.partition("\n---\n")
        if not mark:
            raise BadCase("no line `---`")
        self.has_body = body != ""
        self.body = unescape(body, end_allowed=True)
        if self.has_body and not body.endswith("\n"):
            raise BadCase("the file must end with a newline (\\c before it drops it from the body)")
        self.head = {}
        self.steps = []
        for line in head.split("\n"):
            key, colon, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if not colon or key not in ONCE + REPEATED:
                raise BadCase(f"unknown header `{line}`")
            if key in REPEATED:
                self.steps.append((key, value))
            elif key in self.head:
                raise BadCase(f"header `{key}` twice")
            else:
                self.head[key] = value
        for key in ("file", "about", "expect"):
            if not self.head.get(key):
                raise BadCase(f"header `{key}` is missing")
        self.file = self.head["file"]
        self.at = self.head.get("at", DEFAULT_AT)
        self.level = self.head.get("level")
        self.warns = self.head.get("warns")
        self.makes = [v for k, v in self.steps if k == "make"]
        self.kinds = [m.split(" ", 1)[0] for m in self.makes]
        self.other_user = "mode" in self.kinds
        self.kind, _, value = self.head["expect"].partition(" ")
        try:
            self.value = parse_value(self.signal, value) if self.kind == "valid" else None
        except (KeyError, ValueError):
            raise BadCase(f"no value of this signal: `{value}`")
        self.validate()

    def validate(self):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.path.stem):
            raise BadCase("a name is lower-case words joined by `-`")
        places = SIGNALS[self.signal][0]
        if not any(p == self.file or p.startswith(self.file + "/") for p in places):
            raise BadCase(f"`{self.file}` is no place of this signal")
        known = ("policy-invalid", "valid") if self.signal == "policy" else ("invalid", "missing", "valid")
        if self.kind not in known:
            raise BadCase(f"unknown expectation `{self.kind}`")
        if (self.kind == "valid") != (self.level is not None):
            raise BadCase("`level` stands with `valid`, and only there")
        if self.level is not None and self.level not in LEVELS:
            raise BadCase(f"unknown level `{self.level}`")
        if self.kind == "valid" and self.signal != "policy":
            if level_of(self.signal, self.value) != self.level:
                raise BadCase("the level does not follow from the value")
        if self.warns not in (None, "yes", "no"):
            raise BadCase("`warns` is yes or no")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", self.at):
            raise BadCase("`at` is a time like " + DEFAULT_AT)
        if len(self.head["about"]) > 90:
            raise BadCase("`about` is a few words, 90 characters at most")
        for make in self.makes:
            if not re.fullmatch(r"absent|directory|fifo|socket|symlink \S+|sparse [1-9]\d*|repeat [1-9]\d* \S.*|mode [0-7]{3}", make):
                raise BadCase(f"unknown make `{make}`")
        content = [k for k in self.kinds if k != "mode"]
        if self.has_body and content:
            raise BadCase("a body, or `make` that takes its place, not both")
        if len(content) > 1 and set(content) != {"repeat"}:
            raise BadCase("only `repeat` may stand more than once")
        if ("prefix" in self.head or "suffix" in self.head) and not set(content) & {"repeat", "sparse"}:
            raise BadCase("`prefix` and `suffix` stand with repeat or sparse")
        for key, value in self.steps:
            path = value.split(" ")[0]
            if key != "make" and (path.startswith("/") or ".." in path.removeprefix("../").split("/")):
                raise BadCase(f"`{path}` leaves the directory of the case")

    def content_key(self):
        """Two cases of one signal with the same key are one case."""
        return (self.signal, self.file, self.at, self.body, tuple(self.steps),
                self.head.get("prefix"), self.head.get("suffix"))

    # -- the workspace of a case -------------------------------------------------

    def build(self, workspace):
        for path, text in HEALTHY.items():
            put(workspace / path, text.encode())
        for key, value in self.steps:
            path, _, rest = value.partition(" ")
            if key == "also":
                put(workspace / path, unescape(rest))
            elif key == "also-link":
                clear(workspace / path)
                os.symlink(rest.replace("{workspace}", str(workspace)), workspace / path)
            elif key == "also-fifo":
                clear(workspace / path)
                os.mkfifo(workspace / path)
            elif key == "remove":
                (workspace / path).unlink()
        target = workspace / self.file
        content = [m for m in self.makes if not m.startswith("mode ")]
        kind, _, rest = (content[0] if content else "body").partition(" ")
        if kind != "body" or self.has_body or not target.is_dir():
            clear(target)
        if kind == "body":
            if not target.is_dir():
                target.write_bytes(self.body)
        elif kind == "directory":
            target.mkdir()
        elif kind == "fifo":
            os.mkfifo(target)
        elif kind == "socket":
            make_socket(target)
        elif kind == "symlink":
            os.symlink(rest.replace("{workspace}", str(workspace)), target)
        elif kind in ("repeat", "sparse"):
            with open(target, "wb") as out:
                out.write(unescape(self.head.get("prefix", "")))
                for make in content:
                    if kind == "sparse":
                        out.truncate(out.tell() + int(rest))
                        out.seek(0, os.SEEK_END)
                    else:
                        write_repeated(out, make)
                out.write(unescape(self.head.get("suffix", "")))
        if self.other_user and os.geteuid() == 0:
            for path in [workspace, *workspace.rglob("*")]:
                os.chown(path, OTHER_UID, OTHER_UID, follow_symlinks=False)
        for make in self.makes:
            if make.startswith("mode "):
                target.chmod(int(make.split()[1], 8))


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def clear(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def make_socket(path):
    """A socket's path may be 100 bytes long at most, so it is bound by its bare name."""
    before = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path.name)
    finally:
        os.chdir(before)


def write_repeated(out, make):
    _, count, text = make.split(" ", 2)
    count, unit = int(count), unescape(text)
    per_block = max(1, (1 << 20) // len(unit))
    block = unit * per_block
    for _ in range(count // per_block):
        out.write(block)
    out.write(unit * (count % per_block))


# -- running a case ----------------------------------------------------------------


def run(binary, case, scratch):
    """The faults of one case, as (kind, text) pairs."""
    box = scratch / "case"
    box.mkdir()
    box.chmod(0o755)
    workspace = box / "ws"
    workspace.mkdir()
    try:
        case.build(workspace)
        return judge(case, *execute(binary, case, workspace, box))
    finally:
        place = workspace / case.file
        if case.other_user and place.exists():
            place.chmod(0o755)
        shutil.rmtree(box)


def open_to_all():
    """A directory for the workspaces that every user can reach; /tmp is closed on some machines."""
    for path in map(pathlib.Path, (tempfile.gettempdir(), "/var/tmp", "/dev/shm")):
        if path.is_dir() and all(p.stat().st_mode & 0o001 for p in [path, *path.parents]):
            return path
    sys.exit("no temporary directory that every user can reach: set TMPDIR to one")


def execute(binary, case, workspace, box):
    command = [binary, "--workspace", str(workspace), "run", "--at", case.at,
               "--retry-delays", "0,0,0", "--format", "json"]
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(box), "LC_ALL": "C"}
    other = {}
    if case.other_user and os.geteuid() == 0:
        other = {"user": OTHER_UID, "group": OTHER_UID, "extra_groups": []}
    timed_out = threading.Event()
    with open(box / "out", "w+b") as out, open(box / "err", "w+b") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   env=environment, cwd=box, **other)

        def give_up():
            timed_out.set()
            os.kill(process.pid, signal.SIGKILL)

        timer = threading.Timer(TIMEOUT_SECONDS, give_up)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        code = os.waitstatus_to_exitcode(status)
        process.returncode = code  # wait4 has taken the child from subprocess
        out.seek(0)
        err.seek(0)
        # A child starts with the resident size of this process, so nothing large is kept here.
        memory = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
        texts = out.read(READ_LIMIT), err.read(READ_LIMIT).decode("utf-8", "replace")
        return code, *texts, memory, timed_out.is_set()


def judge(case, code, out, err, memory, timed_out):
    faults = []
    if timed_out:
        return [("hangs", f"no end after {TIMEOUT_SECONDS} s")]
    if code in (101, 134) or code < 0 or "panicked" in err:
        faults.append(("panics", f"exit {code}: {err.strip()[:200]}"))
    if memory > MEMORY_LIMIT_KB:
        faults.append(("memory", f"{memory // 1024} MB resident"))
    if len(out) + len(err) > OUTPUT_LIMIT:
        faults.append(("output", f"{len(out)} bytes of result and {len(err)} of messages"))
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", err) or "\n::" in err:
        faults.append(("output", "a message passes control characters or lines of the input on"))
    try:
        state = json.loads(out)
    except ValueError:
        return faults + [("differs", f"standard output is no JSON, exit {code}: {err.strip()[:200]}")]
    level = state.get("policy")
    should_be = case.level or ("YELLOW" if case.kind == "missing" else "RED")
    if LEVELS.index(level) < LEVELS.index(should_be):
        faults.append(("too mild", f"{level}, expected {should_be}"))
    elif level != should_be:
        faults.append(("differs", f"{level}, expected {should_be}"))
    want_code = 1 if case.kind in ("invalid", "policy-invalid") else 0
    if code != want_code:
        faults.append(("differs", f"exit {code}, expected {want_code}"))
    codes = {r.get("code") for r in state.get("reasons", []) if r.get("signal") in (None, case.signal)}
    for reason, kind in (("INPUT_INVALID", "invalid"), ("INPUT_MISSING", "missing"), ("POLICY_INVALID", "policy-invalid")):
        if (reason in codes) != (kind == case.kind):
            faults.append(("differs", f"reason {reason} {'absent' if kind == case.kind else 'present'}"))
    others = {r.get("signal") for r in state.get("reasons", [])
              if r.get("code") in ("INPUT_INVALID", "INPUT_MISSING")} - {case.signal, None}
    if others and case.file in SIGNALS[case.signal][0]:  # a bad folder may hold two signals
        faults.append(("differs", f"another signal is blamed: {', '.join(sorted(others))}"))
    if case.kind == "valid" and case.signal == "policy":
        key, number = case.value
        if state["thresholds"].get(key) != number:
            faults.append(("differs", f"{key} is {state['thresholds'].get(key)}"))
    elif case.signal != "policy":
        _, key, default = SIGNALS[case.signal]
        want = case.value if case.kind == "valid" else default
        got = state["inputs"].get(key)
        if case.kind != "invalid" and (got != want or isinstance(got, bool) != isinstance(want, bool)):
            faults.append(("differs", f"{key} is {got!r}, expected {want!r}"))
    if case.warns and (case.warns == "yes") != bool(state.get("warnings")):
        faults.append(("differs", f"warnings are {state.get('warnings')}"))
    if want_code == 1 and case.file not in err and not any(p in err for p in SIGNALS[case.signal][0]):
        faults.append(("message", "standard error does not name the file"))
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", help="run every case against this binary")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds TEXT")
    options = parser.parse_args()

    cases, broken, seen = [], 0, {}
    for path in sorted(HERE.glob("*/*")):
        try:
            if path.suffix != ".case" or path.parent.name not in SIGNALS:
                raise BadCase("no case of a known signal")
            case = Case(path)
            twin = seen.setdefault(case.content_key(), case)
            if twin is not case:
                raise BadCase(f"the same as {twin.id}")
            cases.append(case)
        except BadCase as problem:
            broken += 1
            print(f"{path.relative_to(HERE)}: {problem}", file=sys.stderr)

    table = collections.Counter((c.signal, c.kind) for c in cases)
    kinds = ["invalid", "missing", "policy-invalid", "valid"]
    print(f"{'signal':12}" + "".join(f"{k:>16}" for k in kinds) + f"{'all':>8}")
    for name in [*SIGNALS, "all"]:
        row = [sum(n for (s, k), n in table.items() if k == kind and name in (s, "all")) for kind in kinds]
        print(f"{name:12}" + "".join(f"{n:>16}" for n in row) + f"{sum(row):>8}")
    if broken or not options.binary:
        return 1 if broken else 0

    found = collections.Counter()
    done = 0
    with tempfile.TemporaryDirectory(prefix="bad-inputs-", dir=open_to_all()) as scratch:
        os.chmod(scratch, 0o755)
        binary = shutil.copy(options.binary, scratch)  # where the other user can start it
        for case in cases:
            if options.only not in case.id:
                continue
            done += 1
            for kind, text in run(binary, case, pathlib.Path(scratch)):
                found[kind] += 1
                print(f"{case.id} [{case.head['expect']}] {kind}: {text}")
    summary = ", ".join(f"{kind} {n}" for kind, n in sorted(found.items())) or "no fault"
    print(f"{done} cases run: {summary}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
