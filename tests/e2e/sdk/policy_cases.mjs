// What @aws-sdk/client-bedrock-runtime throws for a call that policy denies, as JSON: class, name, message.
// Started by ../sdk_test_policy.py. Usage: node policy_cases.mjs URL
import { AccessDeniedException, BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, CountTokensCommand, InvokeModelCommand,
         StartAsyncInvokeCommand } from "@aws-sdk/client-bedrock-runtime";

const modelId = "global.amazon.nova-2-lite-v1:0";
const messages = [{ role: "user", content: [{ text: "Hello" }] }];
const client = new BedrockRuntimeClient({ region: "eu-central-1", endpoint: process.argv[2] });
const cases = {
  "converse": new ConverseCommand({ modelId, messages }),
  "converse-stream": new ConverseStreamCommand({ modelId, messages }),
  "invoke": new InvokeModelCommand({ modelId, body: "{}" }),
  "count-tokens": new CountTokensCommand({ modelId, input: { converse: { messages } } }),
  "async-invoke": new StartAsyncInvokeCommand({ modelId, modelInput: {}, outputDataConfig: { s3OutputDataConfig: { s3Uri: "s3://b/c" } } }),
};

const raised = {};
for (const [name, command] of Object.entries(cases)) {
  try {
    await client.send(command);
  } catch (error) {
    if (error instanceof AccessDeniedException) raised[name] = { kind: error.constructor.name, code: error.name, message: error.message };
  }
}
console.log(JSON.stringify(raised));
process.exit(0);
