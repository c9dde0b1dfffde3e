"""A stand-in for the Hugging Face Hub: it answers `push_to_hub` and `snapshot_download` from memory."""
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
        for key, text in (dict(Content_Length=len(body)) | headers).items():
            self.send_header(key.replace("_", "-"), str(text))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)

    def log_message(self, *_): pass

    def missing(self, code, what): self.answer({}, 404, X_Error_Code=code, X_Error_Message=f"{what} not found")

    def do_POST(self):
        "Answer a POST, and keep what it brings"
        path, body = urlparse(self.path).path, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.calls.append(("POST", path))
        if self.headers.get("Authorization") != "Bearer hf_secret": self.answer(dict(error="Invalid credentials"), 401)
        elif path == "/api/repos/create": self.create(json.loads(body))
        elif path == "/api/validate-yaml": self.answer(dict(errors=[], warnings=[]))
        else:
            name, action = re.fullmatch(r"/api/models/(.+?/.+?)/(preupload|commit)/main", path).groups()
            if action == "commit": self.commit(name, [json.loads(line) for line in body.splitlines()])
            else: self.answer(dict(files=[dict(path=file["path"], uploadMode="regular", shouldIgnore=False)
                                          for file in json.loads(body)["files"]]))

    def create(self, made):
        name = "/".join(filter(None, (made.get("organization", "ann"), made["name"].rpartition("/")[2])))
        self.server.files.setdefault(name, {})
        self.answer(dict(url=f"{self.server.address}/{name}", name=name))

    def commit(self, name, lines):
        files = self.server.files[name]
        for line in lines:
            value = line["value"]
            if line["key"] == "deletedFile": del files[value["path"]]
        for line in lines:
            value = line["value"]
            if line["key"] == "file": files[value["path"]] = base64.b64decode(value["content"])
        self.answer(dict(commitUrl=f"{self.server.address}/{name}/commit/{COMMIT}", commitOid=COMMIT, success=True))

    def do_GET(self):
        path = unquote(urlparse(self.path).path)
        self.server.calls.append((self.command, path))
        about = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+|/tree/[^/]+)?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        found = about or file
        if not found or found[1] not in self.server.files: self.missing("RepoNotFound", "Repository")
        elif about: self.describe(about[1], "/tree/" in path)
        elif file[2] not in self.server.files[file[1]]: self.missing("EntryNotFound", "Entry")
        else:
            data = self.server.files[file[1]][file[2]]
            self.answer(data, X_Repo_Commit=COMMIT, ETag=f'"{digest(data)}"')

    def describe(self, name, tree):
        files = self.server.files[name]
        listed = [dict(type="file", path=path, size=len(data), oid=digest(data)) for path, data in files.items()]
        if tree: self.answer(listed)
        else: self.answer(dict(_id="0", id=name, modelId=name, sha=COMMIT, private=False, tags=[],
                               siblings=[dict(rfilename=path) for path in files]))

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
