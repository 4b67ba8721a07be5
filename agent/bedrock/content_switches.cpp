#include "agent/bedrock/content_switches.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string>

#include "agent/bedrock/edit_limits.h"
#include "agent/bedrock/omission.h"
#include "agent/bedrock/stream_texts.h"
#include "storage/lower_case.h"

namespace invlog::bedrock {
namespace {

using Kind = JsonTree::Kind;
enum class Modality { text, image, embedding, video, audio };

template <std::size_t count>
bool is_one_of(std::string_view name, const std::array<std::string_view, count>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// By the name of a member, or by the type of a content block.
std::optional<Modality> modality_named(std::string_view name) {
  static constexpr std::array<std::string_view, 25> kImage = {"image",
                                                              "images",
                                                              "inputImage",
                                                              "inputImages",
                                                              "input_image",
                                                              "image_url",
                                                              "maskImage",
                                                              "mask_image",
                                                              "mask",
                                                              "conditionImage",
                                                              "init_image",
                                                              "sourceImage",
                                                              "garmentImage",
                                                              "referenceImage",
                                                              "referenceImages",
                                                              "image_bytes",
                                                              "image_base64",
                                                              "artifacts",
                                                              "imageBase64",
                                                              "style_image",
                                                              "controlImage",
                                                              "imageBytes",
                                                              "b64_json",
                                                              "partial_image_b64",
                                                              "image_generation_call"};
  static constexpr std::array<std::string_view, 6> kVideo = {
      "video", "videos", "inputVideo", "input_video", "video_url", "videoBytes"};
  static constexpr std::array<std::string_view, 11> kAudio = {"audio",
                                                              "audios",
                                                              "inputAudio",
                                                              "input_audio",
                                                              "audio_url",
                                                              "output_audio",
                                                              "audioBytes",
                                                              "audioInput",
                                                              "audioOutput",
                                                              "response.audio.delta",
                                                              "response.output_audio.delta"};
  static constexpr std::array<std::string_view, 6> kEmbedding = {
      "embedding", "embeddings", "embeddingsByType", "vector", "vectors", "embeddings_by_type"};
  static constexpr std::array<std::string_view, 9> kText = {
      "document",    "text",       "toolUse",   "toolResult", "tool_use",
      "tool_result", "input_text", "inputText", "transcript"};
  return is_one_of(name, kImage)       ? std::optional(Modality::image)
         : is_one_of(name, kVideo)     ? std::optional(Modality::video)
         : is_one_of(name, kAudio)     ? std::optional(Modality::audio)
         : is_one_of(name, kEmbedding) ? std::optional(Modality::embedding)
         : is_one_of(name, kText)      ? std::optional(Modality::text)
                                       : std::nullopt;
}

const char* name_of(Modality modality) {
  constexpr const char* kNames[] = {"text", "image", "embedding", "video", "audio"};
  return kNames[static_cast<int>(modality)];
}

// "image", "text_image", "VIDEO".
std::optional<Modality> media_in(std::string_view type) {
  const std::string lower = storage::lower_case(type.substr(0, 32));
  for (const Modality media : {Modality::image, Modality::video, Modality::audio}) {
    if (lower.find(name_of(media)) != std::string::npos) {
      return media;
    }
  }
  return std::nullopt;
}

// TwelveLabs' models: which media are in it, is said beside or above it, if it is no video.
bool is_media_source(std::string_view name) {
  return name == "mediaSource" || name == "base64String";
}

// How a string begins, in lower case and without its escapes.
std::string beginning(std::string_view content) {
  constexpr std::size_t kLongest = 256;
  const std::string_view written = content.substr(0, kLongest);
  UnescapedText unescaped;
  return storage::lower_case(unescape_json(written, unescaped) ? unescaped.text : written);
}

// "image/png" of data:image/png;base64,... in lower case; none: `content`, not empty, is no such
// text.
std::optional<std::string> type_of_data_url(std::string_view content) {
  constexpr std::string_view kBegin = "data:";
  if (std::string_view("dD\\").find(content.front()) == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string head = beginning(content);
  const std::size_t mark = head.find(";base64,");
  if (!head.starts_with(kBegin) || mark == std::string::npos) {
    return std::nullopt;
  }
  return head.substr(kBegin.size(), head.find(';') - kBegin.size());
}

// Of "image/png", "VIDEO/mp4; codecs=...".
std::optional<Modality> modality_of_mime_type(std::string_view type) {
  for (const Modality media : {Modality::image, Modality::video, Modality::audio}) {
    if (type.starts_with(std::string(name_of(media)) + "/")) {
      return media;
    }
  }
  return std::nullopt;
}

// Base64 or hexadecimal of more than an identifier, escapes and line breaks in it included; no
// words, which have spaces between them, no URL and no path of a file, which has a dot.
bool reads_as_encoded(std::string_view content) {
  constexpr std::size_t kShortest = 40;
  return content.size() >= kShortest && std::all_of(content.begin(), content.end(), [](char byte) {
           return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                  (byte >= '0' && byte <= '9') ||
                  std::string_view("+/=-_\\").find(byte) != std::string_view::npos;
         });
}

// Members whose value says what something is, not what it contains.
bool names_a_label(std::string_view name) {
  static constexpr std::array<std::string_view, 46> kLabels = {"role",
                                                               "type",
                                                               "format",
                                                               "stopReason",
                                                               "stop_reason",
                                                               "finish_reason",
                                                               "finishReason",
                                                               "finish_reasons",
                                                               "id",
                                                               "object",
                                                               "model",
                                                               "modelId",
                                                               "media_type",
                                                               "mediaType",
                                                               "mime_type",
                                                               "toolUseId",
                                                               "tool_use_id",
                                                               "tool_call_id",
                                                               "taskType",
                                                               "input_type",
                                                               "inputType",
                                                               "response_type",
                                                               "truncate",
                                                               "status",
                                                               "service_tier",
                                                               "item_id",
                                                               "__type",
                                                               "code",
                                                               "completionReason",
                                                               "detail",
                                                               "latency",
                                                               "effort",
                                                               "response_id",
                                                               "anthropic_version",
                                                               "embeddingPurpose",
                                                               "encoding_format",
                                                               "quality",
                                                               "output_format",
                                                               "aspect_ratio",
                                                               "system_fingerprint",
                                                               "bucketOwner",
                                                               "promptName",
                                                               "contentName",
                                                               "contentId",
                                                               "completionId",
                                                               "sessionId"};
  return is_one_of(name, kLabels);
}

// A word, an identifier, a media type: no sentence, and no room for one.
bool reads_as_label(std::string_view text) {
  return text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char byte) {
           return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                  (byte >= '0' && byte <= '9') ||
                  std::string_view("_-.:/#").find(byte) != std::string_view::npos;
         });
}

// What anybody may have put any JSON into, or has words for names; kept or omitted as one.
bool holds_anything(std::string_view name) {
  static constexpr std::array<std::string_view, 27> kNames = {"input",
                                                              "json",
                                                              "arguments",
                                                              "tools",
                                                              "toolConfig",
                                                              "tool_config",
                                                              "functions",
                                                              "parameters",
                                                              "citations",
                                                              "additionalModelRequestFields",
                                                              "additionalModelResponseFields",
                                                              "promptVariables",
                                                              "guardrailConfig",
                                                              "documents",
                                                              "tool_results",
                                                              "variables",
                                                              "attributes",
                                                              "env",
                                                              "schema",
                                                              "json_schema",
                                                              "jsonSchema",
                                                              "input_schema",
                                                              "inputSchema",
                                                              "chat_template_kwargs",
                                                              "logit_bias",
                                                              "logprobs",
                                                              "token_likelihoods"};
  return is_one_of(name, kNames);
}

// Whether the body has a member that some model's form has at the top, or of a stream its first
// chunk: what could not be read of one stands among the chunks as a string.
bool is_known_form(const JsonTree& tree) {
  static constexpr std::array<std::string_view, 37> kKnown = {"messages",
                                                              "system",
                                                              "prompt",
                                                              "inputText",
                                                              "texts",
                                                              "images",
                                                              "taskType",
                                                              "text_prompts",
                                                              "inputs",
                                                              "input",
                                                              "generation",
                                                              "outputs",
                                                              "output",
                                                              "content",
                                                              "choices",
                                                              "completion",
                                                              "results",
                                                              "embedding",
                                                              "embeddings",
                                                              "embeddingsByType",
                                                              "generations",
                                                              "text",
                                                              "artifacts",
                                                              "message",
                                                              "type",
                                                              "delta",
                                                              "outputText",
                                                              "inputImage",
                                                              "imageGenerationConfig",
                                                              "usage",
                                                              "inferenceConfig",
                                                              "error",
                                                              "__type",
                                                              "stopReason",
                                                              "stop_reason",
                                                              "contentBlockIndex",
                                                              "query"};
  std::size_t top = is_stored_stream(tree) ? 1 : 0;
  while (top != 0 && top < tree.size() && tree[top].kind == Kind::string) {
    top = tree[top].after;
  }
  bool known = false;
  if (tree.size() > top && tree[top].kind == Kind::object) {
    tree.each_child(
        top, [&](std::size_t child) { known = known || is_one_of(tree.name(child), kKnown); });
  }
  return known;
}

class Omitter {
 public:
  Omitter(const ContentSwitches& switches, JsonTree& tree, std::vector<TextEdit>& edits,
          RuleCounts* counts)
      : switches_(switches), tree_(tree), edits_(edits), counts_(counts) {}

