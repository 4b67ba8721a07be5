// CloudTrail's events from a file, or from all files of a folder and the folders in it, in the
// order of their names: .json, .jsonl and .ndjson, each also with .gz. As a trail writes them to
// its bucket, so a synchronized bucket can be read. Files of another Region, and digests, which
// have no events, are passed over by their names.
//
// Threads: one. Errors: as TrailSource; a file that cannot be opened in a folder is a problem.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/residency/trail_source.h"

namespace invlog::residency {

class TrailFiles final : public TrailSource {
 public:
  TrailFiles(const std::string& path, std::string region);

  std::string name() const override { return path_; }
  tl::expected<void, std::string> read(TrailSink& sink) override;

 private:
  struct File {
    std::string path;
    std::uint64_t bytes = 0;
  };

  tl::expected<std::vector<File>, std::string> list(TrailSink& sink) const;
  void list_folder(const std::string& path, TrailSink& sink, std::vector<File>& files) const;
  bool read_file(const File& file, std::size_t files_done, TrailSink& sink);
  void show(TrailSink& sink, std::size_t files_done) const;

  const std::string path_, region_;
  std::uint64_t done_ = 0, total_ = 0;
  std::size_t files_ = 0;
};

// Whether a file or an object of this name may have events of the Region.
bool may_have_events(std::string_view name, std::string_view region);

}  // namespace invlog::residency
