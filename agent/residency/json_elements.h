// Cuts the elements out of a JSON list that is too long to be held in memory: the file of a
// CloudTrail trail, whatever form it has.
//
// Knows four forms, and any mixture of them one after the other: an object with a list "Records"
// (a trail's files) or "Events" (what `aws cloudtrail lookup-events` prints), a bare list, and
// objects one after the other (newline-delimited). It looks at strings, escapes and brackets only;
// what is between an element's brackets is the reader's to check. Bytes come in portions cut
// anywhere.
//
// What is no such text is a problem with its place, and reading goes on at the next line that
// begins with '{'. Memory: one element, at most `maximum_element` bytes; a longer one is a problem
// and skipped.
//
// Threads: one. Errors: problems; nothing is thrown but for lack of memory, and what the callbacks
// throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace invlog::residency {

class JsonElements {
 public:
  static constexpr std::size_t kMaximumElement = 1 << 20;

  // The element's text, from '{' to '}', which the callee may change; and its offset, in bytes.
  using OnElement = std::function<void(std::string& text, std::uint64_t offset)>;
  using OnProblem = std::function<void(std::uint64_t offset, const std::string& what)>;

  JsonElements(OnElement on_element, OnProblem on_problem,
               std::size_t maximum_element = kMaximumElement);

  void feed(std::string_view bytes);
  // There is no more: a problem if that is in the middle of something.
  void finish();
  // How many were fed.
  std::uint64_t bytes() const { return before_; }

 private:
  const char* in_string(const char* at, const char* end);
  const char* in_structure(const char* at, const char* end);
  const char* lost(const char* at, const char* end);
  bool open(char bracket, const char* at);
  bool close(char bracket, const char* at);
  void begin_element(const char* at);
  void end_element(const char* at);
  void record(const char* end);
  bool between_elements() const { return stack_.size() == list_depth_; }
  bool in_wrapper() const { return list_depth_ == 0 && stack_.size() == 1; }
  std::uint64_t offset(const char* at) const;
  bool lose(const char* at, const std::string& what);

  const OnElement on_element_;
  const OnProblem on_problem_;
  const std::size_t maximum_element_;

  std::uint64_t before_ = 0;        // bytes of earlier portions
  const char* portion_ = nullptr;   // the portion at hand
  const char* recorded_ = nullptr;  // up to where it is in element_

  std::string stack_;           // open brackets
  std::size_t list_depth_ = 0;  // their number between the elements of a list; 0 outside of one
  bool wrapper_ = false;        // the object at hand has a list, and is no element
  bool string_ = false, escaped_ = false;
  bool lost_ = false, line_begins_ = false;

  std::string element_;
  std::uint64_t element_offset_ = 0;
  bool recording_ = false, oversized_ = false;

  std::string key_;  // of the outermost object's member, as far as it matters
  bool capturing_key_ = false, behind_colon_ = false;
};

}  // namespace invlog::residency
