"""Makes the first inputs of a fuzz target out of tests/hostile/corpus: seeds.py <target> <folder>."""

import hashlib
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).parent
CORPUS = HERE.parent / "tests" / "hostile" / "corpus"
# The targets: files of the corpus, and what goes before each input.
SOURCES = {
    "merge_json": [("merge", b"")],
    "push_request": [("push", b"\0"), ("push", b"\1"), ("pull", b"\0")],
    "cursor": [("cursor", b"")],
    "value_roundtrip": [("value", b"\3"), ("merge", b"\3")],
    "tampered": [("tampered", b"")],
    "schema": [("schema", b"")],
}


def words():
    pairs = (line.split("=", 1) for line in (CORPUS / "words.txt").read_text().splitlines())
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def inputs(name):
    for line in (CORPUS / f"{name}.txt").read_text().splitlines():
        text = line.rsplit(" => ", 1)[0]
        for short, long in words():
            text = text.replace(short, long) if name in ("merge", "push", "pull") else text
        yield text
        if name == "merge" and text.startswith("[{"):
            yield text[1:-1]


def main(target, folder):
    seeds = [before + text.encode() for name, before in SOURCES[target] for text in inputs(name)]
    # What is made of bytes needs bytes.
    noise = random.Random(target)
    seeds += [noise.randbytes(40 + 40 * i) for i in range(16)]
    for seed in seeds:
        (pathlib.Path(folder) / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
