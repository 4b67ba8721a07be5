// An output that, whenever something is written to it, looks whether the write-ahead log of a store
// can be emptied: a command that prints must hold no snapshot, as its reader may take his time.
//
// Thread: the caller's. Errors: throws std::runtime_error if the store cannot be written.
#pragma once

#include <sqlite3.h>

#include <ostream>
#include <streambuf>
#include <string>

namespace invlog::tests {

class WatchedOutput : private std::streambuf, public std::ostream {
 public:
  explicit WatchedOutput(const std::string& store_path);
  ~WatchedOutput() override;

  const std::string& text() const { return text_; }
  // How often it was written to, and in how many of these cases the log was held.
  int writes() const { return writes_; }
  int held() const { return held_; }

 private:
  int overflow(int character) override;
  std::streamsize xsputn(const char* bytes, std::streamsize size) override;

  sqlite3* connection_ = nullptr;
  std::string text_;
  int writes_ = 0, held_ = 0;
};

}  // namespace invlog::tests
