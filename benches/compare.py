"""Two files that `make bench` kept, line by line: compare.py OLD NEW. The figure is the ratio to plain, or what the target is
about. Changes of at least 5 % are marked: - got faster or smaller, + slower or larger."""

import json
import sys


def figures(path):
    with open(path) as file:
        return {(line["workload"], line["place"]): line for line in json.load(file)["lines"]}


def main():
    old, new = (figures(path) for path in sys.argv[1:3])
    print(f"{'workload':<52} {'keys, cache':<13} {'target':>7} {'old':>8} {'new':>8}  change")
    for key in [key for key in old if key in new] + [key for key in new if key not in old]:
        line, before = new[key], old.get(key, {}).get("figure")
        after = line["figure"]
        change, mark = "", ""
        if before and after:
            part = after / before - 1
            change, mark = f"{part:+.1%}", "+" if part >= 0.05 else "-" if part <= -0.05 else ""
        missed = "!" if line["reached"] is False else " "
        shown = (f"{value:8.3f}" if value is not None else "       -" for value in (before, after))
        print(f"{key[0]:<52} {key[1]:<13} {line['target']:>7}", *shown, missed, f"{change:>7} {mark}")
    for key in [key for key in old if key not in new]:
        print(f"{key[0]:<52} {key[1]:<13} only in the old file")


if len(sys.argv) != 3:
    sys.exit("make bench-compare OLD=file NEW=file")
main()
