// The report as one JSON object on one line: everything that was gathered.
//
//   version            2; it changes if a member goes or means something else
//   made_at, made_by   times are ISO 8601, UTC
//   store              path, source_region, account_id, host, host_changes [at, first_record, from,
//                      to] (also outside the period), created_at
//   period             from, until (excluded)
//   records            in_period, in_store
//   taken              null, or what retention took and the period may lack: up_to_record (from 1),
//                      at (when the last of them went), complete_from (calls and events from then
//                      on are all there)
//   total              a volume: calls, errors, input_tokens, output_tokens, cache_read_tokens,
//                      cache_write_tokens
//   usage              [model, profile, scope, caller, and a volume]
//   flows              [profile, scope, destinations (Regions, or "*"), processed_in, sent (false:
//                      denied, or refused or given up before a byte left), outside, and a volume]
//   days               [day, a volume, calls_by_scope (in-region, geographic, global, unknown,
//                      not-sent), flagged]; each day of the period
//   decisions          [decision, rule, caller, model, calls, first, last]
//   cloudtrail         compared, covered and gaps [from, until], records_with_event,
//                      records_without_event, records_without_expected_event (refused here,
//                      cut before an answer, or not logged by default), records_too_recent,
//                      records_not_compared, outside, unseen_calls, unseen [principal,
//                      source_address, model, calls, first, last] (these add up to unseen_calls),
//                      unseen_not_listed (that comparisons found besides, at least; their rows are
//                      gone), comparisons [at, source, from, until, events, matched, unseen,
//                      missing, outside, listed (of the unseen: that still have their row)]
//   integrity          segments, closed_segments, last_segment, last_closed_at, chain_head,
//                      records_without_digest, removed_up_to_record, events (since the store's
//                      birth), verified (null, or whole, records, segments, body_bytes, problems
//                      [where, what])
//   alarms, removals   [at, kind, records, details]
//   events             [kind, events, records, first, last]
//   deliveries         [destination, target (of the last one), places [target, records [first,
//                      last], under_way (some have no answer)], cursor, waiting,
//                      delivered_records, dead_letters, taken_undelivered (records that retention
//                      took before they arrived there), last_success_at, last_error, last_error_at]
//
// What is unknown is null. Pure function; any thread; never throws but for lack of memory.
#pragma once

#include <string>

#include "agent/residency/report_data.h"

namespace invlog::residency {

std::string report_json(const Report& report);

}  // namespace invlog::residency
