#include "agent/bedrock/operation.h"

#include "tests/catch.h"

using namespace invlog::bedrock;

namespace {

std::string described(std::string_view method, std::string_view target) {
  const std::optional<Target> parsed = parse_target(method, target);
  return parsed ? std::string(operation_name(parsed->operation)) + " " + parsed->model_id : "none";
}

}  // namespace

TEST_CASE("each recorded operation is told from its path") {
  CHECK(described("POST", "/model/m/converse") == "Converse m");
  CHECK(described("POST", "/model/m/converse-stream") == "ConverseStream m");
  CHECK(described("POST", "/model/m/invoke") == "InvokeModel m");
  CHECK(described("POST", "/model/m/invoke-with-response-stream") ==
        "InvokeModelWithResponseStream m");
  CHECK(described("POST", "/model/m/invoke-with-bidirectional-stream") ==
        "InvokeModelWithBidirectionalStream m");
  CHECK(described("POST", "/openai/v1/chat/completions") == "ChatCompletions ");
  CHECK(described("POST", "/openai/v1/responses") == "Responses ");
}

TEST_CASE("model ids are percent-decoded, as ids and as ARNs") {
  CHECK(described("POST", "/model/eu.amazon.nova-2-lite-v1%3A0/converse") ==
        "Converse eu.amazon.nova-2-lite-v1:0");
  CHECK(described("POST", "/model/eu.amazon.nova-2-lite-v1%3a0/converse") ==
        "Converse eu.amazon.nova-2-lite-v1:0");
  CHECK(described("POST", "/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/invoke") ==
        "InvokeModel eu.anthropic.claude-haiku-4-5-20251001-v1:0");
  const std::string arn =
      "arn:aws:bedrock:eu-central-1:012345678901:inference-profile/eu.amazon.nova-lite-v1:0";
  CHECK(described("POST",
                  "/model/"
                  "arn%3Aaws%3Abedrock%3Aeu-central-1%3A012345678901%3Ainference-profile%2Feu."
                  "amazon.nova-lite-v1%3A0/converse") == "Converse " + arn);
  CHECK(described("POST", "/model/" + arn + "/converse-stream") == "ConverseStream " + arn);
  CHECK(described("POST", "/model/arn:aws:x:y:z:application-inference-profile/invoke/invoke") ==
        "InvokeModel arn:aws:x:y:z:application-inference-profile/invoke");
}

TEST_CASE("a model id that holds control characters stays encoded") {
  CHECK(parse_target("POST", "/model/a%00b%1B/converse")->model_id == "a%00b%1B");
  CHECK(parse_target("POST", "/model/a%C2%9Bb/converse")->model_id == "a%C2%9Bb");
  CHECK(parse_target("POST", "/model/mod%C3%A8le/converse")->model_id == "mod\xC3\xA8le");
}

TEST_CASE("the query and slashes at the end do not matter") {
  CHECK(described("POST", "/model/m/converse?a=/b/c") == "Converse m");
  CHECK(described("POST", "/model/m/converse/") == "Converse m");
  CHECK(described("POST", "/openai/v1/responses?stream=true") == "Responses ");
  CHECK(described("POST", "/model/a%2Fb/invoke?x=%2F") == "InvokeModel a/b");
}

TEST_CASE("a path spelled oddly does not keep a call off the record") {
  CHECK(described("POST", "/model/m/conver%73e") == "Converse m");
  CHECK(described("POST", "/%6Dodel/m/converse") == "Converse m");
  CHECK(described("POST", "/openai/v1/chat%2Fcompletions") == "ChatCompletions ");
  CHECK(described("POST", "//model/m/converse") == "Converse m");
  CHECK(described("POST", "/./model//m/./converse") == "Converse m");
  CHECK(described("POST", "/%2e/model/x/%2E./m/converse") == "Converse m");
  CHECK(described("POST", "/openai//v1/responses/") == "Responses ");
}

