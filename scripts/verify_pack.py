#!/usr/bin/env python3
"""Checks a mailferry evidence pack without mailferry: files, log, Merkle root, sums, signatures. Standard library only.
   scripts/verify_pack.py DIR [ALLOWED_SIGNERS]     exit code: 0 good, 7 something does not check, 3 no pack. Rules: rules.txt in the pack."""
import base64, hashlib, json, os, re, shutil, subprocess, sys
from collections import Counter
bad, sha = [], lambda data: hashlib.sha256(data).hexdigest()
node = lambda left, right: hashlib.sha256(b"\1" + left + right).digest()
REASONED = {"skipped", "quarantined", "refused", "parked", "in_doubt", "changed_since"}
def walk(top):
    """Every file; only the two directories a pack may have are entered, and no link is followed."""
    for entry in os.scandir(top):
        if entry.is_file(follow_symlinks=False):
            yield entry.name
        elif entry.is_dir(follow_symlinks=False) and entry.name in ("signatures", "waivers"):
            for inner in os.scandir(entry.path):
                if inner.is_file(follow_symlinks=False): yield entry.name + "/" + inner.name
                else: bad.append(inner.name + ": no file of a pack")
        else: bad.append(entry.name + ": no file of a pack")
def lines(path):
    with open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"): bad.append(os.path.basename(path) + ": its last line is not ended")
            yield line.rstrip(b"\n")
def file_sha(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""): digest.update(block)
    return digest.hexdigest(), os.path.getsize(path)
def check_log(top, note):
    head, count = "0" * 64, 0
    for line in lines(os.path.join(top, "log.jsonl")):
        count, entry = count + 1, json.loads(line)
        if entry["prev"] != head or entry["seq"] != count: bad.append("log.jsonl: line %d does not follow" % count)
        head = sha(line)
    if (head, count) != (note["head"], note["entries"]): bad.append("log.jsonl: does not end where pack.json says")
def check_manifest(top, note):
    """The Merkle tree as a stack of complete subtrees, and the sums per folder."""
    stack, sums, last, count = [], {}, None, 0
    for line in lines(os.path.join(top, "manifest.jsonl")):
        item, count = json.loads(line), count + 1
        place = (item["job"], item["folder"], item["item"])
        if last is not None and place <= last: bad.append("manifest.jsonl: line %d stands twice or out of order" % count)
        last, tree, height = place, hashlib.sha256(b"\0" + line).digest(), 0
        while stack and stack[-1][1] == height: tree, height = node(stack.pop()[0], tree), height + 1
        stack.append((tree, height))
        buckets, size = sums.setdefault(place[:2], (Counter(), Counter()))
        buckets[item["bucket"]] += 1
        size.update(bytes=item["size"], carried=item["carried"])
    root = stack.pop()[0] if stack else hashlib.sha256(b"").digest()
    while stack: root = node(stack.pop()[0], root)
    if (root.hex(), count) != (note["root"], note["leaves"]): bad.append("manifest.jsonl: another Merkle root")
    return sums
def check_balance(top, sums):
    load = lambda name: json.load(open(os.path.join(top, name), encoding="utf-8"))
    balance, total, reasons = load("balance.json"), Counter(), Counter()
    for box in balance["mailboxes"]:
        own = Counter()
        for folder in box["folders"]:
            buckets, size = sums.pop((box["job"], folder["folder"]), (Counter(), Counter()))
            if dict(buckets) != folder["buckets"] or any(size[key] != folder[key] for key in ("bytes", "carried")):
                bad.append("balance.json: %s, folder %s is not what the manifest adds up to" % (box["job"], folder["folder"]))
            reasons.update({(box["job"], key): n for key, n in folder["buckets"].items() if key in REASONED})
            if folder["left_out"] is not None: own["left_out"] += folder["source"]
            else: own.update(source=folder["source"], unlisted=folder["unlisted"], **{"b:" + k: n for k, n in folder["buckets"].items()})
        explained = own["unlisted"] + sum(n for key, n in own.items() if key.startswith("b:"))
        if not same(own, box["sums"]) or explained != own["source"]: bad.append("balance.json: %s does not add up" % box["job"])
        total.update(own)
    if not same(total, balance["total"]): bad.append("balance.json: the mailboxes do not add up")
    if sums: bad.append("manifest.jsonl: folders that are not in the balance")
    if Counter((note["job"], note["bucket"]) for note in load("exceptions.json")) != reasons: bad.append("exceptions.json: not the items the balance counts")
