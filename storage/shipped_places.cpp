#include "storage/shipped_places.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "storage/delivered_ranges.h"
#include "storage/json_writer.h"
#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/time_text.h"

namespace invlog::storage {
namespace {

constexpr std::size_t kMostRanges = 200;

using Ids = std::vector<std::int64_t>;  // ascending

// What one target has of the records that are asked for, or may have.
struct AtTarget {
  std::string target;
  Ids answered, possible;  // none is in both
};

Ids ids_of(Statement& select) {
  Ids ids;
  while (select.step()) {
    ids.push_back(select.integer(0));
  }
  return ids;
}

// What was refused is not there, unless another attempt at it was asked for.
Ids refused_records(sqlite3* connection, const std::string& destination) {
  Statement select(connection,
                   "SELECT record FROM dead_letter WHERE destination = ?1 AND retry = 0 UNION "
                   "SELECT value FROM (SELECT CASE WHEN json_valid(details) THEN details ELSE '{}' "
                   "END AS details FROM event WHERE kind = 'dead-letters-dropped') AS dropped, "
                   "json_each(dropped.details, '$.records') WHERE dropped.details ->> "
                   "'$.destination' = ?1 ORDER BY 1");
  select.bind_text(1, destination);
  return ids_of(select);
}

// What was refused and is to be tried again may be there: not every invlog noted such an attempt.
Ids requested_records(sqlite3* connection, const std::string& destination) {
  Statement select(connection,
                   "SELECT record FROM dead_letter WHERE destination = ?1 AND retry = 1 ORDER BY "
                   "record");
  select.bind_text(1, destination);
  return ids_of(select);
}

bool has(const Ids& ids, std::int64_t id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

AtTarget& find_or_add(std::vector<AtTarget>& targets, const std::string& target) {
  const auto found = std::find_if(targets.begin(), targets.end(),
                                  [&target](const AtTarget& at) { return at.target == target; });
  return found != targets.end() ? *found : targets.emplace_back(AtTarget{target, {}, {}});
}

void put_in_order(AtTarget& at) {
  std::sort(at.answered.begin(), at.answered.end());
  std::sort(at.possible.begin(), at.possible.end());
  at.possible.erase(std::unique(at.possible.begin(), at.possible.end()), at.possible.end());
  Ids left;
  std::set_difference(at.possible.begin(), at.possible.end(), at.answered.begin(),
                      at.answered.end(), std::back_inserter(left));
  at.possible = std::move(left);
}

std::vector<AtTarget> at_targets(sqlite3* connection, const std::string& destination,
                                 const Ids& all) {
  const Ids refused = refused_records(connection, destination);
  const Ids requested = requested_records(connection, destination);
  std::vector<DeliveredRange> ranges = DeliveredRanges(connection, destination).all();
  std::reverse(ranges.begin(), ranges.end());
  std::vector<bool> settled(all.size());  // by the newest attempt that was answered
  std::vector<AtTarget> targets;
  for (const DeliveredRange& range : ranges) {
    AtTarget& at = find_or_add(targets, range.target);
    const auto end = std::upper_bound(all.begin(), all.end(), range.last);
    for (auto id = std::lower_bound(all.begin(), all.end(), range.first); id < end; ++id) {
      const auto position = static_cast<std::size_t>(id - all.begin());
      if (*id > range.answered) {
        at.possible.push_back(*id);
      } else if (!settled[position]) {
        settled[position] = true;
        if (has(requested, *id)) {
          at.possible.push_back(*id);
        } else if (!has(refused, *id)) {
          at.answered.push_back(*id);
        }
      }
    }
  }
  std::reverse(targets.begin(), targets.end());
  std::for_each(targets.begin(), targets.end(), put_in_order);
  return targets;
}

// Whether a place ("s3://bucket/key") is at a target ("s3://bucket", "s3://bucket at endpoint").
bool is_at(const std::string& target, std::string_view place) {
  return place.starts_with(target.substr(0, target.find(" at ")) + "/");
}

// Takes the objects at the target that hold some of `ids`, and leaves in `ids` those that none
// holds. Before targets were noted for each record, an object could be at another one than its
// records: then its own name says so.
void place(sqlite3* connection, ShippedPlaces& shipped, Ids& ids,
           const std::vector<AtTarget>& targets) {
  if (!has_delivered_objects(connection)) {
    return;
  }
  Statement objects(connection,
                    "SELECT place, first, last FROM delivered_object WHERE destination = ?1 "
                    "AND last >= ?2 AND first <= ?3 ORDER BY id");
  objects.bind_text(1, shipped.destination).bind(2, ids.front()).bind(3, ids.back());
  std::vector<bool> placed(ids.size());
  while (objects.step()) {
    const std::string_view name = objects.bytes(0);
    const bool elsewhere = !is_at(shipped.target, name) &&
                           std::any_of(targets.begin(), targets.end(), [name](const AtTarget& at) {
                             return is_at(at.target, name);
                           });
    const auto begin = std::lower_bound(ids.begin(), ids.end(), objects.integer(1));
    const auto end = std::upper_bound(begin, ids.end(), objects.integer(2));
    if (begin != end && !elsewhere) {
      shipped.places.emplace_back(name);
      std::fill(placed.begin() + (begin - ids.begin()), placed.begin() + (end - ids.begin()), true);
    }
  }
  Ids left;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!placed[i]) {
      left.push_back(ids[i]);
    }
  }
  ids = std::move(left);
}

void note_times(sqlite3* connection, ShippedPlaces& shipped, const Ids& ids) {
  Statement select(connection, "SELECT started_at FROM record WHERE id = ?1");
  std::int64_t first = 0, last = 0;
  for (const std::int64_t id : ids) {
    if (select.bind(1, id).step()) {
      const std::int64_t at = select.integer(0);
      first = first == 0 ? at : std::min(first, at);
      last = std::max(last, at);
    }
    select.reset();
  }
  shipped.first_at = iso_seconds(first);
  shipped.last_at = iso_seconds(last);
}

}  // namespace