  void run() {
    visit(0, {});
    omit_stream_texts();
  }

 private:
  // What is known of a value from around it. Copied for each value below, so both texts are cut: a
  // name beyond this is none that matters, and of a format no more is shown.
  static constexpr std::size_t kLongestKnown = 128;
  struct Place {
    Modality modality = Modality::text;
    Modality source = Modality::video;  // what a member "mediaSource" would be
    std::optional<Modality> beside;     // of a MIME type beside it, if that is switched off
    std::string format;                 // "png", "image/png"; "" unknown
    std::string name;                   // of the member it is, or is in
    bool top = true;                    // the body, or a chunk of a stored stream
  };

  // At the top Mistral's answers are "outputs" and a stream of Nova's ends with "metadata", which
  // have members of their own; elsewhere both hold anything.
  bool is_omitted_as_one(const std::string& name, const Place& place) const {
    return holds_anything(name) || (name == "outputs" && !place.top) ||
           (name == "metadata" && !(place.top && is_stored_stream(tree_))) ||
           (name == "data" && place.name == "document");
  }

  bool kept(Modality modality) const {
    switch (modality) {
      case Modality::image:
        return switches_.image;
      case Modality::embedding:
        return switches_.embedding;
      case Modality::video:
        return switches_.video;
      case Modality::audio:
        return switches_.audio;
      case Modality::text:
        break;
    }
    return switches_.text;
  }

