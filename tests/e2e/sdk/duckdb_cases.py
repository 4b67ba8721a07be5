"""DuckDB reads what three agents shipped. Started by ../sdk_test_delivery.py.

Usage: duckdb_cases.py EXPORTERS_FOLDER ROOT BUCKET. ROOT/BUCKET is a bucket as a folder. Runs EXPORTERS_FOLDER/duckdb.sql
with s3://... replaced by it, then reads the objects by the columns that EXPORTERS_FOLDER/athena.sql declares. Prints JSON:
{"ids": request ids, "tokens": the fleet query's rows, "athena": {column: {"declared": rows that have it, "read": ...}}}.
"""

import json
import pathlib
import re
import sys

import duckdb

exporters, root, bucket = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
OBJECTS = f"{root}/{bucket}/**/AWSLogs/*/BedrockModelInvocationLogs/*/*/*/*/*/*.json*"
HIVE = {"string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP"}

connection = duckdb.connect()


def here(sql: str) -> str:
    return re.sub(r"s3://[^'/]+", f"{root}/{bucket}", sql)


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
    text = re.sub(r"--[^\n]*", "", (exporters / "athena.sql").read_text())
    body = re.search(r"CREATE EXTERNAL TABLE[^(]*\((.*?)\)\s*(?:COMMENT|PARTITIONED)", text, re.DOTALL | re.IGNORECASE)[1]
    return {name.strip("`"): kind for name, kind in (column.split(None, 1) for column in (part.strip() for part in split(body)))}


def paths(name: str, hive: str) -> list[str]:
    """The column, or its fields' paths if it is a struct."""
    struct = re.fullmatch(r"struct\s*<(.*)>", hive.strip(), re.DOTALL | re.IGNORECASE)
    if not struct:
        return [name]
    return [path for field in split(struct[1]) for path in paths(f"{name}.{plain(field.split(':', 1)[0])}", field.split(":", 1)[1])]


def compare_with_athena() -> dict:
    columns = athena_columns()
    # Hive's names know no case; JSON's do.
    lines = [json.loads(line) for line, in connection.execute(
        f"SELECT json FROM read_json_objects('{OBJECTS}', format = 'newline_delimited') WHERE filename NOT LIKE '%/data/%'").fetchall()]
    exact: dict[str, str] = {}

    def learn(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                exact.setdefault(key.lower(), key)
                learn(inner)
    for line in lines:
        learn({key: value if key in ("input", "output", "identity", "invlog") else None for key, value in line.items()})
        learn({key: None for part in ("input", "output", "identity", "invlog") for key in line.get(part, {})})
    spelt = {re.sub(r"\w+", lambda word: exact.get(word[0].lower(), word[0]), name): re.sub(
        r"(\w+)(\s*:)", lambda found: exact.get(found[1].lower(), found[1]) + found[2], kind) for name, kind in columns.items()}
    types = "{" + ", ".join(f"'{name}': '{duck_type(kind)}'" for name, kind in spelt.items()) + "}"
    table = f"read_json('{OBJECTS}', format = 'newline_delimited', columns = {types})"
    found = {}
    for name, kind in spelt.items():
        for path in paths(name, kind):
            reference = ".".join(f'"{part}"' for part in path.split("."))
            read = connection.execute(f"SELECT count({reference}) FROM {table}").fetchone()[0]
            found[path] = {"declared": sum(at(line, path.split(".")) is not None for line in lines), "read": read}
    for name in {name for line in lines for name in line} - set(spelt):
        found[name] = {"declared": "no such column", "read": 0}
    return found


def at(value: object, path: list[str]) -> object:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


connection.execute(here((exporters / "duckdb.sql").read_text()))
print(json.dumps({
    "ids": [row[0] for row in connection.execute("SELECT request_id FROM invocations").fetchall()],
    "tokens": connection.execute("SELECT host, model, count(*), sum(input_tokens), sum(output_tokens) FROM invocations GROUP BY ALL").fetchall(),
    "athena": compare_with_athena()}, default=str))
