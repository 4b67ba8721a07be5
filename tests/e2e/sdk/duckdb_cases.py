"""DuckDB reads what three agents shipped. Started by ../sdk_test_delivery.py.

Usage: duckdb_cases.py EXPORTERS_FOLDER ROOT BUCKET. ROOT/BUCKET is a bucket as a folder. Runs EXPORTERS_FOLDER/duckdb.sql
over it, then reads the objects by the columns that EXPORTERS_FOLDER/athena.sql declares. Prints JSON: {"ids": request
ids, "fleet": the rows of duckdb.sql's own query, "athena": {column: {"declared": rows that have it, "read": ...}}}.
"""

import json
import pathlib
import re
import sys

import duckdb

exporters = pathlib.Path(sys.argv[1])
OBJECTS = f"{sys.argv[2]}/{sys.argv[3]}/AWSLogs/*/BedrockModelInvocationLogs/*/*/*/*/*/*.json*"
HIVE = {"string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP"}

connection = duckdb.connect()


def plain(name: str) -> str:
    return name.strip(" `\n")


def duck_type(hive: str) -> str:
    """The DuckDB type of a Hive type, both as text."""
    hive = hive.strip()
    inner = re.fullmatch(r"(\w+)\s*<(.*)>", hive, re.DOTALL)
    if not inner:
        return HIVE[hive.lower()]
    kind, parts = inner[1].lower(), split(inner[2])
    if kind == "array":
        return duck_type(parts[0]) + "[]"
    if kind == "map":
        return f"MAP({duck_type(parts[0])}, {duck_type(parts[1])})"
    fields = [part.split(":", 1) for part in parts]
    return "STRUCT(" + ", ".join(f'"{plain(name)}" {duck_type(kind)}' for name, kind in fields) + ")"


def split(text: str) -> list[str]:
    """At the commas that stand outside angle brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def athena_columns() -> dict[str, str]:
    """{name: Hive type}, spelt as in JSON: the SerDe's mapping knows what Hive's names have lost."""
    text = re.sub(r"--[^\n]*", "", (exporters / "athena.sql").read_text())
    body = re.search(r"CREATE EXTERNAL TABLE[^(]*\((.*?)\)\s*PARTITIONED", text, re.DOTALL)[1]
    mapping = dict(re.findall(r"'mapping\.(\w+)' = '(\w+)'", text))
    body = re.sub(r"\w+", lambda word: mapping.get(word[0], word[0]), body)
    return {plain(name): kind for name, kind in (column.split(None, 1) for column in (part.strip() for part in split(body)))}


def paths(name: str, hive: str) -> list[str]:
    """The column, or its fields' paths if it is a struct."""
    struct = re.fullmatch(r"struct\s*<(.*)>", hive.strip(), re.DOTALL)
    if not struct:
        return [name]
    return [path for field in split(struct[1]) for path in paths(f"{name}.{plain(field.split(':', 1)[0])}", field.split(":", 1)[1])]


def compare_with_athena() -> dict:
    columns = athena_columns()
    lines = [json.loads(line) for line, in connection.execute(
        f"SELECT json FROM read_json_objects('{OBJECTS}', format = 'newline_delimited')").fetchall()]
    types = "{" + ", ".join(f"'{name}': '{duck_type(kind)}'" for name, kind in columns.items()) + "}"
    table = f"read_json('{OBJECTS}', format = 'newline_delimited', columns = {types})"
    declared = [path for name, kind in columns.items() for path in paths(name, kind)]
    found = {}
    for path in declared:
        reference = ".".join(f'"{part}"' for part in path.split("."))
        read = connection.execute(f"SELECT count({reference}) FROM {table}").fetchone()[0]
        found[path] = {"declared": sum(at(line, path.split(".")) is not None for line in lines), "read": read}
    shipped = {name for line in lines for name in line if name not in ("input", "output", "identity")}
    shipped |= {f"{part}.{name}" for line in lines for part in ("input", "output", "identity") for name in line.get(part, {})}
    for path in shipped - set(declared):
        found[path] = {"declared": "no such column", "read": 0}
    return found


def at(value: object, path: list[str]) -> object:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


connection.execute(f"SET VARIABLE records = '{OBJECTS}'")
fleet = connection.execute((exporters / "duckdb.sql").read_text())
names = [column[0] for column in fleet.description]
rows = [dict(zip(names, row)) for row in fleet.fetchall()]
print(json.dumps({"ids": [row[0] for row in connection.execute("SELECT request_id FROM invocation").fetchall()], "fleet": rows,
                  "athena": compare_with_athena()}, default=str))
