"""The records of a lab: one line of JSON for each measurement, check or skip.

records.py value FILE FIELD                     prints a number of the last measurement
records.py note FILE FIELD NUMBER               adds a number to the last measurement
records.py check FILE WHAT VALUE OPERATOR BOUND
records.py skip FILE WHAT WHY
"""

import json
import operator
import sys

OPERATORS = {"<=": operator.le, ">=": operator.ge, "=": operator.eq}


def append(path, record):
    with open(path, "a", encoding="utf-8") as out:
        out.write(json.dumps(record) + "\n")


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def value(path, field):
    last = [record for record in read(path) if record["type"] == "measurement"][-1]
    print(last[field])


def note(path, field, number):
    lines = read(path)
    [line for line in lines if line["type"] == "measurement"][-1][field] = float(number)
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)


def check(path, what, measured, symbol, bound):
    holds = OPERATORS[symbol](float(measured), float(bound))
    append(path, {"type": "check", "what": what, "value": float(measured), "operator": symbol,
                  "bound": float(bound), "holds": holds})
    print(f"  {'ok    ' if holds else 'MISSED'} {what}: {float(measured):.6g} {symbol} {float(bound):.6g}", flush=True)


def skip(path, what, why):
    append(path, {"type": "skip", "what": what, "why": why})
    print(f"  SKIPPED: {what} {why}", flush=True)


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    {"value": value, "note": note, "check": check, "skip": skip}[verb](*arguments)
