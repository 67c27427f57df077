"""Line coverage of src, file by file, from what llvm-cov exported; exit code 1 where it is too low.

coverage.py objects FOLDER: reads cargo's messages, prints the programs and the library that FOLDER's crate was built into
coverage.py report LCOV FOLDER
"""

import json
import re
import sys
from pathlib import Path

PURE, REST = 100.0, 90.0


def objects(folder):
    """Programs with tests, and the library that they load."""
    for line in sys.stdin:
        if not line.startswith("{"):
            continue
        message = json.loads(line)
        if message.get("reason") != "compiler-artifact" or not message["manifest_path"].startswith(folder + "/Cargo"):
            continue
        for name in filter(None, [message["executable"], *message["filenames"]]):
            if name == message["executable"] or name.endswith((".so", ".dylib")):
                print(name)


def pure(folder):
    """The modules that src/lib.rs lists as pure."""
    block = re.search(r"^// Pure:.*?\n\n", (folder / "src/lib.rs").read_text(), re.M | re.S).group()
    return set(re.findall(r"^mod (\w+);", block, re.M))


def own_lines(path):
    """The numbers of the lines that are not a test module's."""
    lines = path.read_text().splitlines()
    numbers = set()
    for number, line in enumerate(lines, 1):
        # Test modules stand at the end of their file.
        if line == "#[cfg(test)]" and number < len(lines) and re.match(r"mod \w+ \{", lines[number]):
            break
        numbers.add(number)
    return numbers


def is_test(name):
    return name.endswith("tests.rs") or name == "ffi/testing.rs"


def counts(lcov):
    """How often each line ran: {file: {line: count}}."""
    files = {}
    for line in lcov.read_text().splitlines():
        if line.startswith("SF:"):
            here = files.setdefault(line[3:], {})
        elif line.startswith("DA:"):
            number, count = line[3:].split(",")[:2]
            here[int(number)] = here.get(int(number), 0) + int(count)
    return files


def spans(numbers):
    """Numbers as '3, 5-7'."""
    out = []
    for number in sorted(numbers):
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def report(lcov, folder):
    modules, failed = pure(folder), False
    totals = {"pure": [0, 0], "rest": [0, 0]}
    for path, lines in sorted(counts(lcov).items()):
        name = str(Path(path).relative_to(folder / "src"))
        if is_test(name):
            continue
        own = own_lines(folder / "src" / name)
        counted = {i: n for i, n in lines.items() if i in own}
        missed = {i for i, n in counted.items() if n == 0}
        kind = "pure" if Path(name).parts[0].removesuffix(".rs") in modules else "rest"
        totals[kind][0] += len(counted) - len(missed)
        totals[kind][1] += len(counted)
        percent = 100 * (len(counted) - len(missed)) / max(1, len(counted))
        print(f"{kind} {percent:6.2f} %  {name}" + (f"  not run: {spans(missed)}" if missed else ""))
    for kind, least in (("pure", PURE), ("rest", REST)):
        run, all_lines = totals[kind]
        percent = 100 * run / max(1, all_lines)
        print(f"{kind}: {run} of {all_lines} lines, {percent:.2f} %; at least {least:.0f} % are due")
        failed |= percent < least
    return failed


if __name__ == "__main__":
    if sys.argv[1] == "objects":
        objects(sys.argv[2])
    else:
        sys.exit(report(Path(sys.argv[2]), Path(sys.argv[3])))
