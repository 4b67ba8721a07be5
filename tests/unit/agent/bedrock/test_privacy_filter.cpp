#include "agent/bedrock/privacy_filter.h"

#include <random>
#include <string>

#include "agent/bedrock/edit_limits.h"
#include "agent/bedrock/json_text.h"
#include "agent/bedrock/record_builder.h"
#include "exporters/aws/sigv4.h"
#include "storage/base64.h"
#include "storage/json_writer.h"
#include "tests/catch.h"
#include "tests/sanitized.h"
#include "tests/unit/agent/bedrock/event_frames.h"
#include "tests/worked_time.h"

using namespace invlog;
using namespace invlog::bedrock;

namespace {

config::PrivacyConfig everything() {
  config::PrivacyConfig configuration;
  for (const BuiltInRule& rule : built_in_rules()) {
    configuration.redact.emplace_back(rule.name);
  }
  return configuration;
}

config::PrivacyConfig only(const char* rule) {
  config::PrivacyConfig configuration;
  configuration.redact = {rule};
  return configuration;
}

storage::Body body_of(const std::string& text) {
  storage::Body body;
  body.bytes = text;
  body.is_json = JsonText().parse(text);
  return body;
}

std::string kept(const config::PrivacyConfig& configuration, const std::string& text) {
  storage::Body body = body_of(text);
  const bool was_json = body.is_json;
  PrivacyFilter(configuration).apply_to_body(body);
  CAPTURE(text, body.bytes);
  CHECK((!was_json || (body.is_json && JsonText().parse(body.bytes))));
  return body.bytes;
}

std::string omitted(const std::string& type, const std::string& bytes) {
  return "[omitted " + type + " " + std::to_string(bytes.size()) +
         " bytes sha256:" + aws::sha256_hex(bytes) + "]";
}

}  // namespace

TEST_CASE("nothing configured, no filter") {
  CHECK(make_privacy_filter({}) == nullptr);
  CHECK(make_privacy_filter(only("email")) != nullptr);
}

TEST_CASE("only the redacted part of a string changes") {
  const auto email = only("email");
  CHECK(kept(email, R"({ "a" : "x\u00e9 u@e.org \ud83d\ude00\n", "u@e.org":1.50 })") ==
        R"({ "a" : "x\u00e9 [redacted:email] \ud83d\ude00\n", "u@e.org":1.50 })");
  CHECK(kept(email, R"(["u\u0040e.org","ok\/"])") == R"(["[redacted:email]","ok\/"])");
  CHECK(kept(email, R"("line\nu@e.org")") == R"("line\n[redacted:email]")");
  CHECK(kept(email, R"({"arguments":"{\"to\":\"\\u0075@e.org\"}"})") ==
        R"({"arguments":"{\"to\":\"[redacted:email]\"}"})");
}

namespace {

// Takes bodies of about `size` bytes through the filter that ask much of it; returns ms.
double work_on_bodies(std::size_t size) {
  std::string escapes, names, keys, list;
  for (std::size_t i = 0; i < size; ++i) {
    escapes += "\\\\";
  }
  for (std::size_t i = 0; i < size / 20; ++i) {
    keys += "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd ";
    list += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\"";
    names += ",\"" + std::to_string(i) + "\":{}";
  }
  const std::string long_text(size, 'x');
  // Base64 in base64 in base64, with escapes within escapes beside it.
  std::string nested = "user@example.org";
  while (nested.size() < size) {
    nested = R"(\\\\\\\\n )" + storage::base64_encode(nested);
  }
  auto without_images = everything();
  without_images.image = false;
  const double begun = tests::worked_ms();
  kept(everything(), "{\"t\":\"" + escapes + "\"}");
  kept(everything(), "{\"" + long_text + "\":\"" + keys + "\"}");
  kept(everything(), "[{\"" + long_text + "\":[" + list + "]}]");
  kept(without_images, "{\"format\":\"" + long_text + "\"" + names + "}");
  kept(everything(), nested);
  kept(everything(), "{\"t\":\"" + nested + "\"}");
  return tests::worked_ms() - begun;
}

}  // namespace

TEST_CASE("the time of any body grows with its length, not with its square") {
  constexpr std::size_t kSize = 25'000, kTimes = 16;
  const double small = work_on_bodies(kSize);
  if (tests::kSanitized) {
    return;  // a sanitizer's time is not the filter's
  }
  // 16 times as much, and some: `nested` grows by a third at a time. A square would be 256 times.
  CHECK(work_on_bodies(kTimes * kSize) < 4 * kTimes * small);
}

TEST_CASE("cards that are numbers become strings") {
  const auto card = only("payment-card");
  CHECK(kept(card, R"({"n":4111111111111111,"t":1764100000000})") ==
        R"({"n":"[redacted:payment-card]","t":1764100000000})");
  CHECK(kept(card, "[1, 4111111111111111 ,0.4111111111111111]") ==
        R"([1, "[redacted:payment-card]" ,0.4111111111111111])");
}

TEST_CASE("text in base64 is redacted within it; what is no text stays") {
  const std::string text = storage::base64_encode("a letter to user@example.org.");
  const std::string expected = storage::base64_encode("a letter to [redacted:email].");
  CHECK(kept(only("email"), "[\"" + text + "\"]") == "[\"" + expected + "\"]");
  const std::string image = storage::base64_encode(std::string("\x89PNG\0user@example.org 12", 24));
  CHECK(kept(only("email"), "[\"" + image + "\"]") == "[\"" + image + "\"]");
}

