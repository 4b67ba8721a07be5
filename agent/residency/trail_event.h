// Reads one event of CloudTrail: what reconciliation must know of it, and whether it is a call of a
// model at all. Facts: bedrock.md §5.5.
//
// Threads: one. Ownership: a TrailEvent's texts live until the next read(). Errors: a text that is
// no event is an ordinary outcome, with the cause.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "agent/bedrock/json_text.h"

namespace invlog::residency {

struct TrailEvent {
  bool invocation = false;          // a call of a model; of others only the first two are set
  std::int64_t at_us = 0;           // eventTime, Unix time in µs; whole seconds
  std::string_view region;          // awsRegion: the source Region
  std::string_view account;         // recipientAccountId, "" unknown
  std::string_view caller_account;  // userIdentity.accountId, "" unknown
  std::string_view event_id;
  std::string_view request_id;
  std::string_view operation;  // "ConverseStream"
  std::string_view model;      // as the caller named it, "" unknown
  std::string_view principal;  // ARN; where there is none, what else names the caller
  std::string_view source_address;
  std::string_view inference_region;  // "" where the event has none: the source Region
  std::string_view error;             // error code, "" none
};

// The operations whose calls are events: those that CloudTrail logs by default, and the
// bidirectional stream, which it logs where data events are switched on.
bool is_invocation(std::string_view operation);
// Those that it logs by default: of them each record should have its event.
bool is_always_logged(std::string_view operation);
// Whether a record is of a call that reached the service, and of a kind that CloudTrail always has.
bool should_have_event(bool has_request_id, std::int64_t status, std::string_view outcome,
                       std::string_view operation);
// CloudTrail may take that long to tell of a call (µs): a record whose event may yet come is not
// missing one.
constexpr std::int64_t kEventDelayUs = 90ll * 60 * 1'000'000;

class TrailEventReader {
 public:
  // One object: an event, or an element of LookupEvents' answer, which has the event as a string.
  // `text` gets room behind its end.
  tl::expected<TrailEvent, std::string> read(std::string& text);

 private:
  bedrock::JsonText outer_, inner_;
  std::string inner_text_;
};

}  // namespace invlog::residency
