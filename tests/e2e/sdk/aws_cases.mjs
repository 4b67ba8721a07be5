// What an application sees with @aws-sdk/client-bedrock-runtime as it comes (its default handler opens HTTP/2 on an
// http:// endpoint): runs every case against the endpoint given and prints the views as JSON.
// Started by ../sdk_test_views.py. Usage: node aws_cases.mjs URL
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, CountTokensCommand, InvokeModelCommand,
         InvokeModelWithResponseStreamCommand } from "@aws-sdk/client-bedrock-runtime";

const EU = "eu.amazon.nova-2-lite-v1:0", GLOBAL = "global.amazon.nova-2-lite-v1:0";
const CLAUDE = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
const client = new BedrockRuntimeClient({ region: "eu-south-1", endpoint: process.argv[2], maxAttempts: 1 });

const messages = text => [{ role: "user", content: [{ text }] }];
const toolConfig = { tools: [{ toolSpec: { name: "find_flight", inputSchema: { json: {
  type: "object", properties: { origin: { type: "string" }, seats: { type: "integer" } } } } } }] };

function plain(value) {
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).filter(([key]) => !["requestId", "$response"].includes(key))
      .map(([key, inner]) => [key, plain(inner)]));
  }
  return value;
}

// A broken connection's message names ports and times, so only the service's own errors show theirs.
function problem(error) {
  const fromService = error.$fault !== undefined;
  return { name: fromService ? error.name : "broken", kind: fromService ? error.constructor.name : undefined,
           message: fromService ? error.message : undefined, fault: error.$fault, metadata: plain(error.$metadata) };
}

async function events(stream) {
  const seen = [];
  try {
    for await (const event of stream) seen.push(plain(event));
  } catch (error) {
    return { events: seen, error: problem(error) };
  }
  return { events: seen };
}

const send = async command => plain(await client.send(command));
const converse = (modelId, text, more = {}) => send(new ConverseCommand({ modelId, messages: messages(text), ...more }));
async function converseStream(modelId, text, more = {}) {
  const answer = await client.send(new ConverseStreamCommand({ modelId, messages: messages(text), ...more }));
  return { metadata: plain(answer.$metadata), ...(await events(answer.stream)) };
}
const invoke = (modelId, body) => send(new InvokeModelCommand({ modelId, body: JSON.stringify(body), contentType: "application/json" }));
async function invokeStream(modelId, body) {
  const answer = await client.send(new InvokeModelWithResponseStreamCommand({ modelId, body: JSON.stringify(body),
                                                                              contentType: "application/json" }));
  return { metadata: plain(answer.$metadata), ...(await events(answer.body)) };
}
const claude = text => ({ anthropic_version: "bedrock-2023-05-31", max_tokens: 300, messages: [{ role: "user", content: text }] });

const cases = {
  "converse eu": () => converse(EU, "Hello from Milan"),
  "converse global": () => converse(GLOBAL, "Hello from Milan", { requestMetadata: { team: "search" } }),
  "converse tools": () => converse(EU, "use find_flight \u2603", { toolConfig }),
  "converse large": () => converse(EU, "large ".repeat(100000) + "[[fake words=50000]]"),
  "converse-stream eu": () => converseStream(EU, "Hello from Milan"),
  "converse-stream global": () => converseStream(GLOBAL, "Hello from Milan"),
  "converse-stream tools": () => converseStream(EU, "use find_flight please", { toolConfig }),
  "converse-stream tiny chunks": () => converseStream(EU, "[[fake chunk_bytes=11]] tiny"),
  "converse-stream long": () => converseStream(EU, "[[fake words=2000]]"),
  "invoke claude": () => invoke(CLAUDE, claude("Hello")),
  "invoke nova": () => invoke(EU, { messages: messages("Hello") }),
  "invoke stream claude": () => invokeStream(CLAUDE, claude("Hello")),
  "count tokens": () => send(new CountTokensCommand({ modelId: CLAUDE, input: { converse: { messages: messages("Hello") } } })),
  "wrong model": () => converse("does-not-exist", "Hello"),
  "wrong model, stream": () => converseStream("does-not-exist", "Hello"),
  "wrong body": () => invoke(CLAUDE, {}),
  "twenty at once": () => Promise.all(Array.from({ length: 20 }, (_, number) =>
    number % 2 ? converse(EU, `call ${number}`) : converseStream(EU, `[[fake gap_ms=5]] call ${number}`))),
};
for (const name of ["validation", "access-denied", "not-found", "model-timeout", "model-error", "throttling", "not-ready", "internal", "unavailable"]) {
  cases[`error ${name}`] = () => converse(EU, `[[fake error=${name}]]`);
  cases[`error in front of a stream ${name}`] = () => converseStream(EU, `[[fake error=${name}]]`);
}
for (const name of ["throttlingException", "modelStreamErrorException", "internalServerException", "serviceUnavailableException",
                    "validationException", "error"]) {
  cases[`exception frame ${name}`] = () => converseStream(EU, `[[fake exception=3:${name}]]`);
}
for (const fault of ["cut=3:20", "reset=3:20", "crc=3", "prelude_crc=3", "flip=3", "status=502", "status=504"]) {
  cases[`fault ${fault}`] = () => converseStream(EU, `[[fake ${fault}]] some words more`);
}

const views = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    views[name] = await run();
  } catch (error) {
    views[name] = { raised: problem(error) };
  }
}
client.destroy();
process.stdout.write(JSON.stringify(views), () => process.exit(0));
