"""What scripts/bench-run and scripts/bench-verify share: building the C helpers, measuring one
process, workspaces and long journals, and the table of measured values beside their targets."""

import datetime
import hashlib
import hmac
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT_BINARY = ROOT / "target/release/policy-orchestrator"
JOURNAL = "state/policy_state_log.jsonl"
STATE = "state/policy_state.json"
HISTORY = "forensics/response_history.jsonl"
CSV = "exports/integrity_metrics_registry.csv"


class Trouble(Exception):
    """The measurement itself can't be made; no statement about the targets."""


# ---- processes ------------------------------------------------------------------------------


class Used(NamedTuple):
    cpu_us: int
    peak_kb: int
    code: int
    stderr: str
    wall_us: int


class Tools(NamedTuple):
    floor: str
    launch: str


def build_tools(directory):
    source = ROOT / "benches/floor/floor.c"
    floor, launch = str(directory / "floor"), str(directory / "launch")
    for output, extra in ((floor, []), (launch, ["-DLAUNCH"])):
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", *extra, "-o", output, source], check=True)
    return Tools(str(installed(floor, directory)), launch)


def installed(program, scratch):
    """A copy, as an installation makes one. A linker's own output lies in memory in other pieces,
    which costs about ten page faults (several percent) at every start."""
    copy = scratch / (pathlib.Path(program).name + "-installed")
    shutil.copy2(program, copy)
    return copy


def environment(secret=None):
    """A small, fixed environment: no secret but a given one, no workflow runner, no colour."""
    signing = {"POLICY_AUDIT_SECRET": secret.decode()} if secret else {}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "LANG": "C.UTF-8", **signing}


def measure(tools, argv, cwd, expect=0, prefix=(), secret=None):
    """Runs `argv` once through the launcher. Any exit code but `expect` is trouble."""
    done = subprocess.run(
        [*prefix, tools.launch, *map(str, argv)],
        cwd=cwd, env=environment(secret), capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )
    try:
        user, system, peak, code, signal, wall = map(int, done.stdout.split())
    except ValueError:
        raise Trouble(f"launcher failed: {done.stderr.strip()}") from None
    if signal or (expect is not None and code != expect):
        end = f"signal {signal}" if signal else f"exit code {code}, expected {expect}"
        raise Trouble(f"{' '.join(map(str, argv))} in {cwd}: {end}\n{done.stderr.strip()[-2000:]}")
    return Used(user + system, peak, code, done.stderr, wall)


