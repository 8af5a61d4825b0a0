"use strict";
// Drives a server of the HTTP API with the JavaScript client of Durable Functions, from the package `durable-functions`.
//
// The arguments are the address of the server, and a key if it has keys. The client writes its requests in two ways: from
// the base address of a Functions host, and from the URLs that a host hands out. Both are driven; with a key only the
// second one, because the first one sends none.

const { HttpRequest, InvocationContext } = require("@azure/functions");
const df = require("durable-functions");
const { OrchestrationRuntimeStatus: Status } = df;
const assert = require("node:assert/strict");

const [, , address, key] = process.argv;
const base = `${address}/runtime/webhooks/durabletask`;
// Otherwise the client replaces the address with the one of a development host.
process.env.WEBSITE_HOSTNAME = new URL(address).host;

let checks = 0;
function check(what, actual, expected) {
    checks += 1;
    assert.deepEqual(actual, expected, `${what}: the client reads ${JSON.stringify(actual)}, and should read ${JSON.stringify(expected)}`);
}

async function checkRefused(what, call, text) {
    checks += 1;
    await assert.rejects(call, (error) => error.message.includes(text), `${what} must be refused with: ${text}`);
}

/** The client as a function of a Functions host gets it. */
function client(data) {
    const input = df.input.durableClient();
    const context = new InvocationContext({ options: { extraInputs: [input] } });
    context.extraInputs.set(input, data);
    return df.getClient(context);
}

/** The URLs that the server hands out for one instance, which the client takes as a template for all. */
async function binding() {
    const headers = key ? { "x-functions-key": key } : {};
    const start = `${base}/orchestrators/hello_cities/INSTANCEID`;
    const response = await fetch(start, { method: "POST", body: "[]", headers });
    const managementUrls = await response.json();
    for (const [name, url] of Object.entries(managementUrls)) {
        // The code that the server hands out is for one instance.
        managementUrls[name] = url.replace(/code=[^&]*/, `code=${key}`);
    }
    const query = new URL(managementUrls.statusQueryGetUri).search;
    const creation = `${base}/orchestrators/{functionName}[/{instanceId}]`;
    return {
        taskHubName: "persevere",
        creationUrls: {
            createNewInstancePostUri: `${creation}${query}`,
            createAndWaitOnNewInstancePostUri: `${creation}${query}&timeout=10&pollingInterval=1`,
        },
        managementUrls,
    };
}

const request = new HttpRequest({ method: "GET", url: `${address}/` });

function ended(client, id) {
    const options = { timeoutInMilliseconds: 20_000, retryIntervalInMilliseconds: 20 };
    return client.waitForCompletionOrCreateCheckStatusResponse(request, id, options);
}

/** Reads the status until the code has published one of its own. */
async function atWork(client, id) {
    let found;
    do {
        found = await client.getStatus(id);
    } while (found.customStatus === null);
    return found;
}

async function startsAndResults(client, p) {
    const id = await client.startNew("hello_cities", { instanceId: `${p}-1`, input: ["Tokyo", 'Zürich "7"'] });
    check("the id of a start", id, `${p}-1`);
    let answer = await ended(client, id);
    check("the code of a result", answer.status, 200);
    check("a result", await answer.json(), ["Hello Tokyo!", 'Hello Zürich "7"!']);

    const generated = await client.startNew("recommend_city", { input: 2 });
    check("the length of a generated id", generated.length, 32);
    const briefly = { timeoutInMilliseconds: 2, retryIntervalInMilliseconds: 1 };
    answer = await client.waitForCompletionOrCreateCheckStatusResponse(request, generated, briefly);
    check("the code of a wait in vain", answer.status, 202);
    const followed = await (await fetch(answer.headers.get("location"))).json();
    check("the URL to follow", followed.instanceId, generated);
    await client.terminate(generated, "this one was only looked at");

    await client.startNew("recommend_city", { instanceId: `${p}-failed`, input: 99 });
    answer = await ended(client, `${p}-failed`);
    check("the code of a failure", answer.status, 500);
    check("the text of a failure", (await answer.json()).output, "there is no interest 99");

    await checkRefused("an unknown orchestrator", client.startNew("hello_city", { input: [] }), "hello_city");
    await checkRefused("an unknown version", client.startNew("hello_cities", { input: [], version: "7" }), "7");
    await client.startNew("recommend_city", { instanceId: `${p}-twice`, input: 1 });
    await checkRefused("an id that runs", client.startNew("recommend_city", { instanceId: `${p}-twice` }), "409");
    await client.terminate(`${p}-twice`, "to use its id again");
    check("a second start", await client.startNew("hello_cities", { instanceId: `${p}-twice`, input: [] }), `${p}-twice`);
    await ended(client, `${p}-twice`);
    await client.startNew("recommend_city", { instanceId: `${p}-failed-too`, input: 99 });
    check("another failure", (await ended(client, `${p}-failed-too`)).status, 500);
    // The orchestrator cannot decode what this client sends if there is no input, so the instance is parked: it has not ended.
    await client.startNew("hello_cities", { instanceId: `${p}-none` });
    check("a start without the input", (await client.getStatus(`${p}-none`)).runtimeStatus !== Status.Completed, true);
    await client.terminate(`${p}-none`, "it has no input");
    check("its end", (await ended(client, `${p}-none`)).status, 200);
}

