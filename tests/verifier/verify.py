#!/usr/bin/env python3
"""Verifies journals, checkpoint and envelope by docs/journal.md and docs/attestations.md alone; 0: whole, 5: changed.
usage: verify.py WORKSPACE [--checkpoint NOTE] [--envelope FILE] [--key PUB]; secrets in POLICY_AUDIT_SECRET, _OLD_SECRET."""
import argparse, base64, gzip, hashlib, hmac, json, os, pathlib, re, sys
P, L, D = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493, -121665 * pow(121666, -1, 2**255 - 19)
def point(data):  # RFC 8032, 5.1.3
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = next((x for x in (pow(square, (P + 3) // 8, P) * pow(2, n * (P - 1) // 4, P) % P for n in (0, 1)) if x * x % P == square), 0)
    return (P - x if x & 1 != data[31] >> 7 else x, y) if x * x % P == square and y < P else None
def add(one, other):
    (a, b), (c, d), k = one, other, D * one[0] * one[1] * other[0] * other[1] % P
    return (a * d + b * c) * pow(1 + k, -1, P) % P, (b * d + a * c) * pow(1 - k, -1, P) % P
def times(n, p):
    return add(times(n >> 1, add(p, p)), p if n & 1 else (0, 1)) if n else (0, 1)
def signed(key, message, signature):  # RFC 8032, 5.1.7
    s, h = int.from_bytes(signature[32:], "little"), hashlib.sha512(signature[:32] + key + message).digest()
    base, r, a = point((4 * pow(5, -1, P) % P).to_bytes(32, "little")), point(signature[:32]), point(key)
    return r and a and len(signature) == 64 and s < L and times(s, base) == add(r, times(int.from_bytes(h, "little") % L, a))
problems, sha256 = [], lambda data: hashlib.sha256(data).hexdigest()
need = lambda holds, where, what: holds or problems.append(f"{where}: {what}")
by = lambda secret, start, digits: hmac.new(secret, start + b"}", "sha256").hexdigest().encode() == digits
def journal(root, name, data):  # each chained line's hash by its number, the key at the end, lines by unknown keys
    at, before, using, unknown, numbers = 0, None, None, 0, {}
    for count, line in enumerate(data.split(b"\n")[:-1], 1):
        start, at, where = at, at + len(line) + 1, f"{name}:{count}"
        chained = re.search(rb',"v":\d+,"seq":(\d+),"prev":"(\w{64})"', line)  # quotes within a text are escaped
        if not chained and [need(before is None, where, "no chained line")]:
            continue
        seq, prev = int(chained[1]), chained[2].decode()
        need(before in (None, (seq - 1, prev)), where, "does not follow the line before")
        if before is None:
            record, known = {"adopted": 0, "segment": {}} | json.loads(line), len(problems)
            adopted, segment = record["adopted"], record["segment"]
            packed = need(start - adopted in (0, 1), where, "bytes before it that it does not adopt") and segment.get("packed")
            need(prev == (segment["head"] if packed else segment or {"sha256": sha256(data[:adopted])})["sha256"], where, "another beginning")
            if segment.get("file") and need((root / segment["file"]).exists(), where, "no segment"):
                kept = (root / segment["file"]).read_bytes()
                right = packed and need(sha256(kept) == packed["sha256"], where, "another packed segment")
                plain = gzip.decompress(kept) if right else kept
                numbers, *last = journal(root, segment["file"], plain)
                using, unknown = last if packed else (None, 0)  # closed whole: the chain and the key go through it
                del problems[len(problems) if packed else known :]  # else it was sealed because it was broken
                need(sha256(plain) == segment["sha256"] and (not packed or seq == segment["head"]["seq"] + 1), where, "another segment")
        mac = re.search(rb'(?:,"key":"([0-9a-f]{16})")?,"hmac":"([0-9a-f]{64})"}$', line)
        need(mac or using is None, where, "unsigned behind a signed line")
        if mac:
            key, both = mac[1] or using or b"", re.search(rb'^(.*,"old_key":"(\w+)"),"hmac_old":"(\w+)"', line)
            known = [secrets[key]] if key in secrets else [] if key else list(secrets.values())
            right = need(not known or any(by(secret, line[: mac.start(2) - 9], mac[2]) for secret in known), where, "another signature")
            old = both and using == both[2] and (using not in secrets or by(secrets[using], both[1], both[3]))
            need(old or not using or key == using, where, "another key without a handover")
            using, unknown = key, 0 if right and known and both else unknown + (not known)
        before, numbers[seq] = (seq, sha256(line)), sha256(line)
    return numbers, using, unknown
parser = argparse.ArgumentParser()
[parser.add_argument(name, type=pathlib.Path) for name in ("workspace", "--checkpoint", "--envelope", "--key")]
given, names = parser.parse_args(), ("POLICY_AUDIT_SECRET", "POLICY_AUDIT_OLD_SECRET")
told = [one.encode() for name in names for one in os.environ.get(name, "").split("\n") if one]
secrets = {hmac.new(secret, b"policy-orchestrator key id", "sha256").hexdigest()[:16].encode(): secret for secret in told}
root, key = given.workspace, base64.b64decode("".join(given.key.read_text().split("\n")[1:-2]))[-32:] if given.key else b""
others, first = root / "state/journal_heads.json", json.loads((root / "state/policy_state.json").read_text())["journal"]
heads = {"state/policy_state_log.jsonl": first} | (json.loads(others.read_text()) if others.exists() else {})
found = {path: journal(root, path, (root / path).read_bytes()) for path in heads if need((root / path).exists(), path, "gone")}
[need(not (one[2] and secrets), path, "lines by a key that is not at hand, without a handover") for path, one in found.items()]
stands = lambda path, seq, digest, what: need(found.get(path, [{}])[0].get(int(seq)) == digest, path, f"not what {what} names")
[stands(path, head["seq"], None if head.get("broken") else head["sha256"], "its head") for path, head in heads.items()]
if given.checkpoint:
    text, name, raw = re.fullmatch("(.*\n)\n— (\\S+) (\\S+)\n", given.checkpoint.read_text(), re.S).groups()
    hashed, raw = hashlib.sha256(name.encode() + b"\n\x01" + key).digest(), base64.b64decode(raw)
    need(raw[:4] == hashed[:4] and signed(key, text.encode(), raw[4:]), given.checkpoint, "not signed by this key")
    [stands(*line.split(" "), "the checkpoint") for line in text.split("\n")[1:-2]]
if given.envelope:
    envelope = json.loads(given.envelope.read_text())
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    pae = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    need(any(signed(key, pae, base64.b64decode(one["sig"])) for one in envelope["signatures"]), given.envelope, "not signed by this key")
    [stands(*one["name"].split("#"), one["digest"]["sha256"], "the statement") for one in json.loads(payload)["subject"][:1]]
sys.exit(print("\n".join(problems) or "whole") or 5 * bool(problems))