def output_of(argv, cwd):
    """Both outputs of a program, whatever its exit code."""
    done = subprocess.run(list(map(str, argv)), cwd=cwd, env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    return done.stdout


def system_calls(argv, cwd, scratch):
    """Names of all system calls in order, and how many processes and threads were started."""
    log = scratch / "strace.txt"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", log, *map(str, argv)],
        cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    if done.returncode != 0:
        raise Trouble(f"strace: exit code {done.returncode}\n{done.stderr.strip()[-2000:]}")
    names, processes, threads = [], -1, 0
    for line in log.read_text(errors="replace").splitlines():
        found = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if not found:  # a signal, an exit, or the second half of a call
            continue
        names.append(found[1])
        if found[1] in ("execve", "execveat"):
            processes += 1  # the first one is the program itself
        elif found[1] in ("clone", "clone3", "fork", "vfork"):
            if "CLONE_THREAD" in line:
                threads += 1
            else:
                processes += 1
    return names, processes, threads


def instructions(argv, cwd, scratch):
    """Instructions of the whole process in user mode, the loader's included."""
    output = scratch / "callgrind.out"
    output.unlink(missing_ok=True)
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", *map(str, argv)],
        cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    if done.returncode != 0:
        raise Trouble(f"valgrind: exit code {done.returncode}\n{done.stderr.strip()[-2000:]}")
    found = re.search(r"^(?:totals|summary): (\d+)", output.read_text(errors="replace"), re.M)
    if not found:
        raise Trouble("callgrind wrote no total")
    return int(found[1])


# ---- workspaces -----------------------------------------------------------------------------


def utc(when, like="2026-01-01T00:00:00Z"):
    """RFC 3339 with as many digits of a second, and the same mark for UTC, as `like` has."""
    fraction = re.search(r"\.(\d+)", like)
    text = when.strftime("%Y-%m-%dT%H:%M:%S")
    if fraction:
        text += "." + f"{when.microsecond:06d}".ljust(9, "0")[: len(fraction[1])]
    return text + ("Z" if like.endswith("Z") else "+00:00")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def csv_rows(count):
    yield "timestamp,integrity_score,violations,warnings,health_score,rri,mpi,confidence,status\n"
    for number in range(count):
        yield f"2026-01-01T00:00:00Z,{90 + number % 9}.25,0,1,69.3,15.1,86.0,0.850,ok\n"
    yield "2026-01-01T00:00:00Z,93.5,0,1,69.3,15.1,86.0,0.850,ok\n"


def history_line(number, when):
    return (
        f'{{"response_id": "{number:08x}-d3ef-4964-b877-32dd5cfc53f9", "timestamp": "{utc(when)}", '
        '"event_type": "ADAPTIVE_RESPONSE", "risk_level": "medium", '
        '"actions_taken": [{"action": "trigger_self_healing"}], "status": "soft_actions_executed"}\n'
    )


def write_history(path, old):
    """`old` entries, one every ten minutes until three days ago, then five of the last day."""
    start = now() - datetime.timedelta(days=3, minutes=10 * old)
    step = datetime.timedelta(minutes=10)
    with open(path, "w", encoding="ascii") as out:
        for number in range(old):
            out.write(history_line(number, start + number * step))
        for hours in (9, 8, 6, 4, 2):
            out.write(history_line(old + 9 - hours, now() - datetime.timedelta(hours=hours)))


def make_workspace(directory, history="small"):
    """A healthy repository with every signal and no document; the decision is YELLOW."""
    for name in ("exports", "federation", "forensics", "state"):
        (directory / name).mkdir(parents=True)
    put = lambda name, text: (directory / name).write_text(text, encoding="utf-8")
    put("trust_lock_state.json", '{"locked": false, "reason": null}\n')
    put(CSV, "".join(csv_rows(6)))
    put("federation/weighted_consensus.json",
        json.dumps({"weighted_agreement_pct": 96.4, "peers_checked": 5}, indent=2) + "\n")
    peers = [{"peer": f"node-{n}", "reputation_score": 84.5 + n} for n in range(5)]
    put("federation/reputation_index.json", json.dumps({"peers": peers}, indent=2) + "\n")
    put("forensics/forensics_anomaly_forecast.json", json.dumps({
        "status": "success", "forecast_generated_at": utc(now()),
        "predicted_anomalies_7d": [17.02] * 7, "risk_level": "medium"}, indent=2) + "\n")
    if history == "empty":
        put(HISTORY, "")
    else:
        write_history(directory / HISTORY, 10)
    put("audit_summary.md", "# Audit summary\n\n" + "".join(
        f"<!-- OTHER_TOOL_{n}: PASS 2026-01-01T00:00:00Z -->\n" for n in range(300)))
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q", directory], check=True)
    return directory


def last_line(path):
    return pathlib.Path(path).read_bytes().rstrip(b"\n").rsplit(b"\n", 1)[-1]


def key_id(secret):
    """The id of a signing key, as docs/journal.md says."""
    return hmac.new(secret, b"policy-orchestrator key id", "sha256").hexdigest()[:16].encode()


def signed(line, secret):
    """A line without a signature, signed as docs/journal.md says; without a secret, as it is."""
    if not secret:
        return line
    line = line[:-1] + b',"key":"' + key_id(secret) + b'"'
    return line + b',"hmac":"' + hmac.digest(secret, line + b"}", "sha256").hex().encode() + b'"}'


def run_id(line):
    """The id of the run that recorded a line which names none: docs/journal.md, RFC 9562 version 8."""
    first = bytearray(hashlib.sha256(line).digest()[:16])
    first[6] = first[6] & 0x0F | 0x80
    first[8] = first[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(first)))