TEST_CASE("text in base64 is redacted wherever it stands, also where it is cut") {
  const auto email = only("email");
  const std::string text = "name,mail,remark\njane doe,jane.doe@example.com,\xC3\xA4?????~\n";
  const std::string encoded = storage::base64_encode(text);
  const std::string expected =
      storage::base64_encode("name,mail,remark\njane doe,[redacted:email],\xC3\xA4?????~\n");
  const auto spelt = [](std::string around, std::string value, const std::string& slash) {
    for (std::size_t at = 0; (at = value.find('/', at)) != std::string::npos; at += slash.size()) {
      value.replace(at, 1, slash);
    }
    return around.replace(around.find('#'), 1, value);
  };
  REQUIRE(encoded.find('/') != std::string::npos);
  for (const char* around :
       {"#", "see\n#\n", R"({"messages":[{"content":[{"document":{"source":{"bytes":"#"}}},{"t)",
        R"({"text":"#"},  )", R"({"text":"see\n#\nthere)", R"({"url":"data:text/csv;base64,#"},)",
        R"({"arguments":"{\"file\":\"#\",\"n)", R"({"text":"the file: #. What is it?"})",
        R"({"arguments":"{\"file\":\"see:\\n#\"}"})"}) {
    CHECK(kept(email, spelt(around, encoded, "/")) == spelt(around, expected, "/"));
  }
  for (const char* around : {R"({"text":"#"},  )", R"({"text":"#"})"}) {
    CHECK(kept(email, spelt(around, encoded, "\\/")) == spelt(around, expected, "/"));
    CHECK(kept(email, spelt(around, encoded, "\\u002f")) == spelt(around, expected, "/"));
  }
  // Cut anywhere behind the address, in the encoded text's last group or before.
  for (std::size_t length = 60; length < encoded.size(); ++length) {
    CAPTURE(length);
    const std::string cut = kept(email, R"({"bytes":")" + encoded.substr(0, length));
    CHECK(cut.find(expected.substr(0, 48)) != std::string::npos);
    CHECK(cut.find(encoded.substr(36, 20)) == std::string::npos);
  }
  // In lines, as `base64` writes it; without padding.
  const std::string lines = storage::base64_encode(std::string(57, 'x')) + "\n" +
                            storage::base64_encode("user@example.org ");
  CHECK(kept(email, lines).find(storage::base64_encode("[redacted:email] ")) != std::string::npos);
  const std::string split =
      storage::base64_encode(std::string(45, 'x') + " user@exampl") + "\r\n" + "ZS5vcmc=";
  CHECK(kept(email, split) == storage::base64_encode(std::string(45, 'x') + " [redacted:email]"));
  CHECK(kept(email, "[\"dXNlckBleGFtcGxlLm9yZw\"]") == "[\"W3JlZGFjdGVkOmVtYWlsXQ==\"]");
  // Text that is not UTF-8 is text.
  CHECK(kept(email, storage::base64_encode("Stra\xDF"
                                           "e;user@example.org\r\n")) ==
        storage::base64_encode("Stra\xDF"
                               "e;[redacted:email]\r\n"));
}

TEST_CASE("what is split over a stream's chunks is found, block by block") {
  const auto email = only("email");
  CHECK(kept(email, R"([{"type":"d","index":0,"delta":{"text":"to user@exa"}},)"
                    R"({"type":"d","index":1,"delta":{"text":"other"}},)"
                    R"({"type":"d","index":0,"delta":{"text":"mp"}},)"
                    R"({"type":"d","index":0,"delta":{"text":"le.org, ok"}}])") ==
        R"([{"type":"d","index":0,"delta":{"text":"to [redacted:email]"}},)"
        R"({"type":"d","index":1,"delta":{"text":"other"}},)"
        R"({"type":"d","index":0,"delta":{"text":""}},)"
        R"({"type":"d","index":0,"delta":{"text":", ok"}}])");
  CHECK(kept(email, R"([{"model":"m","choices":[{"index":1,"delta":{"content":"user"}}]},)"
                    R"({"model":"m","choices":[{"index":0,"delta":{"content":"no"}},)"
                    R"({"index":1,"delta":{"content":"\u0040e.org"}}]}])") ==
        R"([{"model":"m","choices":[{"index":1,"delta":{"content":"[redacted:email]"}}]},)"
        R"({"model":"m","choices":[{"index":0,"delta":{"content":"no"}},)"
        R"({"index":1,"delta":{"content":""}}]}])");
  // An escape within a piece of JSON, itself split.
  CHECK(kept(email,
             R"([{"delta":{"partial_json":"\"u\\u00"}},{"delta":{"partial_json":"40e.org\""}}])") ==
        R"([{"delta":{"partial_json":"\"[redacted:email]"}},{"delta":{"partial_json":"\""}}])");
}

TEST_CASE("bodies that are no JSON are searched as text, or not kept") {
  CHECK(kept(only("email"), R"({"a":"u\u0040e.org","b":"cut)") ==
        R"({"a":"[redacted:email]","b":"cut)");
  const std::string binary("\0\1user@example.org", 18);
  CHECK(kept(only("email"), binary) == "\"" + omitted("binary", binary) + "\"");
  config::PrivacyConfig no_image;
  no_image.image = false;
  CHECK(kept(no_image, "{\"cut") == "\"" + omitted("text", "{\"cut") + "\"");
}

TEST_CASE("paths select values, which are replaced whole") {
  config::PrivacyConfig configuration;
  configuration.redact_paths = {"$.messages[*].content[*].text", "$..secret", "$[\"a b\"][1]"};
  CHECK(kept(configuration,
             R"({"messages":[{"content":[{"text":"x"},{"text":{"y":1}},{"image":2}]}],)"
             R"("deep":[{"secret":[1,2]}],"a b":[0,"z",{"secret":null}],"text":"stays"})") ==
        R"({"messages":[{"content":[{"text":"[redacted:path 1]"},{"text":"[redacted:path 1]"},)"
        R"({"image":2}]}],"deep":[{"secret":"[redacted:path 2]"}],)"
        R"("a b":[0,"[redacted:path 3]",{"secret":"[redacted:path 2]"}],"text":"stays"})");
  CHECK(kept(configuration, R"({"s\u0065cret":"x"})") == R"({"s\u0065cret":"[redacted:path 2]"})");
  configuration.redact_paths = {"$.list[1]", "$.all[*]", "$.list[9]", "$[0]"};
  CHECK(kept(configuration, R"({"list":[1, 2 ,3],"all":[1,2]})") ==
        R"({"list":[1, "[redacted:path 1]" ,3],"all":"[redacted:path 2]"})");
  CHECK(kept(configuration, R"({"list":[1]})") == R"({"list":[1]})");
  CHECK(kept(configuration, "[-1.5e3,2]") == R"(["[redacted:path 4]",2])");
  for (const char* wrong : {"messages", "$.", "$[x]", "$[*", "$.a.*", "$.a[?(@.b)]", "$..[*]"}) {
    CAPTURE(wrong);
    CHECK_FALSE(JsonPath::parse(wrong));
  }
}

