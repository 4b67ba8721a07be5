#include "agent/config/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <tl/expected.hpp>
#include <utility>

#include "agent/config/nearest_name.h"
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

using Texts = tl::expected<std::vector<std::string>, std::string>;

std::string place_of(const std::string& file, const toml::source_region& region) {
  return file + ":" + std::to_string(region.begin.line) + ":" + std::to_string(region.begin.column);
}

tl::unexpected<std::string> must_be(const char* what) {
  return tl::unexpected(std::string("must be ") + what);
}

const char* description_of(ValueForm form) {
  switch (form) {
    case ValueForm::texts:
      return "a string or an array of strings";
    case ValueForm::size:
      return "a string such as \"64MiB\"";
    case ValueForm::number:
      return "a whole number without quotes";
    case ValueForm::fraction:
      return "a number without quotes, such as 0.25";
    case ValueForm::boolean:
      return "true or false, without quotes";
    case ValueForm::pairs:
      return "an array of \"key=value\", or { key = \"value\" }";
    case ValueForm::text:
    case ValueForm::path:
      break;
  }
  return "a string in quotes";
}

Texts texts_of_array(const toml::array& array) {
  std::vector<std::string> texts;
  for (const toml::node& element : array) {
    if (!element.is_string()) {
      return tl::unexpected<std::string>("each element must be a string in quotes");
    }
    texts.push_back(element.as_string()->get());
  }
  return texts;
}

Texts pairs_of_array(const toml::array& array) {
  auto texts = texts_of_array(array);
  if (!texts) {
    return texts;
  }
  std::vector<std::string> pairs;
  for (const std::string& text : *texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return tl::unexpected(in_quotes(text) + " has no \"=\" between key and value");
    }
    pairs.push_back(text.substr(0, equals));
    pairs.push_back(text.substr(equals + 1));
  }
  return pairs;
}

Texts pairs_of_table(const toml::table& table) {
  std::vector<std::string> pairs;
  for (const auto& [key, node] : table) {
    if (!node.is_string()) {
      return tl::unexpected("the value of " + in_quotes(key.str()) + " must be a string in quotes");
    }
    pairs.emplace_back(key.str());
    pairs.push_back(node.as_string()->get());
  }
  return pairs;
}

// Whoever reads the file may stand anywhere: a service in /, a command in its user's directory.
Texts absolute_path_in(const std::string& text) {
  if (text.empty() || text.front() == '/') {
    return std::vector{text};
  }
  return tl::unexpected(
      in_quotes(text) + " is no absolute path" +
      (text.front() == '~' ? ": a ~ is not expanded here" : ": write it from / on"));
}

// The value as text; the error without its place.
Texts texts_of(const toml::node& node, ValueForm form) {
  if (const auto* text = node.as_string(); text != nullptr && form == ValueForm::path) {
    return absolute_path_in(text->get());
  }
  const bool takes_string =
      form == ValueForm::text || form == ValueForm::texts || form == ValueForm::size;
  if (const auto* text = node.as_string(); text != nullptr && takes_string) {
    return std::vector{text->get()};
  }
  if (const auto* number = node.as_integer();
      number != nullptr &&
      (form == ValueForm::size || form == ValueForm::number || form == ValueForm::fraction)) {
    return std::vector{std::to_string(number->get())};
  }
  if (const auto* number = node.as_floating_point();
      number != nullptr && form == ValueForm::fraction) {
    char text[64];
    const auto written = std::to_chars(text, text + sizeof text, number->get());
    return std::vector{std::string(text, written.ptr)};
  }
  if (const auto* truth = node.as_boolean(); truth != nullptr && form == ValueForm::boolean) {
    return std::vector<std::string>{truth->get() ? "true" : "false"};
  }
  if (const auto* array = node.as_array()) {
    if (form == ValueForm::texts) {
      return texts_of_array(*array);
    }
    if (form == ValueForm::pairs) {
      return pairs_of_array(*array);
    }
  }
  if (const auto* table = node.as_table(); table != nullptr && form == ValueForm::pairs) {
    return pairs_of_table(*table);
  }
  return must_be(description_of(form));
}

// Walks a document, lays what it finds over what was given, and collects what is wrong.
class Collector {
 public:
  Collector(const std::string& file, GivenTables& given) : file_(file), given_(given) {}

  // `prefix`: "" at the top, "exporters." below [exporters].
  void collect_group(const toml::table& group, const std::string& prefix) {
    for (const auto& [key, node] : group) {
      const std::string name = prefix + std::string(key.str());
      const SettingsTable* table = find_settings_table(name);
      if (table == nullptr && !is_group(name)) {
        blame(key.source(), unknown(name, prefix, node.is_table()));
      } else if (!node.is_table()) {
        blame(key.source(), name + " must be a table: [" + name + "]");
      } else if (table == nullptr) {
        collect_group(*node.as_table(), name + ".");
      } else {
        collect_table(*node.as_table(), *table);
      }
    }
  }

