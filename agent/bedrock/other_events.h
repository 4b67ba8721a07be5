// The events of a stream that have no place in an assembled body, or one that cannot hold their
// bytes, as a record's details keep them.
//
// Why a bound: details stand in the record's row, where nothing is compressed, and a client can
// send a million empty events in a few MB. AWS sends none or a few of a kind that is new here: the
// first ones show what it is, and of the others it is said how many they were.
//
// Thread: one at a time. Errors: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace invlog::bedrock {

// So many levels surround a payload in the details: {"otherEvents":[{"payload":..}]}.
inline constexpr int kLevelsAroundPayload = 3;

class OtherEvents {
 public:
  static constexpr std::size_t kMostEvents = 1000;
  static constexpr std::size_t kMostBytes = 1 << 20;  // of elements()

  // `json`: the payload is valid JSON, also with kLevelsAroundPayload around it, and is shown as it
  // is; else it is shown as base64.
  void add(std::string_view event_type, std::string_view payload, bool json);

  // Of a JSON array: {"type":..,"payload":..}.
  const std::string& elements() const { return elements_; }
  // The first that was one too many, or too long for what room was left, and all behind it.
  std::size_t left_out() const { return left_out_; }

 private:
  std::string elements_;
  std::size_t kept_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace invlog::bedrock