async function status(client, p) {
    let found = await client.getStatus(`${p}-1`);
    check("a status", [found.name, found.instanceId, found.runtimeStatus], ["hello_cities", `${p}-1`, Status.Completed]);
    check("the output in a status", found.output, ["Hello Tokyo!", 'Hello Zürich "7"!']);
    check("a custom status", found.customStatus, { done: 2, total: 2, greeting: null });
    check("the order of times", found.createdTime <= found.lastUpdatedTime && found.createdTime > new Date("2020"), true);
    // The client asks for the history, but drops it from the answer: it looks for it under another name.
    found = await client.getStatus(`${p}-1`, { showHistory: true, showHistoryOutput: true, showInput: true });
    check("the input in a status", found.input, ["Tokyo", 'Zürich "7"']);
    await checkRefused("the status of nobody", client.getStatus("nobody"), "404");
}

async function events(client, p) {
    await client.startNew("reserve_ticket", { instanceId: `${p}-ticket`, input: [3, 600] });
    await client.raiseEvent(`${p}-ticket`, "BookingConfirmed", true);
    await ended(client, `${p}-ticket`);
    check("what an event did", (await client.getStatus(`${p}-ticket`)).output, "confirmed");
    await client.startNew("recommend_city", { instanceId: `${p}-trip`, input: 2 });
    await client.raiseEvent(`${p}-trip`, "CityChosen", "Lisbon");
    await ended(client, `${p}-trip`);
    check("a text as an event", (await client.getStatus(`${p}-trip`)).output, "Go to Lisbon in summer.");

    // An orchestrator that lists its events refuses every other one, and a payload that it cannot read.
    await client.startNew("approve_order", { instanceId: `${p}-order`, input: { item: "Zürich map", count: 2 } });
    check("a custom status of text", (await atWork(client, `${p}-order`)).customStatus, "2 x Zürich map wait for an approval");
    const raise = (name, data) => client.raiseEvent(`${p}-order`, name, data);
    await checkRefused("a misspelled event", raise("Aproval", { approved: true }), "did you mean `Approval`?");
    await checkRefused("a payload of a wrong type", raise("Approval", { approved: 1 }), "at `approved`");
    check("an instance that was spared", (await client.getStatus(`${p}-order`)).runtimeStatus, Status.Running);
    await raise("approval", { approved: true, by: "Ana" });
    await ended(client, `${p}-order`);
    check("an event in lower case", (await client.getStatus(`${p}-order`)).output, "Zürich map is sent, approved by Ana");
    // The client takes 410 as done.
    await raise("Approval", { approved: true });
    await checkRefused("an event to nobody", client.raiseEvent("nobody", "X", true), "nobody");
}