  void visit(std::size_t node, const Place& place) {
    if (tree_[node].replaced) {
      return;
    }
    const bool off = !kept(place.modality);
    switch (tree_[node].kind) {
      case Kind::object:
        return visit_object(node, place);
      case Kind::array:
        return visit_array(node, place);
      case Kind::string:
        return visit_string(node, place);
      case Kind::numbers:
        if (off) {
          replace(node, omission(name_of(place.modality), tree_.raw(node)), place.modality);
        }
        return;
      case Kind::number:
      case Kind::literal:
        return;
    }
  }

  void visit_string(std::size_t node, const Place& place) {
    const std::string_view content = tree_.content(node);
    if (content.empty()) {
      return;
    }
    if (const auto carried = modality_of_data_url(content); carried && !kept(*carried)) {
      Place own = place;
      own.modality = *carried;
      omit_string(node, own);
      return;
    }
    const bool label = names_a_label(place.name) && reads_as_label(content);
    const bool location = place.name == "uri" && content.starts_with("s3:");
    if (!kept(place.modality) && !label && !location) {
      omit_string(node, place);
    } else if (place.beside && !label && reads_as_encoded(content)) {
      Place own = place;
      own.modality = *place.beside;
      omit_string(node, own);
    }
  }

  // By the type that it begins with. Of a type that says nothing: whatever is switched off.
  std::optional<Modality> modality_of_data_url(std::string_view content) const {
    const std::optional<std::string> type = type_of_data_url(content);
    if (!type) {
      return std::nullopt;
    }
    const bool unknown = type->empty() || *type == "application/octet-stream";
    for (const Modality media : {Modality::image, Modality::video, Modality::audio}) {
      if (unknown && !kept(media)) {
        return media;
      }
    }
    return modality_of_mime_type(*type);
  }

  // What members of these names say of the object. One may stand there twice, and nobody knows
  // which the service reads: of several kinds one that is switched off counts.
  std::optional<Modality> said_of(std::size_t node, std::initializer_list<std::string_view> names,
                                  std::optional<Modality> (*read)(std::string_view)) const {
    std::optional<Modality> said;
    tree_.each_child(node, [&](std::size_t child) {
      const bool named = std::any_of(names.begin(), names.end(), [&](std::string_view name) {
        return tree_.is_named(child, name);
      });
      if (named && tree_[child].kind == Kind::string && (!said || kept(*said))) {
        const std::optional<Modality> one = read(tree_.unescaped(child));
        said = one ? one : said;
      }
    });
    return said;
  }

  // Where nothing else names the kind of what an object holds, a MIME type may, in a member of any
  // name.
  std::optional<Modality> said_beside(std::size_t node) const {
    std::optional<Modality> said;
    if (switches_.image && switches_.video && switches_.audio) {
      return said;
    }
    tree_.each_child(node, [&](std::size_t child) {
      const std::string_view content =
          tree_[child].kind == Kind::string ? tree_.content(child) : std::string_view();
      if (!content.empty() &&
          std::string_view("iIvVaA\\").find(content.front()) != std::string_view::npos) {
        const std::optional<Modality> one = modality_of_mime_type(beginning(content));
        said = one && !kept(*one) ? one : said;
      }
    });
    return said;
  }

