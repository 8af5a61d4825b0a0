"""Drives a server of the HTTP API with the Python client of Durable Functions, from the package `azure-functions-durable`.

The argument is the address of the server. Every answer passes through the client, so a check fails where the client
does not accept an answer as well as where it reads the wrong thing from it.
"""

import asyncio
import json
import sys
from datetime import datetime, timedelta, timezone

import azure.functions as func
from azure.durable_functions import DurableOrchestrationClient, OrchestrationRuntimeStatus as Status
from azure.durable_functions.models.utils import http_utils

checks = 0


def check(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        raise AssertionError(f"{what}: the client reads {actual!r}, and should read {expected!r}")


async def check_refused(what, call, text):
    """The client must raise an exception that contains the text."""
    try:
        await call
    except Exception as error:  # The client raises plain exceptions.
        check(what, text in str(error), True)
    else:
        raise AssertionError(f"{what}: the client accepts what it should refuse")


def binding(address):
    """What a Functions host passes to a function that has a durable client as an input."""
    base = f"{address}/runtime/webhooks/durabletask"
    query = "taskHub=persevere&connection=Storage"
    instance = f"{base}/instances/INSTANCEID"
    return json.dumps({
        "taskHubName": "persevere",
        "creationUrls": {
            "createNewInstancePostUri": f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]?{query}",
            "createAndWaitOnNewInstancePostUri":
                f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]?timeout=10&pollingInterval=1&{query}",
        },
        "managementUrls": {
            "id": "INSTANCEID",
            "statusQueryGetUri": f"{instance}?{query}",
            "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
            "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
            "purgeHistoryDeleteUri": f"{instance}?{query}",
            "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
            "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
        },
        "rpcBaseUrl": f"{base}/",
    })


async def ended(client, request, instance):
    """Waits with the client's own polling."""
    return await client.wait_for_completion_or_create_check_status_response(request, instance, 20_000, 20)


async def at_work(client, instance):
    """Reads the status until the code has published one of its own."""
    while (found := await client.get_status(instance)).custom_status is None:
        await asyncio.sleep(0.01)
    return found


async def starts_and_results(client, request):
    instance = await client.start_new("hello_cities", "python-1", ["Tokyo", "Zürich \"7\""])
    check("the id of a start", instance, "python-1")
    answer = await ended(client, request, instance)
    check("the code of a result", answer.status_code, 200)
    check("a result", json.loads(answer.get_body()), ["Hello Tokyo!", "Hello Zürich \"7\"!"])

    generated = await client.start_new("recommend_city", client_input=2)
    check("the length of a generated id", len(generated), 32)
    answer = await client.wait_for_completion_or_create_check_status_response(request, generated, 2, 1)
    check("the code of a wait in vain", answer.status_code, 202)
    check("the URL to follow", answer.headers["Location"],
          client.create_http_management_payload(generated)["statusQueryGetUri"])
    await client.terminate(generated, "this one was only looked at")

    failed = await client.start_new("recommend_city", "python-failed", 99)
    answer = await ended(client, request, failed)
    check("the code of a failure", answer.status_code, 500)
    check("the text of a failure", json.loads(answer.get_body())["output"], "there is no interest 99")

    await check_refused("an unknown orchestrator", client.start_new("hello_city", None, []), "hello_city")
    await check_refused("an unknown version", client.start_new("hello_cities", None, [], "7"), "7")
    # An id that runs is refused, and one that has ended is used again.
    await client.start_new("recommend_city", "python-twice", 1)
    await check_refused("an id that runs", client.start_new("recommend_city", "python-twice", 1), "already exists")
    await client.terminate("python-twice", "to use its id again")
    check("the id of a second start", await client.start_new("hello_cities", "python-twice", []), "python-twice")
    await ended(client, request, "python-twice")


async def status(client, request):
    found = await client.get_status("python-1")
    check("a status", (found.name, found.instance_id, found.runtime_status),
          ("hello_cities", "python-1", Status.Completed))
    check("the output in a status", found.output, ["Hello Tokyo!", "Hello Zürich \"7\"!"])
    check("a custom status", found.custom_status, {"done": 2, "total": 2, "greeting": None})
    age = datetime.now(timezone.utc) - found.created_time
    check("the time of creation", timedelta(minutes=-5) < age < timedelta(minutes=30), True)
    check("the order of times", found.created_time <= found.last_updated_time, True)
    check("a history that nobody asked for", hasattr(found, "historyEvents"), False)
    found = await client.get_status("python-1", show_history=True, show_history_output=True, show_input=True)
    # The client keeps the history under the name that it has in the answer, and not as its own `history`.
    history = found.historyEvents
    check("the first and the last event of a history", (history[0]["EventType"], history[-1]["EventType"]),
          ("ExecutionStarted", "ExecutionCompleted"))
    results = [event["Result"] for event in history if event["EventType"] == "TaskCompleted"]
    check("the results in a history", results, ["Hello Tokyo!", "Hello Zürich \"7\"!"])
    nobody = await client.get_status("nobody")
    check("an instance that does not exist", (bool(nobody), nobody.runtime_status), (False, None))


