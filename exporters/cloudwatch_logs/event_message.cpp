#include "exporters/cloudwatch_logs/event_message.h"

#include <simdjson.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "exporters/cloudwatch_logs/event_cutting.h"
#include "exporters/s3/batch_plan.h"
#include "exporters/s3/object_layout.h"
#include "exporters/s3/region_guard.h"
#include "exporters/s3/s3_target.h"
#include "exporters/stored_plan.h"

namespace invlog::exporters {
namespace {

using storage::Body;
using storage::BodyPlaces;
using storage::LineCuts;
using storage::StoredRecord;

// Whether S3 will have the record, under a name that is known now.
bool comes_to_s3(const S3Options& s3, const Origin& origin, std::int64_t record) {
  if (origin.store.account_id.empty() && is_aws_endpoint(s3)) {
    return false;  // S3 waits for the account, and then its id is in the name
  }
  return origin.first_in_s3 ? record >= *origin.first_in_s3 : !s3.from_now;
}

// Whether S3 took what came last, in the bucket that is configured. If not, or not yet, that may be
// the configuration's fault, and putting it right changes the name that would be foretold.
bool gets_through(const S3Options& s3, const storage::DeliveryState& known) {
  return known.last_success_us != 0 && known.last_error.empty() && is_s3_target(s3, known.target);
}

// What S3 was given of a body, "" none: then it is in a line, or nowhere.
std::string delivered_place(storage::DeliveryLedger& ledger, std::int64_t record, BodySide side) {
  for (std::string& place : ledger.objects_of("s3", record)) {
    if (is_body_place(place, side)) {
      return std::move(place);
    }
  }
  return {};
}

// By which the record goes to S3, whatever the configuration says by now.
std::optional<BatchPlan> plan_under_way(const S3Options& s3, const storage::DeliveryState& known,
                                        std::int64_t record) {
  if (record > known.planned_last) {
    return std::nullopt;
  }
  const auto stored = read_stored_plan(known.plan);
  return stored && is_s3_target(s3, stored->target) ? BatchPlan::parse(stored->plan) : std::nullopt;
}

std::string planned_place(const BatchPlan& plan, const S3Options& s3, const Origin& origin,
                          const StoredRecord& stored, BodySide side) {
  const Body& body = side == BodySide::input ? stored.record.request : stored.record.response;
  if (!plan.large_bodies || body.bytes.size() <= plan.large_body_bytes) {
    return {};
  }
  if (plan.bodies_by_request) {
    return {};  // whose body gets the request id's name shows only when the batch is filled
  }
  return s3_uri(s3.bucket, body_key(plan.layout(origin), stored, side));
}

// "inputBodyBase64":"", and its comma: what a body adds to a line beside itself.
constexpr std::size_t kMemberBytes = 24;

// A body's length in a line.
std::size_t bytes_in_line(const Body& body) {
  return body.is_json ? body.bytes.size() : (body.bytes.size() + 2) / 3 * 4;
}

std::string cut_body(const Body& body, std::size_t budget) {
  return body.is_json ? cut_json(body.bytes, budget) : body.bytes.substr(0, budget / 4 * 3);
}

// JSON is UTF-8, and a line is made of JSON; a body that claims to be JSON and is not must not make
// the message longer than it was counted.
std::string as_utf8(std::string line) {
  if (!simdjson::validate_utf8(line)) {
    std::replace_if(
        line.begin(), line.end(),
        [](char byte) { return static_cast<unsigned char>(byte) >= 0x80; }, '?');
  }
  return line;
}

}  // namespace

EventMessage::EventMessage(std::optional<S3Options> s3, std::size_t limit)
    : s3_(std::move(s3)), limit_(limit) {}

std::string EventMessage::of(const Origin& origin, const StoredRecord& stored) const {
  if (bytes_in_line(stored.record.request) + bytes_in_line(stored.record.response) <= limit_) {
    std::string line = as_utf8(storage::record_json(origin.store, stored));
    if (line.size() <= limit_) {
      return line;
    }
  }
  std::string line = as_utf8(reduced(origin, stored));
  return line.size() <= limit_ ? line : std::string();
}

std::string EventMessage::place(const Origin& origin, const StoredRecord& stored,
                                bool of_request) const {
  if (!s3_) {
    return {};
  }
  const BodySide side = of_request ? BodySide::input : BodySide::output;
  storage::DeliveryLedger* const ledger = origin.ledger ? origin.ledger() : nullptr;
  const auto known = ledger != nullptr ? ledger->find_state("s3") : std::nullopt;
  if (!known) {
    return {};
  }
  if (stored.id <= known->cursor) {
    return delivered_place(*ledger, stored.id, side);
  }
  if (!gets_through(*s3_, *known)) {
    return {};
  }
  const std::optional<BatchPlan> plan = plan_under_way(*s3_, *known, stored.id);
  if (!plan && !comes_to_s3(*s3_, origin, stored.id)) {
    return {};
  }
  return planned_place(plan ? *plan : BatchPlan::of(*s3_, origin), *s3_, origin, stored, side);
}

std::string EventMessage::reduced(const Origin& origin, const StoredRecord& stored) const {
  const storage::Record& record = stored.record;
  BodyPlaces places;
  LineCuts cuts;
  cuts.input = cuts.output = "";
  // What is left beside the bodies that are not elsewhere.
  const auto room = [&] {
    const std::size_t frame =
        storage::record_json(origin.store, stored, places, cuts).size() + 2 * kMemberBytes;
    return limit_ - std::min(frame, limit_);
  };
  if (room() == 0) {
    const std::size_t most = limit_ / 8;
    cuts.request_metadata = cut_json(record.request_metadata, most);
    cuts.details = cut_json(record.details, most);
  }

  std::size_t input = bytes_in_line(record.request), output = bytes_in_line(record.response);
  for (const bool of_request : {input >= output, input < output}) {
    if (input + output > room()) {
      std::string& at = of_request ? places.input : places.output;
      at = place(origin, stored, of_request);
      (of_request ? input : output) *= at.empty() ? 1 : 0;
    }
  }
  // The rest of the room is shared: half for each body, and what one leaves is the other's.
  const std::size_t total = room();
  const std::size_t half = total / 2;
  const std::size_t for_input = std::min(input, std::max(half, total - std::min(output, half)));
  const std::size_t for_output = std::min(output, total - std::min(for_input, total));
  const auto give = [](const Body& body, bool elsewhere, std::size_t whole, std::size_t share,
                       std::optional<std::string>& cut) {
    cut.reset();
    if (!elsewhere && whole > share) {
      cut = cut_body(body, share);
    }
  };
  give(record.request, !places.input.empty(), input, for_input, cuts.input);
  give(record.response, !places.output.empty(), output, for_output, cuts.output);
  return storage::record_json(origin.store, stored, places, cuts);
}

}  // namespace invlog::exporters