TEST_CASE("images, video and audio give way to type, size and SHA-256 of what was encoded") {
  config::PrivacyConfig configuration;
  configuration.image = configuration.audio = configuration.video = false;
  const std::string bytes(100, '\xAB'), encoded = storage::base64_encode(bytes);
  const auto with = [&](std::string text, const std::string& value) {
    for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@')) {
      text.replace(at, 1, value);
    }
    return text;
  };
  const std::pair<const char*, const char*> forms[] = {
      {R"({"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"@"}}},{"text":"hi"}]}]})",
       "image/png"},
      {R"({"messages":[{"content":[{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"@"}}]}]})",
       "image/jpeg"},
      {R"({"inputText":"t","inputImage":"@"})", "image"},
      {R"({"images":["@"],"input_type":"image"})", "image"},
      {R"({"taskType":"INPAINTING","inPaintingParams":{"text":"t","image":"@","maskImage":"@"}})",
       "image"},
      {R"({"content":[{"video":{"format":"mp4","source":{"bytes":"@"}}}]})", "video/mp4"},
      {R"({"messages":[{"content":[{"type":"input_audio","input_audio":{"format":"wav","data":"@"}}]}]})",
       "audio/wav"},
      {R"([{"event":{"audioInput":{"promptName":"p-1","content":"@"}}},{"event":{"audioOutput":{"content":"@"}}}])",
       "audio"},
      {R"({"inputPrompt":"what is it?","mediaSource":{"base64String":"@"}})", "video"},
      {R"({"inputType":"image","mediaSource":{"base64String":"@"}})", "image"},
      {R"({"inputType":"audio","mediaSource":{"base64String":"@"}})", "audio"},
      {R"({"inputType":"video","mediaSource":{"s3Location":{"uri":"s3://b/k","bucketOwner":"1"},"base64String":"@"}})",
       "video"},
      {R"({"inputType":"text_image","text_image":{"inputText":"t","mediaSource":{"base64String":"@"}}})",
       "image"},
      {R"({"choices":[{"message":{"audio":{"id":"a","transcript":"said","data":"@"}}}]})", "audio"},
  };
  for (const auto& [text, type] : forms) {
    CHECK(kept(configuration, with(text, encoded)) == with(text, omitted(type, bytes)));
    CHECK(kept(only("email"), with(text, encoded)) == with(text, encoded));
  }
  const char* url = R"({"content":[{"type":"image_url","image_url":{"url":"@"}}]})";
  CHECK(kept(configuration, with(url, "data:image/webp;base64," + encoded)) ==
        with(url, omitted("image/webp", bytes)));
}

TEST_CASE("a content block is of any kind that one of its types says, however that is written") {
  const std::string bytes(100, '\xAB'), encoded = storage::base64_encode(bytes);
  config::PrivacyConfig without_images, without_text;
  without_images.image = without_text.text = false;
  const auto block = [](const std::string& types, const std::string& data) {
    return R"({"messages":[{"content":[{)" + types + R"(,"source":{"data":")" + data + "\"}}]}]}";
  };
  for (const char* types :
       {R"("ty\u0070e":"image")", R"("type":"text","type":"image")",
        R"("type":"image","type":"text")", R"("type":"image","type":"x","type":["image"])"}) {
    CHECK(kept(without_images, block(types, encoded)) == block(types, omitted("image", bytes)));
  }
  CHECK(kept(without_images, block(R"("type":"im\u0061ge")", encoded)).find(encoded) ==
        std::string::npos);
  CHECK(kept(without_text, block(R"("type":"image","type":"text")", "Ada")).find("Ada") ==
        std::string::npos);
  CHECK(kept(without_text, block(R"("type":"image")", encoded)).find(encoded) != std::string::npos);
  for (const char* types :
       {R"("inputType":"im\u0061ge")", R"("inputType":"video","inputType":"image")",
        R"("inputType":"image","input_type":"video")"}) {
    const auto source = [&](const std::string& data) {
      return std::string("{") + types + R"(,"mediaSource":{"base64String":")" + data + "\"}}";
    };
    CHECK(kept(without_images, source(encoded)) == source(omitted("image", bytes)));
  }
}

TEST_CASE("what is encoded beside a MIME type is of that, where nothing else names its kind") {
  const std::string bytes(100, '\xAB'), encoded = storage::base64_encode(bytes);
  config::PrivacyConfig without_images, without_audio;
  without_images.image = without_audio.audio = false;
  const auto with = [](std::string form, const std::string& data) {
    return R"({"messages":[{"content":[)" + form.replace(form.find('@'), 1, data) + "]}]}";
  };
  const std::pair<const char*, const char*> forms[] = {
      {R"({"mimeType":"image/png","data":"@","title":"the cat, from above, in the garden"})",
       "image/png"},
      {R"({"file":{"data":"@","kind":"IMAGE\/png"}})", "image"},
      {R"({"kind":"image/png","source":{"blob":["@"]}})", "image"},
      {R"({"kind":"text/plain","or":"image/gif","data":"@"})", "image"},
  };
  for (const auto& [form, type] : forms) {
    CHECK(kept(without_images, with(form, encoded)) == with(form, omitted(type, bytes)));
    CHECK(kept(without_audio, with(form, encoded)) == with(form, encoded));
  }
  const char* other = R"({"mimeType":"application/pdf","data":"@"})";
  CHECK(kept(without_images, with(other, encoded)) == with(other, encoded));
  const char* call = R"({"mimeType":"image/png","toolUseId":"@"})";
  const std::string id(60, 'a');
  CHECK(kept(without_images, with(call, id)) == with(call, id));
  const char* file = R"({"mimeType":"image/png","url":"@"})";
  const std::string url = "https://files.example.org/a/very/long/path/to/a/picture";
  CHECK(kept(without_images, with(file, url)) == with(file, url));
}

