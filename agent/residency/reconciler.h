// Compares what CloudTrail says with the records of a store: where each call was processed, which
// calls the agent never saw, which records have no event. What it finds goes into the store, and
// what is new and wrong becomes an alarm, an `event` row: `processed-outside`, `calls-unseen`.
//
// Events are joined by request id, in batches of at most `batch_events`: memory does not grow with
// what is read, but for the lists of what is not as it should be. An event counts once, however far
// apart its copies are. Run again over the same events it changes nothing and raises no second
// alarm. An event from just beside the span that was asked for counts as left out, but is joined
// with its record if that was started within.
//
// A store with a max_size lists the newest of the calls that the agent never saw, as many as
// retention would leave of them.
//
// Threads: one. Ownership: ledger and source must outlive it. Errors: StoreError, as the ledger.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/residency/event_batch.h"
#include "agent/residency/joined_events.h"
#include "agent/residency/trail_source.h"
#include "storage/trail_ledger.h"

namespace invlog::residency {

struct ReconcilerOptions {
  std::string region;                              // source Region of the store
  std::string account;                             // "" unknown: events of any account count
  std::optional<std::int64_t> since_us, until_us;  // Unix time in µs; until is exclusive
  std::size_t listed = 20;                         // how many of each list are kept, the first ones
  std::size_t batch_events = 1 << 18;
  // Lets the agent make room in a store that has reached its max_size; empty: none is waited for.
  std::function<void(std::chrono::milliseconds)> wait;
};

struct MissingRecord {
  std::int64_t id = 0, started_at_us = 0;
  std::string request_id, operation, model;
  int status = 0;
};

struct OutsideRecord {
  std::int64_t id = 0, at_us = 0;
  std::string request_id, model, region, destinations;
  bool is_new = false;  // found by this run
};

struct Reconciliation {
  // The span that was compared; Unix time in µs. 0, 0: no event told of any.
  std::int64_t since_us = 0, until_us = 0;
  std::int64_t ends_us = 0;     // where the source ends before what was asked for, 0: it does not
  std::int64_t read = 0;        // events of any kind
  std::int64_t left_out = 0;    // of them: other services, operations, Regions, accounts, times
  std::int64_t duplicates = 0;  // of them: seen before in this run
  std::int64_t events = 0;      // of them: this store's calls; the five that follow add up to it
  std::int64_t matched = 0;     // with a record
  std::int64_t unseen = 0;      // without one
  std::int64_t unlisted = 0;    // of them: found no place in `unseen_call`, now or earlier
  std::int64_t before = 0;      // from before the store's oldest record: nobody can tell
  std::int64_t outside = 0;     // records processed outside their destinations
  std::int64_t unknown = 0;     // records that do not say what their destinations were
  std::int64_t records = 0;     // of the span, whose calls CloudTrail logs
  std::int64_t missing = 0;     // of them: without an event
  std::int64_t not_yet = 0;     // of them: without one, but too young to miss it
  std::int64_t new_unseen = 0, new_outside = 0, new_matched = 0;
  std::int64_t problem_count = 0;
  std::map<std::string, std::int64_t> regions;  // where the matched ones were processed
  // The first ones of each, as many as were asked for.
  std::vector<storage::UnseenCall> unseen_calls;  // by time
  std::vector<MissingRecord> missing_records;     // by id
  std::vector<OutsideRecord> outside_records;     // by id
  std::vector<TrailProblem> problems;
};

class Reconciler final : public TrailSink {
 public:
  static constexpr std::size_t kMostProblems = 1000;  // listed
  static constexpr std::size_t kMostIds = 100;        // in an alarm's details

  Reconciler(storage::TrailLedger& ledger, const TrailSource& source, ReconcilerOptions options);

  void event(const TrailEvent& event) override;
  void problem(TrailProblem problem) override;
  void progress(const TrailProgress& progress) override;
  bool stopped() const override;
  // Set before reading; each may be empty.
  std::function<void(const TrailProgress&)> on_progress;
  std::function<bool()> on_stopped;
  // It is about to pause until there is room in the store; 0: it has none to wait for any longer.
  std::function<void(std::chrono::milliseconds pause)> on_waiting;

  // The source has nothing more.
  Reconciliation finish();

 private:
  // A record and the event that says where it was processed.
  struct Match {
    std::int64_t record = 0;
    std::uint32_t event = 0;  // its place in batch_
    bool outside = false;
  };

  bool concerns(const TrailEvent& event) const;
  bool in_span(std::int64_t at_us, std::int64_t slack_us = 0) const;
  void join_batch(bool last);
  std::vector<Match> match_records();
  void match_record(const storage::ComparedRecord& record, std::vector<Match>& changed);
  void note_outside(const storage::ComparedRecord& record, const CompactEvent& event, bool is_new);
  void write_matches(std::vector<Match>& matches);
  void write_unseen();
  void list_unseen(std::vector<const CompactEvent*>& fresh);
  std::int64_t room_for(const CompactEvent& oldest, std::int64_t rows, std::int64_t& listed);
  bool wait_for_room(std::int64_t rows);
  void tell_waiting(std::chrono::milliseconds pause) const;
  void forget_seen();
  void note_delisted();
  bool is_delisted(std::int64_t at_us) const;
  void keep_earliest_unseen(bool last);
  void find_span();
  void find_missing();

  storage::TrailLedger& ledger_;
  const TrailSource& source_;
  const ReconcilerOptions options_;
  const std::int64_t known_from_us_;
  TextPool pool_;
  std::vector<CompactEvent> batch_;
  JoinedEvents joined_;
  std::vector<CompactEvent> unseen_;         // of all batches, the earliest
  std::vector<storage::TimeSpan> delisted_;  // TrailLedger's, of all batches, without overlaps
  std::map<std::uint32_t, std::int64_t> regions_;
  Reconciliation result_;
  bool full_ = false;                                  // nobody makes room
  std::optional<std::int64_t> oldest_us_, newest_us_;  // of all events of the Region
};

// Whether a call that was processed in `processed` was where it was allowed to be: `destinations`
// and `scope` as the record has them. Nothing if the record does not say.
std::optional<bool> processed_outside(std::string_view processed, std::string_view source_region,
                                      std::string_view destinations, std::string_view scope);

}  // namespace invlog::residency
