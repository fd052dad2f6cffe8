"""Holds keys and envelopes against securesystemslib, cryptography and PyNaCl; scripts/interop-test
runs it. Exits with 1 at the first thing that is not as it should be."""

import argparse
import base64
import copy
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives import serialization as s
from nacl.secret import SecretBox
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

PASSWORD = "a password of the interoperability test"
SIGNALS = {
    "trust_lock_state.json": '{"locked": false}',
    "exports/integrity_metrics_registry.csv": "timestamp,integrity_score\n2026-01-15T04:00:00Z,97.5\n",
    "federation/weighted_consensus.json": '{"weighted_agreement_pct": 95.0}',
    "federation/reputation_index.json": '{"peers": [{"reputation_score": 85.0}]}',
    "forensics/forensics_anomaly_forecast.json": '{"status": "success", "risk_level": "low"}',
    "forensics/response_history.jsonl": "",
}

parser = argparse.ArgumentParser()
parser.add_argument("--binary", required=True, type=pathlib.Path)
BINARY = parser.parse_args().binary.resolve()


def fail(what):
    sys.exit(f"interop-test: {what}")


def run(root, *arguments, code=0, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("POLICY_", "COSIGN_"))}
    ran = subprocess.run([BINARY, *arguments], cwd=root, env=clean | variables, capture_output=True, text=True)
    if ran.returncode != code:
        fail(f"{arguments}: exit {ran.returncode}, expected {code}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def ours_is_verified(root, kind):
    run(root, "keys", "generate", "--type", kind, "--out", f"{kind}.key", POLICY_KEY_PASSWORD=PASSWORD)
    variables = {"COSIGN_KEY_PATH": f"{kind}.key", "COSIGN_PASSWORD": PASSWORD}
    envelope = json.loads(run(root, "attest", "--predicate", "decision", **variables))
    public = s.load_pem_public_key((root / f"{kind}.pub").read_bytes())
    key = SSlibKey.from_crypto(public, keyid=envelope["signatures"][0]["keyid"])
    # from_dict takes its argument apart.
    if len(Envelope.from_dict(copy.deepcopy(envelope)).verify([key], 1)) != 1:
        fail(f"securesystemslib does not verify our {kind} envelope")
    payload = bytearray(base64.b64decode(envelope["payload"]))
    payload[len(payload) // 2] ^= 1
    envelope["payload"] = base64.b64encode(payload).decode()
    try:
        Envelope.from_dict(envelope).verify([key], 1)
        fail(f"securesystemslib verifies a changed {kind} envelope")
    except VerificationError:
        pass


def theirs_is_verified(root, kind, signer):
    statement = base64.b64decode(json.loads((root / "ours.json").read_text())["payload"])
    envelope = Envelope(statement, "application/vnd.in-toto+json", {})
    envelope.sign(signer)
    (root / "theirs.json").write_text(json.dumps(envelope.to_dict()))
    (root / "theirs.pub").write_text(signer.public_key.keyval["public"] if kind == "p256" else ed25519_pem(signer))
    verify = ["attest", "verify", "theirs.json", "--key", "theirs.pub"]
    if json.loads(run(root, *verify))["journal"] != "held":
        fail("the statement was not held against the journal")
    changed = envelope.to_dict()
    changed["payloadType"] += "x"
    (root / "theirs.json").write_text(json.dumps(changed))
    run(root, *verify, code=5)


def ed25519_pem(signer):
    public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer.public_key.keyval["public"]))
    return public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode()


def our_encrypted_key_opens(root, kind):
    lines = (root / f"{kind}.key").read_text().split("\n")
    if lines[0] != "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----":
        fail(f"{kind}.key begins with {lines[0]}")
    content = json.loads(base64.b64decode("".join(lines[1:-2])))
    params, decoded = content["kdf"]["params"], base64.b64decode
    salt, nonce = decoded(content["kdf"]["salt"]), decoded(content["cipher"]["nonce"])
    key = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=params["N"], r=params["r"], p=params["p"], maxmem=1 << 28, dklen=32)
    der = SecretBox(key).decrypt(decoded(content["ciphertext"]), nonce)
    public = s.load_der_private_key(der, None).public_key()
    pem = public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    if pem != (root / f"{kind}.pub").read_bytes():
        fail(f"{kind}.key holds another key than {kind}.pub")


with tempfile.TemporaryDirectory() as directory:
    root = pathlib.Path(directory)
    for name, text in SIGNALS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    run(root, "run", "--at", "2026-01-15T12:00:00Z")
    for kind, generate in (("ed25519", CryptoSigner.generate_ed25519), ("p256", CryptoSigner.generate_ecdsa)):
        ours_is_verified(root, kind)
        our_encrypted_key_opens(root, kind)
        variables = {"POLICY_SIGNING_KEY_FILE": f"{kind}.key", "POLICY_KEY_PASSWORD": PASSWORD}
        (root / "ours.json").write_text(run(root, "attest", **variables))
        theirs_is_verified(root, kind, generate())
        print(f"{kind}: both verify each other's envelopes; PyNaCl opens the encrypted key")
