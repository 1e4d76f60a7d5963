"""What can be asked about items and drives: one method for each kind of request."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulators.onedrive.accounts import Accounts
from tests.emulators.onedrive.address import Address, Unknown, parse
from tests.emulators.onedrive.database import Database
from tests.emulators.onedrive.delta import Delta
from tests.emulators.onedrive.items import Content, Drive, Item, Items, check_match
from tests.emulators.onedrive.quickxor import QuickXor
from tests.emulators.onedrive.refusals import Refusal, exists, invalid, not_found
from tests.emulators.onedrive.rows import DOWNLOAD_URL, Rows
from tests.emulators.onedrive.uploads import Uploads
from tests.emulators.serving import Answer, Request
from tests.emulators.trouble import Trouble

_SMALL = 250 << 20
"""Bytes of a simple upload at most."""
_BEHAVIOUR = "@microsoft.graph.conflictBehavior"
_TIME = re.compile(r"-?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass
class Call:
    """One request to Graph, also one of a batch. ``url`` is where Graph's root is; ``path`` follows ``/v1.0``."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    account: str

    async def json(self) -> dict[str, Any]:
        text = b"".join([chunk async for chunk in self.body])
        try:
            found = json.loads(text or b"{}")
        except ValueError:
            raise invalid("The body is not JSON.") from None
        if not isinstance(found, dict):
            raise invalid("The body is not a JSON object.")
        return found