async function suspensionAndEnds(client, p) {
    await client.startNew("recommend_city", { instanceId: `${p}-paused`, input: 1 });
    await atWork(client, `${p}-paused`);
    await client.suspend(`${p}-paused`, "lunch, and coffee");
    check("a suspended instance", (await client.getStatus(`${p}-paused`)).runtimeStatus, Status.Suspended);
    await client.resume(`${p}-paused`, "back");
    check("a resumed instance", (await client.getStatus(`${p}-paused`)).runtimeStatus, Status.Running);
    await client.terminate(`${p}-paused`, 'found a "bug"');
    const found = await client.getStatus(`${p}-paused`);
    check("a terminated instance", [found.runtimeStatus, found.output], [Status.Terminated, 'found a "bug"']);
    check("the wait for a terminated instance", (await ended(client, `${p}-paused`)).status, 200);
    for (const operation of ["terminate", "suspend", "resume"]) {
        await client[operation](`${p}-paused`, "again");
        await checkRefused(`${operation} of nobody`, client[operation]("nobody", "x"), "nobody");
    }
}

async function restarts(client, p, data) {
    // The client has no call for it, so this is what a program does with the URL that it was given.
    const restart = async (query) => {
        const url = data.managementUrls.restartPostUri.replace("INSTANCEID", `${p}-1`);
        const answer = await fetch(`${url}${query}`, { method: "POST" });
        return (await answer.json()).id;
    };
    check("the id of a restart", await restart("&restartWithNewInstanceId=false"), `${p}-1`);
    await ended(client, `${p}-1`);
    const id = await restart("");
    check("a new id", id !== `${p}-1` && (await ended(client, id)).status, 200);
}

async function listsAndPurges(client, p) {
    const all = (await client.getStatusAll()).map((found) => found.instanceId);
    check("a list of all", [`${p}-1`, `${p}-ticket`, `${p}-failed`].every((id) => all.includes(id)), true);
    const [from, to] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 3_600_000)];
    const failed = { createdTimeFrom: from, createdTimeTo: to, runtimeStatus: [Status.Failed] };
    const found = (await client.getStatusBy(failed)).map((one) => one.instanceId).filter((id) => id.startsWith(`${p}-`));
    check("a list by state", found.sort(), [`${p}-failed`, `${p}-failed-too`]);
    check("a list of a time without instances", await client.getStatusBy({ createdTimeTo: new Date(0) }), []);

    check("a purge", (await client.purgeInstanceHistory(`${p}-1`)).instancesDeleted, 1);
    check("a purge of nobody", (await client.purgeInstanceHistory(`${p}-1`)).instancesDeleted, 0);
    await client.startNew("recommend_city", { instanceId: `${p}-running`, input: 1 });
    await checkRefused("a purge of a running instance", client.purgeInstanceHistory(`${p}-running`), "412");
    check("a purge by state", (await client.purgeInstanceHistoryBy(failed)).instancesDeleted, 2);
    check("a purge of nothing", (await client.purgeInstanceHistoryBy(failed)).instancesDeleted, 0);
    await client.terminate(`${p}-running`, "the end");
}

/** More instances than one page has: the client follows the continuation token itself. */
async function pages(client) {
    const ids = Array.from({ length: 130 }, (_, number) => `page-${number}`);
    await Promise.all(ids.map((instanceId) => client.startNew("hello_cities", { instanceId, input: [] })));
    const found = (await client.getStatusAll()).map((one) => one.instanceId).filter((id) => id.startsWith("page-"));
    check("a list of several pages", found.sort(), ids.sort());
}

async function main() {
    const data = await binding();
    const ways = key ? {} : { host: client({ ...data, rpcBaseUrl: `${base}/` }) };
    ways.urls = client(data);
    for (const [name, client] of Object.entries(ways)) {
        for (const part of [startsAndResults, status, events, suspensionAndEnds, restarts, listsAndPurges]) {
            await part(client, `javascript-${name}`, data);
        }
    }
    await pages(ways.urls);
    console.log(`The JavaScript client${key ? " with a key" : ""} accepts every answer: ${checks} checks.`);
}

setTimeout(() => {
    console.error("The JavaScript client did not finish within a minute.");
    process.exit(1);
}, 60_000).unref();
main().catch((error) => {
    console.error(error);
    process.exit(1);
});
