#include "storage/shipped_places.h"

#include <algorithm>

#include "storage/json_writer.h"
#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/time_text.h"

namespace invlog::storage {
namespace {

constexpr std::size_t kMostRanges = 200;

// Takes the objects that hold some of `ids`, and leaves in `ids` those that none holds.
void place(sqlite3* connection, ShippedPlaces& shipped, std::vector<std::int64_t>& ids) {
  if (!has_delivered_objects(connection)) {
    return;
  }
  Statement objects(connection,
                    "SELECT place, first, last FROM delivered_object WHERE destination = ?1 "
                    "AND last >= ?2 AND first <= ?3 ORDER BY id");
  objects.bind_text(1, shipped.destination).bind(2, ids.front()).bind(3, ids.back());
  std::vector<bool> placed(ids.size());
  while (objects.step()) {
    const auto begin = std::lower_bound(ids.begin(), ids.end(), objects.integer(1));
    const auto end = std::upper_bound(begin, ids.end(), objects.integer(2));
    if (begin != end) {
      shipped.places.emplace_back(objects.bytes(0));
      std::fill(placed.begin() + (begin - ids.begin()), placed.begin() + (end - ids.begin()), true);
    }
  }
  std::vector<std::int64_t> left;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!placed[i]) {
      left.push_back(ids[i]);
    }
  }
  ids = std::move(left);
}

// What was refused is not there, unless another attempt at it was asked for.
void drop_dead_letters(sqlite3* connection, const std::string& destination,
                       std::vector<std::int64_t>& ids) {
  Statement letters(connection,
                    "SELECT record FROM dead_letter WHERE destination = ?1 AND retry = 0");
  letters.bind_text(1, destination);
  while (letters.step()) {
    const auto found = std::lower_bound(ids.begin(), ids.end(), letters.integer(0));
    if (found != ids.end() && *found == letters.integer(0)) {
      ids.erase(found);
    }
  }
}

void note_times(sqlite3* connection, ShippedPlaces& shipped, const std::vector<std::int64_t>& ids) {
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
  std::vector<std::int64_t> all;
  for (const ErasureSelection::Segment& segment : selection.segments) {
    all.insert(all.end(), segment.records.begin(), segment.records.end());
  }
  const std::string attempted =
      has_delivery_reach(connection)
          ? "coalesce((SELECT attempted FROM delivery_reach AS reach WHERE reach.destination = "
            "delivery.destination), 0)"
          : "0";
  Statement states(connection, "SELECT destination, target, cursor, max(planned_last, " +
                                   attempted + ") FROM delivery ORDER BY destination");
  while (states.step()) {
    const std::int64_t cursor = states.integer(2), last = std::max(cursor, states.integer(3));
    std::vector<std::int64_t> ids(all.begin(), std::upper_bound(all.begin(), all.end(), last));
    drop_dead_letters(connection, std::string(states.bytes(0)), ids);
    if (ids.empty()) {
      continue;
    }
    ShippedPlaces& shipped = result.emplace_back();
    shipped.destination = states.bytes(0);
    shipped.target = states.bytes(1);
    shipped.records = static_cast<std::int64_t>(ids.size());
    shipped.under_way = ids.back() > cursor;
    note_times(connection, shipped, ids);
    place(connection, shipped, ids);
    shipped.unplaced = static_cast<std::int64_t>(ids.size());
    shipped.unplaced_ids = ranges_json(ids, kMostRanges);
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
  if (shipped.under_way) {
    append_json_raw(json, "under_way", "true");
  }
  return json + "}";
}

}  // namespace invlog::storage
