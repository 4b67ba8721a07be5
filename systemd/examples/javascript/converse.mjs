// Asks a model with the AWS SDK for JavaScript. Nothing in it knows of invlog; its environment does:
//
//   npm install @aws-sdk/client-bedrock-runtime
//   invlog exec -- node converse.mjs "Why is the sky blue?"
import { BedrockRuntimeClient, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";

const client = new BedrockRuntimeClient();
const answer = await client.send(new ConverseStreamCommand({
  modelId: "eu.amazon.nova-2-lite-v1:0",
  messages: [{ role: "user", content: [{ text: process.argv[2] }] }],
}));
for await (const event of answer.stream) process.stdout.write(event.contentBlockDelta?.delta?.text ?? "");
console.log();
client.destroy();