  // In the order of the file.
  void add_problems_to(Problems& problems) {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Found& a, const Found& b) { return a.first < b.first; });
    for (const Found& found : found_) {
      problems.push_back(found.second);
    }
  }

 private:
  using Found = std::pair<toml::source_position, std::string>;

  // Whether there are tables below it: "exporters".
  static bool is_group(const std::string& name) {
    for (const SettingsTable* table : settings_tables()) {
      if (table->name.starts_with(name + ".")) {
        return true;
      }
    }
    return false;
  }

  static std::string unknown(const std::string& name, const std::string& prefix, bool is_table) {
    const std::string own = name.substr(prefix.size());
    std::vector<std::string_view> names;
    for (const SettingsTable* table : settings_tables()) {
      if (!is_table && table->name.starts_with(prefix) && table->find(own) != nullptr) {
        return "key " + in_quotes(own) + " must stand below [" + std::string(table->name) + "]";
      }
      if (is_table && table->name.ends_with("." + name)) {
        return "unknown table [" + name + "]; did you mean " + in_quotes(table->name) + "?";
      }
      names.push_back(table->name);
    }
    return is_table ? "unknown table [" + name + "]" + suggestion(name, names)
                    : "unknown key " + in_quotes(name) + suggestion(name, names);
  }

  void collect_table(const toml::table& node, const SettingsTable& table) {
    GivenTable& given = given_[std::string(table.name)];
    const std::size_t before = found_.size();
    if (given.place.empty()) {
      given.place = place_of(file_, node.source());
    }
    for (const auto& [key, value] : node) {
      const std::string name(key.str());
      const Setting* setting = table.find(name);
      if (setting == nullptr) {
        blame(key.source(), "unknown key " + in_quotes(name) + " in [" + std::string(table.name) +
                                "]" + advice(name, table));
        continue;
      }
      auto texts = texts_of(value, setting->form);
      if (!texts) {
        blame(value.source(), name + ": " + texts.error());
        continue;
      }
      const std::string origin = place_of(file_, value.source());
      given.values[name] = {std::move(*texts), origin + ": " + name, origin};
    }
    given.faulty |= found_.size() > before;
  }

  static std::string advice(const std::string& key, const SettingsTable& table) {
    for (const SettingsTable* other : settings_tables()) {
      if (other->find(key) != nullptr) {
        return "; it is a key of [" + std::string(other->name) + "]";
      }
    }
    return suggestion(key, table.keys());
  }

  void blame(const toml::source_region& region, const std::string& what) {
    found_.emplace_back(region.begin, place_of(file_, region) + ": " + what);
  }

  const std::string& file_;
  GivenTables& given_;
  std::vector<Found> found_;
};

tl::expected<std::string, std::string> content_behind(int descriptor, FileKind kind) {
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0) {
    return tl::unexpected<std::string>(std::strerror(errno));
  }
  if (kind == FileKind::regular && !S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) {
    return tl::unexpected<std::string>(
        "it is no regular file, and perhaps it can be read only once: only a start reads such a "
        "one, and only if --config names it");
  }
  std::string content;
  char buffer[16 << 10];
  ssize_t size = 0;
  while ((size = ::read(descriptor, buffer, sizeof buffer)) != 0) {
    if (size > 0) {
      content.append(buffer, static_cast<std::size_t>(size));
    } else if (errno != EINTR) {
      return tl::unexpected<std::string>(std::strerror(errno));
    }
  }
  // What were defaults for everything may be the end of a pipe that was read before.
  if (content.empty() && S_ISFIFO(facts.st_mode)) {
    return tl::unexpected<std::string>("nothing came out of the pipe, which can be read only once");
  }
  return content;
}

tl::expected<std::string, std::string> content_of(const std::string& file, FileKind kind) {
  const int no_wait = kind == FileKind::regular ? O_NONBLOCK : 0;
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | no_wait);
  if (descriptor < 0) {
    return tl::unexpected<std::string>(std::strerror(errno));
  }
  auto content = content_behind(descriptor, kind);
  ::close(descriptor);
  return content;
}

}  // namespace

std::string suggestion(std::string_view name, const std::vector<std::string_view>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : "; did you mean " + in_quotes(nearest) + "?";
}

FileContent read_config_file(const std::string& file, FileKind kind, GivenTables& given,
                             Problems& problems) {
  const auto text = content_of(file, kind);
  if (!text) {
    problems.push_back("cannot read the configuration " + file + ": " + text.error());
    return FileContent::unreadable;
  }
  // The parser's own exceptions carry the place of a syntax error.
  try {
    const toml::table document = toml::parse(*text, file);
    Collector collector(file, given);
    collector.collect_group(document, "");
    collector.add_problems_to(problems);
    return document.empty() ? FileContent::empty : FileContent::settings;
  } catch (const toml::parse_error& error) {
    problems.push_back(place_of(file, error.source()) + ": " + std::string(error.description()));
    return FileContent::unreadable;
  }
}

}  // namespace invlog::config
