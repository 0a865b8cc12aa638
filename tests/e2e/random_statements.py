"""Write random statements that score, for random_statements.sh.

    random_statements.py SEED COUNT

One statement a line, over the tables and model functions of equivalence.sh. Results are small whole numbers, so that no
order of evaluation shows in them; nothing in them raises where it is evaluated, but CASE guards some divisions that would.
"""

import random
import sys

R = random.Random(int(sys.argv[1]))


def pick(*choices):
    return R.choice(choices)


class Scope:
    """The columns in reach: numbers and texts."""

    def __init__(self, ints, texts):
        self.ints, self.texts = ints, texts

    def __add__(self, other):
        return Scope(self.ints + other.ints, self.texts + other.texts)


D = Scope(["d.id", "d.price::int"], ["d.cut", "d.color"])
E = Scope(["e.grade"], ["e.cut"])
P = Scope(["p.id", "p.part"], [])


def whole(s, depth):
    return f"(({num(s, depth)})::int % {pick(7, 13, 100)})"


def call(s, depth):
    kind = R.random()
    if kind < 0.2:
        return f"s({text(s, depth - 1)})"
    function = pick("n", "n", "m", "strict_n", "volatile_n") if kind < 0.9 else "n"
    argument = whole(s, depth - 1) if R.random() < 0.5 else R.choice(s.ints)
    if R.random() < 0.15:
        argument = f"nullif({argument}, {R.randint(0, 9)})"
    return f"{function}({argument})"


def num(s, depth):
    if depth <= 0:
        return pick(R.choice(s.ints), str(R.randint(-3, 40)))
    shape = R.randint(0, 13)
    if shape <= 4:
        return call(s, depth)
    if shape == 5:
        return f"({num(s, depth - 1)} {pick('+', '-', '+')} {num(s, depth - 1)})"
    if shape == 6:
        return f"CASE WHEN {condition(s, depth - 1)} THEN {num(s, depth - 1)} ELSE {num(s, depth - 1)} END"
    if shape == 7:
        return (
            f"CASE {whole(s, depth - 1)} WHEN {R.randint(0, 3)} THEN {num(s, depth - 1)} "
            f"WHEN {whole(s, depth - 2)} THEN {num(s, depth - 1)} END"
        )
    if shape == 8:
        return f"coalesce(nullif({num(s, depth - 1)}, {R.randint(0, 5)}), {num(s, depth - 1)})"
    if shape == 9:
        return f"{pick('greatest', 'least')}({num(s, depth - 1)}, {num(s, depth - 1)})"
    if shape == 10:
        column = R.choice(s.ints)
        return f"CASE WHEN {column} % 3 <> 0 THEN {pick('n', 'm')}(12 / ({column} % 3)) END"
    if shape == 11:
        inner = s + Scope(["i.grade"], ["i.cut"])
        return f"(SELECT {pick('max', 'count', 'min')}(i.grade + {num(inner, depth - 2)}) FROM e i WHERE {condition(inner, depth - 2)})"
    if shape == 12:
        return f"(SELECT {num(s, depth - 1)})"
    return R.choice(s.ints)


def text(s, depth):
    if not s.texts or depth <= 0:
        return pick(*(s.texts or ["'abc'"]), "'é'")
    return pick(
        f"({text(s, depth - 1)} || {text(s, depth - 1)})",
        f"CASE WHEN {condition(s, depth - 1)} THEN {text(s, depth - 1)} END",
        f"coalesce({text(s, depth - 1)}, 'none')",
    )


def condition(s, depth):
    if depth <= 0:
        return pick(f"{R.choice(s.ints)} % {pick(2, 3, 5)} = {R.randint(0, 2)}", f"{R.choice(s.ints)} > {R.randint(0, 30)}")
    shape = R.randint(0, 8)
    if shape <= 2:
        return f"{num(s, depth - 1)} {pick('<', '>', '=', '<>')} {num(s, depth - 1)}"
    if shape == 3:
        return f"({condition(s, depth - 1)} AND {condition(s, depth - 1)})"
    if shape == 4:
        return f"({condition(s, depth - 1)} OR {condition(s, depth - 1)})"
    if shape == 5:
        return f"(NOT {condition(s, depth - 1)})"
    if shape == 6:
        return f"{num(s, depth - 1)} IS {pick('', 'NOT ')}NULL"
    if shape == 7:
        inner = s + Scope(["j.grade"], ["j.cut"])
        return f"{pick('', 'NOT ')}EXISTS (SELECT 1 FROM e j WHERE {condition(inner, depth - 2)})"
    return f"{num(s, depth - 1)} {pick('', 'NOT ')}IN (SELECT {num(E2, depth - 2)} FROM e k WHERE {condition(E2, depth - 2)})"