TEST_CASE("a data: URL is of the kind that it says, wherever it stands") {
  const std::string bytes(100, '\xAB'), encoded = storage::base64_encode(bytes);
  const auto form = [](const std::string& value) {
    return R"({"prompt":"p","attachments":[{"content":")" + value + "\"}]}";
  };
  config::PrivacyConfig without_images, without_audio, without_text;
  without_images.image = without_audio.audio = without_text.text = false;
  const std::string png = "data:image/png;base64," + encoded;
  CHECK(kept(without_images, form(png)) == form(omitted("image/png", bytes)));
  CHECK(kept(without_images, form(R"(data:image\/png;base64,)" + encoded)) ==
        form(omitted("image/png", bytes)));
  CHECK(kept(without_images, form("DATA:IMAGE/PNG;BASE64," + encoded)).find(encoded) ==
        std::string::npos);
  const std::string unknown = "data:application/octet-stream;base64," + encoded;
  CHECK(kept(without_images, form(unknown)) == form(omitted("application/octet-stream", bytes)));
  const std::string document = "data:application/pdf;base64," + encoded;
  for (const std::string& other : {document, std::string("data:image/png is how it begins")}) {
    CHECK(kept(without_images, form(other)) == form(other));
  }
  CHECK(kept(without_audio, form(png)) == form(png));
  CHECK(kept(without_text, form(png)).find(encoded) == std::string::npos);
}

TEST_CASE("a body within CountTokens' body is omitted where switches or paths would see nothing") {
  const std::string inner = R"({"images":["iVBORw0KGgo="]})";
  const auto form = [](const std::string& body) {
    return R"({"input":{"invokeModel":{"body":")" + body + "\"}}}";
  };
  const std::string body = form(storage::base64_encode(inner));
  config::PrivacyConfig without_images, with_path;
  without_images.image = false;
  with_path.redact_paths = {"$..images"};
  CHECK(kept(without_images, body) == form(omitted("json", inner)));
  CHECK(kept(with_path, body) == form(omitted("json", inner)));
  CHECK(kept(only("email"), body) == body);
}

TEST_CASE("embeddings are omitted whole") {
  config::PrivacyConfig configuration;
  configuration.embedding = false;
  CHECK(kept(configuration, R"({"embedding":[0.1,-2e-5],"inputTextTokenCount":3})") ==
        "{\"embedding\":\"" + omitted("embedding", "[0.1,-2e-5]") +
            "\",\"inputTextTokenCount\":3}");
  CHECK(kept(configuration, R"({"embeddings":{"int8":[[1,2],[3]]},"texts":["kept"]})") ==
        "{\"embeddings\":{\"int8\":[\"" + omitted("embedding", "[1,2]") + "\",\"" +
            omitted("embedding", "[3]") + "\"]},\"texts\":[\"kept\"]}");
}

TEST_CASE("without text, what was said goes and what happened stays") {
  config::PrivacyConfig configuration;
  configuration.text = false;
  CHECK(
      kept(
          configuration,
          R"({"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"q"},)"
          R"({"toolUse":{"toolUseId":"t-1","name":"n","input":{"a":5}}}]}],"inferenceConfig":{"maxTokens":5}})") ==
      "{\"system\":[{\"text\":\"" + omitted("text", "s") +
          "\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"" + omitted("text", "q") +
          "\"},{\"toolUse\":{\"toolUseId\":\"t-1\",\"name\":\"" + omitted("text", "n") +
          "\",\"input\":\"" + omitted("text", "{\"a\":5}") +
          "\"}}]}],\"inferenceConfig\":{\"maxTokens\":5}}");
  CHECK(
      kept(configuration, R"({"generation":"g","stop_reason":"length","prompt_token_count":3})") ==
      "{\"generation\":\"" + omitted("text", "g") +
          "\",\"stop_reason\":\"length\",\"prompt_token_count\":3}");
  // A label that is a sentence is none.
  CHECK(kept(configuration, R"({"text":"","id":"ask Ada"})").find("Ada") == std::string::npos);
  CHECK(kept(configuration, R"({"whatever":{"a":1}})") ==
        "\"" + omitted("json", R"({"whatever":{"a":1}})") + "\"");
  // A stream's words are not told one by one.
  CHECK(kept(configuration, R"([{"outputText":"yes","index":0},{"outputText":" no","index":0}])") ==
        "[{\"outputText\":\"" + omitted("text", "yes no") +
            "\",\"index\":0},{\"outputText\":\"\",\"index\":0}]");
}

TEST_CASE("without text, request metadata stays in its own place alone") {
  config::PrivacyConfig configuration;
  configuration.text = false;
  const std::string metadata = R"("requestMetadata":{"by":"Ada"})";
  CHECK(kept(configuration, R"({"messages":[],)" + metadata + "}") ==
        R"({"messages":[],)" + metadata + "}");
  for (const std::string form :
       {R"({"messages":[{@}]})", R"({"messages":[],"":{@}})", R"({"messages":[],"":[[{@}]]})",
        R"([{"type":"t",@}])", R"([{"type":"t"},[{@}]])"}) {
    const std::string stays =
        kept(configuration, std::string(form).replace(form.find('@'), 1, metadata));
    CAPTURE(form, stays);
    CHECK(stays.find("Ada") == std::string::npos);
  }
}

