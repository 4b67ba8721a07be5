// Makes and rotates the certificate authority of a state directory (certificate_authority.h), and
// keeps the files for programs: ca.pem, and ca-bundle.pem, which has the system's roots besides,
// for variables that replace a program's roots. ca-extra.pem has what somebody added to the
// system's, so that it is in every later bundle; it is theirs to remove.
//
// The order of writing: whatever of it was done when the process or the host died, the key in place
// is that of a certificate in ca.pem, and ca-cross.pem has the one that belongs to it. The key
// comes last: with it the new authority begins.
//
// Thread: any, one at a time; processes exclude each other by a lock. Errors: results, one clear
// line.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "agent/proxy/certificate_files.h"
#include "agent/proxy/state_file.h"

namespace invlog::proxy {

std::string key_path_in(const std::string& state_dir);     // <state_dir>/ca-key.pem
std::string cross_path_in(const std::string& state_dir);   // <state_dir>/ca-cross.pem
std::string bundle_path_in(const std::string& state_dir);  // <state_dir>/ca-bundle.pem
std::string extra_path_in(const std::string& state_dir);   // <state_dir>/ca-extra.pem

// Of ca-extra.pem; none if it is not there.
tl::expected<Certificates, std::string> extra_roots_in(const std::string& state_dir);

// How the common name of each authority begins.
inline constexpr std::string_view kAuthorityName = "invlog proxy CA, ";

// What an authority is for.
struct AuthorityPurpose {
  std::string region;
  std::string host_name;           // of this host
  std::vector<std::string> names;  // BedrockHosts::permitted_names()
};

// Until when programs that have only the ca.pem from before go on.
struct Overlap {
  CertificateAuthority::Time until;    // not in the future: there is none
  std::vector<std::string> new_names;  // of which those programs will not believe the new authority
};

class AuthorityFiles {
 public:
  using Time = CertificateAuthority::Time;

  explicit AuthorityFiles(std::string state_dir, RenameFile rename = rename_file);

  // `system_roots`: for ca-bundle.pem. Makes the directory (0700) if it is missing. An error if
  // there is an authority already.
  tl::expected<void, std::string> create(const AuthorityPurpose& purpose,
                                         const Certificates& system_roots, Time now);
  // A new key and certificate in the place of those that are there, which may have expired.
  tl::expected<Overlap, std::string> rotate(const AuthorityPurpose& purpose,
                                            const Certificates& system_roots, Time now);
  // Adds to ca-extra.pem, from which system_roots() takes them.
  tl::expected<void, std::string> keep(const Certificates& added);
  // ca-bundle.pem anew, after the system's roots have changed.
  tl::expected<void, std::string> update_bundle(const Certificates& system_roots);

 private:
  void write(const std::string& path, const std::string& content, mode_t mode) const;

  const std::string state_dir_;
  const RenameFile rename_;
};

}  // namespace invlog::proxy