async def events(client, request):
    # The client encodes `True` twice, and the orchestrator takes a boolean.
    await client.start_new("reserve_ticket", "python-ticket", [3, 600])
    await client.raise_event("python-ticket", "BookingConfirmed", True)
    await ended(client, request, "python-ticket")
    check("what an event did", (await client.get_status("python-ticket")).output, "confirmed")
    # An orchestrator that takes a string receives what the client sends: the text with its quotation marks.
    await client.start_new("recommend_city", "python-trip", 2)
    await client.raise_event("python-trip", "CityChosen", "Lisbon")
    await ended(client, request, "python-trip")
    check("a text as an event", (await client.get_status("python-trip")).output.split(" is not ")[0], "\"Lisbon\"")

    # An orchestrator that lists its events refuses every other one, and a payload that it cannot read.
    await client.start_new("approve_order", "python-order", {"item": "Zürich map", "count": 2})
    check("a custom status of text", (await at_work(client, "python-order")).custom_status,
          "2 x Zürich map wait for an approval")
    await check_refused("a misspelled event", client.raise_event("python-order", "Aproval", {"approved": True}), "json")
    await check_refused("a payload of a wrong type", client.raise_event("python-order", "Approval", [1]), "json")
    check("an instance that was spared", (await client.get_status("python-order")).runtime_status, Status.Running)
    await client.raise_event("python-order", "approval", {"approved": True, "by": "Ana"})
    await ended(client, request, "python-order")
    check("an event in lower case", (await client.get_status("python-order")).output,
          "Zürich map is sent, approved by Ana")
    await check_refused("an event to an ended instance", client.raise_event("python-order", "X", True), "gone")
    await check_refused("an event to nobody", client.raise_event("nobody", "X", True), "nobody")


async def suspension_and_ends(client, request):
    await client.start_new("recommend_city", "python-paused", 1)
    await at_work(client, "python-paused")
    await client.suspend("python-paused", "lunch & coffee")
    check("a suspended instance", (await client.get_status("python-paused")).runtime_status, Status.Suspended)
    await client.resume("python-paused", "back")
    check("a resumed instance", (await client.get_status("python-paused")).runtime_status, Status.Running)
    await client.terminate("python-paused", "found a \"bug\" + 50%")
    found = await client.get_status("python-paused")
    check("a terminated instance", (found.runtime_status, found.output),
          (Status.Terminated, "found a \"bug\" + 50%"))
    answer = await ended(client, request, "python-paused")
    check("the wait for a terminated instance", answer.status_code, 200)
    # The client takes 410 as done.
    for call in (client.terminate, client.suspend, client.resume):
        await call("python-paused", "again")
        await check_refused(f"{call.__name__} of nobody", call("nobody", "x"), "nobody")
    await client.rewind("python-failed", "why")
    await ended(client, request, "python-failed")


async def restarts(client, request):
    answer = await client.restart("python-1", restart_with_new_instance_id=False)
    # The client returns the document of the answer as it is.
    check("the id of a restart", answer["id"], "python-1")
    await ended(client, request, "python-1")
    answer = await client.restart("python-1")
    check("a new id", answer["id"] not in ("", "python-1"), True)
    await ended(client, request, answer["id"])
    check("the result of a restart", (await client.get_status(answer["id"])).output,
          ["Hello Tokyo!", "Hello Zürich \"7\"!"])
    await check_refused("the restart of nobody", client.restart("nobody"), "400")


async def lists_and_purges(client, request):
    everything = {found.instance_id for found in await client.get_status_all()}
    check("a list of all", {"python-1", "python-ticket", "python-failed"} <= everything, True)
    now = datetime.now(timezone.utc)
    found = await client.get_status_by(now - timedelta(hours=1), now + timedelta(hours=1),
                                       [Status.Failed, Status.Terminated], "python-")
    check("a list by state", sorted(one.instance_id for one in found), ["python-failed", "python-paused", "python-trip"])
    check("a list of a time without instances", await client.get_status_by(created_time_to=now - timedelta(days=1)), [])

    check("a purge", (await client.purge_instance_history("python-1")).instances_deleted, 1)
    check("a purge of nobody", (await client.purge_instance_history("python-1")).instances_deleted, 0)
    await client.start_new("recommend_city", "python-running", 1)
    await check_refused("a purge of a running instance", client.purge_instance_history("python-running"), "412")
    purged = await client.purge_instance_history_by(now - timedelta(hours=1), now + timedelta(hours=1), [Status.Failed])
    check("a purge by state", purged.instances_deleted, 2)
    purged = await client.purge_instance_history_by(now - timedelta(hours=1), now + timedelta(hours=1), [Status.Failed])
    check("a purge of nothing", purged.instances_deleted, 0)
    await client.terminate("python-running", "the end")


async def main(address):
    client = DurableOrchestrationClient(binding(address))
    request = func.HttpRequest("GET", f"{address}/", body=b"")
    try:
        for part in (starts_and_results, status, events, suspension_and_ends, restarts, lists_and_purges):
            await part(client, request)
    finally:
        await http_utils._close_session()
    print(f"The Python client accepts every answer: {checks} checks.")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 60))
