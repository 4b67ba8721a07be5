// Calls Bedrock with Anthropic's SDK for JavaScript, whose fetch minds no proxy variable: it is given a dispatcher that does.
// Prints of each call the answer and the Authorization header that the SDK made, as JSON. Started by ../sdk_test_proxy.py.
// Usage: node anthropic_proxy_cases.mjs TEXT
import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk";
import { fetch, ProxyAgent } from "undici";

const made = [];
const client = new AnthropicBedrock({
  awsRegion: "eu-central-1", awsAccessKey: process.env.AWS_ACCESS_KEY_ID, awsSecretKey: process.env.AWS_SECRET_ACCESS_KEY, maxRetries: 0,
  fetchOptions: { dispatcher: new ProxyAgent(process.env.HTTPS_PROXY) },
  fetch: (url, options) => {
    made.push(new Headers(options.headers).get("authorization"));
    return fetch(url, options);
  },
});

const call = { model: "eu.anthropic.claude-haiku-4-5-20251001-v1:0", max_tokens: 300, messages: [{ role: "user", content: process.argv[2] }] };
const answers = [(await client.messages.create(call)).content[0].text];
answers.push(await (await client.messages.stream(call)).finalText());
console.log(JSON.stringify(answers.map((text, index) => ({ text, authorization: made[index] }))));
process.exit(0);