E2 = Scope(["k.grade"], ["k.cut"])


def source(depth):
    """FROM and what it brings into reach."""
    shape = R.randint(0, 9)
    if shape <= 2:
        return "d", D
    if shape == 3:
        return f"d {pick('', 'LEFT ', 'RIGHT ', 'FULL ')}JOIN e ON e.cut = d.cut" + (
            f" AND {condition(D + E, depth)}" if R.random() < 0.5 else ""
        ), D + E
    if shape == 4:
        return f"d JOIN e ON {num(D, depth)} = {num(E, 0)} + {R.randint(0, 9)}", D + E
    if shape == 5:
        return "parted p", P
    if shape == 6:
        return f"d, LATERAL (SELECT {num(D, depth)} AS v OFFSET {pick('0', '(SELECT 0)')}) l", D + Scope(["l.v::int"], [])
    if shape == 7:
        return f"d, LATERAL {pick('n', 'm')}(d.id % 9) AS l", D + Scope(["l::int"], [])
    if shape == 8:
        return f"(SELECT * FROM d WHERE {condition(D, depth)} ORDER BY id LIMIT {R.randint(1, 60)}) d", D
    return (
        f"(SELECT id, part FROM parted UNION ALL SELECT grade, {num(E, depth)}::int FROM e) p",
        P,
    )


def limits(s):
    """Keep it small: a few dozen rows a table."""
    small = [f"{c} <= 40" for c in s.ints if c in ("d.id", "p.id")]
    return " AND ".join(small) or "true"


def select(depth):
    tables, s = source(depth - 1)
    where = f"({limits(s)})" + (f" AND {condition(s, depth)}" if R.random() < 0.6 else "")
    shape = R.randint(0, 4)
    if shape == 0:
        key = whole(s, depth - 1)
        aggregates = [
            f"sum({num(s, depth)}) FILTER (WHERE {condition(s, depth - 1)})",
            f"count(DISTINCT {num(s, depth)})",
            f"max({num(s, depth)})",
            f"{pick('n', 'm')}(count(*)::int)",
        ]
        having = f" HAVING {pick('n', 'm')}(count(*)::int) > {R.randint(0, 3)}" if R.random() < 0.4 else ""
        columns = [key] + R.sample(aggregates, 2)
        return f"SELECT {', '.join(columns)} FROM {tables} WHERE {where} GROUP BY {key}{having}", 3
    if shape == 1:
        window = f"OVER (PARTITION BY {whole(s, depth - 1)} ORDER BY {num(s, depth - 1)})"
        return (
            f"SELECT {num(s, depth)}, sum({num(s, depth)}) {window}, "
            f"{pick('rank()', 'dense_rank()', f'max({num(s, 1)})')} {window} FROM {tables} WHERE {where}"
        ), 3
    distinct = "DISTINCT " if R.random() < 0.15 else ""
    return f"SELECT {distinct}{num(s, depth)}, {text(s, depth)}, {num(s, depth)} FROM {tables} WHERE {where}", 3


def ordered(query, width):
    query += " ORDER BY " + ", ".join(str(i + 1) for i in range(width))
    if R.random() < 0.3:
        query += f" LIMIT {R.randint(0, 20)}"
    return query


def statement():
    depth = R.randint(1, 4)
    query, width = select(depth)
    shape = R.randint(0, 11)
    if shape == 0:
        other, _ = select(depth)
        if "SELECT sum" in other or "GROUP BY" in query + other or "OVER" in query + other:
            return ordered(query, width)
        return ordered(f"({query}) {pick('UNION ALL', 'UNION', 'EXCEPT')} ({other})", width)
    if shape == 1:
        return ordered(f"WITH q AS {pick('', 'MATERIALIZED ')}({query}) SELECT * FROM q", width)
    if shape == 2:
        scored = num(D, depth)
        return (
            f"BEGIN; UPDATE d SET price = ({scored})::int WHERE id <= 40 AND {condition(D, depth)}; "
            "SELECT id, price FROM d WHERE id <= 40 ORDER BY 1; ROLLBACK"
        )
    if shape == 3:
        return (
            f"BEGIN; WITH x AS (DELETE FROM d WHERE id <= 40 AND {condition(D, depth)} RETURNING {num(D, depth)} AS v) "
            "SELECT v FROM x ORDER BY 1; ROLLBACK"
        )
    if shape == 4:
        return (
            f"BEGIN; INSERT INTO e SELECT ({num(D, depth)})::int, {text(D, depth)} FROM d WHERE id <= 30; "
            "SELECT * FROM e ORDER BY 1, 2; ROLLBACK"
        )
    return ordered(query, width)


for _ in range(int(sys.argv[2])):
    print(statement())