def same(own, sums):
    flat = {key: sums[key] for key in ("source", "unlisted", "left_out")} | {"b:" + key: n for key, n in sums["buckets"].items()}
    return {key: n for key, n in own.items() if n} == {key: n for key, n in flat.items() if n}
def check_signature(top, path, over, space, signers, by_key=False):
    text = open(os.path.join(top, path), "rb").read()
    found = re.fullmatch(rb"-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n", text)
    blob = base64.b64decode(found[1]) if found else b""
    body = base64.b64encode(blob)
    if not found or b"\n".join(body[at:at + 70] for at in range(0, len(body), 70)) != found[1]: return bad.append(path + ": no SSH signature")
    key = blob[14:14 + int.from_bytes(blob[10:14], "big")]
    if by_key and path != "signatures/%s.sig" % sha(key)[:32]: bad.append(path + ": does not bear the name of its key")
    if not shutil.which("ssh-keygen"): return print("not checked, no ssh-keygen here: " + path)
    run = lambda *args: subprocess.run(["ssh-keygen", "-Y", *args, "-s", os.path.join(top, path)], stdin=open(os.path.join(top, over), "rb"), capture_output=True, text=True)
    if run("check-novalidate", "-n", space).returncode: return bad.append(path + ": does not fit " + over)
    if signers:
        names = run("find-principals", "-f", signers).stdout.split("\n")[0]
        good = names and run("verify", "-f", signers, "-I", names.split(",")[0], "-n", space).returncode == 0
        print("%s: %s" % (path, names if good else "key not on the list"))
        if by_key and not good: bad.append(path + ": a key that the list of signers does not let sign packs")
def check(top, signers):
    found = set(walk(top))
    if "pack.json" not in found: sys.exit(print("no pack.json") or 3)
    raw = open(os.path.join(top, "pack.json"), "rb").read()
    if "pack.sha256" not in found or open(os.path.join(top, "pack.sha256"), "rb").read() != (sha(raw) + "  pack.json\n").encode(): return bad.append("pack.sha256: not the digest of pack.json")
    pack = json.loads(raw)
    listed = {note["path"]: (note["sha256"], note["bytes"]) for note in pack["files"]}
    seals = sorted(path for path in found if path.startswith("signatures/"))
    bad.extend(path + ": missing or not listed" for path in (found - set(seals) - {"pack.json", "pack.sha256"}) ^ set(listed))
    bad.extend(path + ": changed" for path in sorted(found & set(listed)) if file_sha(os.path.join(top, path)) != listed[path])
    if bad: return
    check_log(top, pack["log"])
    check_balance(top, check_manifest(top, pack["manifest"]))
    for path in seals: check_signature(top, path, "pack.json", "mailferry-pack", signers, by_key=True)
    if signers and not seals: bad.append("nobody has signed the pack")
    for path in sorted(listed):
        role = re.fullmatch(r"(waivers/W\d+)\.(request|approval)\.sig", path)
        if role: check_signature(top, path, role[1] + ".json", "mailferry-waiver-" + role[2], signers)
    print("root %s over %d lines, %d signatures" % (pack["manifest"]["root"], pack["manifest"]["leaves"], len(seals)))
try: check(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error: bad.append("not readable: %r" % error)
except OSError as error: sys.exit(print(error) or 3)
print("\n".join(bad) or "good")
sys.exit(7 if bad else 0)