TEST_CASE("without text, members that hold anything have no labels") {
  config::PrivacyConfig configuration;
  configuration.text = false;
  const char* values = R"({"id":"Ada-4711","status":"HIV-positive","code":"F32.1","type":"Ada"})";
  const char* forms[] = {
      R"({"message":"q","documents":[@]})",
      R"({"message":"q","documents":[{"data":@}]})",
      R"({"message":"q","tool_results":[{"call":{"name":"n"},"outputs":[@]}]})",
      R"({"input":"q","prompt":{"id":"pmpt_1","variables":@}})",
      R"({"input":"q","metadata":@})",
      R"({"messages":[],"response_format":{"type":"json_schema","json_schema":@}})",
      R"({"text":{"format":{"type":"json_schema","schema":@}}})",
      R"({"output":[{"type":"file_search_call","results":[{"attributes":@}]}]})",
      R"({"messages":[{"content":[{"type":"document","document":{"id":"d","data":@}}]}]})",
      R"({"choices":[{"logprobs":{"content":[{"token":"Ada","bytes":[65,100,97]}]}}]})",
      R"([{"choices":[{"logprobs":{"content":[{"token":"Ada","bytes":[65,100,97]}]}}]}])",
  };
  for (const std::string form : forms) {
    const std::size_t at = form.find('@');
    const std::string text =
        at == std::string::npos ? form : std::string(form).replace(at, 1, values);
    const std::string stays = kept(configuration, text);
    for (const char* secret : {"Ada", "HIV", "F32", "65,"}) {
      CAPTURE(text, stays, secret);
      CHECK(stays.find(secret) == std::string::npos);
    }
  }
  // The SHA-256 of a token would give it away.
  CHECK(kept(configuration, R"([{"choices":[{"index":0,"logprobs":{"tokens":["Ada"]}}]}])") ==
        R"([{"choices":[{"index":0,"logprobs":""}]}])");
  CHECK(kept(configuration, R"({"outputs":[{"text":"a","stop_reason":"stop"}]})") ==
        "{\"outputs\":[{\"text\":\"" + omitted("text", "a") + "\",\"stop_reason\":\"stop\"}]}");
  CHECK(kept(configuration, R"([{"metadata":{"usage":{"inputTokens":3}},"type":"t"}])") ==
        R"([{"metadata":{"usage":{"inputTokens":3}},"type":"t"}])");
  // Of nothing there is nothing to omit; a location is none if it is no S3 URI.
  CHECK(kept(configuration, R"({"messages":["",{"content":""}]})") ==
        R"({"messages":["",{"content":""}]})");
  CHECK(kept(configuration, R"({"messages":[{"uri":"Ada was here"}]})").find("Ada") ==
        std::string::npos);
  CHECK(kept(configuration, R"({"messages":[{"uri":"s3://b/k"}]})") ==
        R"({"messages":[{"uri":"s3://b/k"}]})");
}

TEST_CASE("a body in which too much would have to be changed is omitted whole") {
  const auto times = [](std::size_t count, const std::string& text) {
    std::string all;
    all.reserve(count * text.size());
    for (std::size_t i = 0; i < count; ++i) {
      all += text;
    }
    return all;
  };
  const std::size_t many = kMostEdits + 1;
  const std::string addresses = times(many, "a@b.cd ");
  config::PrivacyConfig without_text, pattern, path;
  without_text.text = false;
  pattern.redact_patterns = {"a"};
  path.redact_paths = {"$[*]"};
  std::string encoded;
  for (const char* begin : {"", ",", ","}) {
    encoded +=
        begin + ("\"" + storage::base64_encode(addresses.substr(0, addresses.size() / 2)) + "\"");
  }
  const std::pair<config::PrivacyConfig, std::string> bodies[] = {
      {only("email"), "{\"text\":\"" + addresses + "\"}"},
      {only("email"), "[" + times(many, "\"a@b.cd\",") + "1]"},
      {only("email"), "{\"text\":\"" + storage::base64_encode(addresses) + "\"}"},
      {only("email"), "{\"text\":[" + encoded + "]}"},  // more than doubles
      {only("email"), "[" + times(many, "\"a\",") + "1]"},
      {only("payment-card"), "[" + times(many, "4111111111111111,") + "1]"},
      {pattern, "{\"text\":\"" + times(many, "a") + "\"}"},
      {without_text, "{\"messages\":[" + times(many, "\"a\",") + "1]}"},
      {path, "[" + times(many, "\"a\",") + "1]"},
  };
  for (const auto& [configuration, text] : bodies) {
    // Half a minute of a sanitizer; what the others walk through is small in other tests.
    if (tests::kSanitized && &text != &bodies[1].second) {
      continue;
    }
    storage::Body body = body_of(text);
    RuleCounts counts;
    PrivacyFilter(configuration).apply_to_body(body, &counts);
    CAPTURE(text.substr(0, 40), body.bytes.substr(0, 200));
    CHECK(body.bytes == "\"" + omitted("json", text) + "\"");
    CHECK(counts == RuleCounts{{"omitted body", 1}});
  }
  CHECK(kept(only("email"), addresses) == "\"" + omitted("text", addresses) + "\"");
  CHECK(kept(without_text, "{\"messages\":[" + times(many, "\"\",") + "1]}") ==
        "{\"messages\":[" + times(many, "\"\",") + "1]}");

  storage::Record record;
  record.details = "{\"otherEvents\":[{\"payload\":{\"a\":\"" + addresses + "\"}}]}";
  record.request_metadata = "{\"a\":\"" + addresses + "\"}";
  const std::string details = record.details;
  PrivacyFilter(only("email")).apply(record);
  CHECK(record.details == "{\"omitted\":\"" + omitted("json", details) + "\"}");
  CHECK(record.request_metadata.empty());
}

TEST_CASE("records: bodies, metadata and details are filtered, facts stay") {
  using tests::event;
  Invocation invocation;
  invocation.method = "POST";
  invocation.target = "/model/m/converse-stream";
  invocation.request_headers = {{"Content-Type", "application/json"}};
  invocation.request.bytes =
      R"({"messages":[],"requestMetadata":{"by":"user@example.org","n":"1"}})";
  invocation.status = 200;
  invocation.response_headers = {{"Content-Type", "application/vnd.amazon.eventstream"}};
  invocation.response.bytes =
      event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"user@exa"}})") +
      event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"mple.org"}})") +
      event("novelty", R"({"x":"user@example.org"})") + event("novelty", "user@example.org") +
      event("metadata", R"({"usage":{"inputTokens":3,"outputTokens":4}})") + "user@example.org";
  storage::Record record = build_record(invocation);
  RuleCounts counts;
  PrivacyFilter(only("email")).apply(record, &counts);
  for (const std::string* text :
       {&record.request.bytes, &record.response.bytes, &record.details, &record.request_metadata}) {
    CAPTURE(*text);
    CHECK(JsonText().parse(*text));
    CHECK(text->find("example") == std::string::npos);
    CHECK(text->find(storage::base64_encode("user@example.org")) == std::string::npos);
  }
  CHECK(record.request_metadata == R"({"by":"[redacted:email]","n":"1"})");
  CHECK(record.details.find(omitted("binary", "user@example.org")) != std::string::npos);
  CHECK((record.input_tokens == 3 && record.output_tokens == 4));
  CHECK(counts["email"] == 4);

  config::PrivacyConfig nothing;
  nothing.metadata_only = true;
  storage::Record bare = build_record(invocation);
  PrivacyFilter(nothing).apply(bare);
  CHECK(bare.request.bytes == "\"" + omitted("application/json", invocation.request.bytes) + "\"");
  CHECK((bare.request.is_json && bare.response.is_json && bare.input_tokens == 3));
  CHECK(bare.details.find("user@example") == std::string::npos);
}

