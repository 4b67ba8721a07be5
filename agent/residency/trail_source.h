// Where CloudTrail's events come from, and where they go: what the sources (files, a bucket,
// LookupEvents) and reconciliation agree on.
//
// Threads: all of it on one. Errors: a source that cannot be read at all says why; what is wrong
// with parts of it (a file, an event) is a problem each, and the rest is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "agent/residency/trail_event.h"

namespace invlog::residency {

struct TrailProblem {
  std::string where;                    // file or object
  std::optional<std::uint64_t> offset;  // in bytes; of a compressed file, of what it decodes to
  std::string what;
};

// How far a source is. `total` in the unit of `done`: bytes, objects or seconds; 0 unknown.
struct TrailProgress {
  std::uint64_t done = 0, total = 0;
  std::string note;  // "12 files, 3.4 MiB"
};

class TrailSink {
 public:
  virtual ~TrailSink() = default;
  virtual void event(const TrailEvent& event) = 0;
  virtual void problem(TrailProblem problem) = 0;
  virtual void progress(const TrailProgress& progress) = 0;
  // Somebody does not want to wait any longer.
  virtual bool stopped() const = 0;
};

class TrailSource {
 public:
  virtual ~TrailSource() = default;
  // As `reconciliation.source` has it: always the same for the same place.
  virtual std::string name() const = 0;
  virtual tl::expected<void, std::string> read(TrailSink& sink) = 0;
  // Unix time in µs up to when the source knows all that CloudTrail has; nothing: up to its newest
  // event, for all that one can tell.
  virtual std::optional<std::int64_t> complete_until_us() const { return std::nullopt; }
};

}  // namespace invlog::residency
