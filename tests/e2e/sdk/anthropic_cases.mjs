// What an application sees with @anthropic-ai/bedrock-sdk as it comes: runs every case against the endpoint given and
// prints the views as JSON. Started by ../sdk_test_views.py. Usage: node anthropic_cases.mjs URL
import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk";

const CLAUDE = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
const client = new AnthropicBedrock({ awsRegion: "eu-south-1", baseURL: process.argv[2], awsAccessKey: process.env.AWS_ACCESS_KEY_ID,
                                      awsSecretKey: process.env.AWS_SECRET_ACCESS_KEY, maxRetries: 0, timeout: 20000 });
const request = (content, more = {}) => ({ model: CLAUDE, max_tokens: 300, messages: [{ role: "user", content }], ...more });
const tools = [{ name: "find_flight", input_schema: { type: "object", properties: { origin: { type: "string" } } } }];

const problem = error => ({ kind: error.constructor.name, status: error.status, error: error.error,
                            message: error.status || error.error ? error.message : undefined });

async function stream(content, more = {}) {
  const seen = [];
  try {
    for await (const event of await client.messages.create(request(content, { stream: true, ...more }))) seen.push(event);
  } catch (error) {
    return { events: seen, error: problem(error) };
  }
  return { events: seen };
}

const cases = {
  "message": () => client.messages.create(request("Hello")),
  "message with tools": () => client.messages.create(request("use find_flight", { tools, system: "Be kind" })),
  "stream": () => stream("Hello, a few words"),
  "stream with tools": () => stream("use find_flight", { tools }),
  "stream helper": async () => (await client.messages.stream(request("Hello")).finalMessage()),
  "stream tiny chunks": () => stream("[[fake chunk_bytes=13]] tiny"),
  "wrong model": () => client.messages.create(request("x", { model: "anthropic.does-not-exist-v1:0" })),
};
for (const name of ["validation", "access-denied", "not-found", "throttling", "internal", "unavailable"]) {
  cases[`error ${name}`] = () => client.messages.create(request(`[[fake error=${name}]]`));
  cases[`error in front of a stream ${name}`] = () => stream(`[[fake error=${name}]]`);
}
for (const fault of ["exception=3:throttlingException", "exception=3:error", "cut=3:20", "crc=3"]) {
  cases[`fault ${fault}`] = () => stream(`[[fake ${fault}]] some words more`);
}

const views = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    views[name] = await run();
  } catch (error) {
    views[name] = { raised: problem(error) };
  }
}
// An answer carries a _request_id that differs from call to call.
process.stdout.write(JSON.stringify(views, (key, value) => (key === "_request_id" || key === "requestID" ? undefined : value)),
                     () => process.exit(0));