std::vector<ShippedPlaces> shipped_places(sqlite3* connection, const ErasureSelection& selection) {
  std::vector<ShippedPlaces> result;
  if (!has_delivery_tables(connection)) {
    return result;
  }
  Ids all;
  for (const ErasureSelection::Segment& segment : selection.segments) {
    all.insert(all.end(), segment.records.begin(), segment.records.end());
  }
  Statement destinations(connection, "SELECT destination FROM delivery ORDER BY destination");
  while (destinations.step()) {
    const std::string destination(destinations.bytes(0));
    const std::vector<AtTarget> targets = at_targets(connection, destination, all);
    for (const AtTarget& at : targets) {
      Ids ids;
      std::merge(at.answered.begin(), at.answered.end(), at.possible.begin(), at.possible.end(),
                 std::back_inserter(ids));
      if (ids.empty()) {
        continue;
      }
      ShippedPlaces& shipped = result.emplace_back();
      shipped.destination = destination;
      shipped.target = at.target;
      shipped.records = static_cast<std::int64_t>(ids.size());
      shipped.under_way = static_cast<std::int64_t>(at.possible.size());
      note_times(connection, shipped, ids);
      place(connection, shipped, ids, targets);
      shipped.unplaced = static_cast<std::int64_t>(ids.size());
      shipped.unplaced_ids = ranges_json(ids, kMostRanges);
    }
  }
  return result;
}

std::string shipped_places_json(const ShippedPlaces& shipped, std::size_t most) {
  std::string places = "[";
  for (std::size_t i = 0; i < std::min(most, shipped.places.size()); ++i) {
    places += i > 0 ? "," : "";
    append_json_string(places, shipped.places[i]);
  }
  std::string json = "{";
  append_json_member(json, "destination", shipped.destination);
  append_json_member(json, "target", shipped.target);
  append_json_number(json, "records", shipped.records);
  append_json_member(json, "first_at", shipped.first_at);
  append_json_member(json, "last_at", shipped.last_at);
  append_json_raw(json, "places", places + "]");
  if (shipped.places.size() > most) {
    append_json_number(json, "more_places", static_cast<long long>(shipped.places.size() - most));
  }
  if (shipped.unplaced > 0) {
    append_json_raw(json, "unplaced", shipped.unplaced_ids);
  }
  if (shipped.under_way > 0) {
    append_json_raw(json, "under_way", "true");
  }
  return json + "}";
}

}  // namespace invlog::storage
