#include "agent/residency/json_elements.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace invlog::residency {
namespace {

constexpr std::size_t kMaximumDepth = 256;
constexpr std::size_t kLongestKey = 16;  // of those that matter
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

constexpr std::array<bool, 256> marks(std::string_view characters, unsigned char controls_below) {
  std::array<bool, 256> table{};
  for (const char character : characters) {
    table[static_cast<unsigned char>(character)] = true;
  }
  for (unsigned char control = 0; control < controls_below; ++control) {
    table[control] = true;
  }
  return table;
}
// A control character in a string is no JSON: most often the line's end of a line that was cut.
constexpr auto kStringMarks = marks("\"\\", 0x20);
constexpr auto kStructureMarks = marks("\"{}[]:,", 0);

bool is_mark(const std::array<bool, 256>& table, char character) {
  return table[static_cast<unsigned char>(character)];
}

bool is_space(char character) {
  return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

}  // namespace

JsonElements::JsonElements(OnElement on_element, OnProblem on_problem, std::size_t maximum_element)
    : on_element_(std::move(on_element)),
      on_problem_(std::move(on_problem)),
      maximum_element_(maximum_element) {}

std::uint64_t JsonElements::offset(const char* at) const {
  return before_ + static_cast<std::uint64_t>(at - portion_);
}

void JsonElements::feed(std::string_view bytes) {
  portion_ = recorded_ = bytes.data();
  const char* const end = bytes.data() + bytes.size();
  const char* at = bytes.data();
  while (at != end) {
    at = lost_ ? lost(at, end) : string_ ? in_string(at, end) : in_structure(at, end);
  }
  record(end);
  before_ += bytes.size();
  portion_ = recorded_ = nullptr;
}

void JsonElements::finish() {
  if (!lost_ && !stack_.empty()) {
    on_problem_(before_, "the text ends in the middle of an event or of the list");
  }
}

// What of the portion belongs to the element and is not copied yet.
void JsonElements::record(const char* end) {
  if (recording_) {
    const auto length = static_cast<std::size_t>(end - recorded_);
    if (element_.size() + length > maximum_element_) {
      recording_ = false;
      oversized_ = true;
      element_.clear();
    } else {
      element_.append(recorded_, length);
    }
  }
  recorded_ = end;
}

const char* JsonElements::in_string(const char* at, const char* end) {
  if (escaped_) {
    escaped_ = false;
    return at + 1;
  }
  const char* const begin = at;
  while (at != end && !is_mark(kStringMarks, *at)) {
    ++at;
  }
  if (capturing_key_ && key_.size() < kLongestKey) {
    key_.append(begin, std::min<std::size_t>(static_cast<std::size_t>(at - begin), kLongestKey));
  }
  if (at == end) {
    return end;
  }
  if (*at == '"') {
    string_ = capturing_key_ = false;
  } else if (*at == '\\') {
    escaped_ = true;
    if (capturing_key_) {
      key_.push_back('\\');
    }
  } else {
    lose(at, "a string has a control character, or no end");
    return at;
  }
  return at + 1;
}

const char* JsonElements::in_structure(const char* at, const char* end) {
  if (between_elements()) {
    if (is_space(*at) || (*at == ',' && list_depth_ != 0)) {
      return at + 1;
    }
    const bool closes_list = *at == ']' && list_depth_ != 0;
    const bool opens = *at == '{' || (*at == '[' && list_depth_ == 0);
    const std::uint64_t place = offset(at);
    if (place < kByteOrderMark.size() && *at == kByteOrderMark[place]) {
      return at + 1;
    }
    if (!closes_list && !opens) {
      lose(at, "here should be an event, an object in braces");
      return at;
    }
  } else {
    while (at != end && !is_mark(kStructureMarks, *at)) {
      ++at;
    }
    if (at == end) {
      return end;
    }
  }
  const char mark = *at;
  if (mark == '"') {
    string_ = true;
    capturing_key_ = in_wrapper() && stack_.front() == '{' && !behind_colon_;
    if (capturing_key_) {
      key_.clear();
    }
  } else if (mark == '{' || mark == '[') {
    return open(mark, at) ? at + 1 : at;
  } else if (mark == '}' || mark == ']') {
    return close(mark, at) ? at + 1 : at;
  } else if (in_wrapper()) {
    behind_colon_ = mark == ':';
  }
  return at + 1;
}

bool JsonElements::open(char bracket, const char* at) {
  if (stack_.size() >= kMaximumDepth) {
    return lose(at, "brackets are nested too deeply");
  }
  if (stack_.empty() && bracket == '[') {
    stack_.push_back(bracket);
    list_depth_ = 1;
    return true;
  }
  const bool list = bracket == '[' && in_wrapper() && stack_.front() == '{' && behind_colon_ &&
                    (key_ == "Records" || key_ == "Events");
  if (list) {
    wrapper_ = true;
    recording_ = oversized_ = false;
    element_.clear();
  } else if (between_elements()) {
    begin_element(at);
  }
  stack_.push_back(bracket);
  if (list) {
    list_depth_ = stack_.size();
  }
  return true;
}

void JsonElements::begin_element(const char* at) {
  element_.clear();
  element_offset_ = offset(at);
  recording_ = true;
  oversized_ = false;
  recorded_ = at;
  if (stack_.empty()) {
    wrapper_ = behind_colon_ = false;
    key_.clear();
  }
}

bool JsonElements::close(char bracket, const char* at) {
  if (stack_.empty() || stack_.back() != (bracket == '}' ? '{' : '[')) {
    return lose(at, std::string("here is a '") + bracket + "' that closes nothing");
  }
  const bool ends_list = between_elements();
  stack_.pop_back();
  if (ends_list) {
    list_depth_ = 0;
  } else if (between_elements()) {
    end_element(at + 1);
  }
  return true;
}

void JsonElements::end_element(const char* end) {
  record(end);
  const bool whole = recording_, oversized = oversized_;
  recording_ = oversized_ = false;
  if (stack_.empty() && wrapper_) {
    wrapper_ = false;
    return;
  }
  if (whole) {
    on_element_(element_, element_offset_);
  } else if (oversized) {
    on_problem_(element_offset_, "an event is longer than " + std::to_string(maximum_element_) +
                                     " bytes, and was left out");
  }
  element_.clear();
}

// False, for its callers.
bool JsonElements::lose(const char* at, const std::string& what) {
  on_problem_(offset(at), what);
  stack_.clear();
  element_.clear();
  list_depth_ = 0;
  wrapper_ = string_ = escaped_ = capturing_key_ = behind_colon_ = false;
  recording_ = oversized_ = false;
  lost_ = true;
  line_begins_ = false;
  return false;
}

// A line that begins with '{' is an object of its own: in a list that is written for people it
// would be indented, and elsewhere nothing else has line ends.
const char* JsonElements::lost(const char* at, const char* end) {
  while (at != end) {
    if (line_begins_ && *at == '{') {
      lost_ = line_begins_ = false;
      return at;
    }
    line_begins_ = *at == '\n';
    ++at;
    if (!line_begins_) {
      const void* const next =
          at == end ? nullptr : std::memchr(at, '\n', static_cast<std::size_t>(end - at));
      at = next == nullptr ? end : static_cast<const char*>(next);
    }
  }
  return end;
}

}  // namespace invlog::residency