  void visit_object(std::size_t node, Place place) {
    place.modality = said_of(node, {"type"}, modality_named).value_or(place.modality);
    for (const char* name : {"format", "media_type", "mediaType", "mime_type", "mimeType"}) {
      const std::size_t format = tree_.member(node, name);
      if (format != 0 && tree_[format].kind == Kind::string) {
        place.format = tree_.content(format).substr(0, kLongestKnown);
      }
    }
    if (const std::optional<Modality> media = said_beside(node)) {
      place.beside = media;
    }
    place.source =
        said_of(node, {"inputType", "input_type", "mediaType"}, media_in).value_or(place.source);
    tree_.each_child(node, [&](std::size_t child) {
      Place below = place;
      below.name = tree_.name(child).substr(0, kLongestKnown);
      below.top = false;
      if (below.name == "requestMetadata" && node == 0) {
        return;  // metadata stays
      }
      below.modality = modality_named(below.name).value_or(place.modality);
      if (below.modality == Modality::text && is_media_source(below.name)) {
        below.modality = place.source;
      }
      const bool scalar = tree_[child].after == child + 1;
      if (!scalar && !switches_.text && below.modality == Modality::text &&
          is_omitted_as_one(below.name, place)) {
        // In a stream these are of a token or two, whose SHA-256 would give them away.
        const bool piece = below.name == "logprobs" && is_stored_stream(tree_);
        replace(child, piece ? "" : omission("text", tree_.raw(child)), Modality::text);
        return;
      }
      visit(child, below);
    });
  }

  void visit_array(std::size_t node, const Place& place) {
    const std::size_t first = node + 1;
    // Numbers with a null among them.
    const bool scalars = first < tree_[node].after &&
                         (tree_[first].kind == Kind::number || tree_[first].kind == Kind::literal);
    if (scalars && !kept(place.modality)) {
      replace(node, omission(name_of(place.modality), tree_.raw(node)), place.modality);
      return;
    }
    Place below = place;
    below.top = node == 0;
    tree_.each_child(node, [&](std::size_t child) { visit(child, below); });
  }

  void omit_string(std::size_t node, const Place& place) {
    if (place.modality == Modality::text) {
      if (is_stored_stream(tree_)) {
        stream_texts_.push_back(node);
        tree_.replace(node);
        return;
      }
      // A document's bytes are base64; text that is said is said as it is.
      const bool encoded = place.name == "bytes" || place.name == "data";
      const std::string text = tree_.unescaped(node);
      replace(node, encoded ? omission_of_encoded("text", text) : omission("text", text),
              place.modality);
      return;
    }
    std::string type = name_of(place.modality);
    if (!place.format.empty()) {
      type = place.format.find('/') == std::string::npos ? type + "/" + place.format : place.format;
    }
    replace(node, omission_of_encoded(type, tree_.unescaped(node)), place.modality);
  }

  void replace(std::size_t node, const std::string& text, Modality modality) {
    add_limited(edits_, {tree_[node].begin, tree_[node].end, "\"" + text + "\""});
    tree_.replace(node);
    count(modality);
  }

  void count(Modality modality) {
    if (counts_ != nullptr) {
      ++(*counts_)[std::string("omitted ") + name_of(modality)];
    }
  }

  // The SHA-256 of a single word would give it away: the pieces of a text are omitted as one, in
  // the place of the first, and the others are empty.
  void omit_stream_texts() {
    if (stream_texts_.empty()) {
      return;
    }
    std::vector<bool> omitted(tree_.size());
    for (const std::size_t node : stream_texts_) {
      omitted[node] = true;
    }
    for (const auto& parts : gather_stream_texts(tree_)) {
      std::string whole;
      std::size_t first = 0;
      for (const std::size_t part : parts) {
        if (omitted[part]) {
          whole += tree_.unescaped(part);
          first = first == 0 ? part : first;
        }
      }
      for (const std::size_t part : parts) {
        if (omitted[part]) {
          add_limited(edits_, {tree_[part].begin, tree_[part].end,
                               part == first ? "\"" + omission("text", whole) + "\"" : "\"\""});
        }
      }
      if (first != 0) {
        count(Modality::text);
      }
    }
  }

  const ContentSwitches& switches_;
  JsonTree& tree_;
  std::vector<TextEdit>& edits_;
  RuleCounts* counts_;
  std::vector<std::size_t> stream_texts_;
};

}  // namespace

bool ContentSwitches::omit(JsonTree& tree, std::vector<TextEdit>& edits, RuleCounts* counts) const {
  if (all_on()) {
    return true;
  }
  if (!text && !is_known_form(tree)) {
    return false;
  }
  Omitter(*this, tree, edits, counts).run();
  return true;
}

}  // namespace invlog::bedrock
