// Files of CloudTrail. The first byte is the length of the first portion. Whatever comes, nothing
// is read beyond the text; an event that counts has its ids; offsets lie within the text; and where
// the text is cut into portions makes no difference.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/residency/trail_text.h"

namespace {

using namespace invlog::residency;

class Sink final : public TrailSink {
 public:
  explicit Sink(bool plain, std::uint64_t length) : plain_(plain), length_(length) {}
  void event(const TrailEvent& event) override {
    if (event.invocation && (event.event_id.empty() || event.request_id.empty())) {
      std::abort();
    }
    seen.append(event.request_id).append("\n");
  }
  void problem(TrailProblem problem) override {
    if (plain_ && problem.offset.value_or(0) > length_) {
      std::abort();
    }
    seen += std::to_string(problem.offset.value_or(0)) + problem.what + "\n";
  }
  void progress(const TrailProgress&) override {}
  bool stopped() const override { return false; }

  std::string seen;

 private:
  const bool plain_;
  const std::uint64_t length_;
};

std::string read(std::string_view text, std::size_t first) {
  Sink sink(!text.starts_with("\x1f\x8b"), text.size());
  TrailText trail("file", sink);
  trail.feed(text.substr(0, first));
  trail.feed(text.substr(first));
  trail.finish();
  return sink.seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t first = text.empty() ? 0 : data[0] % (text.size() + 1);
  if (read(text, first) != read(text, 0)) {
    std::abort();
  }
  return 0;
}