TEST_CASE("paths act on the request metadata, from the body and from the header") {
  Invocation invocation;
  invocation.method = "POST";
  invocation.target = "/model/m/converse";
  const std::string metadata = R"({"customer":"Jane Doe 4711","team":"a"})";
  const auto kept_metadata = [&](std::vector<std::string> paths) {
    config::PrivacyConfig configuration;
    configuration.redact_paths = std::move(paths);
    storage::Record record = build_record(invocation);
    REQUIRE(record.request_metadata == metadata);
    PrivacyFilter(configuration).apply(record);
    return record.request_metadata;
  };
  const auto check = [&] {
    const std::string one = R"({"customer":"[redacted:path 1]","team":"a"})";
    CHECK(kept_metadata({"$.requestMetadata.customer"}) == one);
    CHECK(kept_metadata({"$[\"requestMetadata\"][\"customer\"]"}) == one);
    CHECK(kept_metadata({"$..customer"}) == one);
    CHECK(kept_metadata({"$.customer", "$.messages[*]", "$..x"}) == metadata);
    CHECK(kept_metadata({"$.requestMetadata"}).empty());
    CHECK(kept_metadata({"$.requestMetadata", "$..customer"}).empty());
    CHECK(kept_metadata({"$"}).empty());
  };
  invocation.request.bytes = R"({"messages":[],"requestMetadata":)" + metadata + "}";
  check();
  invocation.request.bytes = R"({"messages":[]})";
  invocation.request_headers = {{"X-Amzn-Bedrock-Request-Metadata", metadata}};
  check();
}

namespace {

// A record of an answered call, as [privacy] leaves it.
storage::Record kept_call(const config::PrivacyConfig& configuration, const char* target,
                          const char* response_type, const std::string& response,
                          const std::string& request = "{}") {
  Invocation invocation;
  invocation.method = "POST";
  invocation.target = target;
  invocation.request.bytes = request;
  invocation.status = 200;
  invocation.response_headers = {{"Content-Type", response_type}};
  invocation.response.bytes = response;
  storage::Record record = build_record(invocation);
  PrivacyFilter(configuration).apply(record);
  return record;
}

config::PrivacyConfig with_path(const char* path) {
  config::PrivacyConfig configuration;
  configuration.redact_paths = {path};
  return configuration;
}

}  // namespace

TEST_CASE("what cannot be read of a stream is omitted, what can be read stays") {
  config::PrivacyConfig no_image;
  no_image.image = false;
  const std::string whole = R"({"choices":[{"delta":{"secret":"a"}}]})";
  const std::string cut = R"({"choices":[{"delta":{"secret":"Jane Do)";
  const std::string events = "data: " + whole + "\n\ndata: " + cut;
  const auto sse = [&](const config::PrivacyConfig& configuration, const std::string& bytes) {
    return kept_call(configuration, "/openai/v1/chat/completions", "text/event-stream", bytes)
        .response.bytes;
  };
  const std::string omission = ",\"" + omitted("text", cut) + "\"]";
  CHECK(sse(no_image, events) == "[" + whole + omission);
  CHECK(sse(only("email"), events) == "[" + whole + omission);
  CHECK(sse(with_path("$..secret"), events) ==
        R"([{"choices":[{"delta":{"secret":"[redacted:path 1]"}}]})" + omission);
  // Cut within a character: of the body what stands for that, of the details its bytes.
  const std::string in_character = ",\"" + omitted("text", cut + "\xEF\xBF\xBD") + "\"]";
  CHECK(sse(only("email"), events + "\xC3") == "[" + whole + in_character);
  CHECK(sse(with_path("$..secret"), events + "\xC3") ==
        R"([{"choices":[{"delta":{"secret":"[redacted:path 1]"}}]})" + in_character);
  const std::string bytes = R"("payload":")" + omitted("binary", cut + "\xC3") + "\"";
  config::PrivacyConfig nothing;
  nothing.metadata_only = true;
  for (const auto& configuration : {only("email"), no_image, with_path("$..secret"), nothing}) {
    const std::string details = kept_call(configuration, "/openai/v1/chat/completions",
                                          "text/event-stream", events + "\xC3")
                                    .details;
    CAPTURE(details);
    CHECK(details.find(bytes) != std::string::npos);
  }
  // Also as the first event, which says no form.
  config::PrivacyConfig no_text;
  no_text.text = false;
  CHECK(sse(no_text, "data: \xC3\n\ndata: {\"choices\":[]}\n\n") ==
        "[\"" + omitted("text", "\xEF\xBF\xBD") + "\",{\"choices\":[]}]");

  using tests::chunk;
  using tests::event;
  const char* type = "application/vnd.amazon.eventstream";
  const auto chunks = [&](const config::PrivacyConfig& configuration) {
    return kept_call(configuration, "/model/m/invoke-with-response-stream", type,
                     chunk(whole) + chunk(cut))
        .response.bytes;
  };
  const std::string binary = ",\"" + omitted("binary", cut) + "\"]";
  CHECK(chunks(only("email")) == "[" + whole + binary);
  CHECK(chunks(no_image) == "[" + whole + binary);

  // The input of a tool that did not come to its end is no JSON, and no path leads into it.
  const std::string tool =
      event("contentBlockStart",
            R"({"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"n"}}})") +
      event("contentBlockDelta",
            R"({"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"secret\":\"Jane"}}})");
  const auto converse = [&](const config::PrivacyConfig& configuration, const std::string& bytes) {
    return kept_call(configuration, "/model/m/converse-stream", type, bytes).response.bytes;
  };
  CHECK(converse(with_path("$..secret"), tool)
            .find("\"input\":\"" + omitted("json", R"({"secret":"Jane)") + "\"") !=
        std::string::npos);
  CHECK(converse(only("email"), tool).find("Jane") != std::string::npos);
  CHECK(converse(with_path("$..secret"),
                 tool + event("contentBlockDelta",
                              R"({"contentBlockIndex":0,"delta":{"toolUse":{"input":"\"}"}}})"))
            .find(R"("input":{"secret":"[redacted:path 1]"})") != std::string::npos);
}

