"""Creates a container: container.py ENDPOINT ACCOUNT KEY NAME (nobody may without a signature)."""

import base64
import hashlib
import hmac
import sys
import urllib.request
from email.utils import formatdate
from urllib.parse import urlsplit

endpoint, account, key, name = sys.argv[1:]
url = f"{endpoint}/{name}?restype=container"
headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
canonical = "".join(f"{header}:{value}\n" for header, value in sorted(headers.items()))
resource = f"/{account}{urlsplit(url).path}\nrestype:container"
to_sign = "PUT\n" + "\n" * 11 + canonical + resource
signature = base64.b64encode(hmac.new(base64.b64decode(key), to_sign.encode(), hashlib.sha256).digest()).decode()
headers["Authorization"] = f"SharedKey {account}:{signature}"
headers["Content-Length"] = "0"
headers["Content-Type"] = ""
urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).read()
