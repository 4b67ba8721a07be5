// The report as sections, tables and pictures: what its Markdown and its HTML have in common, so
// that both say the same.
//
// Texts are as they came from the store: whoever writes them out escapes them. Pure functions of a
// Report; any thread; never throw but for lack of memory.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "agent/residency/report_data.h"

namespace invlog::residency {

struct Cell {
  // name: an id or another foreign text, shown as code; time: is not broken into lines
  enum class Kind { text, name, number, time };
  std::string text;
  Kind kind = Kind::text;
};

struct Column {
  std::string title;
  bool number = false;
};

struct Table {
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  bool total = false;  // the last row adds up the others
};

struct Paragraph {
  std::string text;
  bool alarm = false;  // somebody has to look at it
};

// Name and value, line by line.
struct Facts {
  std::vector<std::pair<std::string, Cell>> lines;
};

enum class Picture { daily, flow };

using Block = std::variant<Paragraph, Facts, Table, Picture>;

struct Section {
  std::string id, title;  // id: for links
  std::vector<Block> blocks;
};

struct Document {
  std::string title, subtitle;
  std::vector<Section> sections;
};

Document report_document(const Report& report);

// Days put together where a period is too long for one bar or line each.
struct TimeBucket {
  std::string name;  // "2026-10-05", "2026-W41", "2026-10"
  std::int64_t first_day = 0, last_day = 0;
  DayRow sums;
};
struct TimeBuckets {
  const char* unit = "day";  // "week", "month"
  std::vector<TimeBucket> buckets;
};
TimeBuckets time_buckets(const std::vector<DayRow>& days);

// 1234567 with narrow no-break spaces between groups of three (ISO 80000-1).
std::string spaced(std::int64_t number);
// "2026-10-05T14:03:59Z", "" for 0.
std::string time_or_nothing(std::int64_t at_us);
// Of `part` in `whole`: "12.3 %", "< 0.1 %"; "" if there is no whole.
std::string percentage(std::int64_t part, std::int64_t whole);
// "eu-central-1,eu-west-1" -> "eu-central-1, eu-west-1"; "*" -> "any commercial Region"; "" ->
// "unknown".
std::string destinations_in_words(const std::string& destinations);
// Up to which record and when, and what that does to a period that it concerns.
std::string taken_in_words(const TakenByRetention& taken);

}  // namespace invlog::residency
