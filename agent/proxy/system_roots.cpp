#include "agent/proxy/system_roots.h"

#include <openssl/x509.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "agent/proxy/authority_files.h"

namespace invlog::proxy {
namespace {

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) {
      parts.push_back(list.substr(begin, end - begin));
    }
    begin = end + 1;
  }
  return parts;
}

// OpenSSL finds a certificate there by its name's hash: 8 hexadecimal digits, a dot, a number.
bool is_hashed_name(const std::string& name) {
  return name.size() > 9 && name[8] == '.' && name.find_first_not_of("0123456789abcdef") == 8 &&
         name.find_first_not_of("0123456789", 9) == std::string::npos;
}

std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_hashed_name(entry->path().filename().string())) {
      files.push_back(entry->path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool same_file(const std::string& one, const std::string& other) {
  std::error_code ignored;
  return one == other || std::filesystem::equivalent(one, other, ignored);
}

// Certificates in the order in which they were found, each once.
class Collection {
 public:
  void take(const std::string& file) {
    for (Certificate& certificate : readable_certificates_in(file)) {
      if (known_.insert(der_of(certificate.get())).second) {
        certificates.push_back(std::move(certificate));
      }
    }
  }
  bool has(const X509* certificate) const { return known_.contains(der_of(certificate)); }

  Certificates certificates;

 private:
  std::set<std::string> known_;
};

Collection collect(const std::string& file, const std::vector<std::string>& directories,
                   const std::string& extra) {
  Collection collection;
  collection.take(file);
  for (const std::string& directory : directories) {
    for (const std::string& path : files_in(directory)) {
      collection.take(path);
    }
  }
  collection.take(extra);
  return collection;
}

// A copy of a bundle has invlog's own authorities in it, which are trusted as long as ca.pem says.
Certificates foreign_to(const Collection& usual, const std::string& file) {
  Certificates foreign;
  for (Certificate& certificate : readable_certificates_in(file)) {
    if (!usual.has(certificate.get()) &&
        !facts_of(certificate.get()).subject.starts_with(kAuthorityName)) {
      foreign.push_back(std::move(certificate));
    }
  }
  return foreign;
}

}  // namespace

tl::expected<SystemRoots, std::string> system_roots(const aws::Environment& environment,
                                                    const std::string& state_dir) {
  if (const auto extra = extra_roots_in(state_dir); !extra) {
    return tl::unexpected(extra.error());
  }
  const char* variable = X509_get_default_cert_file_env();
  std::string named = aws::value_of(environment, variable);
  if (!named.empty() && same_file(named, bundle_path_in(state_dir))) {
    named.clear();
  }
  if (!named.empty() && readable_certificates_in(named).empty()) {
    return tl::unexpected(std::string(variable) + ": " + certificates_in(named).error());
  }
  const std::string usual = X509_get_default_cert_file();
  const std::string list = aws::value_of(environment, X509_get_default_cert_dir_env());
  const std::vector<std::string> directories =
      parts_of(list.empty() ? X509_get_default_cert_dir() : list);
  const std::string extra = extra_path_in(state_dir);
  SystemRoots roots;
  roots.places = directories;
  roots.places.insert(roots.places.begin(), named.empty() ? usual : named);
  roots.certificates = std::move(collect(roots.places.front(), directories, extra).certificates);
  if (!named.empty()) {
    roots.added = foreign_to(collect(usual, directories, extra), named);
  }
  return roots;
}

}  // namespace invlog::proxy
