// Calls Bedrock with the AWS SDK for JavaScript, which minds no proxy variable: it is given an agent that does. Prints of each
// call the answer and the Authorization header that the SDK made, as JSON. Started by ../sdk_test_proxy.py.
// Usage: node proxy_cases.mjs TEXT
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { HttpsProxyAgent } from "https-proxy-agent";

const requestHandler = new NodeHttpHandler({ httpsAgent: new HttpsProxyAgent(process.env.HTTPS_PROXY) });
const client = new BedrockRuntimeClient({ region: "eu-central-1", maxAttempts: 1, requestHandler });
const made = [];
client.middlewareStack.add(next => async args => {
  made.push(args.request.headers.authorization);
  return next(args);
}, { step: "finalizeRequest", priority: "low", name: "look" });

const call = { modelId: "eu.amazon.nova-2-lite-v1:0", messages: [{ role: "user", content: [{ text: process.argv[2] }] }] };
const answers = [(await client.send(new ConverseCommand(call))).output.message.content[0].text];
let streamed = "";
for await (const event of (await client.send(new ConverseStreamCommand(call))).stream) streamed += event.contentBlockDelta?.delta.text ?? "";
answers.push(streamed);
console.log(JSON.stringify(answers.map((text, index) => ({ text, authorization: made[index] }))));
process.exit(0);
