"""A stand-in for the Hugging Face Hub: the calls that `push_to_hub` and `snapshot_download` make, answered from memory."""
import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef" * 2 + "01234567"

def digest(data): return hashlib.sha256(data).hexdigest()[:40]

class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, value=None, code=200, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        for key, text in (dict(Content_Length=len(body)) | headers).items(): self.send_header(key.replace("_", "-"), str(text))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)

    def log_message(self, *_): pass

    def missing(self, code, what): self.answer({}, 404, X_Error_Code=code, X_Error_Message=f"{what} not found")

    def do_POST(self):
        path, body = urlparse(self.path).path, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.calls.append(("POST", path))
        if self.headers.get("Authorization") != "Bearer hf_secret": return self.answer(dict(error="Invalid credentials"), 401)
        if path == "/api/repos/create":
            made = json.loads(body)
            name = "/".join(filter(None, (made.get("organization", "ann"), made["name"].rpartition("/")[2])))
            self.server.files.setdefault(name, {})
            return self.answer(dict(url=f"{self.server.address}/{name}", name=name))
        if path == "/api/validate-yaml": return self.answer(dict(errors=[], warnings=[]))
        name, action = re.fullmatch(r"/api/models/(.+?/.+?)/(preupload|commit)/main", path).groups()
        if action == "preupload":
            return self.answer(dict(files=[dict(path=f["path"], uploadMode="regular", shouldIgnore=False) for f in json.loads(body)["files"]]))
        lines = [json.loads(line) for line in body.splitlines()]
        for line in lines:
            if line["key"] == "deletedFile": del self.server.files[name][line["value"]["path"]]
        self.server.files[name] |= {line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"}
        self.answer(dict(commitUrl=f"{self.server.address}/{name}/commit/{COMMIT}", commitOid=COMMIT, success=True))

    def do_GET(self):
        path = unquote(urlparse(self.path).path)
        self.server.calls.append((self.command, path))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+|/tree/[^/]+)?", path):
            if found[1] not in self.server.files: return self.missing("RepoNotFound", "Repository")
            files = self.server.files[found[1]]
            if "/tree/" in path:
                return self.answer([dict(type="file", path=name, size=len(data), oid=digest(data)) for name, data in files.items()])
            return self.answer(dict(_id="0", id=found[1], modelId=found[1], sha=COMMIT, private=False, tags=[], siblings=[dict(rfilename=name) for name in files]))
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        if not found or found[1] not in self.server.files: return self.missing("RepoNotFound", "Repository")
        data = self.server.files[found[1]].get(found[2])
        if data is None: return self.missing("EntryNotFound", "Entry")
        self.answer(data, X_Repo_Commit=COMMIT, ETag=f'"{digest(data)}"')

    do_HEAD = do_GET

@contextmanager
def hub():
    "A server; `files` holds what it has been given, by repository, `calls` what it was asked"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files, server.calls, server.address = {}, [], f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try: yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
