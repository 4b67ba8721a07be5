// One file of CloudTrail, as its bytes come: unpacked if it is gzip (of one member or several),
// cut into events, read, and given to a sink. Problems name the file and the place in what it
// decodes to. What was read of a file that is damaged further on counts.
//
// Memory: one event, and what inflating needs. Threads: one. Ownership: the sink must outlive it.
// Errors: problems, at most kMostProblems of one file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/residency/json_elements.h"
#include "agent/residency/trail_source.h"

namespace invlog::residency {

class TrailText {
 public:
  static constexpr int kMostProblems = 100;

  TrailText(std::string name, TrailSink& sink);
  ~TrailText();
  TrailText(const TrailText&) = delete;
  TrailText& operator=(const TrailText&) = delete;

  void feed(std::string_view bytes);
  void finish();

 private:
  class Inflater;

  void element(std::string& text, std::uint64_t offset);
  void problem(std::optional<std::uint64_t> offset, const std::string& what);
  void feed_decided(std::string_view bytes);

  const std::string name_;
  TrailSink& sink_;
  TrailEventReader reader_;
  JsonElements elements_;
  std::unique_ptr<Inflater> inflater_;  // null: plain text
  std::string first_;                   // bytes until it is known what they are
  bool decided_ = false;
  int problems_ = 0;
};

}  // namespace invlog::residency
