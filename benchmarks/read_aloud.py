"""How many sentence ends are found, and how many written forms are read aloud rightly.

    python benchmarks/read_aloud.py [--json FILE] [--wrong]

The cases are in benchmarks/read_aloud/. They were written from what people write and say, before the rules were
adapted to them: texts in five scripts with ¦ where a sentence ends, and forms in English and Chinese with the readings
that are right.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from report import publish

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from support.reading import FORMS, SCRIPTS, form_errors, sentence_errors  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--wrong", action="store_true", help="list what is wrong")
    given = parser.parse_args()
    figures: dict[str, int | float] = {}
    all_ends = all_errors = 0
    for script in SCRIPTS:
        ends, errors, wrong = sentence_errors(script)
        figures |= {f"{script}_ends": ends, f"{script}_end_errors": errors}
        all_ends, all_errors = all_ends + ends, all_errors + errors
        for text in wrong if given.wrong else ():
            print(text)
    figures["ends_right_percent"] = round(100 * (1 - all_errors / all_ends), 1)
    for name in FORMS:
        count, wrong = form_errors(name)
        figures |= {f"{name}_forms": count, f"{name}_right_percent": round(100 * (1 - len(wrong) / count), 1)}
        for text in wrong if given.wrong else ():
            print(text)
    publish("reading aloud", figures, given.json)


if __name__ == "__main__":
    main()