TEST_CASE("bad percent encodings stay as they were sent") {
  CHECK(described("POST", "/model/a%zz/converse") == "Converse a%zz");
  CHECK(described("POST", "/model/a%/converse") == "Converse a%");
  CHECK(described("POST", "/model/a%3/converse") == "Converse a%3");
  CHECK(described("POST", "/model/a%00b/converse") == "Converse a%00b");
  CHECK(described("POST", "/model/a%0Ab/converse") == "Converse a%0Ab");
  CHECK(described("POST", "/model/a%FF/converse") == "Converse a%FF");
  CHECK(described("POST", "/model/a\xFF/converse") == "Converse a%FF");
  CHECK(described("POST", "/model/a%C3%A9/converse") == "Converse a\xC3\xA9");
}

TEST_CASE("everything else passes without a record") {
  for (const char* target :
       {"/", "", "*", "/model", "/model/", "/model/m", "/model//converse", "/model/converse",
        "/model/m/count-tokens", "/model/m/Converse", "/models/m/converse", "/x/model/m/converse",
        "model/m/converse", "/async-invoke", "/guardrail/g/version/1/apply",
        "/openai/v1/chat/completions/x", "/openai/v1/responses/id", "/v1/responses",
        "?/model/m/converse"}) {
    INFO(target);
    CHECK(described("POST", target) == "none");
  }
  CHECK(described("GET", "/model/m/converse") == "none");
  CHECK(described("post", "/model/m/converse") == "none");
  CHECK(described("", "/model/m/converse") == "none");
  CHECK(described("GET", "/openai/v1/responses") == "none");
}

TEST_CASE("a path that starts an asynchronous call is told in every spelling") {
  for (const char* target :
       {"/async-invoke", "/async-invoke/", "/%61sync-invoke", "//async-invoke", "/./async-invoke",
        "/x/../async-invoke?a=b", "/%2Fasync-invoke%2F", "/x%2f%2E.%2fasync-invoke"}) {
    INFO(target);
    CHECK(is_async_invoke(target));
  }
  for (const char* target : {"/", "", "/async-invoke/arn", "/x/async-invoke", "/async-invoke/.."}) {
    INFO(target);
    CHECK_FALSE(is_async_invoke(target));
  }
}

TEST_CASE("guardrails have no model") {
  for (const char* target : {"/guardrail/g/version/1/apply", "/guardrail/g/version/DRAFT/apply?x",
                             "/guardrail/arn:aws:bedrock:r:1:guardrail%2Fg/version/1/apply",
                             "/guardrail-checks/invoke"}) {
    INFO(target);
    CHECK(is_without_model(target));
  }
  for (const char* target : {"/guardrail/x%2F..%2F..%2Fasync-invoke/version/1/apply", "/guardrail",
                             "/guardrail/version/1/apply", "/guardrail/g/version/1/apply/x",
                             "/async-invoke", "/guardrail-checks", ""}) {
    INFO(target);
    CHECK_FALSE(is_without_model(target));
  }
}

TEST_CASE("a path's model is told for every method, operation and spelling") {
  CHECK(model_in_target("/model/m/converse") == "m");
  CHECK(model_in_target("/model/m/what-comes-next?x=/y") == "m");
  CHECK(model_in_target("/model/m") == "m");
  CHECK(model_in_target("/model/eu.x-v1%3A0/invoke/") == "eu.x-v1:0");
  CHECK(model_in_target("//%6Dodel/./m/converse") == "m");
  CHECK(model_in_target("/model/a/%2e%2E/m/converse") == "m");
  CHECK(model_in_target("/model/arn:aws:bedrock:eu-central-1:1:inference-profile/eu.x/converse") ==
        "arn:aws:bedrock:eu-central-1:1:inference-profile/eu.x");
  for (const char* other : {"", "/", "/model", "/model/", "/model/..", "/../..",
                            "/models/m/converse", "/guardrail/g/version/1/apply", "*"}) {
    INFO(other);
    CHECK_FALSE(model_in_target(other));
  }
}