def extend_journal(workspace, binary, tools, lines, secret=None):
    """Makes the journal `lines` lines long as the binary would have, and moves the state's head.

    Two real runs give the first line and the pattern of all others, in which only time, number
    and the hash of the line before change."""
    for _ in range(2):
        measure(tools, [binary, "run"], workspace, secret=secret)
    journal, state = workspace / JOURNAL, workspace / STATE
    first, old = journal.read_bytes().split(b"\n")[:2]
    unsigned = lambda line: re.sub(rb',"key":"[0-9a-f]{16}","hmac":"[0-9a-f]{64}"}$', b"}", line)
    pattern = re.fullmatch(
        rb'(\{"timestamp":")([^"]+)(".*"seq":)(\d+)(,"prev":")([0-9a-f]{64})(".*)', unsigned(old))
    if not pattern or json.loads(first)["seq"] != 1:
        raise Trouble(f"a journal line is not what this script expects: {old[:200]!r}")
    head, stamp, middle, number, link, _, rest = pattern.groups()
    stamp = stamp.decode()
    started = now() - datetime.timedelta(minutes=lines)

    first_stamp = json.loads(first)["timestamp"].encode()
    line = signed(unsigned(first).replace(first_stamp, utc(started, stamp).encode(), 1), secret)
    time = first_stamp
    with open(journal, "wb") as out:
        chunk = [line]
        for seq in range(2, lines + 1):
            previous = hashlib.sha256(line).hexdigest().encode()
            time = utc(started + datetime.timedelta(minutes=seq - 1), stamp).encode()
            line = b"".join((head, time, middle, b"%d" % seq, link, previous, rest))
            line = signed(line, secret)
            chunk.append(line)
            if len(chunk) == 10_000:
                out.write(b"\n".join(chunk) + b"\n")
                chunk.clear()
        if chunk:
            out.write(b"\n".join(chunk) + b"\n")

    text = state.read_bytes()
    for of_line in (lambda bytes: hashlib.sha256(bytes).hexdigest(), run_id):
        text = text.replace(of_line(old).encode(), of_line(line).encode())
    text = re.sub(rb'("seq":\s*)' + number + rb"\b", rb"\g<1>%d" % lines, text)
    text = text.replace(stamp.encode(), time)
    state.write_bytes(text)
    os.sync()  # what the script wrote must not be flushed at the expense of the first run
    return journal


class Scratch:
    """A directory on a disk (not in memory: fsync has to mean something), removed at the end."""

    def __init__(self, parent):
        self.parent = parent

    def __enter__(self):
        if self.parent:
            pathlib.Path(self.parent).mkdir(parents=True, exist_ok=True)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="policy-bench-", dir=self.parent))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


# ---- results --------------------------------------------------------------------------------


class Table:
    """Rows of measured value, target and PASS or FAIL; a row without a target is for information."""

    def __init__(self, margin=0.0):
        self.rows = []
        self.margin = margin

    def add(self, name, value, target=None, unit="", least=False, digits=0, note=""):
        # Only CPU times are subject to what else a machine does; counts and memory are not.
        allowed = target if target is None or unit not in ("ms", "times") else target * (1 + self.margin)
        passed = None if target is None else (value >= target if least else value <= allowed)
        self.rows.append({"name": name, "value": value, "target": target, "unit": unit,
                          "at": "least" if least else "most", "passed": passed, "note": note})
        sign = ">=" if least else "<="
        wanted = "" if target is None else f"{sign} {target:,.{digits}f}"
        word = {None: "", True: "PASS", False: "FAIL"}[passed]
        if passed and not least and value > target:
            word, note = "PASS", f"over target, within the margin of {self.margin:.0%}; {note}".rstrip("; ")
        print(f"{name:<46} {value:>13,.{digits}f} {unit:<6} {wanted:>14}  {word:<4}  {note}".rstrip(), flush=True)

    def check(self, name, passed, note=""):
        """A row that is no number: it holds or it doesn't."""
        self.rows.append({"name": name, "passed": bool(passed), "note": note})
        print(f"{name:<46} {'yes' if passed else 'no':>13} {'':<6} {'yes':>14}  {'PASS' if passed else 'FAIL'}  {note}".rstrip(), flush=True)

    def finish(self, path=None, **more):
        failed = [row["name"] for row in self.rows if row["passed"] is False]
        if path:
            machine = {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()}
            document = {"measured_at": utc(now()), "machine": machine, "passed": not failed,
                        "rows": self.rows, **more}
            pathlib.Path(path).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        if failed:
            print(f"\n{len(failed)} over target: " + "; ".join(failed))
        return 1 if failed else 0


def median(values):
    return statistics.median(values)


def require(binary, *programs):
    for program in programs:
        if not shutil.which(program):
            raise Trouble(f"{program} is not on this machine")
    path = pathlib.Path(binary).resolve()
    if not os.access(path, os.X_OK) or not path.is_file():
        raise Trouble(f"no program at {path}: build it with `cargo build --release`, or name it with --binary")
    return path


def main(body):
    """Exit codes: 0 all targets met, 1 at least one missed, 2 nothing could be said."""
    try:
        sys.exit(body())
    except (Trouble, subprocess.CalledProcessError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
