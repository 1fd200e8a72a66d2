"""REST as a script calls it, with requests."""

import json

import requests


def test_ids_that_are_no_segments_of_a_path(server):
    api = f"{server.url}/api/projects/-/tasks"
    for task in (".", "..", "a/b", "x" * 255):
        made = requests.post(api, params={"projectId": ".."}, json={"id": task, "title": task})
        assert made.status_code == 201, made.text
        found = requests.get(server.url + made.headers["Location"])
        assert found.json()["title"] == task
        found = requests.get(f"{api}/-", params={"projectId": "..", "id": task})
        assert found.json()["title"] == task


def test_an_import_keeps_when_and_by_whom_things_were_made(server):
    """`requests` sends everything before it reads anything: 3,000 refusals must not stand in its way."""
    good = [{"id": str(number), "createdAt": "2019-03-01T10:00:00Z", "createdBy": "ann"} for number in range(3_000)]
    bad = [{"id": str(number), "createdAt": "once upon a time"} for number in range(3_000)]
    lines = "".join(json.dumps(item) + "\n" for pair in zip(good, bad) for item in pair)
    for expected in ({"created": 3_000, "unchanged": 0}, {"created": 0, "unchanged": 3_000}):
        answer = requests.post(
            f"{server.url}/api/projects/p/import",
            data=(line.encode() for line in lines.splitlines(keepends=True)),
            headers={"Content-Type": "application/x-ndjson"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        *told, done = (json.loads(line) for line in answer.text.splitlines())
        assert done | expected | {"ok": False, "items": 6_000, "refused": 3_000} == done
        refused = [line for line in told if "item" in line]
        assert 1 <= len(refused) <= 100
        assert all(line["field"] == "createdAt" for line in refused)
    task = requests.get(f"{server.url}/api/projects/p/tasks/7").json()
    assert (task["createdAt"], task["createdBy"]) == ("2019-03-01T10:00:00.000Z", "ann")
    listed = requests.post(f"{server.url}/api/projects/p/import", json=good[:2])
    assert json.loads(listed.text)["unchanged"] == 2
