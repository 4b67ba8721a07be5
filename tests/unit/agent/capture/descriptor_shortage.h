// While it lives, this process can open no file: its limit is the number that the next one would
// get.
//
// For tests that need it for a moment; nothing else may open or close files meanwhile.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/sanitized.h"

namespace invlog::capture {

class DescriptorShortage {
 public:
  // Sanitizers need descriptors themselves: without one, UBSan, which tries by a pipe whether
  // memory can be read, calls sound objects broken.
  static constexpr bool kPossible = !tests::kSanitized;

  DescriptorShortage() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int next = ::dup(STDERR_FILENO);
    REQUIRE(next >= 0);
    ::close(next);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(next);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  ~DescriptorShortage() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorShortage(const DescriptorShortage&) = delete;
  DescriptorShortage& operator=(const DescriptorShortage&) = delete;

 private:
  rlimit before_{};
};

}  // namespace invlog::capture
