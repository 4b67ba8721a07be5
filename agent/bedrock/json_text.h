// One JSON text, checked from end to end, then read by simdjson's On-Demand interface.
//
// Why a check of our own over simdjson: On-Demand looks only at what is asked for, and its other
// interface (a tree) refuses numbers beyond 64 bits and takes ten times the body's size in memory.
// A body that is called JSON is written as it is into the record's line, so it must be JSON to the
// last byte. The check walks simdjson's index of the text once, and lets through exactly RFC 8259
// with at most kMaximumDepth levels, in UTF-8 without a byte order mark.
//
// Thread: one at a time; no shared state. Ownership: what it returns points into it (or into the
// caller's text) and lives until the next parse(). Errors: none thrown; a text that is not JSON is
// an ordinary outcome.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace invlog::bedrock {

class JsonText {
 public:
  using Object = simdjson::ondemand::object;
  using Array = simdjson::ondemand::array;
  using Value = simdjson::ondemand::value;
  using RawName = simdjson::ondemand::raw_json_string;

  static constexpr int kMaximumDepth = 1000;

  // Whether `text` is one valid JSON text; copies it. `around`: so many levels are to surround it
  // where it is put, and count as its own.
  bool parse(std::string_view text, int around = 0);
  // The same without a copy: `text` must come from pad() and stay unchanged while this is used.
  bool parse_padded(const std::string& text);

  // The text's top level, each time from its beginning; empty if it is something else or parse()
  // said no.
  std::optional<Object> object();
  std::optional<Array> array();

  // Frees what an unusually large text made it allocate.
  void trim();

  // Makes room behind `text` for simdjson to read past the end, without changing it or growing it
  // more than needed.
  static void pad(std::string& text);

 private:
  bool parse_padded(const std::string& text, int around);
  bool parse_buffer(const char* text, std::size_t size, std::size_t allocated, int around);
  bool parse_scalar(std::string_view text, int around);

  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  std::string copy_;
  bool usable_ = false;  // document_ holds an object or an array
};

// Reading values. Each consumes its value: call one of them once per value.
std::string_view json_raw(JsonText::Value value);  // as received, without white space around it
std::optional<std::string_view> json_string(
    JsonText::Value value);  // unescaped; lives until the next parse
std::optional<std::int64_t> json_count(JsonText::Value value);  // a whole number from 0 on
std::optional<JsonText::Object> json_object(JsonText::Value value);
std::optional<JsonText::Array> json_array(JsonText::Value value);

// A valid text without white space between its parts, on one line; "" for what is none.
std::string compact_json(std::string_view json);

// A name without its escapes. Half a surrogate pair is no character: it becomes the three bytes
// that it would be in UTF-8, which are none there, so that such a name equals no other.
std::string json_name(JsonText::RawName raw);

// Calls `visit(std::string_view name, JsonText::Value value)` for each member. The name lives until
// `visit` returns.
template <typename Visit>
void each_member(JsonText::Object object, Visit&& visit) {
  for (auto field : object) {
    JsonText::RawName raw;
    JsonText::Value value;
    std::string_view name;
    std::string no_text;
    if (field.key().get(raw)) {
      return;
    }
    if (field.unescaped_key().get(name)) {
      no_text = json_name(raw);
      name = no_text;
    }
    if (field.value().get(value)) {
      return;
    }
    visit(name, value);
  }
}

// Calls `visit(JsonText::Value value)` for each element.
template <typename Visit>
void each_element(JsonText::Array array, Visit&& visit) {
  for (auto element : array) {
    JsonText::Value value;
    if (element.get(value)) {
      return;
    }
    visit(value);
  }
}

}  // namespace invlog::bedrock
