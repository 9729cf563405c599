#!/usr/bin/python3
"""foo.py URL TEXT [ID]   tells every page that Foo's data has changed.
With an ID it stays, and prints what is sent to everybody or to that ID."""
import asyncio
import json
import sys

import websockets


async def main(url, text, client_id=None):
    envelope = {"type": "FooDataChanged", "msg": text}
    if client_id:
        envelope["from"] = client_id
    async with websockets.connect(url) as ws:
        await ws.send(json.dumps(envelope))
        if client_id:
            async for message in ws:
                print(message, flush=True)


asyncio.run(main(*sys.argv[1:]))