TEST_CASE("events of a request that have no place in it are content, too") {
  using tests::event;
  const std::string request = event("novelty", R"({"x":"Jane"})");
  const auto details = [&](const config::PrivacyConfig& configuration) {
    return kept_call(configuration, "/model/m/invoke-with-bidirectional-stream", "application/json",
                     "{}", request)
        .details;
  };
  REQUIRE(details({}).find(R"("otherRequestEvents":[{"type":"novelty","payload":{"x":"Jane"}}])") !=
          std::string::npos);
  config::PrivacyConfig nothing, no_text;
  nothing.metadata_only = true;
  no_text.text = false;
  const std::string omission = "\"payload\":\"" + omitted("json", R"({"x":"Jane"})") + "\"";
  for (const auto& configuration : {nothing, no_text, with_path("$..x")}) {
    CHECK(details(configuration).find(omission) != std::string::npos);
  }
}

TEST_CASE("where paths are set, a body that is not whole JSON is omitted whole") {
  const std::string cut = R"({"messages":[{"secret":"Jane Do)";
  CHECK(kept(with_path("$..secret"), cut) == "\"" + omitted("text", cut) + "\"");
}

TEST_CASE("bodies are kept of a fraction of calls, of the same ones before and after") {
  config::PrivacyConfig configuration;
  configuration.sample_bodies = 0.25;
  const PrivacyFilter filter(configuration);
  int bodies = 0;
  for (int call = 0; call < 2000; ++call) {
    storage::Record intent;
    intent.started_at_us = 1'700'000'000'000'000 + call;
    intent.sdk_invocation_id = call % 2 == 0 ? "call-" + std::to_string(call) : "";
    intent.request = body_of(R"({"prompt":"p"})");
    storage::Record finished = intent;
    finished.request_id = "r";
    finished.response = body_of(R"({"generation":"g"})");
    filter.apply(intent);
    filter.apply(finished);
    CHECK(intent.request.bytes == finished.request.bytes);
    const bool kept = finished.request.bytes.find("[omitted ") == std::string::npos;
    CHECK(kept == (finished.response.bytes.find("[omitted ") == std::string::npos));
    bodies += kept ? 1 : 0;
  }
  CHECK((bodies > 400 && bodies < 600));
}

namespace {

// Random JSON with secrets in it, and the same with what should become of them.
class PlantedJson {
 public:
  explicit PlantedJson(unsigned seed) : random_(seed) { value(0); }
  std::string planted, expected;

 private:
  void both(const std::string& text) {
    planted += text;
    expected += text;
  }
  std::size_t any(std::size_t below) { return random_() % below; }

  void value(int depth) {
    const std::size_t choice = any(depth > 4 ? 2 : 5);
    if (choice == 0) {
      both(std::to_string(any(100000)));
    } else if (choice < 3) {
      text();
    } else {
      const bool object = choice == 3;
      both(object ? "{" : "[ ");
      for (std::size_t member = 0, count = any(5); member < count; ++member) {
        both(member == 0 ? "" : ",\n");
        both(object ? "\"k" + std::to_string(member) + "\":" : "");
        value(depth + 1);
      }
      both(object ? "}" : " ]");
    }
  }

  void text() {
    static const std::pair<const char*, const char*> kSecrets[] = {
        {"ada@example.org", "[redacted:email]"},
        {"DE89370400440532013000", "[redacted:iban]"},
        {"+49 171 1234567", "[redacted:phone]"},
        {"4111 1111 1111 1111", "[redacted:payment-card]"},
        {"AKIAIOSFODNN7EXAMPLE", "[redacted:aws-key]"},
        {"Bearer abcdefgh12345678", "[redacted:bearer-token]"},
    };
    static const char* const kAround[] = {
        " ", "\\n", "(", ")", "\\\"", "\\u00fc ", "\\ud83d\\ude00", "\xC3\xBC ", "; ", "\\\\ "};
    both("\"");
    for (std::size_t part = 0, count = any(4); part < count; ++part) {
      both(kAround[any(std::size(kAround))]);
      both("; ");
      const auto& [secret, label] = kSecrets[any(std::size(kSecrets))];
      for (const char* byte = secret; *byte != 0; ++byte) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(*byte));
        planted += any(6) == 0 ? std::string(escape) : std::string(1, *byte);
      }
      expected += label;
      both("; ");
    }
    both("\"");
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("no planted secret survives, and every other byte stays") {
  for (unsigned seed = 0; seed < 400; ++seed) {
    // An array at the top is a stream, whose texts are searched together: that has its own test.
    const PlantedJson json(seed);
    CAPTURE(seed, json.planted);
    CHECK(kept(everything(), "{\"top\":" + json.planted + "}") ==
          "{\"top\":" + json.expected + "}");
  }
}

TEST_CASE("a secret split anywhere over chunks does not survive") {
  const std::string text = "; ada@example.org; 4111 1111 1111 1111; DE89370400440532013000 ;";
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string stream = "[";
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random() % 12;
      stream += at == 0 ? "" : ",";
      stream +=
          "{\"type\":\"d\",\"index\":0,\"delta\":{\"text\":\"" + text.substr(at, size) + "\"}}";
      at += size;
    }
    const std::string result = kept(everything(), stream + "]");
    std::string joined;
    JsonText parsed;
    REQUIRE(parsed.parse(result));
    each_element(*parsed.array(), [&](JsonText::Value chunk) {
      each_member(*json_object(chunk), [&](std::string_view name, JsonText::Value value) {
        if (name == "delta") {
          each_member(*json_object(value), [&](std::string_view, JsonText::Value piece) {
            joined += json_string(piece).value_or("");
          });
        }
      });
    });
    CHECK(joined == "; [redacted:email]; [redacted:payment-card]; [redacted:iban] ;");
  }
}

