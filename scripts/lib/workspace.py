"""Shared by crash-test, power-cut-test and fault-test: sample workspaces, running
the binary, system-call injection, and a second opinion on the files.

The second opinion never asks the binary. It reads the stored bytes and checks, with
nothing but hashlib and json: the chain of the journal, the order of its times, that
the state file names a line that is there, the marker, the stored policy documents, and
that no file lies about that doesn't belong. Every check raises `Broken` with one
sentence. The shapes are those that docs and the contract name; when they change, this
file changes with them.
"""

import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from datetime import datetime
from pathlib import Path

JOURNAL = "state/policy_state_log.jsonl"
STATE = "state/policy_state.json"
SUMMARY = "audit_summary.md"
FAILURE = "reports/policy_orchestrator_failure.json"
TORN = JOURNAL + ".torn"
LOCK = "state/.lock"
LINE_KEYS = ["timestamp", "policy", "trust_locked", "integrity", "consensus",
             "reputation", "forecast", "responses"]
STATE_KEYS = ["policy", "evaluated_at", "inputs", "thresholds"]
# Journal key -> key of `inputs` in the state file.
SAME_VALUE = {"trust_locked": "trust_locked", "integrity": "integrity_score",
              "consensus": "consensus_pct", "reputation": "reputation_score",
              "forecast": "forecast_risk", "responses": "recent_responses"}
TEMPORARY = ["state/.policy_state.json.tmp", ".audit_summary.md.tmp",
             "state/policies/.document.tmp", "reports/.policy_orchestrator_failure.json.tmp"]
OUTPUTS = [re.compile(p) for p in (
    r"state/\.lock", r"state/policy_state\.json", r"state/policy_state_log\.jsonl(\.torn)?",
    r"state/journal_heads\.json", r"state/portal_data\.json", r"state/policies/[0-9a-f]{64}",
    r"state/segments/policy_state_log\.\d{14}\.broken\.jsonl",
    r"audit_summary\.md", r"reports/policy_orchestrator_failure\.json")]
MARKER = re.compile(rb"<!-- POLICY_ORCHESTRATION: (UPDATED|FAILED) (\S+?)(?: policy=(\S+))? -->")
# NUL bytes, CRLF and a neighbour's marker: real files hold all of them.
SAMPLE_SUMMARY = (b"# Audit summary\r\n\r\nkept \x00 as it is\r\n"
                  b"<!-- OTHER_TOOL: UPDATED 2025-01-01T00:00:00+00:00 -->\n\ntail\n")
SAMPLE_INPUTS = {
    "trust_lock_state.json": '{"locked": false}\n',
    "exports/integrity_metrics_registry.csv":
        "timestamp,integrity_score\n2025-01-01T00:00:00+00:00,97.5\n",
    "federation/weighted_consensus.json": '{"weighted_agreement_pct": 95.0, "peers_checked": 3}\n',
    "federation/reputation_index.json":
        '{"peers": [{"peer": "a", "reputation_score": 90.0}, {"peer": "b", "reputation_score": 86.0}]}\n',
    "forensics/forensics_anomaly_forecast.json": '{"status": "success", "risk_level": "low"}\n',
    "forensics/response_history.jsonl":
        '{"timestamp": "2025-01-01T00:00:00+00:00", "event_type": "ADAPTIVE_RESPONSE"}\n',
}


class Broken(Exception):
    """A promise that the files don't keep."""


def require(condition, text):
    if not condition:
        raise Broken(text)


# ---------------------------------------------------------------- workspaces

def make_workspace(root, git=False, summary=SAMPLE_SUMMARY):
    """Writes a workspace with six healthy signals (GREEN); `git` makes it a repository
    with a staged change, an unstaged one and an untracked file, so that a run which
    touches any of the three is caught."""
    root = Path(root)
    for name, text in SAMPLE_INPUTS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if summary is not None:
        (root / SUMMARY).write_bytes(summary)
    if git:
        (root / "notes.txt").write_text("one\n")
        (root / "staged.txt").write_text("one\n")
        run_git(root, "init", "-q", "-b", "main")
        run_git(root, "config", "user.name", "A User")
        run_git(root, "config", "user.email", "user@example.invalid")
        run_git(root, "add", "-A")
        run_git(root, "commit", "-q", "-m", "start")
        (root / "staged.txt").write_text("two\n")
        run_git(root, "add", "staged.txt")
        (root / "notes.txt").write_text("two\n")
        (root / "untracked.txt").write_text("mine\n")
    return root


