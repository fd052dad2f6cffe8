#!/usr/bin/env python3
"""Verifies journals, checkpoint and envelope by docs/journal.md and docs/attestations.md alone; 0: whole, 5: changed.
usage: verify.py WORKSPACE [--checkpoint NOTE] [--envelope FILE] [--key PUB]; the secret is in POLICY_AUDIT_SECRET."""
import argparse, base64, hashlib, hmac, json, os, pathlib, re, sys
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
def point(data):  # RFC 8032, 5.1.3
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    return (P - x if x & 1 != data[31] >> 7 else x, y) if x * x % P == square and y < P else None
def add(one, other):
    (a, b), (c, d), k = one, other, D * one[0] * one[1] * other[0] * other[1] % P
    return (a * d + b * c) * pow(1 + k, -1, P) % P, (b * d + a * c) * pow(1 - k, -1, P) % P
def times(n, p):
    result = (0, 1)
    while n:
        result, p, n = add(result, p) if n & 1 else result, add(p, p), n >> 1
    return result
def signed(key, message, signature):  # RFC 8032, 5.1.7
    s, h = int.from_bytes(signature[32:], "little"), hashlib.sha512(signature[:32] + key + message).digest()
    base, r, a = point((4 * pow(5, -1, P) % P).to_bytes(32, "little")), point(signature[:32]), point(key)
    return r and a and len(signature) == 64 and s < L and times(s, base) == add(r, times(int.from_bytes(h, "little") % L, a))
sha256, problems = lambda data: hashlib.sha256(data).hexdigest(), []
def need(holds, where, what):
    return holds or problems.append(f"{where}: {what}")
def journal(root, name, secret):  # the hash of each chained line by its number
    at, before, was_signed, numbers, data = 0, None, False, {}, (root / name).read_bytes()
    for count, line in enumerate(data.split(b"\n")[:-1], 1):
        start, at, where = at, at + len(line) + 1, f"{name}:{count}"
        try:
            record = json.loads(line)
            seq, prev = record["seq"], record["prev"]
        except (ValueError, KeyError, TypeError):
            need(before is None, where, "no chained line")
            continue
        if before is None:
            adopted, segment = record.get("adopted", 0), record.get("segment")
            need(start - adopted in (0, 1), where, "bytes before it that it does not adopt")
            need(prev == (segment["sha256"] if segment else sha256(data[:adopted])), where, "another beginning")
            if segment and segment["file"] and need((root / segment["file"]).exists(), where, "no segment"):
                need(sha256((root / segment["file"]).read_bytes()) == segment["sha256"], where, "another segment")
                known = len(problems)
                numbers = journal(root, segment["file"], b"")
                del problems[known:]  # it may have been sealed because it was broken
        else:
            need((seq, prev) == (before[0] + 1, before[1]), where, "does not follow the line before")
        mac = re.search(rb',"hmac":"([0-9a-f]{64})"}$', line)
        need(mac or not was_signed, where, "unsigned behind a signed line")
        right = mac and hmac.new(secret, line[: mac.start()] + b"}", "sha256").hexdigest().encode() == mac[1]
        need(right or not mac or not secret, where, "another signature")
        before, was_signed = (seq, sha256(line)), was_signed or mac
        numbers[seq] = before[1]
    return numbers

parser = argparse.ArgumentParser()
[parser.add_argument(name, type=pathlib.Path) for name in ("workspace", "--checkpoint", "--envelope", "--key")]
given, secret = parser.parse_args(), os.environ.get("POLICY_AUDIT_SECRET", "").encode()
root, key = given.workspace, base64.b64decode("".join(given.key.read_text().split("\n")[1:-2]))[-32:] if given.key else b""
heads, others = {"state/policy_state_log.jsonl": json.loads((root / "state/policy_state.json").read_text())["journal"]}, root / "state/journal_heads.json"
heads.update(json.loads(others.read_text()) if others.exists() else {})
found = {path: journal(root, path, secret) for path in heads if need((root / path).exists(), path, "gone")}
stands = lambda path, seq, digest, what: need(found.get(path, {}).get(int(seq)) == digest, path, f"not what {what} names")
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
    by_key = any(signed(key, pae, base64.b64decode(one["sig"])) for one in envelope["signatures"])
    if need(by_key, given.envelope, "not signed by this key"):
        subject = json.loads(payload)["subject"][0]
        stands(*subject["name"].split("#"), subject["digest"]["sha256"], "the statement")
sys.exit(print("\n".join(problems) or "whole") or 5 * bool(problems))