class Graph:
    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        items: Items,
        rows: Rows,
        uploads: Uploads,
        trouble: Trouble,
        url: str,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._items = items
        self._rows = rows
        self._uploads = uploads
        self._trouble = trouble
        self._url = url
        self._delta = Delta(database, items, rows, url)

    async def handle(self, request: Request) -> Answer:
        account = self._accounts.who(request.headers.get("authorization", ""))
        path = request.path.removeprefix("/v1.0")
        call = Call(request.method, path, request.query, request.headers, request.body, account)
        return await self._batch(call) if path == "/$batch" else await self.answer(call)

    async def answer(self, call: Call) -> Answer:
        try:
            return await self._answer(call)
        except Refusal as refusal:
            return refusal.answer()

    async def _answer(self, call: Call) -> Answer:
        try:
            address = parse(call.path)
        except Unknown:
            return self._about_account(call)
        drive = self._drive(call, address)
        if address.on_drive:
            return Answer.json(200, self._about_drive(drive))
        action = address.action.partition("/")[0].partition("(")[0]
        handler = self._handlers().get((call.method, action))
        if handler is None:
            raise invalid(f"There is no {call.method} of {action or 'items'}.")
        answer = await handler(call, drive, address)
        assert isinstance(answer, Answer)
        return answer

    def _handlers(self) -> dict[tuple[str, str], Any]:
        return {
            ("GET", ""): self._get,
            ("PATCH", ""): self._patch,
            ("DELETE", ""): self._delete,
            ("GET", "children"): self._children,
            ("POST", "children"): self._make_folder,
            ("GET", "content"): self._download,
            ("PUT", "content"): self._put,
            ("POST", "createUploadSession"): self._create_session,
            ("GET", "delta"): self._news,
            ("POST", "copy"): self._copy,
            ("GET", "versions"): self._versions,
            ("POST", "versions"): self._restore,
        }

    # --- accounts and drives -----------------------------------------------------------------------------------------

    def _about_account(self, call: Call) -> Answer:
        drives = self._accounts.drives(call.account)
        person = self._accounts.account(call.account)
        if call.method == "GET" and call.path == "/me":
            return Answer.json(
                200, {"id": person["id"], "displayName": person["name"], "userPrincipalName": person["name"]}
            )
        if call.method == "GET" and call.path == "/me/drives":
            own = [drive for drive in drives if drive["kind"] != "documentLibrary"]
            return Answer.json(200, {"value": [self._about_drive(drive) for drive in own]})
        if call.method == "GET" and call.path == "/sites" and person["kind"] == "business":
            site = {"id": f"site,{person['id']}", "displayName": "Team", "webUrl": "https://team.example"}
            return Answer.json(200, {"value": [site]})
        if call.method == "GET" and re.fullmatch(r"/sites/[^/]+/drives", call.path):
            libraries = [drive for drive in drives if drive["kind"] == "documentLibrary"]
            return Answer.json(200, {"value": [self._about_drive(drive) for drive in libraries]})
        raise Refusal(400, "BadRequest", f"Resource not found for the segment '{call.path}'.")

    def _about_drive(self, drive: Drive) -> dict[str, Any]:
        return self._rows.drive(drive, self._accounts.account(drive["account"])["name"])

    def _drive(self, call: Call, address: Address) -> Drive:
        if address.drive is not None:
            return self._accounts.drive(call.account, address.drive)
        drives = self._accounts.drives(call.account)
        if not drives:
            raise not_found("There is no drive.")
        return drives[0]

    def _start(self, drive: Drive, address: Address) -> Item:
        return self._items.get(drive, address.item) if address.item else self._items.root(drive)

    def _item(self, drive: Drive, address: Address) -> Item:
        return self._items.walk(self._start(drive, address), list(address.names))

    def _parent(self, drive: Drive, address: Address) -> Item:
        return self._items.walk(self._start(drive, address), list(address.names[:-1]))

    # --- one item ----------------------------------------------------------------------------------------------------

    async def _get(self, call: Call, drive: Drive, address: Address) -> Answer:
        item = self._item(drive, address)
        found = self._rows.item(drive, item, call.query.get("$select"))
        if call.query.get("$expand") == "children":
            found["children"] = [
                self._rows.item(drive, child) for child in self._items.children(item, "", drive["page"])
            ]
        return Answer.json(200, found)

    async def _patch(self, call: Call, drive: Drive, address: Address) -> Answer:
        change = await call.json()
        item = self._item(drive, address)
        check_match(item, call.headers.get("if-match"))
        reference, times = change.get("parentReference") or {}, _times(change)
        if reference.get("driveId", drive["id"]).lower() != drive["id"].lower():
            raise invalid("An item cannot be moved to another drive.")
        if "name" in change or "id" in reference:
            parent = self._items.get(drive, reference["id"] if "id" in reference else item["parent"])
            replace = change.get(_BEHAVIOUR, "fail") == "replace"
            item = self._items.move(drive, item, parent, change.get("name", item["name"]), replace=replace)
        if times:
            item = self._items.set_times(drive, item, times)
        return Answer.json(200, self._rows.item(drive, item))

    async def _delete(self, call: Call, drive: Drive, address: Address) -> Answer:
        item = self._item(drive, address)
        check_match(item, call.headers.get("if-match"))
        self._items.delete(drive, item)
        return Answer(204)

    # --- folders -----------------------------------------------------------------------------------------------------

    async def _children(self, call: Call, drive: Drive, address: Address) -> Answer:
        folder = self._item(drive, address)
        if folder["kind"] == "file":
            return Answer.json(200, {"value": []})
        limit = min(int(call.query.get("$top", "200")), drive["page"])
        after = json.loads(base64.urlsafe_b64decode(call.query.get("$skiptoken", "IiI=")))
        found = self._items.children(folder, after, limit + 1)
        select = call.query.get("$select")
        page: dict[str, Any] = {"value": [self._rows.item(drive, item, select) for item in found[:limit]]}
        if len(found) > limit:
            token = base64.urlsafe_b64encode(json.dumps(found[limit - 1]["folded"]).encode()).decode()
            selected = f"&$select={select}" if select else ""
            page["@odata.nextLink"] = f"{self._url}/v1.0{call.path}?$top={limit}{selected}&$skiptoken={token}"
        return Answer.json(200, page)

    async def _make_folder(self, call: Call, drive: Drive, address: Address) -> Answer:
        wanted = await call.json()
        parent = self._item(drive, address)
        name = wanted.get("name")
        if not isinstance(name, str) or wanted.get("folder") is None:
            raise invalid("A name and a folder facet are needed.")
        there = self._items.child(parent, name) if parent["kind"] != "file" else None
        if there is not None and there["kind"] == "folder" and wanted.get(_BEHAVIOUR) == "replace":
            return Answer.json(200, self._rows.item(drive, there))
        item = self._items.add(drive, parent, name, "folder", None, {})
        return Answer.json(201, self._rows.item(drive, item))

    # --- content -----------------------------------------------------------------------------------------------------

    async def _download(self, call: Call, drive: Drive, address: Address) -> Answer:
        item = self._item(drive, address)
        if item["kind"] != "file":
            raise invalid("A folder has no content.")
        return Answer(302, headers={"Location": self._rows.item(drive, item)[DOWNLOAD_URL]})

    async def _put(self, call: Call, drive: Drive, address: Address) -> Answer:
        content = await self._receive(call)
        if self._trouble.takes("damage", f"{call.method} /v1.0{call.path}"):
            content = self._damage(content)
        behaviour = call.query.get(_BEHAVIOUR, "replace")
        self._items.require_room(drive, content.size)
        if address.names:
            parent, name = self._parent(drive, address), address.names[-1]
            item = self._items.child(parent, name)
        else:
            item = self._item(drive, address)
        if item is None:
            if call.headers.get("if-match"):
                raise Refusal(412, "resourceModified", "There is nothing to be replaced.", "entityTagDoesNotMatch")
            item = self._items.add(drive, parent, name, "file", content, {})
            return Answer.json(201, self._rows.item(drive, item))
        if behaviour == "fail" or item["kind"] != "file":
            raise exists()
        check_match(item, call.headers.get("if-match"))
        item = self._items.rewrite(drive, item, content, {})
        return Answer.json(200, self._rows.item(drive, item))

    async def _receive(self, call: Call) -> Content:
        hasher, blob = QuickXor(), self._database.new_blob()
        size = 0
        with open(blob, "wb") as file:  # noqa: ASYNC230
            async for chunk in call.body:
                file.write(chunk)
                hasher.add(chunk)
                size += len(chunk)
        if size > _SMALL:
            raise Refusal(413, "invalidRequest", "Use an upload session.")
        return Content(blob.name, size, hasher.finish())

    def _damage(self, content: Content) -> Content:
        file = self._database.blob(content.blob)
        data = file.read_bytes()
        file.write_bytes(bytes([data[0] ^ 1]) + data[1:] if data else b"?")
        hasher = QuickXor()
        hasher.add(file.read_bytes())
        return Content(content.blob, file.stat().st_size, hasher.finish())

    async def _create_session(self, call: Call, drive: Drive, address: Address) -> Answer:
        wanted = await call.json()
        facts = wanted.get("item", {})
        _times(facts)
        if address.names:
            parent, name = self._parent(drive, address), address.names[-1]
            item = self._items.child(parent, name)
        else:
            item = self._item(drive, address)
            parent, name = self._items.get(drive, item["parent"]), item["name"]
        if facts.get("name", name) != name:
            raise invalid("The name in the body is another one than in the address.")
        self._items.check_place(drive, parent, name, is_folder=False)
        behaviour = facts.get(_BEHAVIOUR, "fail")
        if item is not None and (behaviour == "fail" or item["kind"] != "file"):
            raise exists()
        if item is not None:
            check_match(item, call.headers.get("if-match"))
        return Answer.json(
            200, self._uploads.create(drive, parent, name, behaviour, facts, call.headers.get("if-match"))
        )

    # --- the rest ----------------------------------------------------------------------------------------------------

    async def _news(self, call: Call, drive: Drive, address: Address) -> Answer:
        item = self._item(drive, address)
        if item["kind"] != "root" and drive["kind"] != "personal":
            raise Refusal(501, "notSupported", "Delta is for the root of this drive only.")
        token = call.query.get("token")
        action = re.fullmatch(r"delta\(token='(.*)'\)", address.action)
        return self._delta.answer(call.path, drive, action[1] if action else token, call.query.get("$top"))

    async def _copy(self, call: Call, drive: Drive, address: Address) -> Answer:
        wanted = await call.json()
        item = self._item(drive, address)
        if "respond-async" not in call.headers.get("prefer", ""):
            raise invalid("A copy needs Prefer: respond-async.")
        reference = wanted.get("parentReference") or {}
        parent = self._items.get(drive, reference.get("id", item["parent"]))
        monitor, error, copied = uuid.uuid4().hex, "", ""
        try:
            content = Content(item["blob"], item["size"], item["hash"])
            copied = self._items.add(drive, parent, wanted.get("name", item["name"]), item["kind"], content, {})["id"]
        except Refusal as refusal:
            error = refusal.code
        self._database.do("INSERT INTO monitor (id, item, error) VALUES (?, ?, ?)", monitor, copied, error)
        return Answer(202, headers={"Location": f"{self._url}/monitor/{monitor}"})

    async def monitor(self, request: Request) -> Answer:
        if "authorization" in request.headers:
            raise Refusal(401, "unauthenticated", "This address does not take a token.")
        monitor = request.path.rpartition("/")[2]
        found = self._database.one("SELECT * FROM monitor WHERE id = ?", monitor)
        if found is None:
            raise not_found()
        if not found["polls"]:
            self._database.do("UPDATE monitor SET polls = 1 WHERE id = ?", monitor)
            return Answer.json(202, {"operation": "itemCopy", "percentageComplete": 50.0, "status": "inProgress"})
        if found["error"]:
            return Answer.json(200, {"status": "failed", "errorCode": found["error"]})
        return Answer.json(200, {"status": "completed", "percentageComplete": 100.0, "resourceId": found["item"]})

    async def _versions(self, call: Call, drive: Drive, address: Address) -> Answer:
        item = self._item(drive, address)
        old = self._database.all("SELECT * FROM version WHERE item = ? ORDER BY number DESC", item["id"])
        current = {"id": f"{len(old) + 1}.0", "lastModifiedDateTime": item["modified"], "size": item["size"]}
        earlier = [
            {"id": f"{row['number']}.0", "lastModifiedDateTime": row["modified"], "size": row["size"]} for row in old
        ]
        return Answer.json(200, {"value": [current, *earlier]})

    async def _restore(self, call: Call, drive: Drive, address: Address) -> Answer:
        item = self._item(drive, address)
        match = re.fullmatch(r"versions/(\d+)\.0/restoreVersion", address.action)
        number = int(match[1]) if match else 0
        found = self._database.one("SELECT * FROM version WHERE item = ? AND number = ?", item["id"], number)
        if found is None:
            raise not_found()
        self._items.rewrite(drive, item, Content(found["blob"], found["size"], found["hash"]), {})
        return Answer(204)

    # --- batches -----------------------------------------------------------------------------------------------------

    async def _batch(self, call: Call) -> Answer:
        wanted = (await call.json()).get("requests")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= 20:
            raise invalid("A batch has from 1 to 20 requests.")
        if len({part.get("id") for part in wanted}) != len(wanted):
            raise invalid("The requests of a batch need ids of their own.")
        self._trouble.requests["batched parts"] += len(wanted)
        responses: dict[str, dict[str, Any]] = {}
        for part in wanted:
            responses[part["id"]] = await self._part(call, part, responses)
        # In any order, so that nobody relies on one.
        return Answer.json(200, {"responses": list(reversed(responses.values()))})

    async def _part(self, call: Call, part: dict[str, Any], done: dict[str, dict[str, Any]]) -> dict[str, Any]:
        if any(done.get(name, {"status": 500})["status"] >= 400 for name in part.get("dependsOn", ())):
            return {"id": part["id"], "status": 424, "headers": {}, "body": Refusal(424, "failedDependency").body()}
        body, headers = part.get("body"), {key.lower(): value for key, value in part.get("headers", {}).items()}
        if body is not None and headers.get("content-type") != "application/json":
            return {"id": part["id"], "status": 400, "headers": {}, "body": invalid("A body needs a type.").body()}
        path, _, query = str(part["url"]).partition("?")
        inner = Request(part["method"], f"/v1.0{path}?{query}", headers, _once(body))
        order = self._trouble.takes("part", f"{part['method']} {path}")
        if order is not None:
            return {"id": part["id"], "status": order.status, "headers": order.headers, "body": order.body or {}}
        answer = await self.answer(Call(part["method"], path, inner.query, headers, inner.body, call.account))
        assert isinstance(answer.body, bytes)
        found: dict[str, Any] = {"id": part["id"], "status": answer.status, "headers": answer.headers}
        return {**found, "body": json.loads(answer.body)} if answer.body else found


async def _once(body: object) -> AsyncIterator[bytes]:
    if body is not None:
        yield json.dumps(body).encode()


def _times(change: Mapping[str, Any]) -> dict[str, str]:
    """The fileSystemInfo of a body: whole seconds are kept, a fraction is cut off."""
    times = change.get("fileSystemInfo") or {}
    if not all(isinstance(value, str) and _TIME.fullmatch(value) for value in times.values()):
        raise invalid("A time is not of the form YYYY-MM-DDTHH:MM:SSZ.")
    return {name: re.sub(r"\.\d+", "", value) for name, value in times.items()}
