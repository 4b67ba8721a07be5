#include "agent/proxy/system_roots.h"

#include <openssl/x509.h>

#include <algorithm>
#include <filesystem>
#include <set>

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

}  // namespace

SystemRoots system_roots(const aws::Environment& environment, const std::string& own_bundle) {
  std::string file = aws::value_of(environment, X509_get_default_cert_file_env());
  if (file.empty() || same_file(file, own_bundle)) {
    file = X509_get_default_cert_file();
  }
  std::string directories = aws::value_of(environment, X509_get_default_cert_dir_env());
  if (directories.empty()) {
    directories = X509_get_default_cert_dir();
  }
  SystemRoots roots;
  std::set<std::string> known;
  const auto take = [&](const std::string& path) {
    for (Certificate& certificate : readable_certificates_in(path)) {
      if (known.insert(der_of(certificate.get())).second) {
        roots.certificates.push_back(std::move(certificate));
      }
    }
  };
  roots.places.push_back(file);
  take(file);
  for (const std::string& directory : parts_of(directories)) {
    roots.places.push_back(directory);
    for (const std::string& path : files_in(directory)) {
      take(path);
    }
  }
  return roots;
}

}  // namespace invlog::proxy
