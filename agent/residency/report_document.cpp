#include "agent/residency/report_document.h"

#include "agent/residency/report_groups.h"
#include "agent/residency/report_sections.h"

namespace invlog::residency {
namespace {

// What a document shows of a long list; JSON and CSV have all of it.
constexpr std::size_t kMostRows = 60;

std::vector<Column> volume_columns(std::vector<Column> names) {
  for (const char* title :
       {"Calls", "Errors", "Input tokens", "Output tokens", "Cache read", "Cache write"}) {
    names.push_back({title, true});
  }
  return names;
}

void add_volume(std::vector<Cell>& cells, const Volume& volume) {
  for (const std::int64_t number : {volume.calls, volume.errors, volume.input, volume.output,
                                    volume.cache_read, volume.cache_write}) {
    cells.push_back(number_cell(number));
  }
}

// Rows with names in front and a volume behind; those over the limit as one, and the total.
class VolumeTable {
 public:
  VolumeTable(std::string caption, std::vector<Column> names) : names_(names.size()) {
    table_.caption = std::move(caption);
    table_.columns = volume_columns(std::move(names));
  }

  void add(std::vector<Cell> names, const Volume& volume) {
    total_.add(volume);
    if (++rows_ > kMostRows) {
      rest_.add(volume);
      return;
    }
    add_volume(names, volume);
    table_.rows.push_back(std::move(names));
  }

  Table finish() {
    if (rows_ > kMostRows) {
      add_sum(spaced(static_cast<std::int64_t>(rows_ - kMostRows)) + " others", rest_);
    }
    if (rows_ > 1) {
      add_sum("Total", total_);
      table_.total = true;
    }
    return std::move(table_);
  }

 private:
  void add_sum(const std::string& name, const Volume& volume) {
    std::vector<Cell> cells{{name, Cell::Kind::text}};
    cells.resize(names_);
    add_volume(cells, volume);
    table_.rows.push_back(std::move(cells));
  }

  const std::size_t names_;
  Table table_;
  std::size_t rows_ = 0;
  Volume total_, rest_;
};

Table model_table(const Report& report) {
  VolumeTable table("Volume by model and inference profile",
                    {{"Model"}, {"Inference profile"}, {"Scope"}, {"Callers", true}});
  for (const ModelRow& row : usage_by_model(report)) {
    const Cell profile = row.profile == row.model && !row.model.empty()
                             ? Cell{"the same", Cell::Kind::text}
                             : name_or(row.profile, "none");
    table.add({name_cell(row.model), profile, text_or_unknown(row.scope), number_cell(row.callers)},
              row.volume);
  }
  return table.finish();
}

Table caller_table(const Report& report) {
  VolumeTable table("Volume by caller", {{"Caller"}, {"Models", true}});
  for (const CallerRow& row : usage_by_caller(report)) {
    table.add({name_cell(row.caller), number_cell(row.models)}, row.volume);
  }
  return table.finish();
}

Table time_table(const Report& report) {
  const TimeBuckets time = time_buckets(report.days);
  Table table;
  table.caption = std::string("Volume per ") + time.unit + " (UTC)";
  table.columns = volume_columns({{time.unit == std::string_view("day")    ? "Day"
                                   : time.unit == std::string_view("week") ? "ISO week"
                                                                           : "Month"}});
  table.columns.push_back({"Not sent", true});
  table.columns.push_back({"Flagged", true});
  for (const TimeBucket& bucket : time.buckets) {
    if (bucket.sums.volume.calls == 0) {
      continue;
    }
    std::vector<Cell> cells{{bucket.name, Cell::Kind::text}};
    add_volume(cells, bucket.sums.volume);
    cells.push_back(
        number_cell(bucket.sums.calls_by_scope[static_cast<std::size_t>(ScopeIndex::not_sent)]));
    cells.push_back(number_cell(bucket.sums.flagged));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table flow_table(const Report& report) {
  Table table{"Inference profiles, where they may process, and where they did",
              {{"Inference profile"},
               {"Scope"},
               {"May be processed in"},
               {"Was processed in"},
               {"Calls", true},
               {"Input tokens", true},
               {"Output tokens", true}},
              {},
              false};
  Volume rest;
  for (const FlowRow& row : report.flows) {
    if (table.rows.size() == kMostRows) {
      rest.add(row.volume);
      continue;
    }
    const std::string processed = row.not_sent               ? "not sent"
                                  : row.processed_in.empty() ? "not known"
                                                             : row.processed_in;
    table.rows.push_back(
        {name_or(row.profile, "none"),
         text_or_unknown(row.scope),
         {row.not_sent ? "not sent" : destinations_in_words(row.destinations), Cell::Kind::text},
         {processed + (row.outside > 0 ? " (" + spaced(row.outside) + " not allowed)" : ""),
          Cell::Kind::text},
         number_cell(row.volume.calls),
         number_cell(row.volume.input),
         number_cell(row.volume.output)});
  }
  if (rest.calls > 0) {
    table.rows.push_back({{"others", Cell::Kind::text},
                          {},
                          {},
                          {},
                          number_cell(rest.calls),
                          number_cell(rest.input),
                          number_cell(rest.output)});
  }
  if (table.rows.size() > 1) {
    table.rows.push_back({{"Total", Cell::Kind::text},
                          {},
                          {},
                          {},
                          number_cell(report.total.calls),
                          number_cell(report.total.input),
                          number_cell(report.total.output)});
    table.total = true;
  }
  return table;
}

Paragraph no_calls(const Report& report) {
  return {report.taken.concerns_period ? "No calls of this period are left."
                                       : "There are no calls in this period."};
}

Section volume_section(const Report& report) {
  Section section{"volume", "Volume", {}};
  if (report.total.calls == 0) {
    section.blocks.push_back(no_calls(report));
    return section;
  }
  section.blocks.push_back(Picture::daily);
  section.blocks.push_back(model_table(report));
  section.blocks.push_back(caller_table(report));
  section.blocks.push_back(time_table(report));
  return section;
}

Section region_section(const Report& report) {
  Section section{"regions", "Source and destination Regions", {}};
  if (report.total.calls == 0) {
    section.blocks.push_back(no_calls(report));
    return section;
  }
  section.blocks.push_back(
      Paragraph{"Calls leave from " + report.store.region +
                ". A call may be processed in the Regions that its inference profile had as "
                "destinations when it was made; where it really was processed is known from the "
                "answer or from CloudTrail."});
  section.blocks.push_back(Picture::flow);
  section.blocks.push_back(flow_table(report));
  return section;
}

}  // namespace

Cell number_cell(std::int64_t number) {
  return {spaced(number), Cell::Kind::number};
}

Cell name_or(const std::string& name, const char* otherwise) {
  return name.empty() ? Cell{otherwise, Cell::Kind::text} : Cell{name, Cell::Kind::name};
}

Cell name_cell(const std::string& name) {
  return name_or(name, "unknown");
}

Cell text_or_unknown(const std::string& text) {
  return {text.empty() ? "unknown" : text, Cell::Kind::text};
}

Document report_document(const Report& report) {
  Document document;
  document.title = "Record of processing activities: Amazon Bedrock";
  document.subtitle = "Source Region " + report.store.region + ", " +
                      time_or_nothing(report.period.from_us) + " to " +
                      time_or_nothing(report.period.until_us);
  document.sections = {
      head_section(report),     volume_section(report),   region_section(report),
      decision_section(report), coverage_section(report), integrity_section(report),
      event_section(report),    delivery_section(report), reading_section()};
  return document;
}

}  // namespace invlog::residency
