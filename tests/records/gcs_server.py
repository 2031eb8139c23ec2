"""`python -m tests.records.gcs_server PORT`: an emulator of Google Cloud Storage in memory, and an empty `bucket`.

gcp-storage-emulator, and what tensorstore needs beyond it: the generation of an object with its content, and writes
that are refused where an object's generation is another than expected.
"""

import logging
import re
import sys
from urllib.parse import parse_qs, unquote, urlsplit

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound

CONTENT = re.compile(r"(?:/download)?(?:/storage/v1)?/b/([^/]+)/o/([^?]+)\?.*alt=media")
UPLOAD = re.compile(r"/upload/storage/v1/b/([^/]+)/o")


def generation(storage, bucket: str, name: str) -> str:
    """The generation of an object, 0 where there is none."""
    try:
        return storage.get_file_obj(bucket, name)["generation"]
    except NotFound:
        return "0"


class Response(server.Response):
    """Tells the generation of what it sends."""

    def close(self) -> None:
        asked = CONTENT.match(self._handler.path)
        if asked and self.status < 300:
            self["x-goog-generation"] = generation(self._handler.storage, asked[1], unquote(asked[2]))
        super().close()


class RequestHandler(server.RequestHandler):
    """Checks `ifGenerationMatch`; keeps no log."""

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        options, upload = parse_qs(url.query), UPLOAD.match(url.path)
        expected = options.get("ifGenerationMatch", [None])[0]
        if upload and expected not in (None, generation(self.storage, upload[1], options["name"][0])):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(412, "Precondition Failed")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_POST()

    def log_message(self, *_) -> None:
        pass


if __name__ == "__main__":
    server.Response, server.RequestHandler = Response, RequestHandler
    logging.disable(logging.CRITICAL)
    server.create_server("127.0.0.1", int(sys.argv[1]), in_memory=True, default_bucket="bucket").run()
