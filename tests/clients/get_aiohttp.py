"""GETs a URL with aiohttp; fails unless the answer is a success."""

import asyncio
import sys

import aiohttp


async def main() -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        async with session.get(sys.argv[1]) as response:
            body = await response.text()
            print(response.status, len(body))
            if not response.ok:
                sys.exit(body)


asyncio.run(main())