def copy_workspace(source, target):
    shutil.copytree(source, target, symlinks=True)
    return Path(target)


def clean_environment(home):
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(home), "LANG": "C",
            "LC_ALL": "C", "TZ": "UTC", "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"}


def run_git(root, *arguments):
    environment = clean_environment("/nonexistent")
    environment["GIT_CONFIG_COUNT"] = "1"
    environment["GIT_CONFIG_KEY_0"] = "safe.directory"
    environment["GIT_CONFIG_VALUE_0"] = "*"
    done = subprocess.run(["git", "-C", str(root), *arguments], env=environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Broken(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def is_output(name):
    return any(p.fullmatch(name) for p in OUTPUTS)


def files_of(root):
    """Every file and link below `root`, `.git` left out, as sorted relative names."""
    found = []
    for folder, folders, names in os.walk(root):
        if ".git" in folders:
            folders.remove(".git")
        found += [os.path.relpath(os.path.join(folder, n), root) for n in names]
        found += [os.path.relpath(os.path.join(folder, n), root) for n in folders
                  if os.path.islink(os.path.join(folder, n))]
    return sorted(found)


def user_files(root):
    """Names and hashes of what is the user's: all but the outputs."""
    return {name: sha256((Path(root) / name).read_bytes()) for name in files_of(root)
            if not is_output(name)}


def user_facts(root):
    """What a run must leave alone: the user's files and, in a repository, HEAD, the
    index, the configuration, and what git says about the working tree (lines about the
    product's own outputs left out)."""
    facts = {"files": user_files(root)}
    if (Path(root) / ".git").exists():
        for name in ("index", "HEAD", "config", "logs/HEAD", "ORIG_HEAD", "MERGE_HEAD", "refs/heads/main"):
            path = Path(root) / ".git" / name
            facts[name] = sha256(path.read_bytes()) if path.exists() else None
        facts["rev"] = run_git(root, "rev-parse", "HEAD")
        status = run_git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=all")
        facts["status"] = [line for line in status.splitlines()
                           if not is_output(line.split(" ")[-1])]
    return facts


def same_facts(before, after):
    for key in before:
        require(before[key] == after[key],
                f"the user's {key} changed: {before[key]!r} -> {after[key]!r}")


def fix_branches(root):
    return run_git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads/fix/").split()


# ---------------------------------------------------------------- second opinion

def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Line:
    def __init__(self, raw, number):
        try:
            self.value = json.loads(raw)
        except ValueError as error:
            raise Broken(f"journal line {number} doesn't parse: {error}: {raw[:80]!r}") from None
        require(isinstance(self.value, dict), f"journal line {number} is no object")
        self.raw, self.sha = raw, sha256(raw)
        self.seq = self.value.get("seq")
        self.time = datetime.fromisoformat(self.value["timestamp"])


class Journal:
    """The chained lines of a journal, checked on the way in. `torn` holds the bytes
    after the last newline."""

    def __init__(self, data):
        body, newline, self.torn = data.rpartition(b"\n")
        self.size = len(data)
        self.lines = []
        before, expected = None, 1
        for number, raw in enumerate(body.split(b"\n") if newline else [], 1):
            line = Line(raw, number)
            require(list(line.value)[:8] == LINE_KEYS, f"journal line {number} has other first keys")
            require(raw == json.dumps(line.value, ensure_ascii=False, separators=(",", ":")).encode()
                    or b'": ' not in raw, f"journal line {number} isn't compact")
            require(line.seq == expected, f"journal line {number} says seq {line.seq}, not {expected}")
            prev = sha256(b"") if before is None else before.sha
            require(line.value.get("prev") == prev,
                    f"journal line {number} says prev {line.value.get('prev')}, not {prev}")
            require(before is None or before.time <= line.time,
                    f"journal line {number} is older than the line before")
            self.lines.append(line)
            before, expected = line, expected + 1

    @property
    def last(self):
        return self.lines[-1] if self.lines else None

    def holds(self, seq, sha):
        return 0 < seq <= len(self.lines) and self.lines[seq - 1].sha == sha


def read_bytes(root, name):
    try:
        return (Path(root) / name).read_bytes()
    except FileNotFoundError:
        return None


def read_journal(root):
    return Journal(read_bytes(root, JOURNAL) or b"")


def read_state(root):
    """The state file as an object; None where there is none."""
    data = read_bytes(root, STATE)
    if data is None:
        return None
    try:
        state = json.loads(data)
    except ValueError as error:
        raise Broken(f"the state file doesn't parse: {error}: {data[:80]!r}") from None
    require(list(state)[:4] == STATE_KEYS, "the state file has other first keys")
    return state


def check_unsettled(root, acknowledged=(), summary=SAMPLE_SUMMARY):
    """What must hold at any moment, after a kill, a cut or a fault: the chain is whole
    (a torn tail aside), every acknowledged record is there, the state file is one whole
    decision that the journal holds, and the summary is whole. Returns the journal."""
    journal = read_journal(root)
    for seq, sha in acknowledged:
        require(journal.holds(seq, sha), f"acknowledged record {seq} ({sha[:12]}) is gone")
    state = read_state(root)
    if state is not None:
        head = state["journal"]
        require("seq" in head and "sha256" in head, f"the state names no head: {head}")
        require(journal.holds(head["seq"], head["sha256"]),
                f"the state names record {head['seq']}, which the journal doesn't hold")
        check_state_equals(state, journal.lines[head["seq"] - 1])
    check_summary(root, summary)
    check_documents(root, journal)
    return journal


def check_settled(root, acknowledged=(), summary=SAMPLE_SUMMARY):
    """What must hold after a run that ended by itself: all of `check_unsettled`, no torn
    tail, the state equals the last line, the marker tells the same, no stray file."""
    journal = check_unsettled(root, acknowledged, summary)
    require(not journal.torn, f"a torn tail stays in the journal: {journal.torn[:60]!r}")
    require(journal.last is not None, "the journal is empty after a run")
    state = read_state(root)
    require(state is not None, "no state file after a run")
    require(state["journal"] == {**state["journal"], "seq": journal.last.seq, "sha256": journal.last.sha},
            f"the state names record {state['journal']}, the last line is {journal.last.seq}")
    check_state_equals(state, journal.last)
    markers = MARKER.findall(read_bytes(root, SUMMARY) or b"")
    require(len(markers) == 1, f"{len(markers)} markers in {SUMMARY}")
    kind, time, level = markers[0]
    require(datetime.fromisoformat(time.decode()) == journal.last.time,
            f"the marker's time {time!r} isn't the last line's")
    if kind == b"UPDATED":
        require(level.decode() == state["policy"], "the marker names another level than the state")
    check_no_strays(root)
    return journal


def check_state_equals(state, line):
    value = line.value
    require(state["policy"] == value["policy"], "state and journal line name different levels")
    require(datetime.fromisoformat(state["evaluated_at"]) == line.time,
            "state and journal line have different times")
    for short, long in SAME_VALUE.items():
        require(state["inputs"][long] == value[short], f"state and journal line differ in {short}")


def check_summary(root, original):
    """Old or new, and apart from our one line exactly what it was."""
    data = read_bytes(root, SUMMARY)
    if original is None:
        return
    require(data is not None, f"{SUMMARY} is gone")
    found = MARKER.findall(data)
    require(len(found) <= 1, f"{len(found)} markers in {SUMMARY}")
    rest = re.sub(MARKER.pattern + rb"\r?\n", b"", data)
    require(rest == original, f"other bytes of {SUMMARY} changed")


def check_documents(root, journal):
    """A document is kept before a line names it, and its name is its hash."""
    folder = Path(root) / "state/policies"
    for path in folder.iterdir() if folder.is_dir() else []:
        if re.fullmatch(r"[0-9a-f]{64}", path.name):
            require(sha256(path.read_bytes()) == path.name, f"state/policies/{path.name} has other bytes")
    for name in {line.value.get("doc") for line in journal.lines} - {None}:
        require((folder / name).exists(), f"the journal names policy {name[:12]}, which isn't kept")


def strays(root):
    known = set(SAMPLE_INPUTS) | {"notes.txt", "staged.txt", "untracked.txt"}
    return [n for n in files_of(root) if not is_output(n) and n not in known]


def check_no_strays(root):
    left = strays(root)
    require(not left, f"left behind: {', '.join(left)}")


# ---------------------------------------------------------------- running the binary

class Result:
    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr

    def acknowledged(self):
        """(number, hash) of the record that this run says it wrote. Exit 0 is the
        acknowledgement, the result on standard output names the record."""
        try:
            head = json.loads(self.stdout)["journal"]
            return head["seq"], head["sha256"]
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(f"exit 0, but standard output is no state: {error!r}: {self.stdout[:200]!r}") from None

    def expect(self, *codes):
        require(self.code in codes, f"exit {self.code}, expected {' or '.join(map(str, codes))}: "
                f"{self.stderr.decode(errors='replace').strip()[:600]}")
        return self


class Binary:
    """The program under test, run with a clean environment."""

    def __init__(self, path, home):
        self.path, self.environment = str(path), clean_environment(home)

    def command(self, root, *arguments, verb=("run", "--retry-delays", "0,0,0")):
        return [self.path, "--workspace", str(root), *verb, *arguments]

    def start(self, root, *arguments, **options):
        """Returns once exec has happened: subprocess waits for that."""
        options.setdefault("env", self.environment)
        return subprocess.Popen(self.command(root, *arguments), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run(self, root, *arguments, before=(), timeout=60, verb=("run", "--retry-delays", "0,0,0"), **options):
        options.setdefault("env", self.environment)
        done = subprocess.run([*before, *self.command(root, *arguments, verb=verb)],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, **options)
        return Result(done.returncode, done.stdout, done.stderr)

    def verify(self, root):
        return self.run(root, verb=("audit", "verify"))


def find_binary(given):
    """The binary's absolute path; ends the script with a clear word where there is none."""
    path = Path(given or Path(__file__).resolve().parents[2] / "target/release/policy-orchestrator").resolve()
    if not os.access(path, os.X_OK):
        sys.exit(f"no binary at {path}: build it with `cargo build --release`, or name one with --binary")
    return path


# ---------------------------------------------------------------- system calls

OPENS = {"open", "openat", "openat2", "creat"}
MUTATING = ["open", "openat", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "rename",
            "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "truncate",
            "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "syncfs", "flock",
            "chmod", "fchmod", "fchmodat", "fchown", "fchownat", "link", "linkat", "symlink",
            "symlinkat", "utimensat", "copy_file_range", "sendfile"]
SYNCS = {"fsync", "fdatasync", "syncfs", "sync_file_range"}
CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")


class Call:
    """One mutating call of a traced run: the `ordinal`-th of its name."""

    def __init__(self, name, ordinal, text, root):
        self.name, self.ordinal, self.text = name, ordinal, text
        self.literals = re.findall(r'"((?:[^"\\]|\\.)*)"', text) if name not in ("write", "pwrite64") else []
        handle = re.match(r"\d+<([^>]*)>", text)
        self.path = handle.group(1) if handle else (self.literals[-1] if self.literals else "")
        if self.literals and not self.path.startswith("/"):
            base = re.match(r"(?:AT_FDCWD|\d+)<([^>]*)>", text)
            if base:
                self.path = os.path.join(base.group(1), self.literals[-1])
        self.inside = self.below(self.path, root)
        self.touched = {self.inside, *(self.below(text, root) for text in self.literals)} - {None}

    @staticmethod
    def below(path, root):
        """The path relative to the workspace; None outside of it."""
        inside = os.path.relpath(path, root) if path.startswith("/") else ".."
        return None if inside.startswith("..") else inside

    @property
    def target(self):
        """The file that this call serves: a temporary file counts as its target."""
        if self.inside is None:
            return None
        folder, name = os.path.split(self.inside)
        if name == ".document.tmp":
            return "state/policies"
        if name.startswith(".") and name.endswith(".tmp"):
            name = name[1:-4]
        return os.path.join(folder, name)

    def __str__(self):
        return f"{self.name} #{self.ordinal} ({self.inside or self.path or self.text[:40]})"


def find_strace():
    return shutil.which("strace", path="/usr/local/bin:/usr/bin:/bin")


def traced(*options, out="/dev/null"):
    return [find_strace(), "-f", "-qq", "-y", "-s", "4096", "-o", str(out), *options]


def mutating_calls(binary, root, out, *arguments, **options):
    """Runs the binary once under strace and returns (result, its mutating calls in order).
    Opening for reading alone mutates nothing, but counts for the ordinal."""
    known = ",".join("?" + n for n in MUTATING)
    result = binary.run(root, *arguments, before=traced("-e", f"trace={known}", out=out), **options)
    counts, calls = Counter(), []
    for text in Path(out).read_text(errors="replace").splitlines():
        found = CALL.match(text)
        if not found or "resumed>" in text[:40]:
            continue
        process, name, rest = found.groups()
        counts[process, name] += 1  # strace counts the same way: each thread for itself
        if name in OPENS and not re.search(r"O_CREAT|O_WRONLY|O_RDWR", rest):
            continue
        calls.append(Call(name, counts[process, name], rest, os.path.realpath(root)))
    return result, calls


def inject(call_name, what, when=None, paths=()):
    """strace options that make the named call fail, or kill, at the given occurrences;
    with `paths`, only where the call is about one of them."""
    rule = f"inject={call_name}:{what}" + (f":when={when}" if when is not None else "")
    only = [part for path in paths for part in ("-P", path)]
    return [*only, "-e", f"trace={call_name}", "-e", rule]


# ---------------------------------------------------------------- mounts

def private_mounts():
    """Moves this process into a mount namespace of its own: whatever is mounted from
    here on goes away with the last process in it, even after kill -9."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNS)")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def is_mounted(path):
    """os.path.ismount asks the file system, which answers nothing once it is shut down."""
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def reachable_temporary():
    """A directory for temporary files that another uid can walk to."""
    for place in (tempfile.gettempdir(), "/var/tmp", "/dev/shm"):
        place = Path(os.path.realpath(place))
        if all(folder.stat().st_mode & stat.S_IXOTH for folder in (place, *place.parents)):
            return place
    return Path(tempfile.gettempdir())


def shell(*command, check=True):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if check and done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


# ---------------------------------------------------------------- score

class Score:
    """Counts what passed and what failed, and prints failures with a way to repeat them."""

    def __init__(self, again):
        self.passed, self.failed, self.skipped, self.again = 0, 0, [], again
        self.counts = Counter()

    def attempt(self, name, check, *arguments, keep=None, hint=None, again=None):
        """Runs one check. `keep` is a directory that is copied aside on failure."""
        try:
            check(*arguments)
        except Exception as error:  # every failure is counted, none ends the script
            text = str(error) if isinstance(error, Broken) else traceback.format_exc()
            self.fail(name, text, keep, hint, again)
            return False
        self.passed += 1
        return True

    def fail(self, name, text, keep=None, hint=None, again=None):
        self.failed += 1
        print(f"FAILED  {name}\n        {text}", file=sys.stderr)
        print(f"        again: {again or self.again}", file=sys.stderr)
        if hint:
            print(f"        the command: {hint}", file=sys.stderr)
        if keep:
            print(f"        files kept in {keep_aside(keep)}", file=sys.stderr)
        sys.stderr.flush()

    def skip(self, name, why):
        self.skipped.append(name)
        print(f"skipped {name}: {why}")

    def say(self, text):
        print(text, flush=True)

    def finish(self):
        if self.skipped:
            print(f"{len(self.skipped)} skipped: {', '.join(self.skipped)}")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0


KEEP = Path(tempfile.gettempdir()) / f"policy-orchestrator-failed-{os.getpid()}"


def keep_aside(folder):
    """A copy of a failing workspace, at most ten of them a script."""
    KEEP.mkdir(exist_ok=True)
    if len(list(KEEP.iterdir())) >= 10:
        return f"{KEEP} for the first ten failures only"
    target = tempfile.mkdtemp(dir=KEEP)
    try:
        shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True)
    except (OSError, shutil.Error):
        pass
    return target


def end_on_signals():
    """SIGTERM and SIGHUP end the script the way Ctrl-C does, so that `finally` runs."""
    def stop(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def remove_tree(path):
    def force(_function, name, _info):
        try:
            os.chmod(os.path.dirname(name), stat.S_IRWXU)
            os.unlink(name)
        except OSError:
            pass
    shutil.rmtree(path, onerror=force)
