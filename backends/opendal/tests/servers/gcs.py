"""gcp-storage-emulator with what it lacks: objects without content or type, multipart uploads, and
many that come at once.

    gcs.py PORT      serves a bucket of the name bucket on loopback, from memory; prints `ready`
"""

import sys
import uuid
from http import HTTPStatus
from http.server import HTTPServer

from gcp_storage_emulator import __main__ as emulator
from gcp_storage_emulator import server
from gcp_storage_emulator.handlers import objects
from gcp_storage_emulator.storage import Storage

# It takes one connection at a time, and its backlog is so short that connections of 16 lanes are retried after seconds.
HTTPServer.request_queue_size = 128

activate = HTTPServer.server_activate
HTTPServer.server_activate = lambda server: (activate(server), print("ready", flush=True))

# It would write down all it has for each object that comes, and nobody would ever read it.
Storage._write_config_to_file = lambda storage: None

read = server.Request.data.fget
server.Request.data = property(lambda request: b"" if read(request) is None else read(request))

content_type = objects._content_type_from_request
objects._content_type_from_request = lambda *said: content_type(*said) or "application/octet-stream"

unfinished = {}


def begin_or_complete(request, response, storage):
    bucket, key = request.params["bucket_name"], request.params["object_id"]
    upload = request.query.get("uploadId", [None])[0]
    if upload is None:
        headers = request._request_handler.headers.items()
        prefix = "x-goog-meta-"
        metadata = {name.lower()[len(prefix):]: value for name, value in headers if name.lower().startswith(prefix)}
        upload = uuid.uuid4().hex
        unfinished[upload] = ({}, metadata)
        response.write_file(
            f"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><UploadId>{upload}</UploadId>"
            "</InitiateMultipartUploadResult>",
            "application/xml",
        )
        return
    parts, metadata = unfinished.pop(upload)
    content = b"".join(parts[number] for number in sorted(parts))
    resource = objects._make_object_resource(
        request.base_url, bucket, key, "application/octet-stream", str(len(content)), {"metadata": metadata}
    )
    storage.create_file(bucket, key, content, objects._checksums(content, resource))
    response.write_file("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>", "application/xml")


def part(request, response, storage):
    if "uploadId" not in request.query:
        return objects.xml_upload(request, response, storage)
    parts, _ = unfinished[request.query["uploadId"][0]]
    parts[int(request.query["partNumber"][0])] = request.data
    response["ETag"] = '"part"'


def give_up(request, response, storage):
    unfinished.pop(request.query["uploadId"][0], None)
    response.status = HTTPStatus.NO_CONTENT


for _, handlers in server.HANDLERS:
    if handlers.get(server.PUT) is objects.xml_upload:
        handlers.update({server.POST: begin_or_complete, server.PUT: part, server.DELETE: give_up})

emulator.main(["start", "-M", "-q", "-H", "127.0.0.1", "--port", sys.argv[1], "--default-bucket", "bucket"])
