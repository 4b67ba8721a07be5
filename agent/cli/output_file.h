// A file that appears under its name only when it is whole: written beside it under a temporary
// name, synced, renamed.
//
// Thread: the caller's. Errors: throws std::runtime_error naming the file and the cause. Not
// committed by the time it is destroyed, it is removed.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace invlog::cli {

class OutputFile {
 public:
  // By default for its owner alone: prompts may be in it.
  explicit OutputFile(std::string path, mode_t mode = 0600);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* action) const;

  const std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
};

}  // namespace invlog::cli
