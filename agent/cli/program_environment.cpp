#include "agent/cli/program_environment.h"

#include <algorithm>
#include <initializer_list>

#include "agent/cli/proxy_environment.h"
#include "agent/config/setting_checks.h"
#include "storage/joined.h"
#include "storage/json_writer.h"

namespace invlog::cli {
namespace {

bool any_set(const aws::Environment& environment, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return !aws::value_of(environment, name).empty(); });
}

// As programs look for it: some compare an IPv6 address with its brackets, some without.
std::vector<std::string> names_of(const std::string& host) {
  return host.find(':') == std::string::npos ? std::vector<std::string>{host}
                                             : std::vector<std::string>{host, "[" + host + "]"};
}

// `no_proxy` with the host's names; "" if it has them already.
std::string merged(const std::string& no_proxy, const std::string& host) {
  std::vector<std::string> entries = no_proxy_entries(no_proxy);
  const auto has = [&](const std::string& entry) {
    return std::find(entries.begin(), entries.end(), entry) != entries.end();
  };
  if (has("*"))
    return "";
  bool added = false;
  for (const std::string& name : names_of(host)) {
    if (!has(name)) {
      entries.push_back(name);
      added = true;
    }
  }
  return added ? storage::joined(entries, ",") : "";
}

// Programs read one of the two names, or one before the other, so both must be right.
void add_no_proxy(ProgramVariables& variables, const std::string& host,
                  const aws::Environment& present) {
  if (!any_set(present, {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}))
    return;
  const std::string upper = aws::value_of(present, "NO_PROXY");
  const std::string lower = aws::value_of(present, "no_proxy");
  const auto add = [&](const char* name, const std::string& own, const std::string& other) {
    if (std::string value = merged(own.empty() ? other : own, host); !value.empty())
      variables.push_back({name, std::move(value)});
  };
  add("NO_PROXY", upper, lower);
  add("no_proxy", lower, upper);
}

ProgramVariables endpoint_variables(const ProgramNeeds& needs, const aws::Environment& present) {
  const std::string url = needs.endpoint.url();
  ProgramVariables variables = {{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url},
                                {"ANTHROPIC_BEDROCK_BASE_URL", url}};
  if (needs.openai)
    variables.push_back({"OPENAI_BASE_URL", url + "/openai/v1"});
  if (needs.ignores_endpoints && !any_set(present, {kIgnoreEndpoints}))
    variables.push_back({kIgnoreEndpoints, "false"});
  add_no_proxy(variables, needs.endpoint.host, present);
  return variables;
}

std::string quoted_for_shell(const std::string& value) {
  std::string quoted = "'";
  for (const char character : value) {
    quoted += character == '\'' ? std::string("'\\''") : std::string(1, character);
  }
  return quoted + "'";
}

std::string quoted_for_systemd(const std::string& value) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/@%+=[]*";
  if (value.find_first_not_of(kPlain) == std::string::npos)
    return value;
  std::string quoted = "\"";
  for (const char character : value) {
    if (std::string_view("\"\\`$").find(character) != std::string_view::npos)
      quoted += '\\';
    quoted += character;
  }
  return quoted + "\"";
}

}  // namespace

std::string AgentEndpoint::address() const {
  return config::host_and_port(host, port);
}

ProgramVariables program_variables(const ProgramNeeds& needs, const aws::Environment& present) {
  ProgramVariables variables =
      needs.proxy ? proxy_variables(needs, present) : endpoint_variables(needs, present);
  // boto3 reads the second, the other SDKs the first. Whoever set one has chosen.
  if (!needs.region.empty() && !any_set(present, {"AWS_REGION", "AWS_DEFAULT_REGION"})) {
    variables.push_back({"AWS_REGION", needs.region});
    variables.push_back({"AWS_DEFAULT_REGION", needs.region});
  }
  return variables;
}

// Entries are separated by commas, by some programs' reading also by spaces; a line end would not
// fit where variables stand one in a line.
std::vector<std::string> no_proxy_entries(const std::string& no_proxy) {
  std::vector<std::string> entries;
  constexpr const char* kSeparators = ", \t\r\n";
  std::size_t begin = no_proxy.find_first_not_of(kSeparators);
  while (begin != std::string::npos) {
    const std::size_t end = std::min(no_proxy.find_first_of(kSeparators, begin), no_proxy.size());
    entries.push_back(no_proxy.substr(begin, end - begin));
    begin = no_proxy.find_first_not_of(kSeparators, end);
  }
  return entries;
}

bool says_true(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character + 32) : character;
  });
  return text == "true";
}

std::string environment_problem(const aws::Environment& present) {
  return says_true(aws::value_of(present, kIgnoreEndpoints))
             ? std::string(kIgnoreEndpoints) +
                   " is true: AWS SDKs will not heed AWS_ENDPOINT_URL_BEDROCK_RUNTIME and call "
                   "Bedrock past the agent; unset it"
             : "";
}

std::string variables_text(const ProgramVariables& variables, VariableFormat format) {
  std::string text;
  if (format == VariableFormat::json) {
    text = "{";
    for (const auto& [name, value, unset] : variables) {
      if (unset)
        storage::append_json_raw(text, name, "null");
      else
        storage::append_json_member(text, name, value);
    }
    return text + "}\n";
  }
  for (const auto& [name, value, unset] : variables) {
    if (unset) {
      text += format == VariableFormat::sh ? "unset " + name + "\n" : "";
      continue;
    }
    switch (format) {
      case VariableFormat::sh:
        text += "export " + name + "=" + quoted_for_shell(value);
        break;
      case VariableFormat::systemd:
        text += name + "=" + quoted_for_systemd(value);
        break;
      default:
        text += name + "=" + value;
    }
    text += '\n';
  }
  return text;
}

}  // namespace invlog::cli
