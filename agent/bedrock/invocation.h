// One call as capture saw it: raw bytes, times and how it ended. A value; capture fills it on the
// I/O thread and moves it to the writer's queue, where bedrock::build_record turns it into a
// storage::Record. Nothing here is parsed.
//
// Credentials never enter it: `request_headers` holds only the headers that the record needs (see
// kept_request_header), so that no later mistake can store a key, a token or a signature.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace invlog::bedrock {

using Headers = std::vector<std::pair<std::string, std::string>>;  // names as received

// Case-insensitive; "" if absent.
std::string_view header(const Headers& headers, std::string_view name);
// The same of a list that may stand in several lines (RFC 9110 §5.3): all of it.
std::string joined_header(const Headers& headers, std::string_view name);
// Whether a request header may be copied into an Invocation. An allow-list.
bool kept_request_header(std::string_view name);

enum class Outcome {
  complete,         // the response was passed to its end (also an HTTP error from Bedrock)
  client_closed,    // the application went away first; that a stream was at its own end, and HTTP's
                    // alone was missing, the record builder finds out
  upstream_closed,  // the service cut or damaged the response, or the client's HTTP version has
                    // none such, or the connection failed; of a stream that HTTP calls whole, the
                    // record builder finds out
  timeout,          // connect or idle timeout towards the service
  denied,           // refused here: no credential, storage failing with on_storage_failure = "deny"
  error,            // refused here: request malformed or too large
  interrupted,      // the agent was stopped, or (strict durability) died, while it was under way
};
std::string_view to_string(Outcome outcome);

// Room to leave behind a body's end: the JSON parser reads in wide steps, and a body without it is
// copied first.
inline constexpr std::size_t kBodySlack = 64;

struct CapturedBody {
  std::string
      bytes;  // as on the wire after transfer coding is removed; content coding still applied
  std::uint64_t total = 0;  // bytes that passed; more than bytes.size() if truncated
  bool truncated = false;   // the tee's bound was reached
};

struct Caller {
  std::optional<std::uint32_t> uid;
  std::optional<std::int32_t> pid;
  std::string executable;
  std::string name = {};  // "" unknown: the record has the number
};

// What policy said of a call before it was forwarded. All "" if nobody was asked.
struct Residency {
  std::string scope;         // in-region, geographic, global; "" unknown
  std::string profile;       // inference profile's id, "" none
  std::string destinations;  // "eu-central-1,eu-west-1"; "*" any commercial Region; "" unknown
  std::string decision;      // allow, deny, flag
  std::string rule;          // that decided, for a denied or flagged call: `deny = "global"`
};

class PrivacyFilter;

struct Invocation {
  std::int64_t started_at_us = 0;  // Unix time, µs
  std::int64_t duration_us = 0;
  std::optional<std::int64_t> first_byte_us;
  std::string method;
  std::string
      target;  // request target as received, e.g. /model/eu.amazon.nova-2-lite-v1%3A0/converse
  Headers request_headers;
  CapturedBody request;
  int status = 0;            // 0: the client was given no response
  Headers response_headers;  // including trailers, appended
  CapturedBody response;
  Outcome outcome = Outcome::complete;
  // The client left, but all of the response that had come was written to it before, and read.
  bool all_passed_on = false;
  std::string error;                     // what went wrong, in words; "" if nothing did
  bool not_sent = false;                 // it ended before a byte of it went to the service
  std::string identity_arn;              // from configuration, "" unknown
  bool intercepted = false;              // proxy mode: it went on as the application signed it
  std::string access_key_id, signed_at;  // of that signature; "" unknown
  Caller caller;
  Residency residency;
  // What of its content is kept, as [privacy] was when the call began (null: everything); no value:
  // as it is when the record is handed over.
  std::optional<std::shared_ptr<const PrivacyFilter>> privacy;

  std::size_t memory_bytes() const;
};

}  // namespace invlog::bedrock
