import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ConversationRole;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseResponse;

/**
 * Asks a model with the AWS SDK for Java 2. Nothing in it knows of invlog; its environment does:
 *
 *   mvn --quiet package
 *   invlog exec -- java -cp 'target/example.jar:target/lib/*' Converse "Why is the sky blue?"
 */
public class Converse {
  public static void main(String[] arguments) {
    try (BedrockRuntimeClient client = BedrockRuntimeClient.create()) {
      ConverseResponse answer = client.converse(request -> request
          .modelId("eu.amazon.nova-2-lite-v1:0")
          .messages(message -> message.role(ConversationRole.USER).content(ContentBlock.fromText(arguments[0]))));
      for (ContentBlock block : answer.output().message().content()) {
        if (block.text() != null) {
          System.out.println(block.text());
        }
      }
    }
  }
}
