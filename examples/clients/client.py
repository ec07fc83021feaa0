"""A complete client: Python 3.10 or later and `pip install websockets`.

    ROOMCAST_URL=http://127.0.0.1:3000 ROOMCAST_TOKENS=tokens.json ROOMCAST_POSITION=position.json python3 client.py

tokens.json holds {"accessToken", "refreshToken"}, as from POST /api/v1/auth/login.
"""

import asyncio
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path

import websockets

BASE = os.environ["ROOMCAST_URL"]
TOKENS = Path(os.environ["ROOMCAST_TOKENS"])
POSITION = Path(os.environ["ROOMCAST_POSITION"])


async def handle(activity):
    """What your application does with an activity. It is given each one once, in order."""
    print(activity["seq"], activity["type"], activity["payload"].get("message", ""), flush=True)


async def handle_gap(gap):
    """What it does where some of them will not come: read the feed again, unless they have merely expired."""
    print("gap", gap["reason"], gap["nextSeq"], flush=True)


def load(file):
    return json.loads(file.read_text()) if file.exists() else None


def save(file, value):
    """Never half a file: a crash leaves the old one or the new one. Nor one that others may read."""
    new = file.with_name(file.name + ".new")
    # One that a crash left, or somebody put there, would keep its owner and mode.
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(json.dumps(value))
    new.replace(file)


position = load(POSITION)  # {"epoch", "seq"}: everything up to there was handled


class SignedOut(Exception):
    pass


def refresh():
    """A refresh token counts once: keep the next one before anything else."""
    body = json.dumps({"refreshToken": load(TOKENS)["refreshToken"]}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{BASE}/api/v1/auth/refresh", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise SignedOut("The session has ended: sign in again") from error
        raise
    save(TOKENS, {name: answer[name] for name in ("accessToken", "refreshToken")})
    return answer["accessToken"]


async def renew(socket, frames):
    """Puts a fresh token on the socket before the present one ends."""
    while True:
        expires_at = await frames.get()
        left = datetime.fromisoformat(expires_at.replace("Z", "+00:00")).timestamp() - time.time()
        await asyncio.sleep(max(1, left - min(60, left / 3)))
        try:
            token = await asyncio.to_thread(refresh)
            await socket.send(json.dumps({"type": "AUTH", "payload": {"token": token}}))
        except (OSError, SignedOut, websockets.ConnectionClosed):
            pass  # the socket lives on until its token ends with 4401; then it is refreshed again


def reach(seq):
    """After the application took it, not before."""
    if seq > position["seq"]:
        position["seq"] = seq
        save(POSITION, position)


async def take(frame, welcome):
    global position
    payload = frame["payload"]
    if "seq" in frame:
        if frame["seq"] > position["seq"]:
            await handle(frame)
            reach(frame["seq"])
    elif frame["type"] == "PONG":
        reach(payload["seq"])  # everything up to there was sent, though not all of it was for us
    elif frame["type"] == "RESUME_GAP":
        await handle_gap(payload)
        position = {"epoch": welcome["epoch"], "seq": payload["nextSeq"] - 1}
        save(POSITION, position)


async def follow(token):
    """One connection, to its end: the close code, and whether the hub said WELCOME."""
    global position
    query = f"?after={position['seq']}&epoch={position['epoch']}" if position else ""
    connection = websockets.connect(
        BASE.replace("http", "ws", 1) + "/ws" + query,
        subprotocols=["roomcast.v1", f"bearer.{token}"],
        ping_interval=None,  # the hub sends a PONG at every heartbeat
        close_timeout=2,
    )
    welcome = None
    renewal = None
    try:
        async with connection as socket:
            frame = json.loads(await asyncio.wait_for(socket.recv(), 15))
            if frame["type"] != "WELCOME":
                return 1006, False
            welcome = frame["payload"]
            position = position or {"epoch": welcome["epoch"], "seq": welcome["seq"]}
            expiries = asyncio.Queue()
            expiries.put_nowait(welcome["tokenExpiresAt"])
            renewal = asyncio.create_task(renew(socket, expiries))
            while True:
                # A dead link says nothing. Two heartbeats without a frame are enough to know.
                text = await asyncio.wait_for(socket.recv(), welcome["heartbeatSeconds"] * 2 + 2)
                frame = json.loads(text)
                if frame["type"] == "AUTH_OK":
                    expiries.put_nowait(frame["payload"]["tokenExpiresAt"])
                await take(frame, welcome)
    except websockets.ConnectionClosed as closed:
        return (closed.rcvd.code if closed.rcvd else 1006), welcome is not None
    except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
        return 1006, welcome is not None
    finally:
        if renewal:
            renewal.cancel()


AT_ONCE = (1001, 1012, 4408)


def is_final(code):
    return code == 1009 or (4400 <= code <= 4499 and code not in (4401, 4408, 4429))


async def main():
    token = load(TOKENS)["accessToken"]
    failures = 0
    while True:
        started = time.monotonic()
        code = 1006
        try:
            token = token or await asyncio.to_thread(refresh)
            code, welcomed = await follow(token)
            # A connection that lasted starts the waits anew. One that ends at once again and again does not.
            if welcomed and time.monotonic() - started > 5:
                failures = 0
        except OSError:
            pass
        print("closed", code, file=sys.stderr)
        if is_final(code):
            return
        token = None if code == 4401 else load(TOKENS)["accessToken"]
        at_once = failures == 0 and (code in AT_ONCE or code == 4401)
        wait = 0 if at_once else random.uniform(0, min(30, 0.5 * 2**failures))
        failures = min(failures + 1, 10)
        await asyncio.sleep(wait)


asyncio.run(main())
