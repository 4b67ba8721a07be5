// Header fields in the form that nghttp2 takes; it copies them when they are submitted.
//
// Thread: any, one at a time.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/capture/http_message.h"
#include "storage/lower_case.h"

namespace invlog::capture {

class Http2Fields {
 public:
  explicit Http2Fields(std::size_t count) { held_.reserve(count); }
  // HTTP/2 has lower-case names only (RFC 9113 §8.2).
  void add(std::string name, std::string value) {
    for (char& character : name)
      character = storage::lower_case(character);
    held_.emplace_back(std::move(name), std::move(value));
  }
  void add(const Headers& headers) {
    for (const auto& [name, value] : headers)
      add(name, value);
  }
  const nghttp2_nv* data() {
    fields_.clear();
    for (auto& [name, value] : held_) {
      fields_.push_back({reinterpret_cast<std::uint8_t*>(name.data()),
                         reinterpret_cast<std::uint8_t*>(value.data()), name.size(), value.size(),
                         NGHTTP2_NV_FLAG_NONE});
    }
    return fields_.data();
  }
  std::size_t size() const { return held_.size(); }

 private:
  Headers held_;
  std::vector<nghttp2_nv> fields_;
};

}  // namespace invlog::capture