TEST_CASE("paths see into a tool's arguments that are JSON within text") {
  config::PrivacyConfig configuration = only("email");
  configuration.redact_paths = {"$..password", "$..arguments.pin", "$..input.pin"};
  const auto call = [](const std::string& arguments) {
    return R"({"messages":[{"tool_calls":[{"function":{"name":"f","arguments":")" + arguments +
           R"("}}]}]})";
  };
  CHECK(kept(configuration, call(R"({\"password\": \"hunter2\",\"to\":\"a@b.de\",\"n\":1})")) ==
        call(R"({\"password\": \"[redacted:path 1]\",\"to\":\"[redacted:email]\",\"n\":1})"));
  CHECK(kept(configuration, call(R"({\"pin\":4711})")) ==
        call(R"({\"pin\":\"[redacted:path 2]\"})"));
  // Where no path selects anything, and where it is no tool's.
  for (const std::string& same :
       {call(R"({ \"other\" : \"\\u00e4\" })"), call(""),
        std::string(R"({"input":{"arguments":"ls -l","delta":"{\"password\":1}"}})")}) {
    CHECK(kept(configuration, same) == same);
  }
  CHECK(kept(configuration, call(R"({\"password\":\"hun)")) ==
        call(omitted("json", R"({"password":"hun)")));
  const std::string item =
      R"({"output":[{"type":"function_call","arguments":"{\"password\":1}"}]})";
  CHECK(
      kept(configuration, item) ==
      R"({"output":[{"type":"function_call","arguments":"{\"password\":\"[redacted:path 1]\"}"}]})");
}

TEST_CASE("paths see into a tool's arguments that a stream brings in pieces") {
  config::PrivacyConfig configuration = only("email");
  configuration.redact_paths = {"$..password", "$..input.pin"};
  const auto stream_of = [](const std::vector<std::string>& pieces, const std::string& before,
                            const std::string& after) {
    std::string text = "[";
    for (const std::string& piece : pieces) {
      text += (text.size() == 1 ? "" : ",") + before + "\"" + piece + "\"" + after;
    }
    return text + "]";
  };
  const std::pair<const char*, const char*> forms[] = {
      {R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":)",
       "}}"},
      {R"({"contentBlockDelta":{"contentBlockIndex":1,"delta":{"toolUse":{"input":)", "}}}}"},
      {R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":)",
       "}}]}}]}"},
      {R"({"type":"response.function_call_arguments.delta","output_index":0,"delta":)", "}"}};
  for (const auto& [before, after] : forms) {
    CAPTURE(before);
    CHECK(kept(configuration,
               stream_of({"", R"({\"pass)", R"(word\":\"hunt)", R"(er2\"})"}, before, after)) ==
          stream_of({R"({\"password\":\"[redacted:path 1]\"})", "", "", ""}, before, after));
    const std::string harmless = stream_of({R"({\"n\":)", "1}"}, before, after);
    CHECK(kept(configuration, harmless) == harmless);
    // It was cut.
    CHECK(kept(configuration, stream_of({R"({\"pass)", R"(word\":\"hunt)"}, before, after)) ==
          stream_of({omitted("json", R"({"password":"hunt)"), ""}, before, after));
  }
  CHECK(
      kept(configuration, stream_of({R"({\"pin\":)", "4711}"}, forms[0].first, forms[0].second)) ==
      stream_of({R"({\"pin\":\"[redacted:path 2]\"})", ""}, forms[0].first, forms[0].second));
  const std::string nova = R"([{"contentBlockDelta":{"contentBlockIndex":)";
  const std::string tool = R"(,"delta":{"toolUse":{"input":"{\"n\":1}"}}}})";
  const std::string blocks = nova + "0" + tool + ",{" + nova.substr(2) + "1" + tool + "]";
  CHECK(kept(configuration, blocks) == blocks);
  const auto sonic = [](const std::string& arguments) {
    return R"([{"event":{"toolUse":{"contentId":"a","content":")" + arguments +
           R"(","toolName":"f"}}},{"event":{"toolUse":{"contentId":"b","content":"{}","toolName":"f"}}}])";
  };
  CHECK(kept(configuration, sonic(R"({\"pin\":4711})")) ==
        sonic(R"({\"pin\":\"[redacted:path 2]\"})"));
  // Calls side by side.
  const std::string two =
      R"([{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"password\":"}},)"
      R"({"index":1,"function":{"arguments":"{\"n\":"}}]}}]},)"
      R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"1}"}},)"
      R"({"index":0,"function":{"arguments":"2}"}}]}}]}])";
  const std::string kept_two = kept(configuration, two);
  CHECK(kept_two.find(R"({\"password\":\"[redacted:path 1]\"})") != std::string::npos);
  CHECK(kept_two.find(R"("{\"n\":")") != std::string::npos);
  CHECK(kept_two.find("omitted") == std::string::npos);
}
