// Asks Claude with Anthropic's SDK. Nothing in it knows of invlog; its environment does:
//
//   npm install @anthropic-ai/bedrock-sdk
//   invlog exec -- node anthropic_messages.mjs "Why is the sky blue?"
import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk";

const client = new AnthropicBedrock();
const answer = await client.messages.create({
  model: "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
  max_tokens: 1000,
  messages: [{ role: "user", content: process.argv[2] }],
});
console.log(answer.content.filter(block => block.type === "text").map(block => block.text).join(""));
