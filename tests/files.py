"""Pictures and clips, the tasks that link to them, and the servers that have them."""

import re
import threading
from pathlib import Path
from typing import Any, Final

from mjbridge import Status, Task
from tests.servers import Connection, Handler, reply

PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000
MP4: Final = b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 1000
TAG: Final = {"ETag": '"one"'}


def done(url: str | None = None, **fields: Any) -> Task:
    return Task(id=fields.pop("id", "1"), account="a", status=Status.COMPLETED, image_url=url, **fields)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def serving(files: dict[str, bytes], headers: dict[str, str] = TAG) -> Handler:
    """A server of files that can go on from a byte, where it has a tag to tell what."""

    def handle(connection: Connection) -> None:
        while request := connection.request():
            content = files.get(request.split(b" ")[1].decode())
            wanted = re.search(rb"Range: bytes=(\d+)-", request)
            if content is None:
                connection.send(reply(b"gone", 404))
            elif wanted and int(wanted[1]) >= len(content):
                connection.send(reply(b"", 416))
            elif wanted and headers:
                start = int(wanted[1])
                told = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}", **headers}
                connection.send(reply(content[start:], 206, told))
            else:
                connection.send(reply(content, headers=headers))

    return handle


def breaking_off(content: bytes, after: int, then: Handler, headers: dict[str, str] = TAG) -> Handler:
    """The first connection ends in the middle of the file; the others are `then`'s."""
    broken = threading.Event()

    def handle(connection: Connection) -> None:
        if broken.is_set():
            then(connection)
            return
        broken.set()
        connection.request()
        connection.send(reply(content, headers=headers)[: after - len(content)])

    return handle
