// Speaks with a model through InvokeModelWithBidirectionalStream and prints, as JSON, what it said to each input. The next
// input is made only when the one before has been answered: nobody between may wait for the end of either direction.
// Started by ../sdk_test_proxy.py. Usage: node bidirectional_cases.mjs TURNS
import { BedrockRuntimeClient, InvokeModelWithBidirectionalStreamCommand } from "@aws-sdk/client-bedrock-runtime";

const turns = Number(process.argv[2]);
const encode = event => ({ chunk: { bytes: new TextEncoder().encode(JSON.stringify(event)) } });
const answers = [];
let answered = () => {};

async function* inputs() {
  for (let turn = 0; turn < turns; ++turn) {
    const answer = new Promise(resolve => { answered = resolve; });
    yield encode({ event: { textInput: { content: `turn ${turn}` } } });
    await answer;
  }
}

const client = new BedrockRuntimeClient({ region: "eu-central-1", maxAttempts: 1 });
const result = await client.send(new InvokeModelWithBidirectionalStreamCommand({ modelId: "amazon.nova-sonic-v1:0", body: inputs() }));
for await (const event of result.body) {
  answers.push(JSON.parse(new TextDecoder().decode(event.chunk.bytes)).event.textOutput.content);
  answered();
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
