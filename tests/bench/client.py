"""What one would write by hand: rows out of PostgreSQL, requests to the endpoint, scores back into a table.

    client.py SOCKET_DIR DATABASE URL      prints the seconds it took

asyncpg reads through a cursor, 1000 rows a request, aiohttp keeps four requests in flight, orjson encodes and decodes,
COPY writes the scores back; all of it overlaps.
"""

import asyncio
import sys
import time

import aiohttp
import asyncpg
import orjson

COLUMNS = ["carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z"]
ROWS, IN_FLIGHT = 1000, 4


async def read(connection, batches):
    """Batches of rows, from a cursor, into the queue; then a None for each scorer."""
    async with connection.transaction():
        cursor = await connection.cursor('SELECT id, carat, cut, color, clarity, depth, "table", x, y, z FROM stones')
        while rows := await cursor.fetch(ROWS):
            await batches.put(rows)
    for _ in range(IN_FLIGHT):
        await batches.put(None)


async def score(session, url, batches, scored):
    while (rows := await batches.get()) is not None:
        body = orjson.dumps({"data": [dict(zip(COLUMNS, tuple(row)[1:])) for row in rows]})
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
            scores = orjson.loads(await answer.read())
        await scored.put([(row[0], value) for row, value in zip(rows, scores)])
    await scored.put(None)


async def write(connection, scored):
    open_scorers = IN_FLIGHT
    async with connection.transaction():
        while open_scorers:
            records = await scored.get()
            if records is None:
                open_scorers -= 1
            else:
                await connection.copy_records_to_table("target", records=records, columns=["id", "score"])


async def main(host, database, url):
    options = {"host": host, "database": database, "user": "postgres"}
    reader, writer = await asyncpg.connect(**options), await asyncpg.connect(**options)
    await writer.execute("TRUNCATE target")
    batches, scored = asyncio.Queue(2 * IN_FLIGHT), asyncio.Queue(2 * IN_FLIGHT)
    async with aiohttp.ClientSession() as session:
        start = time.perf_counter()
        await asyncio.gather(
            read(reader, batches),
            *(score(session, url, batches, scored) for _ in range(IN_FLIGHT)),
            write(writer, scored),
        )
        print(time.perf_counter() - start)
    await reader.close()
    await writer.close()


asyncio.run(main(*sys.argv[1:]))
