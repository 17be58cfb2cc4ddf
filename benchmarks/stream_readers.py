"""Clients for `benchmarks.event_streams`, in a process of their own; writes one line of JSON.

`stream URL COUNT TOKEN...` opens streams, each with the next token, and counts their events until its input ends;
`poll URL COUNT TOKEN` requests the details, one after another; `report URL COUNT TOKEN BODY` sends a worker's reports.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter

import aiohttp
import uvloop

STREAM = {"Accept": "text/event-stream"}
# Streams end only with their process. Seconds.
TIMEOUT = aiohttp.ClientTimeout(total=None)


async def follow(session: aiohttp.ClientSession, url: str, token: str, seen: list[int], number: int) -> None:
    """Count the events of one stream."""
    async with session.get(url, headers={**STREAM, "Authorization": f"Bearer {token}"}) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"event:"):
                seen[number] += 1


async def stream(url: str, count: int, tokens: list[str]) -> object:
    """Write a line when every stream has its first event, and return the events when the input ends."""
    seen = count * [0]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, timeout=TIMEOUT, read_bufsize=2**24, max_line_size=2**20
    ) as session:
        tasks = [
            asyncio.create_task(follow(session, url, tokens[number % len(tokens)], seen, number))
            for number in range(count)
        ]
        while not all(seen):
            done, _ = await asyncio.wait(tasks, timeout=0.05, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        print(json.dumps("open"), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
    return [events - 1 for events in seen]


async def poll(url: str, count: int, token: str) -> object:
    """Return the seconds of each request, and the bytes of the last answer."""
    seconds, size = [], 0
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        for _ in range(count):
            began = perf_counter()
            async with session.get(url) as response:
                response.raise_for_status()
                size = len(await response.read())
            seconds.append(perf_counter() - began)
    return {"seconds": seconds, "bytes": size}


async def report(url: str, count: int, token: str, body: str) -> object:
    """Send reports with rising numbers; return the seconds of each."""
    seconds = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        for number in range(count):
            document = json.loads(body)
            document["sequence"] += number
            began = perf_counter()
            async with session.put(url, json=document) as response:
                response.raise_for_status()
            seconds.append(perf_counter() - began)
    return {"seconds": seconds}


async def main(mode: str, url: str, count: str, *rest: str) -> None:
    """Run one mode."""
    match mode:
        case "stream":
            result = await stream(url, int(count), list(rest))
        case "poll":
            result = await poll(url, int(count), *rest)
        case _:
            result = await report(url, int(count), *rest)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
