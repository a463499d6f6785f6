"""A mautrix-python application service without handlers: it parses each transaction and drops it. PORT TOKEN"""

import asyncio
import sys

from mautrix.appservice import AppService


async def main(port, token):
    service = AppService(
        server="http://127.0.0.1:1", domain="hs.test", as_token="unused", hs_token=token, bot_localpart="bench", id="bench"
    )
    await service.start("127.0.0.1", port)
    await asyncio.Event().wait()


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
